"""What the store holds on one case, as evidence needs it: what was done, to whom it was told, who objected, what came.

Words that people wrote are apart from facts, in fields that a reader may not get: notes are left out unless asked for,
and neither a customer's statement nor the answer to it is read at all. Dry runs did nothing and are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select

from stillwatch.records import (
    AppealState,
    EventKind,
    Family,
    Finding,
    Member,
    Permission,
    StepKind,
    StepState,
    Tier,
)
from stillwatch.records.case import Relation, name_of
from stillwatch.records.evidence import (
    AppealRow,
    CaseRecord,
    CaseStep,
    Circumvention,
    Evasion,
    MeasureTaken,
    Notice,
    SeenInRun,
)
from stillwatch.records.evidence import (
    Work as Hours,
)
from stillwatch.respond import cases, people
from stillwatch.respond import tables as t
from stillwatch.respond.planning import DRY_RUN
from stillwatch.respond.work import Work

PROGRAM = "stillwatch"


def record(work: Work, number: int, *, with_notes: bool) -> CaseRecord:
    """The case as the store has it."""
    for permission in (Permission.CASE_READ, Permission.PLAN_READ, Permission.APPEAL_READ):
        work.need(permission)
    case, names = cases.get(work, number), _names(work)
    gone = select(t.case_accounts.c.account_id).where(
        t.case_accounts.c.case_number == number, t.case_accounts.c.present.is_(False)
    )
    return CaseRecord(
        case.state.value, case.opened_at, case.closed_at, case.hours,
        tuple(
            SeenInRun(s.run_id, s.at, s.relation.value, s.account_count, s.joined, s.left, s.settings_digest, s.version)
            for s in cases.sightings(work, number)
        ),
        tuple(_measures(work, number)), tuple(_appeals(work, number, names)),
        tuple(_steps(work, number, names, with_notes=with_notes)),
        tuple(work.conn.execute(gone.order_by(t.case_accounts.c.account_id)).scalars()),
    )  # fmt: skip


def members(work: Work, number: int, campaign_id: str) -> tuple[Member, ...]:
    """Accounts that the newest scan has."""
    a = t.case_accounts
    found = work.conn.execute(
        select(a)
        .where(a.c.case_number == number, a.c.present)
        .order_by(a.c.membership_bits.desc(), a.c.account_id)
    )
    return tuple(
        Member(campaign_id, r.account_id, Tier(r.tier), r.membership_bits, r.extraction_share, r.exchange_count,
               r.first_seen, r.last_seen, tuple(r.reasons))
        for r in found
    )  # fmt: skip


def findings(work: Work, number: int, run_id: str, campaign_id: str) -> tuple[Finding, ...]:
    """Findings of one scan on the group."""
    return tuple(
        Finding(f["finding_id"], f["trait"], Family(f["family"]), campaign_id, f["effect"], f["unit"], f["baseline"],
                f["p_value"], f["log10_e_value"], tuple(f["reasons"]), tuple(f["looks_alike"]))
        for f in cases.findings(work, number, run_id)
    )  # fmt: skip


def notices(work: Work, number: int) -> tuple[Notice, ...]:
    """Notices that were handed over, and what they said."""
    return tuple(
        Notice(
            row.done_at, row.account_id,
            f"the measure was taken back ({row.measure})" if row.undo else
            f"{row.measure}; reason {row.reason}; families {', '.join(row.families) or 'none'}; {row.sentence}; how to "
            "appeal",
            f"handed to {row.executor}, {name_of('P', row.plan_number)}",
        )
        for row in _done(work, number, (StepKind.NOTICE,))
    )  # fmt: skip


def hours(work: Work, number: int) -> tuple[Hours, ...]:
    """Hours that people logged, entry by entry; what they wrote beside them is left out."""
    names, e = _names(work), t.case_events.c
    found = work.conn.execute(
        select(e.at, e.person_id, e.hours).where(e.case_number == number, e.hours > 0).order_by(e.event_id)
    )
    return tuple(
        Hours(
            _who(names, row.person_id),
            f"work on {name_of('K', number)}, logged {row.at:%Y-%m-%d}",
            row.hours,
            None,
        )
        for row in found
    )


def evasions(work: Work, number: int) -> tuple[Circumvention, ...]:
    """Accounts that show what an earlier takedown left a tripwire on, and cases that this one may be a return of."""
    wire, hit = t.tripwires.c, t.tripwire_hits.c
    found = work.conn.execute(
        select(hit.at, hit.account_id, hit.run_id, wire.trait, wire.plan_number, wire.set_at)
        .join_from(t.tripwire_hits, t.tripwires, hit.tripwire_id == wire.tripwire_id)
        .where((hit.case_number == number) | (wire.case_number == number), wire.withdrawn_at.is_(None))
        .order_by(hit.at, hit.account_id, hit.tripwire_id)
    )
    rows = [
        Circumvention(
            Evasion.BAN_EVASION, row.at, row.account_id,
            f"shows a value of {row.trait} that accounts under {name_of('P', row.plan_number)} shared; the tripwire "
            f"was set on {row.set_at:%Y-%m-%d}", f"tripwire, scan {row.run_id[:12]}",
        )
        for row in found
    ]  # fmt: skip
    for link in cases.links(work, number):
        if link.relation is Relation.RETURNED and link.case_number == number and link.withdrawn_at is None:
            traits = sorted({ground.split(" ")[0] for ground in link.grounds})
            fact = (
                f"may be a return of {name_of('K', link.other)}, whose accounts were acted on or found true: "
            )
            rows.append(
                Circumvention(Evasion.BAN_EVASION, link.at, None, f"{fact}both share {', '.join(traits)}",
                              f"lineage of {name_of('K', number)}")
            )  # fmt: skip
    return tuple(rows)


def verdict(work: Work, number: int) -> tuple[str | None, str | None]:
    """The verdict of a closed case and who gave it."""
    case = cases.get(work, number)
    if case.verdict is None:
        return None, None
    e, names = t.case_events.c, _names(work)
    found = work.conn.execute(
        select(e.person_id, e.details).where(e.case_number == number, e.kind == EventKind.STATE.value)
        .order_by(e.event_id.desc())
    )  # fmt: skip
    by = next((row.person_id for row in found if "verdict" in (row.details or {})), None)
    return case.verdict.value, _who(names, by)


def _measures(work: Work, number: int) -> Iterator[MeasureTaken]:
    for row in _done(work, number, (StepKind.ACT, StepKind.REVOKE)):
        what = row.measure if row.kind == StepKind.ACT.value else "a key revoked"
        yield MeasureTaken(
            row.done_at, row.account_id, f"{what}, taken back" if row.undo else what, row.executor,
            name_of("P", row.plan_number),
        )  # fmt: skip


def _appeals(work: Work, number: int, names: Mapping[int, str]) -> Iterator[AppealRow]:
    a = t.appeals.c
    found = work.conn.execute(
        select(
            a.number,
            a.account_id,
            a.measure,
            a.state,
            a.offered_at,
            a.filed_at,
            a.decided_at,
            a.outcome,
            a.decided_by,
        )
        .where(a.case_number == number)
        .order_by(a.number)
    )
    for r in found:
        by = _who(names, r.decided_by) if r.state == AppealState.DECIDED.value else None
        yield AppealRow(name_of("A", r.number), r.account_id, r.measure, r.state, r.offered_at, r.filed_at,
                        r.decided_at, r.outcome, by)  # fmt: skip


def _steps(work: Work, number: int, names: Mapping[int, str], *, with_notes: bool) -> Iterator[CaseStep]:
    e = t.case_events.c
    found = work.conn.execute(
        select(e.at, e.person_id, e.kind, e.text).where(e.case_number == number).order_by(e.event_id)
    )
    for row in found:
        words = row.text if with_notes or row.kind != EventKind.NOTE.value else None
        yield CaseStep(row.at, _who(names, row.person_id), row.kind, words)


def _done(work: Work, number: int, kinds: tuple[StepKind, ...]) -> Iterator[Any]:
    """Steps that were carried out, with their plan."""
    step, plan = t.plan_steps.c, t.plans.c
    yield from work.conn.execute(
        select(
            step.done_at, step.account_id, step.kind, step.undo, step.plan_number, plan.measure, plan.executor,
            plan.reason, plan.sentence, plan.families,
        )
        .join_from(t.plan_steps, t.plans, step.plan_number == plan.number)
        .where(
            plan.case_number == number, plan.executor != DRY_RUN, step.state == StepState.DONE.value,
            step.kind.in_([k.value for k in kinds]),
        )
        .order_by(step.done_at, step.step_id)
    )  # fmt: skip


def _names(work: Work) -> dict[int, str]:
    return {p.person_id: p.name for p in people.everybody(work.conn)}


def _who(names: Mapping[int, str], person_id: int | None) -> str:
    """A person's name; the program's where no person did it."""
    return names.get(person_id or 0, PROGRAM)


__all__ = ["evasions", "findings", "hours", "members", "notices", "record", "verdict"]
