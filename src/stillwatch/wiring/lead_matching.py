"""Leads against own traffic: beside a run, never in it; and what is looked at again when one is withdrawn.

A lead never reaches what judges. Matching reads the logs once more after a scan, and writes ``leads.json`` beside the
run's own files, of which it changes none: a scan with leads finds exactly what a scan without them finds.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, SourceError
from stillwatch.records.leads import Lead, LeadMatch, Reliability
from stillwatch.settings import Settings
from stillwatch.wiring.lead_sources import sources_from
from stillwatch.wiring.leads import active_leads, needs
from stillwatch.wiring.progress import Progress, writable, write_whole
from stillwatch.wiring.runs import run_id_of

if TYPE_CHECKING:
    import pyarrow as pa

BESIDE = "leads.json"
_COLUMNS = {"asn": "client_asn", "ja4": "tls_fingerprint", "user_agent": "user_agent"}


def match_leads(
    inputs: Sequence[str], run: Path, file: Path, sources: Path, *, settings: Settings, format: str | None,
    mapping: Path | None, progress: Progress, since: datetime | None = None, until: datetime | None = None,
    env: Mapping[str, str] = os.environ,
) -> dict[str, Any]:  # fmt: skip
    """Look for leads in logs, and write what they met beside a run that was made of them."""
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
    reliable = {s.name: s.reliability for s in sources_from(sources, env)}
    result = load_result(run)
    with LeadFile(file) as leads:
        found, not_used = active_leads(leads, micros_of(datetime.now(UTC)))
        unknown = [lead for lead in found if lead.source not in reliable]
        if unknown:
            not_used["its source is not in the file of sources"] = len(unknown)
        look = _Look([lead for lead in found if lead.source in reliable])
        span = Span(since, until)
        digests, logs, _ = split_sources(inputs, span)
        progress.step(f"looking for {len(look.leads)} leads")
        if logs:
            reader = open_reader(logs, settings, format, mapping)
            for batch in reader.batches():
                look.at(span.inside(batch, "started_at"))
        matches = look.matches(reliable)
        told = _beside(matches, result) | {
            "leads": len(look.leads), "accounts_looked_at": len(look.accounts), "not_used": not_used,
            "not_looked_at": [s.name for s in digests], "run": (name := run_id_of(run)),
        }  # fmt: skip
        with writable(run):
            write_whole(run / BESIDE, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        leads.rest(
            (row["object_id"], name, campaign, str(run))
            for row in told["matches"]
            for campaign in row["campaigns"]
        )
    return told


class _Look:
    """Leads against batches of exchanges."""

    def __init__(self, leads: Sequence[Lead]) -> None:
        self.leads = leads
        self.accounts: set[str] = set()
        self._met: dict[int, dict[str, int]] = {n: {} for n in range(len(leads))}
        self._exact: dict[str, dict[Any, list[int]]] = {}
        self._nets: dict[tuple[int, int], dict[int, list[int]]] = {}
        for n, lead in enumerate(leads):
            if lead.kind in ("ipv4", "ipv6"):
                net = ipaddress.ip_network(lead.value)
                place = self._nets.setdefault((net.version, net.prefixlen), {})
                place.setdefault(int(net.network_address), []).append(n)
            else:
                value = int(lead.value.upper().removeprefix("AS")) if lead.kind == "asn" else lead.value
                self._exact.setdefault(_COLUMNS[lead.kind], {}).setdefault(value, []).append(n)
        self._of_address = lru_cache(65_536)(self._address)

    def at(self, batch: pa.RecordBatch) -> None:
        """Look at one batch."""
        names = batch.column("account_id").to_pylist()
        self.accounts.update(names)
        for column, values in self._exact.items():
            for name, value in zip(names, batch.column(column).to_pylist(), strict=True):
                self._count(name, values.get(value, ()))
        if self._nets:
            for name, value in zip(names, batch.column("client_ip").to_pylist(), strict=True):
                if value is not None:
                    self._count(name, self._of_address(value))

    def _count(self, account: str, leads: Sequence[int]) -> None:
        for n in leads:
            self._met[n][account] = self._met[n].get(account, 0) + 1

    def _address(self, text: str) -> tuple[int, ...]:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return ()
        found: list[int] = []
        for (version, length), place in self._nets.items():
            if version == address.version:
                shift = address.max_prefixlen - length
                found += place.get(int(address) >> shift << shift, ())
        return tuple(found)

    def matches(self, reliable: Mapping[str, float]) -> list[LeadMatch]:
        """What was met, the most telling first."""
        made = [
            LeadMatch(
                lead, reliable[lead.source], tuple(sorted(self._met[n])), sum(self._met[n].values()),
                len(self.accounts), Reliability(reliable[lead.source]).bits(len(self._met[n]), len(self.accounts)),
            )
            for n, lead in enumerate(self.leads) if self._met[n]
        ]  # fmt: skip
        return sorted(made, key=lambda m: (-m.bits, m.lead.object_id))


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
        rows.append(
            asdict(match.lead)
            | {
                "level": match.lead.level.label, "reliability": match.reliability, "bits": match.bits,
                "exchanges": match.exchanges, "accounts": list(match.accounts),
                "campaigns": dict(sorted(campaigns.items())),
            }
        )  # fmt: skip
    return {
        "what": "Leads from others. They stand beside the findings and changed none of them; bits are not added up.",
        "matches": rows,
    }


def leads_beside(run: Path, subject: str) -> str:
    """What to say of the leads that met a campaign or an account of a run; empty when there are none."""
    from stillwatch.report.safe import shown as safe

    try:
        told = json.loads((run / BESIDE).read_bytes())
        rows = [r for r in told["matches"] if subject in r["campaigns"] or subject in r["accounts"]]
        lines = [
            f"{r['kind']} {safe(r['value'])}, shared by {safe(r['source'])} "
            f"(right in {r['reliability']:.0%} of cases, as you state): "
            f"{r['campaigns'].get(subject, 1)} of its accounts here, {len(r['accounts'])} of "
            f"{told['accounts_looked_at']} in all;"
            f" worth {r['bits']} bits to whoever believes it: {safe(r['object_id'])}"
            for r in rows
        ]
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            str(run / BESIDE), "cannot be read", hint="scan with --leads again, or remove it"
        ) from error
    if not lines:
        return ""
    head = "Leads from others (beside the findings, not in them; they changed nothing):"
    return "\n".join([head, *(f"  {line}" for line in lines)])


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


__all__ = ["BESIDE", "acknowledge_withdrawals", "leads_beside", "match_leads"]
