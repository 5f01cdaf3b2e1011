"""Takedown plans: made by one person, agreed to by others, and bound to exactly what they agreed to.

A plan is never edited: drop it and make another. Its digest covers the case, the measure, every account and credential,
the order and the words to the customer, so an approval cannot slide to something else. Nobody approves a plan of their
own; above a configured size two others have to.

The surest accounts come first: in a staged plan the first stage holds those with the highest weight of membership.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from stillwatch.records import (
    GIVEN_BY_RULES,
    Case,
    CaseState,
    EventKind,
    Family,
    Kind,
    Measure,
    Page,
    Permission,
    Plan,
    PlanState,
    Reason,
    StepKind,
    StepState,
    Tier,
    name_of,
)
from stillwatch.respond import bulk, cases
from stillwatch.respond import tables as t
from stillwatch.respond.errors import NotAllowed, NotFound, NotNow, Unfit
from stillwatch.respond.work import Work, added, changed

DRY_RUN = "dry-run"
EXECUTORS = (DRY_RUN, "webhook", "litellm")
LONGEST_SENTENCE, MOST_STAGES = 1_000, 20
_REASONS = {Kind.CAMPAIGN.value: Reason.CAMPAIGN_MEMBER, Kind.POOL.value: Reason.POOL_MEMBER}
_INNOCENT = select(t.benign_accounts.c.account_id)
_COLUMNS = [t.plans.c[f.name] for f in fields(Plan)]


@dataclass(frozen=True, slots=True)
class Target:
    """One account that a plan is about."""

    account_id: str
    membership_bits: float
    tier: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan should do."""

    measure: Measure
    executor: str = DRY_RUN
    reason: str = ""
    """Reason code; empty: what the case is, campaign or pool."""
    sentence: str = ""
    """In place of the reason's own."""
    stages: tuple[float, ...] = (1.0,)
    stage_wait_s: float = 0.0
    notices: bool = True
    accounts: tuple[str, ...] = ()
    """Some of the case's firm members; empty: all of them."""
    credentials: Mapping[str, Sequence[str]] | None = None
    """Account -> digests of keys to revoke."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that a plan does to one account."""

    account_id: str
    kind: StepKind
    target: str
    """Digest of the key to revoke; else empty."""
    stage: int
    """Counted from 0."""
    state: StepState


Estimate = Callable[[Case, Sequence[Target]], dict[str, Any]]
"""How many of the accounts may be innocent, as far as the run lets one say."""


def targets(work: Work, case: Case, named: Sequence[str] = ()) -> tuple[list[Target], dict[str, int]]:
    """Firm members that the newest scan still has, the surest first; and how many were left out, by reason."""
    table = t.case_accounts
    where = [table.c.case_number == case.number]
    found = work.conn.execute(
        select(table.c.account_id, table.c.membership_bits, table.c.tier, table.c.present).where(*where)
        .order_by(table.c.membership_bits.desc(), table.c.account_id)
    )  # fmt: skip
    rows = found.all()
    if named and (strange := sorted(set(named) - {r.account_id for r in rows})):
        raise Unfit(
            f"{len(strange)} of the accounts named are not in {case.id}",
            hint=f"the first is {strange[0][:80]}",
        )
    only = frozenset(named)
    innocent = set(work.conn.execute(_INNOCENT).scalars())
    granted = set(work.conn.execute(_granted(work.now)).scalars())
    under = set(work.conn.execute(select(t.account_measures.c.account_id)).scalars())
    kept, out = (
        [],
        {"not a firm member": 0, "gone": 0, "found innocent": 0, "granted": 0, "under a measure already": 0},
    )
    for row in rows:
        if only and row.account_id not in only:
            continue
        why = (
            "found innocent" if row.account_id in innocent
            else "granted" if row.account_id in granted
            else "under a measure already" if row.account_id in under
            else "not a firm member" if row.tier != Tier.MEMBER.value and case.kind != "manual"
            else "gone" if not row.present
            else ""
        )  # fmt: skip
        if why:
            out[why] += 1
        else:
            kept.append(Target(row.account_id, row.membership_bits, row.tier))
    return kept, {why: n for why, n in out.items() if n}


def exempt(work: Work, accounts: Collection[str]) -> set[str]:
    """Those of these accounts that were found innocent, or have a grant in force."""
    found: set[str] = set()
    for asked, column in (
        (_INNOCENT, t.benign_accounts.c.account_id),
        (_granted(work.now), t.grants.c.account_id),
    ):
        found |= set(work.conn.execute(asked.where(column.in_(sorted(accounts)))).scalars())
    return found


def _granted(now: datetime) -> Any:
    g = t.grants.c
    return select(g.account_id).where(
        g.account_id.is_not(None), g.revoked_at.is_(None), g.valid_from <= now, g.valid_until > now
    )


def make(work: Work, case_number: int, wanted: Wanted, *, estimate: Estimate, two_above: int) -> Plan:
    """Make a plan for a case and put its steps into the outbox, where they wait for approval.

    Parameters
    ----------
    two_above
        Plans for more accounts than this need two approvals.
    """
    work.need(Permission.PLAN_MAKE)
    case = cases._get(work.conn, case_number)
    if case.state is CaseState.CLOSED:
        raise NotNow(f"{case.id} is closed", hint="reopen it first")
    wanted = replace(wanted, reason=wanted.reason or _REASONS.get(case.kind, Reason.LINKED_ACCOUNT).value)
    if wanted.reason == Reason.CAMPAIGN_MEMBER.value and case.kind == Kind.POOL.value:
        raise Unfit(f"{case.id} is a pool: what it is used for is not known", hint="--reason pool_member")
    sentence = _checked(wanted)
    chosen, out = targets(work, case, wanted.accounts)
    if not chosen:
        why = ", ".join(f"{n} {reason}" for reason, n in out.items()) or "it has no accounts"
        raise NotNow(f"no account of {case.id} can be acted on", hint=why)
    details = cases.details(work, case_number)
    families = [f.value for f in Family if float(details.get(f"bits_{f.value}") or 0.0) > 0.0]
    inside = {a.account_id for a in chosen}
    keys = {a: sorted(set(c)) for a, c in (wanted.credentials or {}).items() if a in inside}
    estimated = {**estimate(case, chosen), "left_out": out}
    needed = 0 if wanted.executor == DRY_RUN else 2 if len(chosen) > two_above else 1
    digest = _digest(case_number, wanted, sentence, [a.account_id for a in chosen], keys, work.now)
    number = added(work.conn, t.plans.insert().values(
        case_number=case_number, state=(PlanState.DRAFT if needed else PlanState.APPROVED).value,
        measure=wanted.measure.value, executor=wanted.executor, stages=list(wanted.stages),
        stage_wait_s=wanted.stage_wait_s, reason=wanted.reason, sentence=sentence, account_count=len(chosen),
        credential_count=sum(map(len, keys.values())), estimate=estimated, families=families, approvals_needed=needed,
        digest=digest, made_by=work.person.person_id, made_at=work.now, version=1))  # fmt: skip
    bulk.insert(work.conn, t.plan_steps, _steps(number, digest, wanted, chosen, keys))
    cases.add_event(
        work, case_number, EventKind.PLAN, f"{name_of('P', number)}: {wanted.measure} {len(chosen)} accounts"
    )
    work.note("plan.make", name_of("P", number), case=case.id, measure=wanted.measure.value, accounts=len(chosen),
              executor=wanted.executor, digest=digest)  # fmt: skip
    return read(work, number)


def _checked(wanted: Wanted) -> str:
    """The sentence to the customer, once everything else is in order."""
    if wanted.executor not in EXECUTORS:
        raise Unfit(f"no such executor: {wanted.executor[:40]}", hint=f"one of {', '.join(EXECUTORS)}")
    reasons = {r.value: r for r in GIVEN_BY_RULES}
    if wanted.reason not in reasons:
        raise Unfit(f"no such reason: {wanted.reason[:40]}", hint=f"one of {', '.join(reasons)}")
    rising = all(a < b for a, b in zip(wanted.stages, wanted.stages[1:], strict=False))
    if not (
        0 < len(wanted.stages) <= MOST_STAGES and rising and wanted.stages[0] > 0 and wanted.stages[-1] == 1.0
    ):
        raise Unfit("stages must rise to 1", hint="0.01,0.1,1 acts on one account in a hundred first")
    if not 0 <= wanted.stage_wait_s <= 31 * 86_400:
        raise Unfit("the time between stages", hint="from 0 to 31 days")
    if wanted.executor == "litellm" and wanted.measure is not Measure.BLOCK:
        raise Unfit(
            f"LiteLLM can block and nothing else, not {wanted.measure}", hint="use block, or the webhook"
        )
    if len(wanted.sentence) > LONGEST_SENTENCE or not wanted.sentence.isprintable():
        raise Unfit(
            "the sentence to the customer", hint=f"one line of at most {LONGEST_SENTENCE:,} characters"
        )
    return wanted.sentence or reasons[wanted.reason].sentence


def _digest(
    case: int,
    wanted: Wanted,
    sentence: str,
    accounts: Sequence[str],
    keys: Mapping[str, Sequence[str]],
    now: datetime,
) -> str:
    covered = [case, wanted.measure, wanted.executor, list(wanted.stages), wanted.stage_wait_s, wanted.reason, sentence,
               wanted.notices, list(accounts), sorted(keys.items()), now.isoformat()]  # fmt: skip
    return hashlib.sha256(json.dumps(covered, ensure_ascii=True).encode()).hexdigest()


def _steps(
    number: int, digest: str, wanted: Wanted, chosen: Sequence[Target], keys: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    rows = []
    for place, account in enumerate(chosen):
        stage = next(s for s, share in enumerate(wanted.stages) if place < max(share * len(chosen), 1))
        kinds = [(StepKind.ACT, "")] if wanted.measure is not Measure.OBSERVE else []
        kinds += [(StepKind.REVOKE, key) for key in keys.get(account.account_id, ())]
        kinds += [(StepKind.NOTICE, "")] if wanted.notices else []
        rows += [step_row(number, digest, account.account_id, kind, target, stage) for kind, target in kinds]
    return rows


def step_row(
    number: int, digest: str, account: str, kind: StepKind, target: str, stage: int, *, undo: bool = False,
    salt: str = "", due_at: datetime | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One row of the outbox; its key is the same however often it is sent."""
    whole = json.dumps([digest, number, account, kind, target, undo, salt], ensure_ascii=True)
    return {
        "plan_number": number,
        "account_id": account,
        "kind": kind.value,
        "undo": undo,
        "stage": stage,
        "target": target,
        "key": hashlib.sha256(whole.encode()).hexdigest()[:40],
        "state": StepState.WAITING.value,
        "attempts": 0,
        "error": "",
        "due_at": due_at,
        "held_until": None,
        "done_at": None,
    }


def read(work: Work, number: int) -> Plan:
    """One plan."""
    work.need(Permission.PLAN_READ)
    row = work.conn.execute(select(*_COLUMNS).where(t.plans.c.number == number)).first()
    if row is None:
        raise NotFound(f"plan {name_of('P', number)}", hint="`stillwatch plan show` lists what there is")
    made = dict(row._mapping)
    made |= {"state": PlanState(row.state), "measure": Measure(row.measure), "stages": tuple(row.stages)}
    return Plan(**made)


def listing(
    work: Work,
    *,
    case_number: int | None = None,
    states: Sequence[PlanState] = (),
    offset: int = 0,
    limit: int = 50,
) -> Page:
    """A page of plans, the newest first."""
    work.need(Permission.PLAN_READ)
    where = [] if case_number is None else [t.plans.c.case_number == case_number]
    if states:
        where.append(t.plans.c.state.in_([s.value for s in states]))
    total = work.conn.execute(select(func.count()).select_from(t.plans).where(*where)).scalar_one()
    numbers = work.conn.execute(
        select(t.plans.c.number).where(*where).order_by(t.plans.c.number.desc()).offset(offset).limit(limit)
    ).scalars().all()  # fmt: skip
    return Page(tuple(read(work, number) for number in numbers), total, offset, limit)


def plan_accounts(work: Work, number: int, *, offset: int = 0, limit: int = 50) -> Page:
    """A page of what a plan does to whom, the surest accounts first: what an approval is about."""
    work.need(Permission.PLAN_READ)
    read(work, number)
    s = t.plan_steps.c
    where = [s.plan_number == number, s.undo.is_(False)]
    total = work.conn.execute(select(func.count()).select_from(t.plan_steps).where(*where)).scalar_one()
    found = work.conn.execute(
        select(s.account_id, s.kind, s.target, s.stage, s.state).where(*where).order_by(s.step_id)
        .offset(offset).limit(limit)
    )  # fmt: skip
    rows = tuple(
        Planned(r.account_id, StepKind(r.kind), r.target, r.stage, StepState(r.state)) for r in found
    )
    return Page(rows, total, offset, limit)


def approvals(work: Work, number: int) -> list[dict[str, Any]]:
    """Who agreed or refused, and to what."""
    work.need(Permission.PLAN_READ)
    table = t.plan_approvals
    found = work.conn.execute(select(table).where(table.c.plan_number == number).order_by(table.c.at))
    return [dict(row._mapping) for row in found]


def progress(work: Work, number: int) -> dict[str, dict[str, int]]:
    """Steps by kind and state; those that take something back under ``undo KIND``."""
    work.need(Permission.PLAN_READ)
    s = t.plan_steps.c
    found = work.conn.execute(
        select(s.kind, s.undo, s.state, func.count())
        .where(s.plan_number == number)
        .group_by(s.kind, s.undo, s.state)
    )
    out: dict[str, dict[str, int]] = {}
    for kind, undo, state, count in found:
        out.setdefault(f"undo {kind}" if undo else kind, {})[state] = count
    return out


def approve(work: Work, number: int, *, agreed: bool, digest: str, note: str = "", version: int) -> Plan:
    """Agree to a plan, or refuse it. With the last approval it may be run; one refusal drops it.

    Parameters
    ----------
    digest
        Of the plan that the person saw, whole or its first 8 digits or more.
    """
    work.need(Permission.PLAN_APPROVE)
    plan = read(work, number)
    if plan.state is not PlanState.DRAFT:
        raise NotNow(f"{plan.id} is {plan.state.value}", hint="only a draft is agreed to or refused")
    if plan.made_by == work.person.person_id:
        raise NotAllowed(f"{work.person.name} made {plan.id}", hint="somebody else has to agree to it")
    if len(digest) < 8 or not plan.digest.startswith(digest):
        raise Unfit(f"that is not the digest of {plan.id}", hint=f"`stillwatch plan show {plan.id}` shows it")
    table = t.plan_approvals
    mine = [table.c.plan_number == number, table.c.person_id == work.person.person_id]
    if work.conn.execute(select(table.c.at).where(*mine)).first():
        raise NotAllowed(f"{work.person.name} has decided on {plan.id} already", hint="another person has to")
    work.conn.execute(table.insert().values(
        plan_number=number, digest=plan.digest, person_id=work.person.person_id, agreed=agreed, note=note[:2_000],
        at=work.now))  # fmt: skip
    have = work.conn.execute(
        select(func.count()).select_from(table).where(table.c.plan_number == number, table.c.agreed,
                                                      table.c.digest == plan.digest)).scalar_one()  # fmt: skip
    state = (
        plan.state
        if agreed and have < plan.approvals_needed
        else PlanState.APPROVED
        if agreed
        else PlanState.DROPPED
    )
    changed(work, t.plans, {"number": number}, version, f"plan {plan.id}", state=state.value)
    said = f"{plan.id}: {work.person.name} {'agreed' if agreed else 'refused'} ({have} of {plan.approvals_needed})"
    cases.add_event(work, plan.case_number, EventKind.PLAN, said)
    work.note("plan.approve" if agreed else "plan.refuse", plan.id, digest=plan.digest, have=have)
    return read(work, number)


def drop(work: Work, number: int, *, version: int) -> Plan:
    """Withdraw a plan that has not been run."""
    work.need(Permission.PLAN_MAKE)
    plan = read(work, number)
    if plan.state not in (PlanState.DRAFT, PlanState.APPROVED):
        raise NotNow(
            f"{plan.id} is {plan.state.value}",
            hint="what has been done is taken back by `stillwatch plan undo`",
        )
    changed(work, t.plans, {"number": number}, version, f"plan {plan.id}", state=PlanState.DROPPED.value)
    cases.add_event(work, plan.case_number, EventKind.PLAN, f"{plan.id} withdrawn")
    work.note("plan.drop", plan.id)
    return read(work, number)


def add_runner(work: Work, number: int) -> None:
    """Keep that the person carried out, or took back, a part of a plan."""
    table = t.plan_runners
    if work.by is None:
        return
    mine = [table.c.plan_number == number, table.c.person_id == work.by]
    if work.conn.execute(select(table.c.at).where(*mine)).first() is None:
        work.conn.execute(table.insert().values(plan_number=number, person_id=work.by, at=work.now))


def actors(work: Work, number: int) -> frozenset[int]:
    """Everybody who made, agreed to, ran or took back a plan: none of them decides an appeal against it."""
    made = select(t.plans.c.made_by).where(t.plans.c.number == number)
    begun = select(t.plans.c.run_by).where(t.plans.c.number == number, t.plans.c.run_by.is_not(None))
    agreed = select(t.plan_approvals.c.person_id).where(t.plan_approvals.c.plan_number == number)
    ran = select(t.plan_runners.c.person_id).where(t.plan_runners.c.plan_number == number)
    return frozenset(work.conn.execute(made.union(begun, agreed, ran)).scalars())
