"""Appeals, what follows from them, and grants."""

from __future__ import annotations

from typing import Any

import pytest

from stillwatch.records import (
    Appeal,
    AppealState,
    Measure,
    Outcome,
    PlanState,
    Relation,
    Sent,
    StepState,
    Verdict,
)
from stillwatch.respond import (
    PROGRAM,
    NotAllowed,
    NotFound,
    NotNow,
    Unfit,
    appeals,
    audit,
    cases,
    correcting,
    granting,
    outbox,
)
from stillwatch.respond import tables as t
from stillwatch.respond.appeals import Upload
from stillwatch.respond.planning import Wanted
from tests.respond.conftest import Office
from tests.respond.making import CARD, TLS, campaign, filed, names, planned, result
from tests.respond.test_plans import Hands, carry_out, case_of, under

STATEMENT = "These are our own documents <script>alert(1)</script>"


def acted(office: Office, count: int = 4) -> dict[str, str]:
    """A takedown that was carried out; account -> token of its appeal."""
    plan = planned(office, case_of(office, count))
    hands = Hands()
    carry_out(office, plan.number, hands)
    return {p["account_id"]: p["appeal_url"].rsplit("/", 1)[1] for p in hands.sent if p["kind"] == "notice"}


def appealed(office: Office, token: str, *documents: Upload) -> Appeal:
    """The customer's side."""
    with office.desk.work(PROGRAM) as work:
        return appeals.file(work, token, STATEMENT, documents)


def test_an_appeal_is_filed_by_link_and_decided_by_somebody_else(office: Office) -> None:
    """Not by the maker, an approver, the runner or the program; an overturned one is taken back."""
    tokens = acted(office)
    filed_one = appealed(office, tokens["a001"], Upload("contract", "../../x.exe", b"%PDF-1.7 ours"))
    assert filed_one.state is AppealState.FILED
    assert set(filed_one.families) == {"identity", "timing"}
    assert filed_one.due_at is not None
    with pytest.raises(NotAllowed, match="pia had a part in P-1"), office.work("pia") as work:
        appeals.decide(work, filed_one.number, Outcome.UPHELD, "no", version=filed_one.version)
    for nobody in ("ana", "otto"):
        with pytest.raises(NotAllowed), office.work(nobody) as work:
            appeals.decide(work, filed_one.number, Outcome.UPHELD, "no", version=filed_one.version)
    with pytest.raises(NotAllowed), office.desk.work(PROGRAM) as work:
        appeals.decide(work, filed_one.number, Outcome.UPHELD, "no", version=filed_one.version)
    with office.work("quin") as work:
        assert appeals.get(work, filed_one.number).statement == STATEMENT
        document = appeals.documents(work.conn, filed_one.number)[0]
        assert (document.name, document.media_type) == ("x.pdf", "application/pdf")
        assert appeals.content(work, document.document_id)[1] == b"%PDF-1.7 ours"
        decided = appeals.decide(
            work, filed_one.number, Outcome.OVERTURNED, "We were wrong.", version=filed_one.version
        )
    assert decided.outcome is Outcome.OVERTURNED
    hands = Hands()
    done = carry_out(office, 1, hands, by="quin")
    assert hands.order() == [("act", "a001"), ("notice", "a001")]
    assert (hands.sent[-1]["outcome"], hands.sent[-1]["answer"]) == ("overturned", "We were wrong.")
    assert done["plan"].state is PlanState.DONE
    assert under(office) == {"a000", "a002", "a003"}
    with office.look() as work:
        assert [r["account_id"] for r in correcting.honest_accounts(work)] == ["a001"]
        rate = correcting.overturned(work)
        lines = [e.what for e in audit.entries(work.conn, limit=6).rows]
    assert (rate["decided"], rate["overturned"], rate["rate"]) == (1, 1, 1.0)
    assert rate["low"] < 0.05 < rate["high"] == 1.0
    assert "step.done" in lines


@pytest.mark.parametrize("part", ["went on with it", "tried again what failed", "took it back"])
def test_whoever_went_on_with_a_plan_or_took_it_back_does_not_decide(make_office: Any, part: str) -> None:
    """As little as the person who began it; carrying out what another appeal decided is no part in it."""
    office = make_office("sqlite")
    plan = planned(office, case_of(office, 3))
    refused = Hands({"a002": [Sent(StepState.FAILED, "answered 404")]})
    hands = Hands()
    with office.work("pia") as work:
        outbox.start(work, plan.number, version=plan.version)
        if part == "went on with it":
            refused = hands
    carry_out(office, plan.number, refused, by="quin" if part == "went on with it" else "pia")
    if part == "tried again what failed":
        carry_out(office, plan.number, hands, by="quin", again_failed=True)
    if part == "took it back":
        with office.work("quin") as work:
            outbox.undo(work, plan.number, "ours", accounts=["a001"])
    link = next(p for p in refused.sent if p["kind"] == "notice" and p["account_id"] == "a000")["appeal_url"]
    held = appealed(office, link.rsplit("/", 1)[1])
    with pytest.raises(NotAllowed, match="quin had a part in P-1"), office.work("quin") as work:
        appeals.decide(work, held.number, Outcome.UPHELD, "no", version=held.version)


def test_carrying_out_a_decision_is_no_part_in_the_plan(office: Office) -> None:
    """Who decided one appeal and carried that out may decide the next."""
    tokens = acted(office)
    for account in ("a000", "a001"):
        held = appealed(office, tokens[account])
        with office.work("quin") as work:
            appeals.decide(work, held.number, Outcome.EASED, "Free again.", version=held.version)
        carry_out(office, 1, Hands(), by="quin")
    assert under(office) == {"a002", "a003"}


def test_only_the_tokens_digest_is_kept_and_a_wrong_link_says_nothing(office: Office) -> None:
    """The token stands nowhere in the store."""
    token = acted(office)["a000"]
    with office.look() as work:
        for table in (t.appeals, t.appeal_tokens, t.plan_steps, t.audit, t.case_events):
            assert token not in str(work.conn.execute(table.select()).all())
        for wrong in ("", "x" * 43, token[:-1], token + "\x00", "\ud800"):
            with pytest.raises(NotFound, match="appeal behind this link"):
                appeals.by_token(work.conn, wrong)


@pytest.mark.parametrize(("statement", "documents", "match"), [
    ("", (), "statement is needed"),
    ("x" * 10_001, (), "a statement of 10,001 characters"),
    ("x", (Upload("contract", "a", b""),), "a document of 0 bytes"),
    ("x", (Upload("contract", "a", b"%PDF-" + bytes(5 * 1024 * 1024)),), "a document of"),
    ("x", (Upload("contract", "a", b"<html>\x00"),), "of a kind that is not taken"),
    ("x", (Upload("bribe", "a", b"text"),), "no such kind"),
    ("x", (Upload("other", "a", b"text"),) * 6, "6 documents"),
])  # fmt: skip
def test_what_is_handed_in_is_bounded(make_office: Any, statement: str, documents: Any, match: str) -> None:
    """Size, number and kind; nothing is kept of what is refused."""
    office = make_office("sqlite")
    token = acted(office)["a000"]
    with pytest.raises(Unfit, match=match), office.desk.work(PROGRAM) as work:
        appeals.file(work, token, statement, documents)
    with office.look() as work:
        assert appeals.by_token(work.conn, token).state is AppealState.OFFERED
        assert work.conn.execute(t.documents.select()).all() == []


def test_the_clock_runs_for_both_sides(office: Office) -> None:
    """An offer lapses; an appeal that is not decided in time is overdue."""
    tokens = acted(office)
    appealed(office, tokens["a000"])
    office.clock.forward(days=31)
    with office.work("quin") as work:
        assert [a.account_id for a in appeals.listing(work, overdue=True).rows] == ["a000"]
        assert appeals.lapse(work) == 3
    with pytest.raises(NotNow, match="cannot be added to"):
        appealed(office, tokens["a001"])


def test_a_false_positive_frees_everybody_and_what_rested_on_it(office: Office) -> None:
    """Nobody stays under a measure; links, traits and tripwires fall; the accounts are honest from now on."""
    acted(office)
    back = campaign("G-2", names("n", 4), [CARD, TLS], at=office.clock())
    office.clock.forward(days=1)
    assert filed(office, result([(back, names("n", 4))])).filed[0].relation is Relation.RETURNED
    with pytest.raises(NotNow, match="4 accounts of K-1 are under a measure of P-1"), office.work() as work:
        cases.close(work, 1, Verdict.FALSE_POSITIVE, "a class", version=cases.get(work, 1).version)
    with office.work("pia") as work:
        from stillwatch.respond import outbox

        outbox.undo(work, 1, "wrong")
    carry_out(office, 1, Hands())
    with office.work() as work:
        cases.close(work, 1, Verdict.FALSE_POSITIVE, "a class", version=cases.get(work, 1).version)
    with office.look() as work:
        assert len(correcting.honest_accounts(work)) == 4
        assert [k.withdrawn_at is not None for k in cases.links(work, 2)] == [True]
        assert "no longer a return of K-1" in cases.timeline(work, 2).rows[-1].text
        assert correcting.overturned(work)["false_positive_cases"] == 1
    again = campaign("G-3", names("q", 4), [CARD, TLS], at=office.clock())
    assert filed(office, result([(again, names("q", 4))])).filed[0].relation is Relation.NEW


def test_grants_are_given_listed_revoked_and_exported_as_scans_read_them(
    office: Office, tmp_path: Any
) -> None:
    """The export is what `read_grants` takes, and a revoked grant ends when it was revoked."""
    import json

    from stillwatch.ingest import read_grants

    start, end = office.clock(), office.clock().replace(year=2027)
    common: dict[str, Any] = {"purpose": "research", "valid_from": start, "valid_until": end}
    with office.work("pia") as work:
        granting.add(
            work,
            account_id="a1",
            models=("m-large",),
            max_exchanges=10,
            note="=HYPERLINK(1)",
            grant_id="g1",
            **common,
        )
        granting.add(work, org_id="o1", grant_id="g2", **common)
    office.clock.forward(days=2)
    with office.work("pia") as work:
        granting.revoke(work, "g2", "ended", version=1)
        with pytest.raises(Unfit, match="already a grant g1"):
            granting.add(work, account_id="x", grant_id="g1", **common)
        with pytest.raises(Unfit, match="ends before it begins"):
            granting.add(work, account_id="x", purpose="research", valid_from=end, valid_until=start)
        assert granting.listing(work, in_force=True).total == 1
        rows = granting.export(work)
    path = tmp_path / "grants.jsonl"
    path.write_text("".join(json.dumps(r, default=lambda d: d.isoformat()) + "\n" for r in rows))
    table, refused = read_grants(path)
    assert refused == []
    read = table.to_pylist()
    assert [(r["grant_id"], r["models"], r["max_exchanges"]) for r in read] == [
        ("g1", ["m-large"], 10),
        ("g2", ["*"], None),
    ]
    assert read[1]["valid_until"] == office.clock()
    with pytest.raises(NotAllowed), office.work("ana") as work:
        granting.add(work, account_id="x", **common)


def test_who_is_found_innocent_is_set_free_from_every_plan_of_the_case(office: Office) -> None:
    """Two plans act on one account; overturning the appeal against one takes both back."""
    number = case_of(office, 2)
    plans = [planned(office, number), planned(office, number, Wanted(Measure.THROTTLE, "webhook"))]
    hands = Hands()
    for plan in plans:
        carry_out(office, plan.number, hands)
    link = next(p for p in hands.sent if p["kind"] == "notice" and p["account_id"] == "a000")["appeal_url"]
    held = appealed(office, link.rsplit("/", 1)[1])
    with office.work("quin") as work:
        appeals.decide(work, held.number, Outcome.OVERTURNED, "We were wrong.", version=held.version)
        waiting = outbox.taking_back(work, "a000")
    assert waiting == [plan.number for plan in plans]
    hands = Hands()
    for plan_number in waiting:
        carry_out(office, plan_number, hands, by="quin")
    assert [(p["kind"], p["plan"]) for p in hands.sent] == [
        ("act", "P-1"), ("notice", "P-1"), ("act", "P-2"), ("notice", "P-2")
    ]  # fmt: skip
    assert under(office) == {"a001"}


def test_a_false_positive_waits_for_measures_of_other_cases_on_its_accounts(office: Office) -> None:
    """Nobody found innocent stays under one; cases that hold such an account hear of it."""
    acted(office)
    with office.work() as work:
        other = cases.open_by_hand(work, "Two", ("a000", "b000"))
        seen = cases.get(work, other.number).version
    with pytest.raises(NotNow, match="1 accounts of K-2 are under a measure of P-1"), office.work() as work:
        cases.close(work, other.number, Verdict.FALSE_POSITIVE, "a class", version=seen)
    with office.work("pia") as work:
        outbox.undo(work, 1, "a class", accounts=["a000"])
    carry_out(office, 1, Hands())
    with office.work() as work:
        cases.close(work, other.number, Verdict.FALSE_POSITIVE, "a class", version=seen)
    with office.look() as work:
        assert "a000 was found innocent in K-2" in cases.timeline(work, 1).rows[-1].text
