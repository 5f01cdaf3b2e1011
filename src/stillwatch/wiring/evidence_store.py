"""The file on a case, from the store where people worked on it.

The store keeps what a package says of the newest scan, and not what a second scan needs. Name the folder of that scan
beside it, and everything of the run goes in; it is held against the digest under which it was filed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError
from stillwatch.records import Campaign, Person
from stillwatch.records.evidence import CaseFile
from stillwatch.report import load_result
from stillwatch.report.tables import campaign_from
from stillwatch.wiring.desk import Desk
from stillwatch.wiring.evidence_case import acceptances, files_of_run, seen_evasions, told_of
from stillwatch.wiring.evidence_inputs import about
from stillwatch.wiring.runs import run_id_of

if TYPE_CHECKING:
    from stillwatch.respond.work import Work

STORED = ("case_id", "title", "verdict", "verdict_by", "first_known")
"""What the store says; a file beside it may not."""


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A case of a store, and who takes it out."""

    desk: Desk
    person: Person
    number: int
    with_notes: bool = False
    """Whether notes of people go along."""


def case_from_store(
    stored: StoredCase, *, run: Path | None, accounts: Sequence[str], case: Path | None, profile: str
) -> CaseFile:
    """The file on a case; that it was taken out is in the audit record.

    Args:
        run: folder of the newest scan, when everything of it should go in. case: what people add besides.

    Raises:
        StillwatchError: nobody has looked at it by scan, the run is not the one that was filed, or it may not be read.
    """
    from stillwatch.respond import cases, dossier

    told = told_of(case)
    for name in STORED:
        if name in told:
            raise ConfigError(
                f"{case}: {name}: the store says this", hint="change it there, or leave it out here"
            )
    number = stored.number
    with stored.desk.work(stored.person) as work:
        record = dossier.record(work, number, with_notes=stored.with_notes)
        found = cases.get(work, number)
        if found.run_id is None or found.campaign_id is None:
            raise ConfigError(
                f"{found.id} was opened by hand: no scan stands behind it",
                hint="build from the folder of a run",
            )
        campaign = _campaign(cases.details(work, number))
        verdict, by = dossier.verdict(work, number)
        evasions, notices, hours = (
            part(work, number) for part in (dossier.evasions, dossier.notices, dossier.hours)
        )
        if run is None:
            members = dossier.members(work, number, campaign.campaign_id)
            findings = dossier.findings(work, number, found.run_id, campaign.campaign_id)
            summary: Mapping[str, Any] = _summary(work, found.run_id, campaign)
            run_files: dict[str, str] = {}
        else:
            if run_id_of(run) != found.run_id:
                raise ConfigError(
                    f"{run.name} is not the run that {found.id} was last seen in ({found.run_id[:12]})",
                    hint="name the folder that was filed last: stillwatch case import",
                )
            result = load_result(run)
            campaign = next(c for c in result.campaigns if c.campaign_id == found.campaign_id)
            members = tuple(m for m in result.members if m.campaign_id == campaign.campaign_id)
            findings = about(result.findings, {campaign.campaign_id}, members)
            summary, run_files = result.summary, files_of_run(run)
        work.note("case.evidence", found.id, profile=profile, notes=stored.with_notes)
    firsts = [s.at for s in record.sightings]
    return CaseFile(
        case_id=found.id, title=found.title, campaigns=(campaign,), members=members, findings=findings,
        run=dict(summary), run_files=run_files, acceptances=acceptances(accounts, {m.account_id for m in members}),
        circumventions=(*seen_evasions(findings, (campaign,)), *evasions, *told["circumvention"]),
        notices=(*notices, *told["notice"]), work=(*hours, *told["work"]), verdict=verdict, verdict_by=by,
        attribution=told.get("attribution"), first_known=min(firsts) if firsts else None, record=record,
    )  # fmt: skip


def _campaign(row: Mapping[str, Any]) -> Campaign:
    """The campaign of a case; prompt texts are kept elsewhere, behind an unlock, and never go along."""
    inner = {**json.loads(row["details"]), "exemplars": []}
    times = {name: datetime.fromisoformat(row[name]) for name in ("first_seen", "last_seen")}
    return campaign_from({**row, **times, "details": json.dumps(inner)})


def _summary(work: Work, run_id: str, campaign: Campaign) -> dict[str, Any]:
    """What the store keeps of a run's summary."""
    from sqlalchemy import select

    from stillwatch.respond import tables as t

    row = work.conn.execute(select(t.runs).where(t.runs.c.run_id == run_id)).one()
    return {
        **(row.summary or {}), "settings_digest": row.settings_digest, "versions": {"stillwatch": row.program_version},
        "false_discovery_rate": campaign.false_discovery_rate,
    }  # fmt: skip


__all__ = ["StoredCase", "case_from_store"]
