"""Reports for government: the file on a case and what a person adds, linted, written in every form at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.evidence import government as forms
from stillwatch.evidence.attribution import checked
from stillwatch.evidence.bag import digest
from stillwatch.evidence.exposure import checked_prices
from stillwatch.records import Campaign, Kind
from stillwatch.records.evidence import CaseFile
from stillwatch.report.files import load_result
from stillwatch.report.swap import new_folder, put_in_place
from stillwatch.settings import Settings
from stillwatch.share import sensitive
from stillwatch.wiring.evidence_case import HINTS, case_from_run, read_toml, seen_evasions
from stillwatch.wiring.progress import writable

if TYPE_CHECKING:
    from stillwatch.wiring.evidence_store import StoredCase

_KEYS = ("owner", "recipient", "signed_by", "as_of", "statement", "release", "hold", "private")
_PARTS = {"campaigns": "campaigns.parquet", "members": "members.parquet", "findings": "findings.jsonl",
          "summary": "summary.json"}  # fmt: skip
_ALLOWED = frozenset({"exact figure"})
"""Rules of the outbound gate that a statement may break: an authority gets figures, each with its source."""
_HINT = "the page on sharing shows such a file"


def government_report(
    run: Path | None, out: Path, *, form: str, told: Path, stored: StoredCase | None = None,
    campaigns: Sequence[str] = (), accounts: Sequence[str] = (), case: Path | None = None, prices: Path | None = None,
    settings: Settings | None = None, env: Mapping[str, str] = os.environ, now: datetime | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write a report as JSON, Markdown, HTML and, where the typesetter is there, PDF.

    Args:
        settings: say where people keep cases: what they have cleared of a run is not reported from its folder either.

    Raises:
        ConfigError: the form lacks what it needs, or a file has a slip.
        StillwatchError: a text holds what must not leave; nothing is written.
    """
    innocent: dict[str, str] = {}
    if stored is not None:
        from stillwatch.wiring.evidence_store import case_from_store

        file = case_from_store(stored, run=run, accounts=accounts, case=case, profile="government")
    elif run is not None:
        groups = load_result(run).campaigns
        innocent = _innocent(run, groups, settings, env)
        campaigns = _reported(groups, campaigns, innocent)
        file = case_from_run(run, campaigns=campaigns, accounts=accounts, case=case)
    else:
        raise ConfigError("there is nothing to report on", hint="name the folder of a run, or a case")
    if file.attribution is not None:
        file = replace(file, attribution=checked(file.attribution))
    given = read_toml(told)
    person = _told(given, told, now or datetime.now(UTC))
    document = forms.report(
        file, person, form, checked_prices(read_toml(prices)) if prices else {}, HINTS, _sources(file, case),
        frozenset(seen_evasions(file.findings, file.campaigns)),
    )  # fmt: skip
    _lint(document, file, given)
    from stillwatch.evidence import government_pages as pages
    from stillwatch.report.tables import dumps

    written = {"report.json": dumps(document, indent=2) + "\n", "report.md": pages.markdown(document),
               "report.html": pages.html(document)}  # fmt: skip
    note = ""
    try:
        made: bytes | None = pages.pdf(document)
    except ConfigError as error:
        made, note = None, f"no PDF: {error}"
    with writable(out):
        if out.exists():
            raise ConfigError(f"{out.name} exists", hint="name a folder that does not exist yet")
        with new_folder(out.resolve()) as folder:
            for name, text in written.items():
                (folder / name).write_text(text, encoding="utf-8")
            if made is not None:
                (folder / "report.pdf").write_bytes(made)
            put_in_place(folder, out.resolve())
    lines = [line for section in document["sections"] for line in section["lines"]]
    return {
        "report": str(out), "form": form, "lines": len(lines), "left_out": document["left_out"], "note": note,
        "confidential": sum(line["confidential"] for line in lines), "attributed": file.attribution is not None,
        "not_reported": innocent,
        "unknown": [s["title"] for s in document["sections"] if s["unknown"]],
    }  # fmt: skip


def _innocent(
    run: Path, groups: Sequence[Campaign], settings: Settings | None, env: Mapping[str, str]
) -> dict[str, str]:
    """Groups of a run that a grant covers, or whose case a person has closed as innocent, and which it is."""
    found = {c.campaign_id: "it has a grant" for c in groups if c.granted}
    return found | (_cleared(run, settings, env) if settings is not None else {})


def _cleared(run: Path, settings: Settings, env: Mapping[str, str]) -> dict[str, str]:
    kind, _, name = settings.respond.store.partition(":///")
    if kind == "sqlite" and not Path(name).exists():
        return {}
    from sqlalchemy import select

    from stillwatch.respond import tables as t
    from stillwatch.store.sql import reading
    from stillwatch.wiring.desk import Desk
    from stillwatch.wiring.runs import run_id_of

    s, c = t.case_sightings.c, t.cases.c
    asked = (
        select(s.campaign_id, c.verdict).join(t.cases, c.number == s.case_number)
        .where(s.run_id == run_id_of(run), c.verdict.in_(forms.CLEARED))
    )  # fmt: skip
    with (
        Desk.open(settings.respond.store, password_env=settings.respond.store_password_env, env=env) as desk,
        reading(desk.ready().engine) as conn,
    ):
        return {row.campaign_id: f"a person closed its case as {row.verdict}" for row in conn.execute(asked)}


def _reported(
    groups: Sequence[Campaign], named: Sequence[str], innocent: Mapping[str, str]
) -> tuple[str, ...]:
    """Groups to report: those that are named, or all campaigns of the run but innocent ones.

    Raises:
        ConfigError: an innocent one was named, or no other is left.
    """
    for name in named:
        if name in innocent:
            raise ConfigError(f"{name} is not reported: {innocent[name]}", hint="name the other groups")
    campaigns = [c.campaign_id for c in groups if c.kind is Kind.CAMPAIGN]
    left = tuple(each for each in campaigns if each not in innocent)
    if not named and campaigns and not left:
        raise ConfigError(
            "every campaign of the run has a grant, or was closed as innocent",
            hint="there is nothing to report on it",
        )
    return tuple(named) or left


def _sources(file: CaseFile, case: Path | None) -> dict[str, forms.Source]:
    found = {
        part: forms.Source(name, file.run_files[name], "")
        if name in file.run_files
        else forms.Source(f"store of cases, {file.case_id}", "", "")
        for part, name in _PARTS.items()
    }
    kept = f"store of cases, {file.case_id}" if file.record is not None else "no case file was given"
    found["told"] = (
        forms.Source(case.name, digest(case, "sha256"), "") if case else forms.Source(kept, "", "")
    )
    return found


def _told(given: Mapping[str, Any], path: Path, now: datetime) -> forms.Told:
    for key in given:
        if key not in _KEYS:
            raise ConfigError(f"{path.name}: {key}: no such key", hint=f"known are {', '.join(_KEYS)}")
    texts = {}
    for key in ("owner", "recipient", "signed_by"):
        if not isinstance(given.get(key), str) or not given[key].strip():
            raise ConfigError(f"{path.name}: {key} is needed", hint=_HINT)
        texts[key] = given[key].strip()
    as_of = given.get("as_of", now)
    if not isinstance(as_of, datetime) or as_of.tzinfo is None:
        raise ConfigError(
            f"{path.name}: as_of: give a time with its zone", hint="for example 2026-11-29T00:00:00Z"
        )
    for key in ("release", "hold", "statement", "private"):
        if not isinstance(given.get(key, []), list):
            raise ConfigError(f"{path.name}: {key}: give a list", hint=_HINT)
    rows = given.get("statement", [])
    lines = tuple(_statement(row, n, path, texts["signed_by"]) for n, row in enumerate(rows, 1))
    marks = {key: frozenset(map(str, given.get(key, []))) for key in ("release", "hold")}
    return forms.Told(
        **texts, as_of=as_of.astimezone(UTC).replace(microsecond=0), statements=lines, lifted=marks["release"],
        held=marks["hold"],
    )  # fmt: skip


def _statement(row: Any, n: int, path: Path, by: str) -> forms.Line:
    where = f"{path.name}: statement {n}"
    known = ("section", "fact", "source", "confidential")
    if not isinstance(row, dict) or set(row) - set(known):
        raise ConfigError(f"{where}: known are {', '.join(known)}", hint=_HINT)
    if row.get("section") not in forms.SECTIONS:
        raise ConfigError(f"{where}: section: one of {', '.join(forms.SECTIONS)}", hint=_HINT)
    for key in ("fact", "source"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise ConfigError(
                f"{where}: {key} is needed: a fact that nothing carries is not reported", hint=_HINT
            )
    source = forms.Source(row["source"].strip(), "", "named by the person")
    return forms.Line(f"{row['section']}.stated{n}", row["section"], row["fact"].strip(), (source,),
                      bool(row.get("confidential", True)), by)  # fmt: skip


def _lint(document: Mapping[str, Any], file: CaseFile, given: Mapping[str, Any]) -> None:
    """Raise at the first text that must not leave; it says where, never what."""
    for problem in forms.problems(document):
        raise StillwatchError(f"{problem.where}: {problem.reason}", hint="change the text, or leave it out")
    names = sensitive.needles([*(m.account_id for m in file.members), *map(str, given.get("private", []))])
    texts = [("owner", document["owner"]), ("recipient", document["recipient"])]
    for section in document["sections"]:
        for line in section["lines"]:
            texts.append((line["id"], line["text"]))
            texts += [
                (f"{line['id']}: source", s[key])
                for s in line["sources"]
                for key in ("what", "query")
                if (not s["sha256"] if key == "what" else line["by"] != "stillwatch")
            ]
            if any(sensitive.names(s["what"], names) for s in line["sources"]):  # a file has a name as well
                raise StillwatchError(
                    f"{line['id']}: source: private: the file's name", hint="give it another"
                )
    for where, text in texts:
        own = where.startswith("consequences.c") or re.fullmatch(r"methods\.c\d+(\.channel\d+)?", where)
        broken = [r for r in sensitive.broken(text) if r.name not in _ALLOWED and not own]
        if broken:
            raise StillwatchError(
                f"{where}: {broken[0].name}: {broken[0].reason}", hint="change the text there"
            )
        if sensitive.names(text, names):
            raise StillwatchError(f"{where}: private: names an account, or what you listed as private",
                                  hint="an authority gets groups; accounts go by legal process")  # fmt: skip


__all__ = ["government_report"]
