"""What follows when an account, or a whole case, turns out to be innocent.

The account goes on the list of honest ones: lineage, tripwires and plans pass over it, and a baseline may be fitted on
it. What linked others to it alone is withdrawn, and the cases that rested on that hear of it. Nobody's verdict is
changed by the program: the cases say what fell away, and people look again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, or_, select

from stillwatch.records import Case, EventKind, Outcome, Permission, PlanState, Relation, Verdict, name_of
from stillwatch.respond import bulk, cases, planning
from stillwatch.respond import tables as t
from stillwatch.respond.errors import NotNow
from stillwatch.respond.work import Work


def may_close(work: Work, case: Case, verdict: Verdict) -> None:
    """Raise while a plan of the case is under way, or while somebody found innocent would stay under a measure.

    A plan that could still be begun stands in the way of saying that there was nothing to act on.
    """
    busy = work.conn.execute(
        select(t.plans.c.number).where(
            t.plans.c.case_number == case.number,
            t.plans.c.state.in_((PlanState.RUNNING.value, PlanState.UNDOING.value)),
        )
    ).scalar()
    if busy is not None:
        raise NotNow(
            f"{name_of('P', busy)} of {case.id} is under way", hint="finish it, or take it back, first"
        )
    if verdict in (Verdict.FALSE_POSITIVE, Verdict.BENIGN_POSITIVE):
        _nothing_planned(work, case)
    if verdict is not Verdict.FALSE_POSITIVE:
        return
    m, mine = t.account_measures.c, t.case_accounts.c
    ours = select(mine.account_id).where(mine.case_number == case.number)
    held = work.conn.execute(
        select(m.plan_number, m.case_number, func.count(), func.min(m.account_id))
        .where(or_(m.case_number == case.number, m.account_id.in_(ours)))
        .group_by(m.plan_number, m.case_number)
        .order_by(m.plan_number)
    ).first()
    if held is not None:
        number, of, count, first = held
        plan = name_of("P", number)
        undo = plan if of == case.number else f"{plan} --account {first[:80]} ..."
        raise NotNow(
            f"{count} accounts of {case.id} are under a measure of {plan}",
            hint=f"`stillwatch plan undo {undo}` first: nobody found innocent stays under one",
        )


def _nothing_planned(work: Work, case: Case) -> None:
    planned = work.conn.execute(
        select(t.plans.c.number).where(
            t.plans.c.case_number == case.number, t.plans.c.executor != planning.DRY_RUN,
            t.plans.c.state.in_((PlanState.DRAFT.value, PlanState.APPROVED.value)),
        )
    ).scalar()  # fmt: skip
    if planned is not None:
        plan = name_of("P", planned)
        raise NotNow(
            f"{plan} would still act on accounts of {case.id}",
            hint=f"`stillwatch plan approve {plan} --withdraw` first",
        )


def whole_case(work: Work, number: int, reason: str) -> None:
    """Every account of the case is honest; everything that rests on the case falls."""
    names = work.conn.execute(
        select(t.case_accounts.c.account_id).where(t.case_accounts.c.case_number == number)
    ).scalars().all()  # fmt: skip
    _list_honest(work, number, names, reason)
    work.conn.execute(
        t.case_traits.update()
        .where(t.case_traits.c.case_number == number, t.case_traits.c.cleared_at.is_(None))
        .values(cleared_at=work.now)
    )
    work.conn.execute(
        t.tripwires.update()
        .where(t.tripwires.c.case_number == number, t.tripwires.c.withdrawn_at.is_(None))
        .values(withdrawn_at=work.now)
    )
    _withdraw_links(work, number)
    _tell_other_cases(work, number)
    work.note("case.correct", name_of("K", number), accounts=len(names))


def account(work: Work, number: int, account_id: str, reason: str, *, appeal: int | None) -> int:
    """One account of a case is honest. Values that only honest accounts of the case show link nobody any more.

    Returns the number of values that were cleared. When the last value by which the case could be recognised is
    cleared, links that rest on it fall too.
    """
    _list_honest(work, number, [account_id], reason, appeal=appeal)
    honest = set(work.conn.execute(select(t.benign_accounts.c.account_id)).scalars())
    shown: dict[tuple[str, str], set[str]] = {}
    details = work.conn.execute(select(t.cases.c.details).where(t.cases.c.number == number)).scalar_one()
    for who, trait, value in _edges(details):
        shown.setdefault((trait, value), set()).add(who)
    cleared = [key for key, who in shown.items() if account_id in who and who <= honest]
    for trait, value in cleared:
        for table, column in ((t.case_traits, "cleared_at"), (t.tripwires, "withdrawn_at")):
            c = table.c
            work.conn.execute(
                table.update()
                .where(c.case_number == number, c.trait == trait, c.value == value, c[column].is_(None))
                .values({column: work.now})
            )
    left = work.conn.execute(
        select(func.count()).select_from(t.case_traits)
        .where(t.case_traits.c.case_number == number, t.case_traits.c.cleared_at.is_(None))
    ).scalar_one()  # fmt: skip
    if cleared and not left:
        _withdraw_links(work, number)
    _tell_other_cases(work, number, account_id)
    cases.add_event(work, number, EventKind.CORRECTED, f"{account_id[:200]} found innocent: {reason[:2000]}",
                    details={"values_cleared": len(cleared)})  # fmt: skip
    work.note("account.correct", account_id, case=name_of("K", number), values_cleared=len(cleared))
    return len(cleared)


def _edges(details: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The account graph as the newest scan drew it."""
    import json

    inner = details.get("details")
    found = json.loads(inner).get("edges", []) if isinstance(inner, str) else []
    return [(str(a), str(b), str(c)) for a, b, c in found]


def _list_honest(
    work: Work, number: int, names: Sequence[str], reason: str, *, appeal: int | None = None
) -> None:
    table = t.benign_accounts
    there: set[str] = set()
    for part in bulk.parts(sorted(set(names))):
        there |= set(
            work.conn.execute(select(table.c.account_id).where(table.c.account_id.in_(part))).scalars()
        )
    bulk.insert(work.conn, table, [
        {"account_id": name, "case_number": number, "person_id": work.by, "appeal_number": appeal, "at": work.now,
         "reason": reason[:2_000]} for name in sorted(set(names) - there)
    ])  # fmt: skip


def _withdraw_links(work: Work, number: int) -> None:
    """Cases that were taken for a return of this one."""
    table = t.case_links
    where = [
        table.c.other == number,
        table.c.relation == Relation.RETURNED.value,
        table.c.withdrawn_at.is_(None),
    ]
    for other in work.conn.execute(select(table.c.case_number).where(*where)).scalars().all():
        cases.add_event(work, other, EventKind.CORRECTED,
                        f"no longer a return of {name_of('K', number)}: that was corrected; look again")  # fmt: skip
    work.conn.execute(table.update().where(*where).values(withdrawn_at=work.now))


def _tell_other_cases(work: Work, number: int, account_id: str | None = None) -> None:
    """Other cases that hold the account, or any account of this case."""
    mine, theirs = t.case_accounts.alias().c, t.case_accounts.c
    where = [mine.case_number == number, theirs.case_number != number]
    if account_id is not None:
        where.append(mine.account_id == account_id)
    others = work.conn.execute(
        select(theirs.case_number, func.count(), func.min(theirs.account_id))
        .where(*where, mine.account_id == theirs.account_id)
        .group_by(theirs.case_number).order_by(theirs.case_number)
    ).all()  # fmt: skip
    for other, count, first in others:
        who = f"{first[:200]} was" if count == 1 else f"{count:,} of its accounts were"
        cases.add_event(
            work, other, EventKind.CORRECTED, f"{who} found innocent in {name_of('K', number)}; look again"
        )


def honest_accounts(work: Work) -> list[dict[str, Any]]:
    """The list for fitting a baseline: who was found innocent, when, and on what decision."""
    work.need(Permission.CASE_READ)
    found = work.conn.execute(select(t.benign_accounts).order_by(t.benign_accounts.c.account_id))
    return [dict(row._mapping) for row in found]


def overturned(work: Work) -> dict[str, Any]:
    """How often people were wronged, as far as appeals say: of those decided, how many actions did not stand.

    A lower bound of what was wrong: not everybody who is wronged appeals. ``false_positive_cases`` counts closed cases
    whose accounts had been acted on.
    """
    work.need(Permission.APPEAL_READ)
    a = t.appeals.c
    counts = {o: n for o, n in work.conn.execute(
        select(a.outcome, func.count()).where(a.outcome.is_not(None)).group_by(a.outcome))}  # fmt: skip
    acted = select(t.plans.c.case_number).where(
        t.plans.c.run_at.is_not(None), t.plans.c.executor != "dry-run"
    )  # fmt: skip
    closed = {v: n for v, n in work.conn.execute(
        select(t.cases.c.verdict, func.count())
        .where(t.cases.c.verdict.is_not(None), t.cases.c.number.in_(acted)).group_by(t.cases.c.verdict))}  # fmt: skip
    decided, wrong = sum(counts.values()), counts.get(Outcome.OVERTURNED.value, 0)
    low, high = interval(wrong, decided)
    return {
        "decided": decided, "overturned": wrong, "eased": counts.get(Outcome.EASED.value, 0),
        "upheld": counts.get(Outcome.UPHELD.value, 0), "rate": wrong / decided if decided else None, "low": low,
        "high": high, "closed_cases_acted_on": sum(closed.values()),
        "false_positive_cases": closed.get(Verdict.FALSE_POSITIVE.value, 0),
    }  # fmt: skip


def interval(wrong: int, of: int) -> tuple[float, float]:
    """Clopper-Pearson interval of 95 %.

    >>> interval(0, 0), [round(x, 4) for x in interval(1, 10)]
    ((0.0, 1.0), [0.0025, 0.445])
    """
    from scipy.special import betaincinv

    low = 0.0 if wrong == 0 else float(betaincinv(wrong, of - wrong + 1, 0.025))
    high = 1.0 if wrong == of else float(betaincinv(wrong + 1, of - wrong, 0.975))
    return low, high
