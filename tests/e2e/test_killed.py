"""A run that is killed leaves the old output or none, and the next run clears what it left behind."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Run, World
from tests.e2e.driving import FILES, cli, command, environment, jsonl, summary

STOPPED = """
import os, signal, sys
from stillwatch.report import {module}
def stop(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
{module}.{name} = stop
from stillwatch.cli import main
main()
"""


def _small(world: World, tmp_path: Path) -> Path:
    path = tmp_path / "logs" / "day.parquet"
    path.parent.mkdir()
    pq.write_table(world.table().slice(0, 6_000), path)
    return path


def _whole(out: Path) -> bytes:
    """A complete output folder; its summary."""
    assert {p.name for p in out.iterdir()} == FILES
    assert pq.read_table(out / "accounts.parquet").num_rows == summary(out)["counts"]["accounts"]
    return (out / "summary.json").read_bytes()


def _ended(run: subprocess.Popen[bytes], when: Callable[[], bool]) -> int:
    """Kill the run as soon as ``when`` says so; its status."""
    while run.poll() is None:
        if when():
            run.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    return run.wait(60)


def test_killed_at_any_moment(world: World, tmp_path: Path, quick: Path) -> None:
    """At random moments, over an older output: one whole output is there; nothing is left after the next run."""
    logs, place = _small(world, tmp_path), tmp_path / "place"
    args = ("scan", logs, "--out", place / "report", "--settings", quick, "--overwrite", "-q")
    began = time.monotonic()
    assert subprocess.run(command(*args), env=environment(), check=False).returncode in (0, 10)
    whole = time.monotonic() - began
    _whole(place / "report")
    rng = random.Random(11)
    killed = 0
    for share in (0.5, rng.uniform(0.6, 0.8), 0.95, rng.uniform(0.3, 0.5), rng.uniform(0.5, 0.7)):
        began = time.monotonic()
        until = began + share * whole
        run = subprocess.Popen(command(*args), env=environment(), stderr=subprocess.DEVNULL)
        if _ended(run, lambda until=until: time.monotonic() >= until) == -signal.SIGKILL:  # type: ignore[misc]
            killed += 1
        else:  # it was quicker than the first, which may have shared the machine with others
            whole = min(whole, time.monotonic() - began)
        _whole(place / "report")
    assert killed >= 2
    assert cli(*args).status in (0, 10)
    assert [p.name for p in place.iterdir()] == ["report"]


def test_killed_while_its_folder_fills(world: World, tmp_path: Path, quick: Path) -> None:
    """As soon as the first hidden folder shows, with no older output: there is none afterwards."""
    logs, place = _small(world, tmp_path), tmp_path / "place"
    args = ("scan", logs, "--out", place / "report", "--settings", quick, "-q")
    run = subprocess.Popen(command(*args), env=environment(), stderr=subprocess.DEVNULL)
    assert _ended(run, lambda: place.exists() and any(place.iterdir())) == -signal.SIGKILL
    left = [p.name for p in place.iterdir()]
    assert left
    assert all(name.startswith(".report.partial-") for name in left)
    assert cli(*args).status in (0, 10)
    assert [p.name for p in place.iterdir()] == ["report"]


@pytest.mark.parametrize(
    ("module", "name", "before"),
    [("files", "put_in_place", False), ("files", "_write_text", True), ("swap", "sync_folder", True)],
)
def test_killed_while_writing(
    world: World, tmp_path: Path, quick: Path, module: str, name: str, before: bool
) -> None:
    """Right before files are made, before the swap, and in the midst of it."""
    logs, place = tmp_path / "log.jsonl", tmp_path / "place"
    lines = (
        {"exchange_id": f"e{i}", "started_at": "2026-03-10T10:00:00Z", "account_id": "a", "model": "m"}
        for i in range(9)
    )
    logs.write_bytes(jsonl(lines))
    args = ("scan", str(logs), "--out", str(place / "report"), "--settings", str(quick), "-q", "--overwrite")
    if before:
        assert cli(*args).status == 0
    old = _whole(place / "report") if before else b""
    stopped = [sys.executable, "-c", STOPPED.format(module=module, name=name), *args]
    done = subprocess.run(stopped, env=environment(), check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (place / "report").exists() == before
    if before:
        assert _whole(place / "report") == old
    assert [p.name for p in place.iterdir() if p.name != "report"]
    assert cli(*args).status == 0
    assert [p.name for p in place.iterdir()] == ["report"]


def test_two_runs_into_one_place_at_once(first: Run, world: World, tmp_path: Path, quick: Path) -> None:
    """One run does not sweep away what another that is alive is still writing."""
    logs, place = _small(world, tmp_path), tmp_path / "place"
    args = ("scan", logs, "--out", place / "report", "--settings", quick, "--overwrite", "-q")
    runs = [subprocess.Popen(command(*args), env=environment(), stderr=subprocess.PIPE) for _ in range(2)]
    ends = [(run.communicate(timeout=120)[1], run.returncode) for run in runs]
    assert all(status in (0, 10) for _, status in ends), ends
    _whole(place / "report")
    assert [p.name for p in place.iterdir()] == ["report"]


def test_interrupted_by_a_person(world: World, tmp_path: Path, quick: Path) -> None:
    """Status 130, one line, and nothing is left at all."""
    logs, place = _small(world, tmp_path), tmp_path / "place"
    args = ("scan", logs, "--out", place / "report", "--settings", quick, "-q")
    run = subprocess.Popen(command(*args), env=environment(), stderr=subprocess.PIPE, text=True)
    while run.poll() is None and not (place.exists() and any(place.iterdir())):
        time.sleep(0.002)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[1]
    assert (run.returncode, said.strip()) == (130, "interrupted: nothing was written")
    assert list(place.iterdir()) == []
