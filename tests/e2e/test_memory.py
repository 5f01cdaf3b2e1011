"""A memory limit is kept to: the engine spills, the result is the same, and too little is said plainly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS, ACCOUNTS = 600_000, 300
LIMIT = 64_000_000
"""Enough to work in, too little for what the steps make of the rows on the way, which the spill shows."""
PROGRAM = "from stillwatch.cli import main; main()"
BESIDE = """
import os, sys
pid = os.posix_spawn(sys.executable, [sys.executable, "-c", *sys.argv[1:]], os.environ)
_, status, used = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024)
"""
"""A small process that starts the command and measures it: a child's mark is never below that of what started it."""
OWN = 900_000_000
"""What a process may need beside the engine here: interpreter, compiled kernel, batches, 34 columns of the rows."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many exchanges of few accounts, none like another: steps need more memory on the way than the limit allows."""
    place = tmp_path_factory.mktemp("memory")
    rng = np.random.default_rng(5)
    first = datetime(2026, 11, 24, tzinfo=UTC)
    with pq.ParquetWriter(place / "logs.parquet", _part(rng, 0, 1, first).schema) as writer:
        for start in range(0, ROWS, 50_000):
            writer.write_table(_part(rng, start, 50_000, first))
    assert run("key", "new", "--out", str(place / "k"))[0] == 0
    return place


def _part(rng: np.random.Generator, start: int, rows: int, first: datetime) -> pa.Table:
    """Rows with a prompt each that nobody else sends."""
    times = [first + timedelta(milliseconds=100 * n) for n in range(start, start + rows)]
    return pa.table(
        {
            "exchange_id": [f"e{n}" for n in range(start, start + rows)],
            "started_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "account_id": [f"a{n}" for n in rng.integers(0, ACCOUNTS, rows)],
            "model": ["m"] * rows,
            "prompt": [f"tell me of {n} and {k}" for n, k in enumerate(rng.integers(0, 2**40, rows), start)],
        }
    )


def run(*args: str) -> tuple[int, int, str]:
    """A command in a process of its own: exit status, high-water mark of its memory in bytes, standard error."""
    done = subprocess.run(
        [sys.executable, "-c", BESIDE, PROGRAM, *args], capture_output=True, text=True, check=True, errors="replace"
    )  # fmt: skip
    status, peak = done.stdout.split()[-2:]
    return int(status), int(peak), done.stderr


def scanned(place: Path, name: str, limit: str) -> tuple[dict[str, Any], int]:
    """A scan under a limit: its profile and its high-water mark."""
    out = place / name
    status, peak, said = run("scan", str(place / "logs.parquet"), "--key-file", str(place / "k"), "--out", str(out),
                             "--memory-limit", limit, "--quiet")  # fmt: skip
    assert status in (0, 10), said
    return json.loads((out / "profile.json").read_text("utf-8")), peak


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not measure a process's memory")
def test_a_small_limit_changes_memory_and_nothing_else(place: Path) -> None:
    """Under a limit that it runs into the engine holds no more, spills, and the tables have the same bytes."""
    wide, wide_peak = scanned(place, "wide", "8GB")
    tight, tight_peak = scanned(place, "tight", "64MB")
    assert wide["total"]["spilled_bytes"] == 0
    assert tight["total"]["spilled_bytes"] > 0, "nothing was spilled: the test shows nothing"
    assert max(step["engine_bytes"] for step in tight["steps"]) <= LIMIT
    assert tight_peak < wide_peak
    assert tight_peak <= LIMIT + OWN
    for name in ("campaigns.parquet", "members.parquet", "accounts.parquet", "findings.jsonl"):
        assert (place / "tight" / name).read_bytes() == (place / "wide" / name).read_bytes(), name


def test_too_little_is_said(place: Path) -> None:
    """A limit under which nothing works is an error that says what to raise, and leaves no output."""
    status, _, said = run("scan", str(place / "logs.parquet"), "--key-file", str(place / "k"), "--out",
                          str(place / "none"), "--memory-limit", "8MB", "--quiet")  # fmt: skip
    assert status == 2, said
    assert "memory limit of 8MB" in said
    assert not (place / "none").exists()
