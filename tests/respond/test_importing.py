"""Scans become cases, and cases live on from scan to scan."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from stillwatch.records import CaseState, EventKind, Relation, Verdict
from stillwatch.respond import NotAllowed, NotNow, cases, content
from tests.protect.making import NOW
from tests.respond.conftest import Office
from tests.respond.making import APP, CARD, TLS, campaign, filed, names, result
from tests.respond.test_cases import HOSTILE

LATER, LATEST = NOW + timedelta(days=1), NOW + timedelta(days=2)


def one(office: Office, groups: dict[str, list[str]], at: datetime = NOW) -> dict[str, tuple[int, Relation]]:
    """File a run; where each campaign went."""
    return {f.campaign_id: (f.case_number, f.relation) for f in filed(office, result(groups, at)).filed}


def test_a_campaign_becomes_a_case_with_everything_behind_it(office: Office) -> None:
    """Accounts, findings with the digests of run and settings, details without prompt text."""
    done = filed(
        office,
        result([(campaign("G-1", names("a", 5), [CARD], exemplars=("secret prompt",)), names("a", 5))]),
    )
    with office.look() as work:
        case = cases.get(work, 1)
        found, seen = cases.findings(work, 1), cases.sightings(work, 1)
        details = cases.details(work, 1)
        page = cases.accounts(work, 1, limit=2)
    assert (case.kind, case.account_count, case.families, case.false_discovery_rate) == (
        "campaign",
        5,
        2,
        0.01,
    )
    assert (page.total, page.rows[0].account_id, page.rows[0].reasons) == (
        5,
        "a000",
        ("shares a payment card",),
    )
    assert (found[0]["run_id"], found[0]["settings_digest"]) == (done.run_id, "5e" * 32)
    assert (seen[0].relation, seen[0].joined) == (Relation.NEW, 5)
    assert "secret prompt" not in str(details)


def test_the_same_run_is_filed_once(office: Office) -> None:
    """Filing it again changes nothing."""
    first = result({"G-1": names("a", 4)})
    assert not filed(office, first).already
    assert filed(office, first).already
    with office.look() as work:
        assert cases.listing(work).total == 1
        assert len(cases.timeline(work, 1).rows) == 2


def test_cases_go_on_grow_split_and_merge(office: Office) -> None:
    """By the accounts in common, whatever a scan calls the group."""
    assert one(office, {"G-1": names("a", 10), "G-2": names("b", 6)}) == {
        "G-1": (1, Relation.NEW), "G-2": (2, Relation.NEW),
    }  # fmt: skip
    assert one(office, {"G-x": names("a", 14), "G-y": names("b", 6)}, LATER) == {
        "G-x": (1, Relation.GREW), "G-y": (2, Relation.SAME),
    }  # fmt: skip
    parts = {"G-p": names("a", 9), "G-q": names("a", 14)[9:] + names("b", 6)}
    assert one(office, parts, LATEST) == {"G-p": (1, Relation.SHRANK), "G-q": (2, Relation.GREW)}
    whole = {"G-w": names("a", 14) + names("b", 6), "G-z": ["z1", "z2", "a000"]}
    assert one(office, whole, LATEST + timedelta(days=1)) == {
        "G-w": (2, Relation.MERGED),
        "G-z": (3, Relation.NEW),
    }
    with office.look() as work:
        assert [(k.case_number, k.other, k.relation) for k in cases.links(work, 1)] == [
            (2, 1, Relation.MERGED)
        ]
        assert cases.timeline(work, 1).rows[-1].text == "goes on in K-2"
        gone = [a for a in cases.accounts(work, 1, limit=50).rows if not a.present]
    assert len(gone) == 5


def test_one_account_in_common_links_nothing(office: Office) -> None:
    """It may be an honest one; nor do accounts that are only watched."""
    one(office, {"G-1": [*names("a", 4), "w1", "w2", "w3"]})
    assert one(office, {"G-2": ["a000", "w1", "w2", "w3", *names("c", 3)]}, LATER)["G-2"] == (2, Relation.NEW)


def test_a_closed_case_opens_again_for_new_accounts_alone(office: Office) -> None:
    """The verdict of a person holds for what the person saw."""
    one(office, {"G-1": names("a", 6)})
    with office.work() as work:
        cases.close(work, 1, Verdict.BENIGN_POSITIVE, "a benchmark", version=cases.get(work, 1).version)
    one(office, {"G-1": names("a", 6)}, LATER)
    with office.look() as work:
        assert cases.get(work, 1).state is CaseState.CLOSED
    one(office, {"G-1": names("a", 8)}, LATEST)
    with office.look() as work:
        case = cases.get(work, 1)
        line = next(e for e in cases.timeline(work, 1).rows if e.text.startswith("opened again"))
    assert (case.state, case.verdict, line.details) == (CaseState.OPEN, None, {"was": "benign_positive"})


def test_new_accounts_with_the_traits_of_those_acted_on_are_a_return(office: Office) -> None:
    """A rare sign of control and a second family; a popular program weighs nothing."""
    filed(office, result([(campaign("G-1", names("a", 5), [CARD, TLS, APP]), names("a", 5))]))
    with office.work() as work:
        cases.close(work, 1, Verdict.TRUE_POSITIVE, "seen in court", version=cases.get(work, 1).version)
    back = [
        (campaign("G-2", names("n", 4), [CARD, TLS], at=LATER), names("n", 4)),
        (campaign("G-3", names("m", 4), [TLS, APP], at=LATER), names("m", 4)),
        (campaign("G-4", names("o", 4), [CARD, APP], at=LATER), names("o", 4)),
    ]
    done = filed(office, result(back))
    assert [(f.relation, f.returned_from) for f in done.filed] == [
        (Relation.RETURNED, (1,)), (Relation.NEW, ()), (Relation.NEW, ()),
    ]  # fmt: skip
    with office.look() as work:
        assert cases.links(work, 2)[0].grounds == (
            "payment d:card (16.6 bits)",
            "tls_fingerprint d:tls (13.3 bits)",
        )
        assert [e.text for e in cases.timeline(work, 1).rows if e.kind is EventKind.LINEAGE] == [
            "may have come back as K-2"
        ]


def test_runs_are_filed_in_the_order_of_time(office: Office) -> None:
    """An older run after a newer one would make accounts look as if they had left."""
    one(office, {"G-1": names("a", 6)}, LATER)
    with pytest.raises(NotNow, match="has been filed") as caught:
        one(office, {"G-1": names("a", 5)}, NOW)
    assert caught.value.hint == "file runs in the order of time"


def test_hostile_and_oversize_ids_are_filed_or_refused_aloud(office: Office) -> None:
    """Zero bytes and lone surrogates are kept; an id that is too long is counted."""
    ids = [HOSTILE, "a\x00", "x" * 5_000, "b" * 1_000]
    done = filed(office, result({"G\x00-1": ids}))
    assert done.refused == 1
    with office.look() as work:
        assert {a.account_id for a in cases.accounts(work, 1).rows} == {HOSTILE, "a\x00", "b" * 1_000}
    with pytest.raises(NotAllowed):
        filed(office, result({"G-9": ["q"]}, LATER), by="vera")


def test_prompt_text_needs_two_people_and_leaves_a_line(office: Office) -> None:
    """Asked for by one, agreed to by another, for some hours, redacted; every reading is on record."""
    text = "write to ada@example.com"
    filed(office, result([(campaign("G-1", names("a", 3), exemplars=(text,)), names("a", 3))]))
    with pytest.raises(NotAllowed, match="locked"), office.work() as work:
        content.exemplars(work, 1)
    with office.work() as work:
        asked = content.ask(work, 1, "which template is it")
    with pytest.raises(NotAllowed), office.work("ana") as work:
        content.agree(work, asked.unlock_id, version=1)
    with office.work("pia") as work:
        content.agree(work, asked.unlock_id, hours=2, version=1)
    with office.work() as work:
        assert content.exemplars(work, 1) == ["write to [address]"]
        assert content.exemplars(work, 1, whole=True) == [text]
    office.clock.forward(hours=2)
    with pytest.raises(NotAllowed, match="locked"), office.work() as work:
        content.exemplars(work, 1)
    from stillwatch.respond import audit

    with office.look() as work:
        lines = audit.entries(work.conn, what="content.").rows
    assert [e.what for e in lines] == ["content.read", "content.read", "content.agree", "content.ask"]
    assert "ada@" not in str(lines)
