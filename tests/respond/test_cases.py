"""Cases as people work on them."""

from __future__ import annotations

import pytest

from stillwatch.records import CaseState, EventKind, Verdict
from stillwatch.respond import Conflict, NotAllowed, NotFound, NotNow, Unfit, cases
from stillwatch.respond.cases import CaseFilter
from tests.respond.conftest import Office

HOSTILE = "a\x00b\\u0041\ud800<script>alert(1)</script>\x1b[2J=cmd|' /C calc'!A0\u202e"


def opened(office: Office, title: str = "One", accounts: tuple[str, ...] = ("a1", "a2")) -> int:
    """A case by hand."""
    with office.work() as work:
        return cases.open_by_hand(work, title, accounts).number


def test_a_case_goes_from_open_to_closed_and_its_timeline_keeps_it(office: Office) -> None:
    """Assignment, notes with hours, verdict; every change leaves a line."""
    number = opened(office)
    with office.work() as work:
        case = cases.assign(work, number, office.team["bo"].person_id, version=1)
        assert case.state is CaseState.WORKING
        cases.note(work, number, "looked at templates", hours=1.5)
        cases.note(work, number, "asked the customer", hours=0.25)
    with office.work("bo") as work:
        closed = cases.close(work, number, Verdict.BENIGN_POSITIVE, "a benchmark run", version=case.version)
    assert (closed.state, closed.verdict, closed.hours) == (CaseState.CLOSED, Verdict.BENIGN_POSITIVE, 1.75)
    with office.look() as work:
        kinds = [event.kind for event in cases.timeline(work, number).rows]
        assert [row.account_id for row in cases.accounts(work, number).rows] == ["a2", "a1"]
    assert kinds == [EventKind.OPENED, EventKind.ASSIGNED, EventKind.NOTE, EventKind.NOTE, EventKind.STATE]
    with office.work() as work:
        again = cases.reopen(work, number, "a new scan", version=closed.version)
    assert (again.state, again.verdict, again.closed_at) == (CaseState.WORKING, None, None)


def test_a_change_made_from_an_old_look_is_refused_with_both_versions(office: Office) -> None:
    """The second of two analysts hears of the first."""
    number = opened(office)
    with office.work("ana") as work:
        cases.assign(work, number, office.team["ana"].person_id, version=1)
    with pytest.raises(
        Conflict, match=r"case K-1 was changed by somebody else \(you had version 1, it is now 2\)"
    ):
        with office.work("bo") as work:
            cases.assign(work, number, office.team["bo"].person_id, version=1)
    with office.look() as work:
        assert cases.get(work, number).assignee == office.team["ana"].person_id
        assert len(cases.timeline(work, number).rows) == 2


def test_who_may_not_is_told_what_is_needed(office: Office) -> None:
    """A viewer reads, and changes nothing."""
    number = opened(office)
    with (
        pytest.raises(NotAllowed, match="vera may not do this: it needs case_work"),
        office.work("vera") as work,
    ):
        cases.note(work, number, "hm")
    with pytest.raises(NotAllowed, match="vera does not work on cases"), office.work() as work:
        cases.assign(work, number, office.team["vera"].person_id, version=1)


def test_what_cannot_be_is_refused_with_a_hint(office: Office) -> None:
    """Empty titles, hours without measure, cases that are not there, and closing twice."""
    number = opened(office)
    with office.work() as work:
        for title in ("", "  ", "x" * 201):
            with pytest.raises(Unfit):
                cases.open_by_hand(work, title)
        for hours in (-1.0, 1e9, float("nan")):
            with pytest.raises(Unfit):
                cases.note(work, number, "x", hours=hours)
        with pytest.raises(NotFound, match="case K-99"):
            cases.get(work, 99)
        cases.close(work, number, Verdict.UNDETERMINED, "nothing more to see", version=1)
        with pytest.raises(NotNow, match="closed already"):
            cases.close(work, number, Verdict.TRUE_POSITIVE, "again", version=2)


def test_hostile_text_comes_back_as_it_was_and_confuses_nothing(office: Office) -> None:
    """Zero bytes, lone surrogates, quotes and wildcards in ids and titles."""
    ids = (HOSTILE, "a\x00b", "a\\u0000b", "%", "_", "' OR 1=1 --")
    number = opened(office, "100% <b>" + HOSTILE, ids)
    opened(office, "other")
    with office.look() as work:
        assert {row.account_id for row in cases.accounts(work, number).rows} == set(ids)
        assert [r.account_id for r in cases.accounts(work, number, search="%").rows] == ["%"]
        assert {r.account_id for r in cases.accounts(work, number, search="a\x00").rows} == {
            HOSTILE,
            "a\x00b",
        }
        assert cases.listing(work, CaseFilter(words="100%")).total == 1
        assert cases.listing(work, CaseFilter(words="_")).total == 0
        assert [c.number for c in cases.listing(work, CaseFilter(account_id=HOSTILE)).rows] == [number]


def test_lists_are_filtered_ordered_and_paged(office: Office) -> None:
    """By state, person and word; the newest change first."""
    numbers = [opened(office, f"Case {k}") for k in range(5)]
    office.clock.forward(minutes=1)
    with office.work() as work:
        cases.assign(work, numbers[1], office.team["ana"].person_id, version=1)
    with office.look() as work:
        assert cases.listing(work).rows[0].number == numbers[1]
        page = cases.listing(work, CaseFilter(states=(CaseState.OPEN,)), order="opened", offset=1, limit=2)
        assert (page.total, [c.number for c in page.rows]) == (4, [numbers[3], numbers[2]])
        assert cases.listing(work, CaseFilter(assignee=office.team["ana"].person_id)).total == 1
        assert cases.listing(work, CaseFilter(words="case 3")).total == 1
