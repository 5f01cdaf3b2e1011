"""Plans: agreed to by others, carried out once, resumed, taken back."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from stillwatch.records import AppealState, Kind, Measure, PlanState, Sent, StepState, Verdict
from stillwatch.respond import (
    Conflict,
    NotAllowed,
    NotNow,
    Unfit,
    appeals,
    cases,
    correcting,
    granting,
    outbox,
    planning,
)
from stillwatch.respond import tables as t
from stillwatch.respond.planning import Wanted
from stillwatch.settings import RespondSettings, Settings
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.takedown import collateral, run_plan, undo_plan
from tests.respond.conftest import Office
from tests.respond.making import CARD, TLS, campaign, filed, names, planned, result

SETTINGS = Settings(respond=RespondSettings(parallel=4, hold_s=30.0))


class Quiet:
    """Says nothing."""

    def step(self, name: str, total: float | None = None) -> None: ...
    def advance(self, amount: float) -> None: ...
    def note(self, text: str) -> None: ...


QUIET: Progress = Quiet()


class Hands:
    """An executor that remembers, and answers as it is told."""

    def __init__(self, answers: Mapping[str, list[Sent]] | None = None) -> None:
        self.answers = {k: list(v) for k, v in (answers or {}).items()}
        self.sent: list[Mapping[str, Any]] = []
        self._lock = threading.Lock()

    def send(self, payload: Mapping[str, Any]) -> Sent:
        with self._lock:
            self.sent.append(payload)
            left = self.answers.get(payload["account_id"]) if payload["kind"] == "act" else None
            return left.pop(0) if left else Sent(StepState.DONE)

    def close(self) -> None: ...

    def order(self) -> list[tuple[str, str]]:
        return [(p["kind"], p["account_id"]) for p in self.sent]


def case_of(office: Office, count: int = 6) -> int:
    """A case with firm members."""
    group = campaign("G-1", names("a", count), [CARD, TLS])
    return filed(office, result([(group, names("a", count))])).filed[0].case_number


def carry_out(office: Office, number: int, hands: Hands, by: str = "pia", **options: Any) -> dict[str, Any]:
    """Run a plan; waiting moves the clock."""

    def sleep(seconds: float) -> None:
        office.clock.forward(seconds=max(seconds, 1.0))

    return run_plan(
        office.desk,
        office.team[by],
        number,
        settings=SETTINGS,
        progress=QUIET,
        executor=hands,
        sleep=sleep,
        **options,
    )


def under(office: Office) -> set[str]:
    """Accounts under a measure."""
    with office.look() as work:
        return set(work.conn.execute(t.account_measures.select()).scalars())


def test_a_whole_campaign_is_acted_on_then_its_keys_then_its_people_are_told(office: Office) -> None:
    """In this order, each once, with reason, families and an appeal link."""
    number = case_of(office, 5)
    plan = planned(office, number, Wanted(Measure.BLOCK, "webhook", credentials={"a001": ["key-1", "key-2"]}))
    assert (plan.state, plan.account_count, plan.credential_count) == (PlanState.APPROVED, 5, 2)
    hands = Hands()
    done = carry_out(office, plan.number, hands)
    kinds = [kind for kind, _ in hands.order()]
    assert kinds == ["act"] * 5 + ["revoke"] * 2 + ["notice"] * 5
    assert done["plan"].state is PlanState.DONE
    assert under(office) == set(names("a", 5))
    told = hands.sent[-1]
    assert set(told["families"]) == {"identity", "timing"}
    assert told["appeal_url"].startswith("https://appeals.invalid/") and len(told["appeal_url"]) > 60
    assert len({p["key"] for p in hands.sent}) == 12
    with office.look() as work:
        wires = work.conn.execute(t.tripwires.select()).all()
    assert [(w.trait, w.value) for w in wires] == [("payment", "d:card")]


def test_nobody_approves_their_own_and_large_plans_need_two(office: Office) -> None:
    """And an approval holds for the digest that the person saw."""
    plan = planned(office, case_of(office), two_above=5, agree=())
    assert plan.approvals_needed == 2
    with office.work("pia") as work:
        with pytest.raises(Unfit, match="not the digest"):
            planning.approve(work, plan.number, agreed=True, digest="0" * 64, version=1)
        once = planning.approve(work, plan.number, agreed=True, digest=plan.digest, version=1)
        assert once.state is PlanState.DRAFT
    with pytest.raises(NotAllowed, match="decided on P-1 already"), office.work("pia") as work:
        planning.approve(work, plan.number, agreed=True, digest=plan.digest, version=once.version)
    with pytest.raises(NotNow, match="P-1 is draft"), office.work("pia") as work:
        outbox.start(work, plan.number, version=once.version)
    with pytest.raises(Conflict), office.work("quin") as work:
        planning.approve(work, plan.number, agreed=True, digest=plan.digest, version=plan.version)
    with office.work("quin") as work:
        assert (
            planning.approve(work, plan.number, agreed=True, digest=plan.digest, version=once.version).state
            is PlanState.APPROVED
        )
    with pytest.raises(NotAllowed), office.work("ana") as work:
        outbox.start(work, plan.number, version=3)


def test_the_innocent_and_the_permitted_are_left_out_with_the_reason(office: Office) -> None:
    """Grants in force, accounts found innocent, watched ones, and those that left."""
    everybody = [*names("a", 4), "w9"]
    filed(office, result({"G-1": everybody}))
    with office.work("pia") as work:
        granting.add(work, account_id="a000", purpose="research", valid_from=office.clock(),
                     valid_until=office.clock().replace(year=2027))  # fmt: skip
    with office.work() as work:
        work.conn.execute(
            t.benign_accounts.insert().values(account_id="a001", case_number=1, at=work.now, reason="x")
        )
        plan = planning.make(
            work, 1, Wanted(Measure.BLOCK), estimate=lambda *asked: collateral(work, *asked), two_above=9
        )
        assert plan.estimate["left_out"] == {"not a firm member": 1, "found innocent": 1, "granted": 1}
        assert (plan.account_count, plan.estimate["rated"], plan.estimate["expected"]) == (2, 2, 0.02)
        with pytest.raises(Unfit, match="1 of the accounts named are not in K-1"):
            planning.make(
                work, 1, Wanted(Measure.BLOCK, accounts=("nobody",)), estimate=lambda *_: {}, two_above=9
            )


@pytest.mark.parametrize("kind", ["campaign", "manual"])
def test_the_numbers_of_a_plan_ahead_are_those_of_its_accounts(office: Office, kind: str) -> None:
    """Counted by the database or account by account: as many, as sure, left out for the same reasons."""
    number = case_of(office, 6)
    plan = planned(office, number, Wanted(Measure.BLOCK, "webhook", accounts=("a002",)))
    carry_out(office, plan.number, Hands())
    spare(office, granted="a000", innocent="a001")
    c = t.case_accounts.c
    with office.work() as work:
        work.conn.execute(t.case_accounts.update().where(c.account_id == "a003").values(present=False))
        work.conn.execute(t.case_accounts.update().where(c.account_id == "a004").values(tier="watch"))
        work.conn.execute(t.cases.update().values(kind=kind))
        case = cases.get(work, number)
        ahead, (chosen, out) = planning.outlook(work, case), planning.targets(work, case)
    firm = sorted(a.membership_bits for a in chosen if a.tier == "member")
    assert (ahead.accounts, list(ahead.bits), dict(ahead.out)) == (len(chosen), firm, out)
    assert out == {
        "granted": 1, "found innocent": 1, "under a measure already": 1, "gone": 1,
        **({"not a firm member": 1} if kind == "campaign" else {}),
    }  # fmt: skip
    assert len(chosen) == (1 if kind == "campaign" else 2)


@pytest.mark.parametrize(("wanted", "match"), [
    (Wanted(Measure.BLOCK, "carrier pigeon"), "no such executor"),
    (Wanted(Measure.THROTTLE, "litellm"), "LiteLLM can block"),
    (Wanted(Measure.BLOCK, stages=(0.5,)), "stages must rise to 1"),
    (Wanted(Measure.BLOCK, stages=(0.5, 0.5, 1.0)), "stages must rise to 1"),
    (Wanted(Measure.BLOCK, reason="because"), "no such reason"),
    (Wanted(Measure.BLOCK, sentence="a\x1b[2J"), "the sentence"),
])  # fmt: skip
def test_a_plan_that_cannot_be_is_refused(make_office: Any, wanted: Wanted, match: str) -> None:
    """With a hint, and nothing is kept."""
    office = make_office("sqlite")
    number = case_of(office)
    with pytest.raises(Unfit, match=match) as caught, office.work() as work:
        planning.make(work, number, wanted, estimate=lambda *_: {}, two_above=9)
    assert caught.value.hint
    with office.look() as work:
        assert planning.listing(work).total == 0


def test_what_fails_is_tried_again_and_the_rest_goes_on(office: Office) -> None:
    """Retries with growing waits; refused for good: the account keeps its keys and is not told that it was blocked."""
    plan = planned(office, case_of(office, 4))
    again, never = Sent(StepState.WAITING, "answered 503"), Sent(StepState.FAILED, "answered 404")
    hands = Hands({"a001": [again, again], "a002": [never]})
    done = carry_out(office, plan.number, hands)
    assert done["steps"] == {"act": {"done": 3, "failed": 1}, "notice": {"done": 3, "skipped": 1}}
    assert under(office) == {"a000", "a001", "a003"}
    assert [a for k, a in hands.order() if k == "act"].count("a001") == 3
    assert len({p["key"] for p in hands.sent if p["account_id"] == "a001" and p["kind"] == "act"}) == 1
    mended = Hands()
    assert carry_out(office, plan.number, mended, again_failed=True)["steps"] == {
        "act": {"done": 4},
        "notice": {"done": 4},
    }
    assert mended.order() == [("act", "a002"), ("notice", "a002")]


def test_a_stage_waits_for_the_one_before(office: Office) -> None:
    """The surest first; the run says when there is more to do."""
    plan = planned(
        office, case_of(office, 10), Wanted(Measure.BLOCK, "webhook", stages=(0.1, 1.0), stage_wait_s=3600.0)
    )
    hands = Hands()
    done = carry_out(office, plan.number, hands)
    assert hands.order() == [("act", "a000"), ("notice", "a000")]
    assert done["due"] is not None and (done["due"] - office.clock()).total_seconds() > 3000
    office.clock.forward(seconds=3700)
    assert carry_out(office, plan.number, hands)["due"] is None
    assert len(under(office)) == 10


def test_a_crash_between_sending_and_settling_repeats_nothing_that_was_kept(office: Office) -> None:
    """Steps that were out are sent again under their key after the hold; those that were settled are not."""
    plan = planned(office, case_of(office, 6), Wanted(Measure.BLOCK, "webhook", notices=False))
    with office.work("pia") as work:
        outbox.start(work, plan.number, version=plan.version)
    with office.work("pia") as work:
        first = outbox.claim(work, plan.number, limit=3, hold_s=30)
    with office.work("pia") as work:
        outbox.settle(work, plan, [(first.orders[0].step, Sent(StepState.DONE))])
    hands = Hands()
    carry_out(office, plan.number, hands)
    accounts = [a for _, a in hands.order()]
    assert sorted(accounts) == names("a", 6)[1:]
    assert accounts[-2:] == ["a001", "a002"]
    resent = {p["key"] for p in hands.sent} & {o.step.key for o in first.orders}
    assert len(resent) == 2
    with office.work("pia") as work:
        outbox.settle(work, plan, [(first.orders[1].step, Sent(StepState.FAILED, "late"))])
    assert under(office) == set(names("a", 6))


def test_one_command_takes_everything_back(office: Office) -> None:
    """What was done is undone, what waits is not done any more, tripwires go."""
    plan = planned(office, case_of(office, 6), Wanted(Measure.BLOCK, "webhook", credentials={"a000": ["k"]}))
    carry_out(office, plan.number, Hands())
    hands = Hands()
    done = undo_plan(office.desk, office.team["pia"], plan.number, "wrong people", settings=SETTINGS, progress=QUIET,
                     executor=hands)  # fmt: skip
    assert done["plan"].state is PlanState.UNDONE
    assert [k for k, _ in hands.order()] == ["act"] * 6 + ["revoke"] + ["notice"] * 6
    assert all(p["undo"] for p in hands.sent)
    assert under(office) == set()
    with office.look() as work:
        assert all(w.withdrawn_at for w in work.conn.execute(t.tripwires.select()))
    with pytest.raises(NotNow, match="P-1 is undone"), office.work("pia") as work:
        outbox.undo(work, plan.number, "again")


def test_taking_back_in_the_middle_waits_for_what_is_out(office: Office) -> None:
    """The opposite of a step that is being sent is not sent before its hold has run out."""
    plan = planned(office, case_of(office, 4), Wanted(Measure.BLOCK, "webhook", notices=False))
    with office.work("pia") as work:
        outbox.start(work, plan.number, version=plan.version)
    with office.work("pia") as work:
        out = outbox.claim(work, plan.number, limit=2, hold_s=30)
    with office.work("pia") as work:
        outbox.undo(work, plan.number, "stop")
        later = outbox.claim(work, plan.number, limit=9, hold_s=30)
    assert later.orders == () and later.wait_until is not None
    with office.work("pia") as work:
        outbox.settle(work, plan, [(o.step, Sent(StepState.DONE)) for o in out.orders])
    hands = Hands()
    carry_out(office, plan.number, hands)
    assert hands.order() == [("act", "a000"), ("act", "a001")]
    assert under(office) == set()


def test_a_dry_run_touches_nobody(office: Office) -> None:
    """No approval, no measure, no tripwire, no appeal."""
    plan = planned(office, case_of(office), Wanted(Measure.BLOCK), agree=())
    done = run_plan(office.desk, office.team["pia"], plan.number, settings=SETTINGS, progress=QUIET)
    assert done["steps"] == {"act": {"done": 6}, "notice": {"done": 6}}
    with office.look() as work:
        for table in (t.account_measures, t.tripwires, t.appeals):
            assert work.conn.execute(table.select()).all() == []


def test_a_new_account_on_a_tripwire_is_reported_on_its_case(office: Office) -> None:
    """Re-entry by the same card, under another name."""
    plan = planned(office, case_of(office, 4))
    carry_out(office, plan.number, Hands())
    office.clock.forward(days=3)
    group = campaign("G-7", ["n1", "n2", "a000"], [CARD], at=office.clock())
    done = filed(office, result([(group, ["n1", "n2", "a000"])]))
    assert done.filed[0].tripwires == 2


def test_two_who_run_one_plan_share_its_steps(office: Office) -> None:
    """Each account is handed out once; who comes when all is done is told so."""
    plan = planned(office, case_of(office, 20), Wanted(Measure.BLOCK, "webhook", notices=False))
    with office.work("pia") as work:
        outbox.start(work, plan.number, version=plan.version)
    hands = Hands()

    def run(name: str) -> None:
        with contextlib.suppress(NotNow):
            run_plan(office.desk, office.team[name], plan.number, settings=SETTINGS, progress=QUIET, executor=hands,
                     sleep=lambda _: time.sleep(0.01))  # fmt: skip

    both = [threading.Thread(target=run, args=(name,)) for name in ("pia", "quin")]
    for one in both:
        one.start()
    for one in both:
        one.join(120)
    assert sorted(a for _, a in hands.order()) == names("a", 20)
    assert under(office) == set(names("a", 20))


def test_members_of_a_pool_are_not_told_that_they_collect_training_data(make_office: Any) -> None:
    """What a pool is used for is not known."""
    office = make_office("sqlite")
    pool = campaign("G-1", names("a", 3), [CARD], kind=Kind.POOL)
    filed(office, result([(pool, names("a", 3))]))
    with office.work() as work:
        plan = planning.make(
            work, 1, Wanted(Measure.BLOCK), estimate=lambda *asked: collateral(work, *asked), two_above=9
        )
        assert (plan.reason, plan.estimate["unrated"], plan.estimate["high"]) == ("pool_member", 3, 3)
        with pytest.raises(Unfit, match="K-1 is a pool"):
            planning.make(
                work,
                1,
                Wanted(Measure.BLOCK, reason="campaign_member"),
                estimate=lambda *_: {},
                two_above=9,
            )


def test_keys_that_acting_finds_are_revoked_and_exactly_those_are_given_back(office: Office) -> None:
    """Each in a step of its own, after every account was acted on; one that the plan names already is not doubled."""
    wanted = Wanted(Measure.BLOCK, "webhook", notices=False, credentials={"a000": ["k1"]})
    plan = planned(office, case_of(office, 2), wanted)
    found = Sent(StepState.DONE, credentials=("k1", "k2"))
    hands = Hands({"a000": [Sent(StepState.WAITING, "answered 503"), found], "a001": [found]})
    carry_out(office, plan.number, hands)
    revoked = [("a000", "k1"), ("a000", "k2"), ("a001", "k1"), ("a001", "k2")]
    assert sorted((p["account_id"], p["credential"]) for p in hands.sent if p["kind"] == "revoke") == revoked
    assert [p["kind"] for p in hands.sent] == ["act"] * 3 + ["revoke"] * 4
    with office.work("pia") as work:
        outbox.undo(work, plan.number, "wrong", accounts=["a001"])
    back = Hands()
    carry_out(office, plan.number, back)
    assert sorted((p["kind"], p.get("credential")) for p in back.sent) == [
        ("act", None), ("revoke", "k1"), ("revoke", "k2")]  # fmt: skip
    assert {(p["account_id"], p["undo"]) for p in back.sent} == {("a001", True)}


def test_what_was_taken_back_is_not_done_again_when_the_plan_is_resumed(office: Office) -> None:
    """Neither what still waited nor what had failed, even where what failed is tried again."""
    plan = planned(
        office, case_of(office, 4), Wanted(Measure.BLOCK, "webhook", stages=(0.5, 1.0), stage_wait_s=3600.0)
    )
    carry_out(office, plan.number, Hands({"a001": [Sent(StepState.FAILED, "answered 404")]}))
    with office.work("pia") as work:
        outbox.undo(work, plan.number, "ours", accounts=["a001", "a002"])
    office.clock.forward(hours=2)
    hands = Hands()
    carry_out(office, plan.number, hands, again_failed=True)
    assert {p["account_id"] for p in hands.sent if not p["undo"]} == {"a003"}
    assert under(office) == {"a000", "a003"}
    with office.work("pia") as work:
        outbox.undo(work, plan.number, "all of it")
    carry_out(office, plan.number, Hands({"a003": [Sent(StepState.FAILED, "answered 500")]}))
    assert under(office) == {"a003"}
    again = Hands()
    carry_out(office, plan.number, again, again_failed=True)
    assert [p for p in again.sent if not p["undo"]] == []


def test_what_failed_to_be_taken_back_is_tried_when_it_is_taken_back_once_more(office: Office) -> None:
    """One refusal does not leave somebody under a measure for good."""
    plan = planned(office, case_of(office, 2), Wanted(Measure.BLOCK, "webhook", notices=False))
    carry_out(office, plan.number, Hands())
    options: dict[str, Any] = {"settings": SETTINGS, "progress": QUIET}
    refuses = Hands({"a001": [Sent(StepState.FAILED, "answered 500")]})
    undo_plan(office.desk, office.team["pia"], plan.number, "ours", executor=refuses, **options)
    assert under(office) == {"a001"}
    done = undo_plan(office.desk, office.team["pia"], plan.number, "ours", executor=Hands(), **options)
    assert (under(office), done["plan"].state) == (set(), PlanState.UNDONE)


@pytest.mark.parametrize("tries", [1, outbox.MOST_ATTEMPTS])
def test_a_step_whose_answer_was_lost_is_reversed(make_office: Any, tries: int) -> None:
    """It may have been done, whether it is to be tried again or was given up."""
    office = make_office("sqlite")
    plan = planned(office, case_of(office, 2), Wanted(Measure.BLOCK, "webhook", notices=False))
    with office.work("pia") as work:
        outbox.start(work, plan.number, version=plan.version)
    for _ in range(tries):
        with office.work("pia") as work:
            claim = outbox.claim(work, plan.number, limit=1)
            outbox.settle(work, plan, [(o.step, Sent(StepState.WAITING, "timed out")) for o in claim.orders])
            assert [o.step.account_id for o in claim.orders] == ["a000"]
            work.conn.execute(
                t.plan_steps.update().where(t.plan_steps.c.account_id == "a000").values(due_at=None)
            )
    hands = Hands()
    undo_plan(
        office.desk,
        office.team["pia"],
        plan.number,
        "ours",
        settings=SETTINGS,
        progress=QUIET,
        executor=hands,
    )
    assert [(p["account_id"], p["undo"]) for p in hands.sent] == [("a000", True)]


def test_who_was_found_innocent_or_granted_since_is_passed_over(office: Office) -> None:
    """Nothing is done to them and they are told nothing; the others are acted on."""
    plan = planned(office, case_of(office, 4), Wanted(Measure.BLOCK, "webhook", credentials={"a001": ["k"]}))
    spare(office, granted="a001", innocent="a002")
    hands = Hands()
    done = carry_out(office, plan.number, hands)
    assert {p["account_id"] for p in hands.sent} == {"a000", "a003"} == under(office)
    assert done["steps"] == {
        "act": {"done": 2, "skipped": 2}, "revoke": {"skipped": 1}, "notice": {"done": 2, "skipped": 2}
    }  # fmt: skip


def test_who_was_acted_on_before_still_gets_the_notice(office: Office) -> None:
    """With the link to appeal; keys that still stood are left."""
    plan = planned(office, case_of(office, 2), Wanted(Measure.BLOCK, "webhook", credentials={"a001": ["k"]}))
    with office.work("pia") as work:
        outbox.start(work, plan.number, version=plan.version)
        claim = outbox.claim(work, plan.number, limit=9)
        outbox.settle(work, plan, [(o.step, Sent(StepState.DONE)) for o in claim.orders])
    spare(office, granted="a001", innocent="a000")
    hands = Hands()
    carry_out(office, plan.number, hands)
    assert hands.order() == [("notice", "a000"), ("notice", "a001")]


def test_who_is_innocent_and_may_have_been_acted_on_is_set_free(office: Office) -> None:
    """The answer was lost: the opposite is sent, and the plan goes on with the others."""
    plan = planned(office, case_of(office, 2), Wanted(Measure.BLOCK, "webhook", notices=False))
    with office.work("pia") as work:
        outbox.start(work, plan.number, version=plan.version)
        claim = outbox.claim(work, plan.number, limit=1)
        outbox.settle(work, plan, [(claim.orders[0].step, Sent(StepState.WAITING, "timed out"))])
    spare(office, granted="nobody", innocent="a000")
    hands = Hands()
    done = carry_out(office, plan.number, hands)
    assert {(p["account_id"], p["undo"]) for p in hands.sent} == {("a000", True), ("a001", False)}
    assert (done["plan"].state, under(office)) == (PlanState.DONE, {"a001"})


def test_a_key_that_may_have_been_revoked_is_not_revoked_again_from_the_innocent(make_office: Any) -> None:
    """They were acted on and the answer about the key was lost: the opposite is sent, for the key alone."""
    office = make_office("sqlite")
    wanted = Wanted(Measure.BLOCK, "webhook", credentials={"a000": ["k"]}, notices=False)
    plan = planned(office, case_of(office, 2), wanted)
    with office.work("pia") as work:
        outbox.start(work, plan.number, version=plan.version)
    for answer in (Sent(StepState.DONE), Sent(StepState.WAITING, "timed out")):
        with office.work("pia") as work:
            claim = outbox.claim(work, plan.number, limit=9)
            outbox.settle(work, plan, [(o.step, answer) for o in claim.orders])
    spare(office, granted="nobody", innocent="a000")
    hands = Hands()
    carry_out(office, plan.number, hands)
    assert [(p["kind"], p["account_id"], p["undo"]) for p in hands.sent] == [("revoke", "a000", True)]
    assert under(office) == {"a000", "a001"}


def spare(office: Office, *, granted: str, innocent: str) -> None:
    """What people decide after a plan was agreed to."""
    with office.work("pia") as work:
        granting.add(work, account_id=granted, purpose="research", valid_from=office.clock(),
                     valid_until=office.clock().replace(year=2027))  # fmt: skip
        correcting.account(work, 1, innocent, "a class", appeal=None)


@pytest.mark.parametrize("verdict", [Verdict.FALSE_POSITIVE, Verdict.BENIGN_POSITIVE])
@pytest.mark.parametrize("agree", [(), ("pia",)])
def test_a_case_with_a_plan_to_come_is_not_closed_as_harmless(
    make_office: Any, verdict: Verdict, agree: tuple[str, ...]
) -> None:
    """It is withdrawn first; a dry run, which touches nobody, is in nobody's way."""
    office = make_office("sqlite")
    number = case_of(office, 2)
    planned(office, number, Wanted(Measure.BLOCK), agree=())
    plan = planned(office, number, agree=agree)
    with office.look() as work:
        version = cases.get(work, number).version
    with pytest.raises(NotNow, match="P-2 would still act on accounts of K-1"), office.work() as work:
        cases.close(work, number, verdict, "a class", version=version)
    with office.work() as work:
        planning.drop(work, plan.number, version=plan.version)
        assert cases.close(work, number, verdict, "a class", version=version).verdict is verdict


@pytest.mark.parametrize("lapsed", [False, True])
def test_a_notice_that_is_sent_again_keeps_its_promise(make_office: Any, lapsed: bool) -> None:
    """The appeal may be filed for as long as the newest notice says."""
    office = make_office("sqlite")
    plan = planned(office, case_of(office, 1))
    with office.work("pia") as work:
        outbox.start(work, plan.number, version=plan.version)
        acts = outbox.claim(work, plan.number)
        outbox.settle(work, plan, [(o.step, Sent(StepState.DONE)) for o in acts.orders])
        first = outbox.claim(work, plan.number)
        outbox.settle(work, plan, [(o.step, Sent(StepState.WAITING, "timed out")) for o in first.orders])
    office.clock.forward(days=40 if lapsed else 20)
    with office.work("pia") as work:
        assert appeals.lapse(work) == lapsed
        again = outbox.claim(work, plan.number)
    told = again.orders[0].payload
    with office.work("pia") as work:
        held = appeals.by_token(work.conn, told["appeal_url"].rpartition("/")[2])
    assert (held.state, held.expires_at.isoformat()) == (AppealState.OFFERED, told["appeal_until"])
    assert held.expires_at == office.clock() + timedelta(days=30)


def test_an_approver_sees_exactly_which_accounts_a_plan_holds(office: Office) -> None:
    """Every step with its stage and key, the surest first, page by page; what takes back is no part of it."""
    wanted = Wanted(Measure.BLOCK, "webhook", stages=(0.5, 1.0), credentials={"a001": ["key-1"]})
    plan = planned(office, case_of(office, 2), wanted, agree=())
    with office.look("pia") as work:
        whole = planning.plan_accounts(work, plan.number)
        second = planning.plan_accounts(work, plan.number, offset=1, limit=2)
    told = [(x.account_id, x.kind.value, x.target, x.stage) for x in whole.rows]
    assert told == [
        ("a000", "act", "", 0), ("a000", "notice", "", 0),
        ("a001", "act", "", 1), ("a001", "revoke", "key-1", 1), ("a001", "notice", "", 1),
    ]  # fmt: skip
    assert (second.rows, second.total) == (whole.rows[1:3], 5)


def test_two_plans_on_one_account_are_told_apart(office: Office) -> None:
    """Taking one back leaves the account under the other, and only the last sets it free."""
    number = case_of(office, 2)
    first = planned(office, number)
    second = planned(office, number, Wanted(Measure.THROTTLE, "webhook"))
    for plan in (first, second):
        carry_out(office, plan.number, Hands())
    options: dict[str, Any] = {"settings": SETTINGS, "progress": QUIET, "executor": Hands()}
    done = undo_plan(office.desk, office.team["pia"], second.number, "one is enough", **options)
    assert (done["plan"].state, under(office)) == (PlanState.UNDONE, {"a000", "a001"})
    done = undo_plan(office.desk, office.team["pia"], first.number, "both were wrong", **options)
    assert (done["plan"].state, under(office)) == (PlanState.UNDONE, set())
