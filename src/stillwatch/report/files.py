"""The output folder of a scan: written whole or not at all, equal bytes for equal input, and read back.

Names and columns are those of the data contract. ``summary.json`` carries two more keys than the result's
summary: ``abstentions`` (those of the run, and of single accounts up to a limit) and ``abstention_counts``
(all, grouped).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import SourceError, StillwatchError
from stillwatch.records import Abstention, Rejected, ScanResult
from stillwatch.report import tables
from stillwatch.report.abstained import count_abstentions
from stillwatch.report.swap import new_folder, put_in_place, sweep

NAMES = (
    "campaigns.parquet", "members.parquet", "accounts.parquet", "findings.jsonl", "rejected.jsonl",
    "summary.json", "report.html",
)  # fmt: skip
PROFILE = "profile.json"
"""What the run cost; no two runs write the same, so it stands apart from the files of the contract."""
_MOST_ABSTENTIONS = 10_000
_ROWS_A_GROUP = 65_536


def write_result(
    result: ScanResult, out: Path, rejected: Iterable[Rejected], html: str, *, overwrite: bool = False,
    profile: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write every file of the contract into ``out``, or leave ``out`` as it was.

    Args:
        result: what the scan found. out: folder to create; may exist when empty. rejected: refused input
        records; consumed once, in order. html: the page, as ``render_html`` returned it. overwrite: replace
        an earlier output of stillwatch. A folder with anything else in it is never replaced. profile: what the
        run cost, for ``profile.json``.

    Raises:
        StillwatchError: ``out`` is not a folder, not empty, or not ours.
    """
    out = out.resolve()
    sweep(out)
    check_target(out, overwrite=overwrite)
    with new_folder(out) as folder:
        _write_parquet(folder / "campaigns.parquet", tables.CAMPAIGNS, _campaign_rows(result))
        _write_parquet(folder / "members.parquet", tables.MEMBERS, _member_rows(result))
        _write_table(folder / "accounts.parquet", tables.accounts_table(result.accounts))
        found = sorted(result.findings, key=lambda f: (f.id, f.subject, f.trait))
        _write_lines(folder / "findings.jsonl", (tables.dumps(tables.finding_row(f)) for f in found))
        _write_lines(folder / "rejected.jsonl", (rejected_line(r) for r in rejected))
        _write_text(folder / "summary.json", tables.dumps(_summary(result), indent=2) + "\n")
        _write_text(folder / "report.html", html)
        if profile is not None:
            _write_text(folder / PROFILE, json.dumps(profile, indent=1) + "\n")
        check_target(out, overwrite=overwrite)
        put_in_place(folder, out)


def check_target(out: Path, *, overwrite: bool = False) -> None:
    """Raise when ``out`` may not be written to; worth calling before a long run.

    Raises:
        StillwatchError: see :func:`write_result`.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise StillwatchError(f"{out.name} is not a folder", hint="name a folder that does not exist yet")
    present = {entry.name for entry in out.iterdir()}
    if not present:
        return
    foreign = sorted(present - {*NAMES, PROFILE})
    if "summary.json" not in present or foreign:
        what = f"holds {foreign[0]!r}, which" if foreign else "has no summary.json, so it"
        raise StillwatchError(
            f"{out.name} {what} is not an output of stillwatch; it is left as it is",
            hint="name another folder",
        )
    if not overwrite:
        raise StillwatchError(
            f"{out.name} already holds the output of a scan", hint="name another folder, or allow overwriting"
        )


def load_result(out: Path) -> ScanResult:
    """Read an output folder back; with it everything that ``explain`` says can be said from the folder alone.

    Raises:
        SourceError: a file is missing or is not what it claims.
    """
    try:
        summary = json.loads((out / "summary.json").read_text("utf-8"))
        listed = summary.pop("abstentions", [])
        return ScanResult(
            campaigns=tuple(map(tables.campaign_from, _rows(out / "campaigns.parquet"))),
            members=tuple(map(tables.member_from, _rows(out / "members.parquet"))),
            findings=tuple(tables.finding_from(json.loads(line)) for line in _lines(out / "findings.jsonl")),
            abstentions=tuple(map(tables.abstention_from, listed)),
            accounts=pq.read_table(out / "accounts.parquet", schema=tables.ACCOUNTS),
            summary=summary,
        )
    except FileNotFoundError as error:
        missing = Path(str(error.filename or out)).name
        raise SourceError(
            str(out), f"{missing} is missing", hint="name the output folder of a scan"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            str(out),
            f"not a readable output of stillwatch ({type(error).__name__})",
            hint="run the scan again",
        ) from error


def _campaign_rows(result: ScanResult) -> list[dict[str, Any]]:
    return [tables.campaign_row(c) for c in sorted(result.campaigns, key=lambda c: c.campaign_id)]


def _member_rows(result: ScanResult) -> list[dict[str, Any]]:
    return [tables.member_row(m) for m in sorted(result.members, key=lambda m: (m.campaign_id, m.account_id))]


def _summary(result: ScanResult) -> dict[str, Any]:
    ordered = sorted(
        result.abstentions, key=lambda a: (a.subject != "run", a.trait, a.subject, a.reason, a.missing)
    )
    counts = result.summary.get("abstention_counts") or count_abstentions(result.abstentions)
    return {
        **result.summary,
        "abstentions": [_abstention(a) for a in ordered[:_MOST_ABSTENTIONS]],
        "abstention_counts": counts,
    }


def _abstention(one: Abstention) -> dict[str, Any]:
    return {"trait": one.trait, "reason": one.reason, "missing": list(one.missing), "subject": one.subject}


def rejected_line(one: Rejected) -> str:
    """One refused record as a line of ``rejected.jsonl``: source, line and reason, never its content."""
    return tables.dumps({"source": one.source, "line": one.line, "reason": one.reason})


def _write_parquet(path: Path, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
    _write_table(path, pa.Table.from_pylist(rows, schema=schema))


def _write_table(path: Path, table: pa.Table) -> None:
    with path.open("wb") as sink:
        pq.write_table(
            table, sink, compression="zstd", version="2.6", row_group_size=_ROWS_A_GROUP, use_dictionary=True,
            write_statistics=True, store_schema=True,
        )  # fmt: skip
        sink.flush()
        os.fsync(sink.fileno())


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as sink:
        sink.writelines(line + "\n" for line in lines)
        sink.flush()
        os.fsync(sink.fileno())


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="\n") as sink:
        sink.write(text)
        sink.flush()
        os.fsync(sink.fileno())


def _rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as source:
        yield from (line for line in source if line.strip())
