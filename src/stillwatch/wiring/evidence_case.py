"""The file on a case, from the folder of a run and what people know beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, SourceError, StillwatchError
from stillwatch.evidence.bag import digest
from stillwatch.ingest import read_accounts
from stillwatch.records import Campaign, Finding, Kind
from stillwatch.records.evidence import Acceptance, CaseFile, Circumvention, Evasion, Notice, Work
from stillwatch.report import load_result
from stillwatch.report.files import NAMES
from stillwatch.wiring.evidence_inputs import about

HINTS = {
    Evasion.FALSE_IDENTITY: "a record that an identity given at sign-up is not the customer's; a person enters it",
    Evasion.GEOGRAPHY: "a record that a place was hidden; use of a VPN alone is none",
    Evasion.BAN_EVASION: "accounts that go on where a banned one stopped (trait succession), or a breached notice",
    Evasion.JAILBREAK: "requests worded to get round a refusal (trait jailbreak)",
    Evasion.SEALED_REPLAY: "sealed reasoning presented by an account to which it was not issued (trait sealed_replay)",
    Evasion.POOLED_ACCOUNTS: "requests that hop between accounts of one controller (traits failover, handoff)",
}
_FROM_TRAITS = {
    "succession": Evasion.BAN_EVASION, "jailbreak": Evasion.JAILBREAK, "sealed_replay": Evasion.SEALED_REPLAY,
    "failover": Evasion.POOLED_ACCOUNTS, "handoff": Evasion.POOLED_ACCOUNTS,
}  # fmt: skip
_VERDICTS = ("true_positive", "benign_positive", "false_positive", "undetermined")
_KEYS = (
    "case_id",
    "title",
    "verdict",
    "verdict_by",
    "first_known",
    "notice",
    "circumvention",
    "work",
    "attribution",
)


def case_from_run(
    run: Path, *, campaigns: Sequence[str], accounts: Sequence[str], case: Path | None
) -> CaseFile:
    """The file on the named groups of a run, or on all its campaigns."""
    result = load_result(run)
    chosen = _chosen(result.campaigns, campaigns)
    ids = {c.campaign_id for c in chosen}
    members = tuple(m for m in result.members if m.campaign_id in ids)
    belong = {m.account_id for m in members}
    told = told_of(case)
    findings = about(result.findings, ids, members)
    return CaseFile(
        case_id=str(told.get("case_id") or "+".join(sorted(ids))),
        title=str(told.get("title") or "Suspected extraction of model capabilities"),
        campaigns=chosen, members=members, findings=findings, run=result.summary,
        run_files=files_of_run(run),
        acceptances=acceptances(accounts, belong),
        circumventions=(*seen_evasions(findings, chosen), *told["circumvention"]),
        notices=told["notice"], work=told["work"],
        verdict=told.get("verdict"), verdict_by=told.get("verdict_by"), attribution=told.get("attribution"),
        first_known=told.get("first_known"),
    )  # fmt: skip


def files_of_run(run: Path) -> dict[str, str]:
    """sha256 of every file of a run, by name."""
    return {name: digest(run / name, "sha256") for name in NAMES}


def run_digest(run: Path) -> str:
    """What the leaf of a run is made over: the digests of its files by name.

    Raises:
        SourceError: it is no output of a scan.
    """
    from stillwatch.evidence.canonical import canonical, sha256

    try:
        return sha256(canonical(files_of_run(run)))
    except OSError as error:
        raise SourceError(
            str(run), "not the output folder of a scan", hint="name what --out named"
        ) from error


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file that a person wrote.

    Raises:
        ConfigError: it cannot be read; the place is said.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read", hint="check the name") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}", hint="the evidence page shows such a file") from error


def told_of(path: Path | None) -> dict[str, Any]:
    """What people wrote into a case file, checked; its lists are there, as records, when it says nothing of them.

    Raises:
        ConfigError: a slip; the place is said.
    """
    found = read_toml(path) if path is not None else {}
    for key in found:
        if key not in _KEYS:
            raise ConfigError(f"{path}: {key}: no such key", hint=f"known are {', '.join(_KEYS)}")
    verdict = found.get("verdict")
    if verdict is not None and verdict not in _VERDICTS:
        raise ConfigError(
            f"{path}: verdict: one of {', '.join(_VERDICTS)}", hint="leave it out while the case is open"
        )
    if verdict is not None and not str(found.get("verdict_by") or "").strip():
        raise ConfigError(f"{path}: verdict_by: a verdict is a person's", hint="give their name")
    if "first_known" in found:
        found["first_known"] = _time(found["first_known"], f"{path}: first_known")
    kinds: dict[str, type] = {"circumvention": Circumvention, "notice": Notice, "work": Work}
    return {**found, **{name: _rows(found, name, kind) for name, kind in kinds.items()}}


def _rows(told: Mapping[str, Any], name: str, kind: type) -> tuple[Any, ...]:
    found = []
    for number, row in enumerate(told.get(name, []), 1):
        where = f"{name} {number}"
        known = [f.name for f in fields(kind)]
        unknown = sorted(set(row) - set(known))
        if unknown:
            raise ConfigError(f"{where}: {unknown[0]}: no such key", hint=f"known are {', '.join(known)}")
        optional = {"account_id": None, "at": None, "usd_per_h": None} if kind is not Notice else {}
        given = {**{k: v for k, v in optional.items() if k in known}, **row}
        missing = [k for k in known if k not in given]
        if missing:
            raise ConfigError(f"{where}: {missing[0]} is missing", hint="a fact without it cannot be tested")
        if given.get("at") is not None:
            given["at"] = _time(given["at"], f"{where}: at")
        if kind is Circumvention:
            if given["kind"] not in list(Evasion):
                raise ConfigError(f"{where}: kind: one of {', '.join(Evasion)}", hint="see the evidence page")
            given["kind"] = Evasion(given["kind"])
        if kind is Work and not (isinstance(given["hours"], int | float) and 0 <= given["hours"] < 1e6):
            raise ConfigError(f"{where}: hours: give a number of hours", hint="for example 3.5")
        found.append(kind(**given))
    return tuple(found)


def _time(value: Any, where: str) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ConfigError(f"{where}: give a time with its zone", hint="for example 2026-03-10T09:00:00Z")
    return value.astimezone(UTC)


def _chosen(campaigns: Sequence[Campaign], wanted: Sequence[str]) -> tuple[Campaign, ...]:
    if not wanted:
        found = tuple(c for c in campaigns if c.kind is Kind.CAMPAIGN)
        if not found:
            raise StillwatchError(
                "the run found no campaign", hint="name a pool with --campaign if you mean one"
            )
        return found
    by_id = {c.campaign_id: c for c in campaigns}
    missing = [w for w in wanted if w not in by_id]
    if missing:
        raise StillwatchError(
            f"the run has no campaign {missing[0]!r}", hint=f"it has {', '.join(sorted(by_id)) or 'none'}"
        )
    return tuple(by_id[w] for w in dict.fromkeys(wanted))


def acceptances(accounts: Sequence[str], belong: set[str]) -> tuple[Acceptance, ...]:
    """Which terms these accounts accepted, as the account tables say."""
    if not accounts:
        return ()
    table, _ = read_accounts(list(accounts))
    wanted = ["account_id", "tos_version", "tos_accepted_at", "verification"]
    rows = {r["account_id"]: r for r in table.select(wanted).to_pylist() if r["account_id"] in belong}
    return tuple(
        Acceptance(a, row.get("tos_version"), row.get("tos_accepted_at"), row.get("verification"))
        for a in sorted(belong)
        for row in (rows.get(a, {}),)
    )


def seen_evasions(findings: Sequence[Finding], campaigns: Sequence[Campaign]) -> list[Circumvention]:
    """Ways round controls that the scan itself saw."""
    when = {c.campaign_id: c.first_seen for c in campaigns}
    return [
        Circumvention(
            _FROM_TRAITS[f.trait], when.get(f.subject), None if f.subject in when else f.subject,
            f"{f.trait}: {f.effect:g} {f.unit}, log10 e-value {f.log10_e_value}; first seen in this group then",
            f"finding of trait {f.trait}",
        )
        for f in findings
        if f.trait in _FROM_TRAITS
    ]  # fmt: skip


__all__ = [
    "HINTS",
    "acceptances",
    "case_from_run",
    "files_of_run",
    "read_toml",
    "run_digest",
    "seen_evasions",
    "told_of",
]
