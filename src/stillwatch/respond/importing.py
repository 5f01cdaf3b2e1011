"""A scan's output becomes cases: those that go on, that split, merge or come back, and new ones.

One transaction: the whole run is filed, or nothing of it. Filing the same run twice changes nothing. What a person
decided stays: a closed case that goes on with the accounts it had stays closed; with new ones it is opened again, and
its timeline says why.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from stillwatch.records import (
    Campaign,
    CaseState,
    EventKind,
    Member,
    Permission,
    Relation,
    ScanResult,
    Tier,
    Verdict,
    name_of,
)
from stillwatch.respond import bulk, cases
from stillwatch.respond import tables as t
from stillwatch.respond.columns import escaped
from stillwatch.respond.errors import NotNow
from stillwatch.respond.lineage import Continued, Shared, continue_cases, returned_from
from stillwatch.respond.work import Work

LONGEST_ID = 1_000
"""Bytes of an account id or a trait's value; longer ones cannot be looked up quickly."""
_OPEN = (CaseState.OPEN.value, CaseState.WORKING.value)


@dataclass(frozen=True, slots=True)
class Filed:
    """One campaign and where it went."""

    campaign_id: str
    case_number: int
    relation: Relation
    account_count: int
    joined: int
    left: int
    reopened: bool
    returned_from: tuple[int, ...]
    tripwires: int
    """Accounts that stepped on one."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a run."""

    run_id: str
    filed: tuple[Filed, ...]
    already: bool = False
    """It had been filed before; nothing was changed."""
    refused: int = 0
    """Accounts left out because their id is too long."""


def file_run(
    work: Work,
    result: ScanResult,
    *,
    run_id: str,
    label: str,
    row_of: Callable[[Campaign], Mapping[str, Any]],
) -> Imported:
    """File every campaign and pool of a run.

    Parameters
    ----------
    result
        What the scan found.
    run_id
        Digest of its files.
    label
        The folder's name, for people.
    row_of
        A campaign as a row of plain values, for keeping.

    Raises
    ------
    NotNow
        A newer run has been filed: its accounts would look as if they had left.
    """
    work.need(Permission.RUN_IMPORT)
    if work.conn.execute(select(t.runs.c.run_id).where(t.runs.c.run_id == run_id)).first():
        return Imported(run_id, (), already=True)
    _in_order(work, result)
    work.conn.execute(t.runs.insert().values(**_run_row(work, result, run_id, label)))
    desk = _Filing(work, result, run_id, row_of)
    filed = tuple(desk.file(line) for line in desk.lines())
    work.note("run.import", run_id, campaigns=len(filed), new=sum(f.relation is Relation.NEW for f in filed))
    return Imported(run_id, filed, refused=desk.refused)


def _in_order(work: Work, result: ScanResult) -> None:
    last = max((c.last_seen for c in result.campaigns), default=None)
    newest = work.conn.execute(
        select(t.runs.c.last_seen).order_by(t.runs.c.last_seen.desc().nulls_last())
    ).first()
    if last is not None and newest is not None and newest.last_seen is not None and last < newest.last_seen:
        raise NotNow(f"this run ends at {last:%Y-%m-%d %H:%M}, and one that ends at {newest.last_seen:%Y-%m-%d %H:%M} "
                     "has been filed", hint="file runs in the order of time")  # fmt: skip


def _run_row(work: Work, result: ScanResult, run_id: str, label: str) -> dict[str, Any]:
    kept = {
        k: result.summary.get(k)
        for k in ("counts", "time_range", "incomplete", "inputs")
        if k in result.summary
    }
    return {
        "run_id": run_id, "label": label[:200], "imported_at": work.now, "imported_by": work.by,
        "settings_digest": str(result.summary.get("settings_digest", "")),
        "program_version": str(result.summary.get("version", "")),
        "first_seen": min((c.first_seen for c in result.campaigns), default=None),
        "last_seen": max((c.last_seen for c in result.campaigns), default=None),
        "campaign_count": len(result.campaigns), "account_count": len(result.accounts), "summary": kept,
    }  # fmt: skip


class _Filing:
    """One run on its way into cases."""

    def __init__(
        self, work: Work, result: ScanResult, run_id: str, row_of: Callable[[Campaign], Mapping[str, Any]]
    ) -> None:
        self.work, self.run_id, self.row_of = work, run_id, row_of
        self.campaigns = {c.campaign_id: c for c in result.campaigns}
        self.members: dict[str, list[Member]] = {c: [] for c in self.campaigns}
        self.refused = 0
        for member in result.members:
            if len(escaped(member.account_id).encode("utf-8")) > LONGEST_ID:
                self.refused += 1
            elif member.campaign_id in self.members:
                self.members[member.campaign_id].append(member)
        self.findings = [f for f in result.findings if f.subject in self.campaigns]
        self.settings_digest = str(result.summary.get("settings_digest", ""))
        self.version = str(result.summary.get("version", ""))
        self.held = self._held()

    def _held(self) -> dict[str, dict[int, tuple[str, bool]]]:
        """account -> case -> the run in which it came in, and whether it is there now; for the accounts of this run."""
        table = t.case_accounts
        out: dict[str, dict[int, tuple[str, bool]]] = {}
        names = sorted({m.account_id for group in self.members.values() for m in group})
        gone = set(self.work.conn.execute(
            select(t.case_links.c.other).where(t.case_links.c.relation == Relation.MERGED.value,
                                               t.case_links.c.withdrawn_at.is_(None))).scalars())  # fmt: skip
        for part in bulk.parts(names):
            found = self.work.conn.execute(
                select(table.c.account_id, table.c.case_number, table.c.first_run, table.c.present).where(
                    table.c.account_id.in_(part)
                )
            )
            for account, case, first, present in found:
                if case not in gone:
                    out.setdefault(account, {})[case] = (first, present)
        return out

    def lines(self) -> list[Continued]:
        """Which campaign goes on in which case. Accounts that are only watched do not count; one that is in a case now
        does not count for cases that it has left."""
        shared: Counter[tuple[str, int]] = Counter()
        sizes: dict[str, int] = {}
        for campaign, group in self.members.items():
            firm = [m for m in group if m.tier is not Tier.WATCH]
            sizes[campaign] = len(firm)
            for member in firm:
                held = self.held.get(member.account_id, {})
                now = [case for case, (_, present) in held.items() if present]
                shared.update((campaign, case) for case in now or held)
        numbers = sorted({case for _, case in shared})
        counted: dict[int, int] = {}
        for part in bulk.parts(numbers):
            found = self.work.conn.execute(
                select(t.cases.c.number, t.cases.c.account_count).where(t.cases.c.number.in_(part))
            )
            counted |= {number: count for number, count in found}
        return continue_cases(sizes, counted, shared)

    def file(self, line: Continued) -> Filed:
        """Put one campaign where it belongs."""
        campaign = self.campaigns[line.campaign_id]
        values = _values(campaign)
        back = [] if line.case or line.split_from else self._returned(values)
        number, reopened = line.case, False
        if number is None:
            number = cases.insert(self.work, title=_title(campaign), kind=campaign.kind.value)
            cases.add_event(self.work, number, EventKind.OPENED, f"opened by scan {self.run_id[:12]}")
        joined, left = self._accounts(number, campaign.campaign_id)
        if line.case is not None and joined:
            reopened = self._reopen(number, joined)
        self._lineage(number, line, back)
        relation = _relation(line, back, joined, left)
        self._headline(number, campaign)
        self._keep(number, campaign, values, relation, joined, left)
        tripped = self._tripwires(number, campaign)
        return Filed(campaign.campaign_id, number, relation, len(self.members[campaign.campaign_id]), joined, left,
                     reopened, tuple(case for case, _ in back), tripped)  # fmt: skip

    def _accounts(self, number: int, campaign_id: str) -> tuple[int, int]:
        """Write the members; those of the case that the scan no longer has stay, as not present."""
        table, group = t.case_accounts, self.members[campaign_id]
        known = {
            m.account_id: self.held[m.account_id][number][0]
            for m in group
            if number in self.held.get(m.account_id, {})
        }
        for part in bulk.parts(sorted(known)):
            self.work.conn.execute(
                table.delete().where(table.c.case_number == number, table.c.account_id.in_(part))
            )
        gone = self.work.conn.execute(
            table.update().where(table.c.case_number == number, table.c.present).values(present=False)
        ).rowcount
        bulk.insert(
            self.work.conn,
            table,
            [
                {
                    "case_number": number,
                    "account_id": m.account_id,
                    "tier": m.tier.value,
                    "membership_bits": m.membership_bits,
                    "extraction_share": m.extraction_share,
                    "exchange_count": m.exchange_count,
                    "first_seen": m.first_seen,
                    "last_seen": m.last_seen,
                    "reasons": list(m.reasons),
                    "present": True,
                    "first_run": known.get(m.account_id, self.run_id),
                    "last_run": self.run_id,
                }
                for m in group
            ],
        )
        return len(group) - len(known), int(gone)

    def _reopen(self, number: int, joined: int) -> bool:
        row = self.work.conn.execute(
            select(t.cases.c.state, t.cases.c.verdict).where(t.cases.c.number == number)
        ).one()
        if row.state in _OPEN:
            return False
        self.work.conn.execute(
            t.cases.update().where(t.cases.c.number == number)
            .values(state=CaseState.OPEN.value, verdict=None, closed_at=None, assignee=None)
        )  # fmt: skip
        cases.add_event(self.work, number, EventKind.STATE, f"opened again: {joined} accounts came in",
                        details={"was": row.verdict})  # fmt: skip
        return True

    def _lineage(self, number: int, line: Continued, back: Sequence[tuple[int, tuple[str, ...]]]) -> None:
        for other in line.merged:
            self._link(number, other, Relation.MERGED, ("accounts in common",))
            cases.add_event(self.work, other, EventKind.LINEAGE, f"goes on in {name_of('K', number)}")
        if line.split_from is not None:
            self._link(number, line.split_from, Relation.SPLIT, ("accounts in common",))
            cases.add_event(
                self.work, line.split_from, EventKind.LINEAGE, f"{name_of('K', number)} split off"
            )
        for other, grounds in back:
            self._link(number, other, Relation.RETURNED, grounds)
            cases.add_event(
                self.work, other, EventKind.LINEAGE, f"may have come back as {name_of('K', number)}"
            )

    def _link(self, number: int, other: int, relation: Relation, grounds: tuple[str, ...]) -> None:
        table = t.case_links
        there = select(table.c.at).where(
            table.c.case_number == number, table.c.other == other, table.c.relation == relation.value
        )
        if self.work.conn.execute(there).first() is None:
            self.work.conn.execute(
                table.insert().values(
                    case_number=number,
                    other=other,
                    relation=relation.value,
                    at=self.work.now,
                    grounds=list(grounds),
                )
            )
            said = {"merged": "took in", "split": "split off from", "returned": "may be a return of"}[
                relation.value
            ]
            cases.add_event(self.work, number, EventKind.LINEAGE, f"{said} {name_of('K', other)}",
                            details={"grounds": list(grounds)})  # fmt: skip

    def _headline(self, number: int, campaign: Campaign) -> None:
        c, details = campaign, _without_text(self.row_of(campaign))
        self.work.conn.execute(
            t.cases.update().where(t.cases.c.number == number).values(
                kind=c.kind.value, run_id=self.run_id, campaign_id=c.campaign_id, first_seen=c.first_seen,
                last_seen=c.last_seen, account_count=len(self.members[c.campaign_id]), exchange_count=c.exchange_count,
                output_tokens=c.output_tokens, confidence=c.confidence.value,
                false_discovery_rate=c.false_discovery_rate, extraction_share=c.extraction_share,
                families=sum(bits > 0 for bits in c.bits.values()), granted=c.granted, details=details,
                changed_at=self.work.now, version=t.cases.c.version + 1,
            )
        )  # fmt: skip

    def _keep(
        self,
        number: int,
        campaign: Campaign,
        values: Sequence[Shared],
        relation: Relation,
        joined: int,
        left: int,
    ) -> None:
        conn, stamps = self.work.conn, {"settings_digest": self.settings_digest}
        conn.execute(t.case_sightings.insert().values(
            run_id=self.run_id, campaign_id=campaign.campaign_id, case_number=number, relation=relation.value,
            at=self.work.now, account_count=len(self.members[campaign.campaign_id]), joined=joined, left=left,
            program_version=self.version, details={"log10_e_value": campaign.log10_e_value}, **stamps))  # fmt: skip
        cases.add_event(self.work, number, EventKind.SIGHTING, f"scan {self.run_id[:12]}: {joined} joined, {left} left",
                        details={"relation": relation.value, "campaign_id": campaign.campaign_id})  # fmt: skip
        bulk.insert(
            conn,
            t.case_findings,
            [
                {
                    "case_number": number,
                    "run_id": self.run_id,
                    "finding_id": f.id,
                    "trait": f.trait,
                    "family": f.family.value,
                    "effect": f.effect,
                    "unit": f.unit,
                    "baseline": f.baseline,
                    "p_value": f.p_value,
                    "log10_e_value": f.log10_e_value,
                    "reasons": list(f.reasons),
                    "looks_alike": list(f.looks_alike),
                    **stamps,
                }
                for f in self.findings
                if f.subject == campaign.campaign_id
            ],
        )
        t_traits = t.case_traits
        kept = {(trait, value) for trait, value in conn.execute(
            select(t_traits.c.trait, t_traits.c.value).where(t_traits.c.case_number == number))}  # fmt: skip
        bulk.insert(conn, t_traits, [
            {"case_number": number, "trait": v.trait, "value": v.value, "family": v.family, "control": v.control,
             "reference_share": v.reference_share, "members": campaign.account_count, "run_id": self.run_id,
             "cleared_at": None}
            for v in values if (v.trait, v.value) not in kept
        ])  # fmt: skip
        if campaign.exemplars:
            conn.execute(t.case_exemplars.delete().where(t.case_exemplars.c.case_number == number))
            bulk.insert(conn, t.case_exemplars, [
                {"case_number": number, "place": place, "run_id": self.run_id, "text": text[:20_000]}
                for place, text in enumerate(campaign.exemplars[:50])
            ])  # fmt: skip

    def _returned(self, values: Sequence[Shared]) -> list[tuple[int, tuple[str, ...]]]:
        """Cases with accounts under a measure, or found to be true, that share what this one shows."""
        if not values:
            return []
        table, keys = t.case_traits, {(v.trait, v.value) for v in values}
        acted = select(t.account_measures.c.case_number)
        true = select(t.cases.c.number).where(t.cases.c.verdict == Verdict.TRUE_POSITIVE.value)
        found = self.work.conn.execute(
            select(table.c.case_number, table.c.trait, table.c.value).where(
                table.c.value.in_(sorted({v.value for v in values})), table.c.cleared_at.is_(None),
                table.c.case_number.in_(acted.union(true)),
            )
        )  # fmt: skip
        held: dict[int, set[tuple[str, str]]] = {}
        for case, trait, value in found:
            if (trait, value) in keys:
                held.setdefault(case, set()).add((trait, value))
        return returned_from(values, held)

    def _tripwires(self, number: int, campaign: Campaign) -> int:
        """Accounts that show a value on which a takedown left a tripwire, other than those it was about."""
        table = t.tripwires
        shown: dict[tuple[str, str], set[str]] = {}
        for account, trait, value in campaign.edges:
            shown.setdefault((trait, value), set()).add(account)
        live = {}
        for part in bulk.parts(sorted({value for _, value in shown})):
            for row in self.work.conn.execute(
                select(table).where(table.c.value.in_(part), table.c.withdrawn_at.is_(None),
                                    table.c.expires_at > self.work.now)
            ):  # fmt: skip
                live[row.tripwire_id] = row
        rows, stepped = [], set()
        honest = (
            set(self.work.conn.execute(select(t.benign_accounts.c.account_id)).scalars()) if live else set()
        )
        of_plan: dict[int, set[str]] = {}
        for wire, row in live.items():
            if row.plan_number not in of_plan:
                steps = select(t.plan_steps.c.account_id).where(t.plan_steps.c.plan_number == row.plan_number)
                of_plan[row.plan_number] = set(self.work.conn.execute(steps).scalars())
            known = honest | of_plan[row.plan_number]
            fresh = sorted(shown.get((row.trait, row.value), set()) - known)
            stepped |= set(fresh)
            rows += [{"tripwire_id": wire, "run_id": self.run_id, "account_id": a, "case_number": number,
                      "at": self.work.now} for a in fresh]  # fmt: skip
        seen = {(r["tripwire_id"], r["account_id"]): r for r in rows}
        bulk.insert(self.work.conn, t.tripwire_hits, list(seen.values()))
        if stepped:
            plans = sorted({name_of("P", live[r["tripwire_id"]].plan_number) for r in rows})
            cases.add_event(self.work, number, EventKind.TRIPWIRE,
                            f"{len(stepped)} accounts show what {', '.join(plans)} left a tripwire on")  # fmt: skip
        return len(stepped)


def _without_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without prompt text, which is kept apart, behind an unlock."""
    inner = json.loads(str(row["details"]))
    inner.pop("exemplars", None)
    return {**row, "details": json.dumps(inner, sort_keys=True)}


def _values(campaign: Campaign) -> list[Shared]:
    """Values that the evidence names and accounts show; words such as "between members" are none."""
    shown = {(trait, value) for _, trait, value in campaign.edges}
    return [
        Shared(e.trait, e.value, e.family.value, e.control, e.reference_share)
        for e in campaign.evidence
        if (e.trait, e.value) in shown and len(escaped(e.value).encode("utf-8")) <= LONGEST_ID
    ]


def _title(campaign: Campaign) -> str:
    what = ", ".join(name.replace("_", " ") for name in campaign.capabilities[:2])
    return f"{campaign.kind.value.capitalize()} {campaign.campaign_id}" + (f": {what}" if what else "")


def _relation(line: Continued, back: Sequence[Any], joined: int, left: int) -> Relation:
    if line.case is None:
        return Relation.SPLIT if line.split_from else Relation.RETURNED if back else Relation.NEW
    if line.merged:
        return Relation.MERGED
    return Relation.GREW if joined > left else Relation.SHRANK if left > joined else Relation.SAME
