"""Drives the program as a user does, and reads back what it wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from click.testing import CliRunner

from stillwatch.cli import main
from stillwatch.records import EXCHANGE_SCHEMA
from tests.conftest import KEY

OTHER_KEY = "c3" * 32
ONE_THREAD = '[run]\nthreads = 1\nmemory_limit = "2GB"\n'
FILES = {
    "campaigns.parquet", "members.parquet", "accounts.parquet", "findings.jsonl", "rejected.jsonl",
    "summary.json", "report.html", "profile.json",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of the command line ended."""

    status: int
    out: str
    err: str


def cli(*args: object, key: str | None = KEY, stdin: bytes | None = None) -> Ended:
    """The command line inside this process, which saves the start-up of another."""
    env = {"STILLWATCH_KEY": key}
    done = CliRunner().invoke(main, [str(a) for a in args], prog_name="stillwatch", env=env, input=stdin)
    return Ended(done.exit_code, done.stdout, done.stderr)


def command(*args: object) -> list[str]:
    """The real command line, to be started as a process of its own."""
    return [sys.executable, "-c", "from stillwatch.cli import main; main()", *map(str, args)]


def environment(**changes: str) -> dict[str, str]:
    """What such a process sees: a key, and nothing of the developer's shell but the path."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if k in ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "NUMBA_CACHE_DIR")
    }
    return {**kept, "STILLWATCH_KEY": KEY, "NO_COLOR": "1", **changes}


def process(*args: object, cwd: Path | None = None, **env: str) -> Ended:
    """Run the real command line to its end."""
    done = subprocess.run(
        command(*args), env=environment(**env), cwd=cwd, capture_output=True, text=True, timeout=300
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def members(out: Path) -> set[frozenset[str]]:
    """The accounts of every pool and campaign, without their ids, which depend on the key."""
    groups: dict[str, set[str]] = {}
    for row in pq.read_table(out / "members.parquet", columns=["campaign_id", "account_id"]).to_pylist():
        groups.setdefault(row["campaign_id"], set()).add(row["account_id"])
    return {frozenset(g) for g in groups.values()}


def hints(out: Path) -> dict[str, str]:
    """Disposition hint of every account."""
    table = pq.read_table(out / "accounts.parquet")
    return dict(zip(table["account_id"].to_pylist(), table["disposition_hint"].to_pylist(), strict=True))


def findings(out: Path) -> list[dict[str, Any]]:
    """All findings."""
    return [json.loads(line) for line in (out / "findings.jsonl").read_text("utf-8").splitlines()]


def summary(out: Path) -> dict[str, Any]:
    """The summary."""
    loaded: dict[str, Any] = json.loads((out / "summary.json").read_text("utf-8"))
    return loaded


def jsonl(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Canonical JSON lines; nulls are left out and times are RFC 3339."""
    lines = []
    for row in rows:
        kept = {k: v for k, v in row.items() if v is not None}
        if "client_headers" in kept:
            kept["client_headers"] = dict(kept["client_headers"])
        lines.append(json.dumps(kept, default=lambda at: at.isoformat()))
    return ("\n".join(lines) + "\n").encode()


def exchanges(rows: Sequence[Mapping[str, Any]] | pa.Table, path: Path) -> Path:
    """Write exchanges as Parquet."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows), schema=EXCHANGE_SCHEMA)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", compression_level=1)
    return path


def replaced(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The table with one column exchanged."""
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(name), values)


def where(table: pa.Table, accounts: Iterable[str]) -> pa.ChunkedArray:
    """Mask of the rows of some accounts."""
    return pc.is_in(table["account_id"], value_set=pa.array(sorted(accounts), pa.string()))
