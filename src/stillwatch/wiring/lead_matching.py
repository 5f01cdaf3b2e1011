"""Leads against own traffic: beside a run, never in it; and what is looked at again when one is withdrawn.

A lead never reaches what judges. Matching reads the logs once more after a scan, and writes ``leads.json`` beside the
run's own files, of which it changes none: a scan with leads finds exactly what a scan without them finds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError
from stillwatch.records.leads import LeadMatch
from stillwatch.settings import Settings
from stillwatch.wiring.lead_looking import FEATURES, Look
from stillwatch.wiring.lead_page import lead_page
from stillwatch.wiring.lead_sources import sources_from
from stillwatch.wiring.lead_view import BESIDE, MOST_ACCOUNTS, PAGE, WHAT, is_ours, read_beside
from stillwatch.wiring.leads import active_leads, needs
from stillwatch.wiring.progress import Progress, writable, write_whole
from stillwatch.wiring.runs import run_id_of

if TYPE_CHECKING:
    from stillwatch.ingest import Source
    from stillwatch.wiring.sources import Span


def match_leads(
    inputs: Sequence[str], run: Path, file: Path, sources: Path, *, settings: Settings, format: str | None,
    mapping: Path | None, progress: Progress, since: datetime | None = None, until: datetime | None = None,
    env: Mapping[str, str] = os.environ,
) -> dict[str, Any]:  # fmt: skip
    """Look for leads in logs and feature files, and write what they met beside a run that was made of them."""
    needs("rfc8785")
    from stillwatch.report.files import load_result
    from stillwatch.share.taxii.moments import micros_of
    from stillwatch.store.leads import LeadFile
    from stillwatch.wiring.intake import open_reader
    from stillwatch.wiring.sources import Span, split_sources

    if "-" in inputs:
        raise ConfigError(
            "leads are looked for by reading the logs again", hint="name files, not standard input"
        )
    reliable = {s.name: s.reliability for s in sources_from(sources, env, tokens=False)}
    result = load_result(run)
    now = datetime.now(UTC)
    with LeadFile(file) as leads:
        found, not_used = active_leads(leads, micros_of(now))
        unknown = [lead for lead in found if lead.source not in reliable]
        if unknown:
            not_used["its source is not in the file of sources"] = len(unknown)
        look = Look([lead for lead in found if lead.source in reliable])
        span = Span(since, until)
        kept, logs, _ = split_sources(inputs, span)
        progress.step(f"looking for {len(look.leads)} leads")
        if logs:
            reader = open_reader(logs, settings, format, mapping)
            for batch in reader.batches():
                look.at(span.inside(batch, "started_at"))
        _in_features(look, kept, span, settings, env)
        if look.unseeable:
            not_used["an address block that cannot be looked for in feature files"] = look.unseeable
        matches = look.matches(reliable)
        told = _beside(matches, result) | {
            "leads": len(look.leads), "accounts_looked_at": len(look.accounts), "not_used": not_used,
            "looked_at": now.isoformat(timespec="seconds"), "run": (name := run_id_of(run)),
        }  # fmt: skip
        with writable(run):
            write_whole(run / BESIDE, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
            write_whole(run / PAGE, lead_page(read_beside(told), now))
        leads.rest(
            (row["object_id"], name, campaign, str(run))
            for row in told["matches"]
            for campaign in row["campaigns"]
        )
    return told


def _in_features(
    look: Look, files: Sequence[Source], span: Span, settings: Settings, env: Mapping[str, str]
) -> None:
    """Look at feature files, by digests under the key with which they were made: a scan takes no others."""
    import pyarrow.parquet as pq

    from stillwatch.wiring.intake import key_of

    if not files:
        return
    look.under(key_of(settings, env))
    for source in files:
        with source.open() as raw:
            for batch in pq.ParquetFile(raw).iter_batches(columns=list(FEATURES)):
                look.at_features(span.inside(batch, "ts"))


@contextmanager
def leads_aside(run: Path, replacing: bool = True) -> Iterator[None]:
    """Set aside what an earlier search left beside a run while the run is replaced; it comes back when that fails.

    A run folder that holds anything but a run is not overwritten, so that what we lay beside it has to step aside.
    """
    if not (replacing and (run / "summary.json").is_file() and is_ours(run / BESIDE)):
        yield
        return
    held = {
        run / name: run.parent / f".{run.name}.{name}" for name in (PAGE, BESIDE) if (run / name).is_file()
    }
    with writable(run):
        for path, place in held.items():
            os.replace(path, place)
    try:
        yield
    except BaseException:
        for path, place in held.items():
            with suppress(OSError):
                os.replace(place, path)
        raise
    for place in held.values():
        place.unlink(missing_ok=True)


def _beside(matches: Sequence[LeadMatch], result: Any) -> dict[str, Any]:
    members: dict[str, list[str]] = {}
    for m in result.members:
        members.setdefault(m.account_id, []).append(m.campaign_id)
    rows = []
    for match in matches:
        campaigns: dict[str, int] = {}
        for account in match.accounts:
            for campaign in members.get(account, ()):
                campaigns[campaign] = campaigns.get(campaign, 0) + 1
        named = sorted(match.accounts, key=lambda account: (account not in members, account))
        rows.append(
            asdict(match.lead)
            | {
                "level": match.lead.level.label, "reliability": match.reliability, "bits": match.bits,
                "exchanges": match.exchanges, "met": len(match.accounts), "accounts": named[:MOST_ACCOUNTS],
                "campaigns": dict(sorted(campaigns.items())),
            }
        )  # fmt: skip
    return {
        "what": WHAT,
        "matches": rows,
    }


def acknowledge_withdrawals(
    file: Path, *, by: str, settings: Settings, cases: bool, env: Mapping[str, str] = os.environ
) -> list[dict[str, Any]]:
    """Acknowledge every withdrawal: what rested on it is looked at again.

    Cases of campaigns that had the lead beside them get a line in their timeline; closed ones are opened again.
    """
    from stillwatch.store.leads import LeadFile

    with LeadFile(file) as leads:
        rows = leads.withdrawals(open_only=True)
        for row in rows:
            row["cases"] = _again(row, by, settings, env) if cases else []
            leads.acknowledge(row["source"], row["object_id"], by, datetime.now(UTC).isoformat())
    return rows


def _again(row: Mapping[str, Any], by: str, settings: Settings, env: Mapping[str, str]) -> list[str]:
    from sqlalchemy import and_, or_, select

    from stillwatch.records import CaseState
    from stillwatch.respond import cases
    from stillwatch.respond import tables as t
    from stillwatch.wiring.desk import Desk

    if not row["rested"]:
        return []
    told = (
        f"Withdrawn by its source {row['source']}: {row['object_id']}. It stood beside this case as a lead and was no "
        "part of the finding; look again at what was decided with it in mind."
    )
    s = t.case_sightings.c
    pairs = or_(*(and_(s.run_id == r["run_id"], s.campaign_id == r["campaign_id"]) for r in row["rested"]))
    touched = []
    with Desk.open(settings.respond.store, password_env=settings.respond.store_password_env, env=env) as desk:
        person = desk.ready().person(by)
        with desk.work(person) as work:
            numbers = work.conn.execute(select(s.case_number).where(pairs).distinct()).scalars().all()
            for number in sorted(numbers):
                cases.note(work, number, told)
                case = cases.get(work, number)
                if case.state is CaseState.CLOSED:
                    cases.reopen(work, number, told, version=case.version)
                touched.append(case.id)
    return touched


__all__ = ["acknowledge_withdrawals", "leads_aside", "match_leads"]
