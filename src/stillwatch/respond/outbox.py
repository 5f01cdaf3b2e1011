"""The outbox: what is to be done to each account, handed out, sent, and settled; resumed after a crash.

A step goes *waiting* -> *sending* -> *done*, *failed*, or *waiting* again. It is marked *sending*, with a time until
which it is held, and that is kept before anything is sent. Whoever runs the plan after a crash is given the step again
once the hold has run out, under the same idempotency key: a receiver that keeps the keys acts once, and blocking what
is blocked changes nothing. What was done is never handed out again.

Order: stage by stage; inside a stage first every account is acted on, then credentials are revoked, then notices go
out, each only to an account that was acted on. Where acting on an account finds its keys, each gets a step of its own,
so that exactly those are given back. Taking back comes in the same order.

A step whose answer was lost may have been done: taking back sends its opposite too. What was taken back is never done
again by this plan, and an account that was found innocent or granted since the plan was made is passed over.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, not_, or_, select

from stillwatch.records import (
    AppealState,
    EventKind,
    Permission,
    Plan,
    PlanState,
    Sent,
    Step,
    StepKind,
    StepState,
)
from stillwatch.respond import bulk, cases, planning
from stillwatch.respond import tables as t
from stillwatch.respond.errors import NotNow
from stillwatch.respond.lineage import RARE
from stillwatch.respond.work import Work, added, changed

MOST_ATTEMPTS = 8
_FIRST_WAIT_S, _LONGEST_WAIT_S = 2.0, 3_600.0
_OPEN = (StepState.WAITING.value, StepState.SENDING.value)
TAKEN_BACK = "taken back"
SPARED = "found innocent or granted since"
"""Why a step was skipped: the first is for good, the second is looked at again when the plan is resumed."""
_KINDS = (StepKind.ACT.value, StepKind.REVOKE.value, StepKind.NOTICE.value)
S = t.plan_steps.c
_UNTRIED = and_(S.attempts == 0, S.error == "")
"""Never sent, as far as is known."""
_RANK = case({kind: place for place, kind in enumerate(_KINDS)}, value=S.kind)


@dataclass(frozen=True, slots=True)
class Terms:
    """How appeals and tripwires of a plan are set."""

    appeal_url: str = "https://appeals.invalid/{token}"
    appeal_days: int = 30
    """How long after the notice an appeal may be filed."""
    tripwire_days: int = 180


@dataclass(frozen=True, slots=True)
class Order:
    """A step that may be sent now, and what is sent."""

    step: Step
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """What there is to do."""

    orders: tuple[Order, ...]
    wait_until: datetime | None
    """With no orders: when there will be some; None: the plan is finished."""


def start(
    work: Work, number: int, *, version: int, terms: Terms | None = None, again_failed: bool = False
) -> Plan:
    """Begin a plan that was agreed to, or go on with one that was begun."""
    work.need(Permission.PLAN_RUN)
    plan = planning.read(work, number)
    if again_failed:
        work.conn.execute(
            t.plan_steps.update()
            .where(S.plan_number == number, S.undo == (plan.state in (PlanState.UNDOING, PlanState.UNDONE)),
                   or_(S.state == StepState.FAILED.value,
                       and_(S.state == StepState.SKIPPED.value, S.error != TAKEN_BACK)))
            .values(state=StepState.WAITING.value, attempts=0, due_at=None,
                    error=case((S.state == StepState.SKIPPED.value, ""), else_=S.error))
        )  # fmt: skip
    if plan.state in (PlanState.RUNNING, PlanState.UNDOING):
        work.note("plan.resume", plan.id)
        return plan
    if plan.state is PlanState.DONE and again_failed:
        changed(work, t.plans, {"number": number}, version, f"plan {plan.id}", state=PlanState.RUNNING.value)
        work.note("plan.resume", plan.id)
        return planning.read(work, number)
    if plan.state is not PlanState.APPROVED:
        hint = (
            f"it needs {plan.approvals_needed} approvals" if plan.state is PlanState.DRAFT else "make another"
        )
        raise NotNow(f"{plan.id} is {plan.state.value}", hint=hint)
    changed(
        work,
        t.plans,
        {"number": number},
        version,
        f"plan {plan.id}",
        state=PlanState.RUNNING.value,
        run_by=work.by,
        run_at=work.now,
    )
    wires = _set_tripwires(work, plan, terms or Terms()) if plan.executor != planning.DRY_RUN else 0
    cases.add_event(
        work, plan.case_number, EventKind.ACTION, f"{plan.id} begun", details={"tripwires": wires}
    )
    work.note("plan.run", plan.id, digest=plan.digest, tripwires=wires)
    return planning.read(work, number)


def _set_tripwires(work: Work, plan: Plan, terms: Terms) -> int:
    """On what members share, shows control and is rare among honest accounts."""
    c = t.case_traits.c
    found = work.conn.execute(
        select(c.trait, c.value).where(c.case_number == plan.case_number, c.control, c.reference_share <= RARE,
                                       c.cleared_at.is_(None))
    ).all()  # fmt: skip
    until = work.now + timedelta(days=terms.tripwire_days)
    bulk.insert(
        work.conn,
        t.tripwires,
        [
            {
                "plan_number": plan.number,
                "case_number": plan.case_number,
                "trait": trait,
                "value": value,
                "set_at": work.now,
                "expires_at": until,
                "withdrawn_at": None,
            }
            for trait, value in found
        ],
    )
    return len(found)


def claim(
    work: Work, number: int, *, limit: int = 8, hold_s: float = 60.0, terms: Terms | None = None
) -> Claim:
    """Hand out the next steps and mark them as being sent."""
    work.need(Permission.PLAN_RUN)
    _alone(work, number)
    plan = planning.read(work, number)
    if plan.state not in (PlanState.RUNNING, PlanState.UNDOING):
        return Claim((), None)
    undo = plan.state is PlanState.UNDOING
    mine = [S.plan_number == number, S.undo == undo]
    phase = work.conn.execute(
        select(S.stage, _RANK.label("rank"))
        .where(*mine, S.state.in_(_OPEN))
        .order_by(S.stage, _RANK)
        .limit(1)
    ).first()
    if phase is None:
        return Claim((), None if _finish(work, plan) else work.now)
    inside = [*mine, S.stage == phase.stage, S.kind == _KINDS[phase.rank]]
    if not undo and phase.stage and plan.stage_wait_s:
        _due_later(work, plan, phase.stage)
    ready: ColumnElement[bool] = or_(
        and_(S.state == StepState.WAITING.value, or_(S.due_at.is_(None), S.due_at <= work.now)),
        and_(S.state == StepState.SENDING.value, S.held_until <= work.now),
    )
    rows = work.conn.execute(
        select(t.plan_steps)
        .where(*inside, ready)
        .order_by(S.step_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not rows:
        when = work.conn.execute(
            select(func.min(func.coalesce(S.due_at, S.held_until)), func.min(S.held_until)).where(
                *inside, S.state.in_(_OPEN)
            )
        ).one()
        moments = [_moment(m) for m in when if m is not None]
        return Claim((), max(min(moments), work.now) if moments else work.now + timedelta(seconds=1))
    if not undo and _spare(work, plan, {row.account_id for row in rows}):
        return Claim((), work.now)
    _took_part(work, plan, rows)
    until = work.now + timedelta(seconds=hold_s)
    work.conn.execute(
        t.plan_steps.update().where(S.step_id.in_([r.step_id for r in rows]))
        .values(state=StepState.SENDING.value, held_until=until, attempts=S.attempts + 1)
    )  # fmt: skip
    return Claim(tuple(_order(work, plan, row, terms or Terms()) for row in rows), None)


def _spare(work: Work, plan: Plan, accounts: set[str]) -> bool:
    """Pass over accounts that were found innocent or granted since; whether that changed anything.

    One that was acted on already keeps its notice, and with it the way to appeal; where an answer was lost, the
    opposite is sent.
    """
    spared = planning.exempt(work, accounts)
    if not spared:
        return False
    some = [S.plan_number == plan.number, S.undo.is_(False), S.account_id.in_(sorted(spared))]
    known = work.conn.execute(
        select(S.account_id, S.kind, S.state, S.attempts, S.error).where(
            *some, S.kind != StepKind.NOTICE.value
        )
    ).all()
    acted = {row.account_id for row in known if row.state == StepState.DONE.value}
    tried = [r for r in known if r.state != StepState.SKIPPED.value and (r.attempts or r.error)]
    unsure = {r.account_id for r in tried} - acted
    keys = {r.account_id for r in tried if r.kind == StepKind.REVOKE.value and r.state in _OPEN} & acted
    skipped = work.conn.execute(
        t.plan_steps.update()
        .where(*some, S.account_id.not_in(sorted(unsure)), S.state == StepState.WAITING.value, _UNTRIED,
               or_(S.kind != StepKind.NOTICE.value, S.account_id.not_in(sorted(acted))))
        .values(state=StepState.SKIPPED.value, error=SPARED)
    )  # fmt: skip
    if unsure:
        take_back(work, plan, sorted(unsure), notify=True)
    if keys:
        take_back(work, plan, sorted(keys), notify=False, only=StepKind.REVOKE)
    if skipped.rowcount or unsure or keys:
        work.note(
            "plan.spare",
            plan.id,
            accounts=sorted(spared - acted)[:20],
            taken_back=len(unsure),
            keys=len(keys),
        )
    return bool(skipped.rowcount or unsure or keys)


def _took_part(work: Work, plan: Plan, rows: Sequence[Any]) -> None:
    """Who is handed steps has a part in the plan, unless all of them carry out what appeals have decided."""
    a = t.appeals.c
    theirs = {row.account_id for row in rows if row.undo}
    decided = set(work.conn.execute(
        select(a.account_id).where(a.plan_number == plan.number, a.state == AppealState.DECIDED.value,
                                   a.account_id.in_(sorted(theirs)))
    ).scalars())  # fmt: skip
    if any(not row.undo or row.account_id not in decided for row in rows):
        planning.add_runner(work, plan.number)


def _alone(work: Work, number: int) -> None:
    """Nobody else hands out or takes back steps of the plan until this transaction ends."""
    work.conn.execute(select(t.plans.c.number).where(t.plans.c.number == number).with_for_update())


def _moment(value: datetime | str) -> datetime:
    """An aggregate loses the column's type on SQLite."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _due_later(work: Work, plan: Plan, stage: int) -> None:
    """The next stage waits, counted from the end of the one before."""
    ended = work.conn.execute(
        select(func.max(S.done_at)).where(S.plan_number == plan.number, S.undo.is_(False), S.stage < stage)
    ).scalar()
    begun = _moment(ended) if ended is not None else work.now
    work.conn.execute(
        t.plan_steps.update()
        .where(S.plan_number == plan.number, S.undo.is_(False), S.stage == stage, S.due_at.is_(None), S.attempts == 0,
               S.state == StepState.WAITING.value)
        .values(due_at=begun + timedelta(seconds=plan.stage_wait_s))
    )  # fmt: skip


def _order(work: Work, plan: Plan, row: Any, terms: Terms) -> Order:
    step = Step(
        row.step_id,
        row.plan_number,
        row.account_id,
        StepKind(row.kind),
        row.undo,
        row.stage,
        StepState.SENDING,
        row.key,
        row.target,
        row.attempts + 1,
        row.error,
        row.due_at,
        row.done_at,
    )
    payload: dict[str, Any] = {
        "version": 1, "key": step.key, "kind": step.kind.value, "undo": step.undo, "plan": plan.id,
        "case": f"K-{plan.case_number}", "account_id": step.account_id, "measure": plan.measure.value,
    }  # fmt: skip
    if step.kind is StepKind.REVOKE:
        payload["credential"] = step.target
    if step.kind is StepKind.NOTICE:
        payload |= _notice(work, plan, step, terms)
    return Order(step, payload)


def _notice(work: Work, plan: Plan, step: Step, terms: Terms) -> dict[str, Any]:
    """What the customer is told: which families of evidence led to which measure, and where a person looks at it."""
    families = work.conn.execute(
        select(t.plans.c.families).where(t.plans.c.number == plan.number)
    ).scalar_one()
    told = {"reason": plan.reason, "sentence": plan.sentence, "families": list(families)}
    if step.undo:
        appeal = work.conn.execute(
            select(t.appeals.c.outcome, t.appeals.c.answer)
            .where(t.appeals.c.plan_number == plan.number, t.appeals.c.account_id == step.account_id)
        ).first()  # fmt: skip
        return told | {
            "outcome": appeal.outcome if appeal else None,
            "answer": appeal.answer if appeal else "",
        }
    if plan.executor == planning.DRY_RUN:
        return told | {"appeal_url": terms.appeal_url.replace("{token}", "TOKEN")}
    until = work.now + timedelta(days=terms.appeal_days)
    a = t.appeals.c
    number = work.conn.execute(
        select(a.number).where(a.plan_number == plan.number, a.account_id == step.account_id)
    ).scalar()
    if number is not None:  # sent once more: what this notice promises holds
        work.conn.execute(
            t.appeals.update()
            .where(a.number == number, a.state.in_((AppealState.OFFERED.value, AppealState.LAPSED.value)))
            .values(state=AppealState.OFFERED.value, expires_at=until, version=a.version + 1)
        )
    else:
        number = added(
            work.conn,
            t.appeals.insert().values(
                account_id=step.account_id,
                plan_number=plan.number,
                case_number=plan.case_number,
                state=AppealState.OFFERED.value,
                measure=plan.measure.value,
                reason=plan.reason,
                sentence=plan.sentence,
                families=list(families),
                offered_at=work.now,
                expires_at=until,
                statement="",
                answer="",
                version=1,
            ),
        )
    token = secrets.token_urlsafe(
        32
    )  # every sending has its own: only the digest is kept, so it cannot be sent twice
    work.conn.execute(t.appeal_tokens.insert().values(
        token_digest=sha256(token.encode()).hexdigest(), appeal_number=number, issued_at=work.now))  # fmt: skip
    return told | {
        "appeal_url": terms.appeal_url.replace("{token}", token),
        "appeal_until": until.isoformat(),
    }


def settle(work: Work, plan: Plan, outcomes: Sequence[tuple[Step, Sent]]) -> None:
    """Keep what became of steps that were sent. One that somebody else holds by now is left alone."""
    work.need(Permission.PLAN_RUN)
    for step, sent in outcomes:
        state, due = sent.state, None
        if state is StepState.WAITING:
            if step.attempts >= MOST_ATTEMPTS:
                state = StepState.FAILED
            else:
                due = work.now + timedelta(seconds=wait_s(step.attempts, step.key, sent.retry_after_s))
        kept = work.conn.execute(
            t.plan_steps.update()
            .where(S.step_id == step.step_id, S.state == StepState.SENDING.value, S.attempts == step.attempts)
            .values(state=state.value, due_at=due, held_until=None, error=sent.error[:300],
                    done_at=work.now if state is StepState.DONE else None)
        )  # fmt: skip
        if kept.rowcount != 1:
            continue
        if state is StepState.DONE and step.kind is StepKind.ACT and plan.executor != planning.DRY_RUN:
            _take_effect(work, plan, step)
            if not step.undo:
                _add_keys(work, plan, step, sent.credentials)
        if state is StepState.FAILED and step.kind is StepKind.ACT:
            _skip_rest(work, step)
        if state in (StepState.DONE, StepState.FAILED):
            work.note(f"step.{state.value}", step.account_id, plan=plan.id, kind=step.kind.value, undo=step.undo,
                      key=step.key)  # fmt: skip


def wait_s(attempts: int, key: str, asked_s: float = 0.0) -> float:
    """Seconds until the next try: doubled each time, spread by the key, never sooner than the receiver asked.

    >>> [round(wait_s(n, "80" * 20), 1) for n in (1, 2, 3)], wait_s(1, "80" * 20, asked_s=30.0)
    ([2.0, 4.0, 8.0], 30.0)
    """
    spread = 0.75 + int(key[:2], 16) / 512
    return min(max(_FIRST_WAIT_S * 2.0 ** (attempts - 1) * spread, asked_s), _LONGEST_WAIT_S)


def _take_effect(work: Work, plan: Plan, step: Step) -> None:
    table = t.account_measures
    key = {"account_id": step.account_id, "plan_number": plan.number}
    work.conn.execute(table.delete().where(*(table.c[name] == value for name, value in key.items())))
    if not step.undo:
        work.conn.execute(
            table.insert().values(
                **key, measure=plan.measure.value, case_number=plan.case_number, since=work.now
            )
        )


def _add_keys(work: Work, plan: Plan, step: Step, found: Sequence[str]) -> None:
    """Revoke what acting on an account has found, unless the plan names it already."""
    known = set(work.conn.execute(
        select(S.target).where(S.plan_number == plan.number, S.account_id == step.account_id, S.undo.is_(False),
                               S.kind == StepKind.REVOKE.value)
    ).scalars())  # fmt: skip
    bulk.insert(work.conn, t.plan_steps, [
        planning.step_row(plan.number, plan.digest, step.account_id, StepKind.REVOKE, key, step.stage)
        for key in found if key not in known
    ])  # fmt: skip


def _skip_rest(work: Work, step: Step) -> None:
    """An account that could not be acted on keeps its keys and is not told that it was."""
    work.conn.execute(
        t.plan_steps.update()
        .where(S.plan_number == step.plan_number, S.account_id == step.account_id, S.undo == step.undo,
               S.state == StepState.WAITING.value)
        .values(state=StepState.SKIPPED.value, error="the account could not be acted on")
    )  # fmt: skip


def _finish(work: Work, plan: Plan) -> bool:
    """End the plan, or go back to what it was doing when single accounts were taken back."""
    left = work.conn.execute(
        select(func.count())
        .select_from(t.account_measures)
        .where(t.account_measures.c.plan_number == plan.number)
    ).scalar_one()
    failed = work.conn.execute(
        select(func.count())
        .select_from(t.plan_steps)
        .where(S.plan_number == plan.number, S.state == "failed")
    ).scalar_one()
    todo = work.conn.execute(
        select(S.step_id).where(S.plan_number == plan.number, S.undo.is_(False), S.state.in_(_OPEN)).limit(1)
    ).first()
    undoing = plan.state is PlanState.UNDOING
    state = (
        PlanState.RUNNING
        if undoing and todo
        else PlanState.UNDONE
        if undoing and not left
        else PlanState.DONE
    )
    work.conn.execute(
        t.plans.update().where(t.plans.c.number == plan.number)
        .values(state=state.value, done_at=work.now, version=t.plans.c.version + 1)
    )  # fmt: skip
    said = f"{plan.id} {state.value}" + (f", {failed} steps failed" if failed else "")
    cases.add_event(work, plan.case_number, EventKind.ACTION, said, details={"under a measure": left})
    work.note("plan.end", plan.id, state=state.value, failed=failed, under=left)
    return state is not PlanState.RUNNING


def undo(work: Work, number: int, reason: str, *, accounts: Sequence[str] = (), notify: bool = True) -> Plan:
    """Take back everything that a plan did, or what it did to some accounts. Run it to carry this out.

    What was being sent when this is asked may still arrive: its opposite waits until the hold has run out.
    """
    work.need(Permission.PLAN_UNDO)
    plan = planning.read(work, number)
    if plan.state not in (PlanState.RUNNING, PlanState.DONE, PlanState.UNDOING):
        raise NotNow(f"{plan.id} is {plan.state.value}", hint="there is nothing to take back")
    if not reason.strip():
        raise NotNow("a reason is needed", hint="say why in a sentence")
    count = take_back(work, plan, accounts, notify=notify)
    planning.add_runner(work, number)
    if not accounts:
        work.conn.execute(
            t.tripwires.update()
            .where(t.tripwires.c.plan_number == number, t.tripwires.c.withdrawn_at.is_(None))
            .values(withdrawn_at=work.now)
        )
    cases.add_event(work, plan.case_number, EventKind.ACTION, f"{plan.id} taken back: {reason.strip()[:2000]}",
                    details={"steps": count, "accounts": len(accounts) or "all"})  # fmt: skip
    work.note("plan.undo", plan.id, steps=count, accounts=list(accounts[:20]))
    return planning.read(work, number)


def take_back(
    work: Work, plan: Plan, accounts: Sequence[str], *, notify: bool, only: StepKind | None = None
) -> int:
    """Put the opposite of what was done, or may have been, into the outbox; what still waits is not done any more.

    ``only`` names the kind of step that this is about; None: all kinds.
    """
    _alone(work, plan.number)
    some = [S.plan_number == plan.number, S.undo.is_(False)]
    if only is not None:
        some.append(S.kind == only.value)
    unsettled = S.state.in_((StepState.WAITING.value, StepState.FAILED.value))
    rows: list[Any] = []
    for part in bulk.parts(sorted(accounts)) if accounts else [()]:
        where = [*some, S.account_id.in_(part)] if part else some
        rows += work.conn.execute(
            select(t.plan_steps).where(*where, or_(S.state.in_(("done", "sending")), and_(unsettled, not_(_UNTRIED))))
            .order_by(S.step_id)
        ).all()  # fmt: skip
        work.conn.execute(
            t.plan_steps.update().where(*where, S.state != StepState.DONE.value)
            .values(state=StepState.SKIPPED.value, error=TAKEN_BACK, held_until=None)
        )  # fmt: skip
        work.conn.execute(  # what could not be taken back before
            t.plan_steps.update()
            .where(S.plan_number == plan.number, S.undo, S.state == StepState.FAILED.value,
                   *([S.account_id.in_(part)] if part else []))
            .values(state=StepState.WAITING.value, attempts=0, due_at=None)
        )  # fmt: skip
    known = set(work.conn.execute(select(S.key).where(S.plan_number == plan.number, S.undo)).scalars())
    made = []
    for row in rows:
        if row.kind == StepKind.NOTICE.value and not notify:
            continue
        salt = f"{row.key}:{row.attempts}"
        step = planning.step_row(plan.number, plan.digest, row.account_id, StepKind(row.kind), row.target, 0, undo=True,
                                 salt=salt, due_at=row.held_until if row.state == "sending" else None)  # fmt: skip
        if step["key"] not in known:
            made.append(step)
    bulk.insert(work.conn, t.plan_steps, made)
    work.conn.execute(
        t.plans.update().where(t.plans.c.number == plan.number)
        .values(state=PlanState.UNDOING.value, version=t.plans.c.version + 1)
    )  # fmt: skip
    return len(made)


def acted_on(work: Work, case_number: int, account_id: str) -> list[Plan]:
    """Plans of a case that acted on an account, or may have; not those that were taken back."""
    p = t.plans.c
    numbers = work.conn.execute(
        select(p.number).distinct().join_from(t.plan_steps, t.plans, S.plan_number == p.number)
        .where(p.case_number == case_number, p.executor != planning.DRY_RUN,
               p.state.in_((PlanState.RUNNING.value, PlanState.DONE.value, PlanState.UNDOING.value)),
               S.account_id == account_id, S.undo.is_(False), S.kind != StepKind.NOTICE.value,
               S.state != StepState.SKIPPED.value, not_(_UNTRIED))
        .order_by(p.number)
    ).scalars().all()  # fmt: skip
    return [planning.read(work, number) for number in numbers]


def taking_back(work: Work, account_id: str) -> list[int]:
    """Plans that have something to take back from an account, or to tell it: run each to carry this out."""
    found = select(S.plan_number).distinct().where(
        S.account_id == account_id, S.undo, S.state.in_(_OPEN)
    )  # fmt: skip
    return list(work.conn.execute(found.order_by(S.plan_number)).scalars())
