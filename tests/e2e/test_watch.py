"""A watch on a real day: what it says is what a scan says, wherever it is killed and however the logs come in."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.lab import generate, load_scenario
from tests.e2e.conftest import Run, World
from tests.e2e.driving import Ended, cli, command, environment, exchanges, hints, jsonl, members, summary

TABLES = ("campaigns.parquet", "members.parquet", "accounts.parquet", "findings.jsonl", "rejected.jsonl")
VISITS = """
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stillwatch.settings import load_settings
from stillwatch.wiring import Context, WatchOptions
from stillwatch.wiring.watching import Watch

class Quiet:
    def step(self, name, total=None): pass
    def advance(self, amount): pass
    def note(self, text): pass

parts, place, settings, accounts = map(Path, sys.argv[1:5])
os.chdir(place)
logs = Path("logs")
logs.mkdir(exist_ok=True)
for number, part in enumerate(sorted(parts.iterdir())):
    if not (logs / part.name).exists():
        Path("coming").write_bytes(part.read_bytes())
        Path("coming").rename(logs / part.name)
    now = datetime(2026, 3, 20, tzinfo=UTC) + timedelta(hours=6 * number)
    options = WatchOptions(["logs"], Path("report"), Path("state"), looks=2, settle_s=-1e12,
                           context=Context(accounts=(str(accounts),)))
    print(number, flush=True)
    with Watch(options, settings=load_settings(settings), progress=Quiet(), now=lambda: now) as watch:
        watch.visit()
print("done")
"""
"""Visits at set times, a part more of the logs at each; whatever was done before is not done again."""


def _aged(path: Path) -> Path:
    """A log that nobody has written to for a long time."""
    at = time.time() - 86_400
    os.utime(path, (at, at))
    return path


def _watch(logs: Path, world: World, quick: Path, out: Path, *more: object) -> Ended:
    ended = cli(
        "watch", logs, "--accounts", world.accounts, "--out", out, "--settings", quick, "--once", *more
    )
    assert ended.status in (0, 10), ended.err
    return ended


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A few thousand exchanges in five logs of two kinds, and their accounts."""
    place = tmp_path_factory.mktemp("parts")
    generate(load_scenario("smoke"), seed=7, scale=1.0, out=place / "smoke")
    table = pq.read_table(place / "smoke" / "exchanges" / "part-0000.parquet")
    folder = place / "parts"
    folder.mkdir()
    step = -(-len(table) // 5)
    for number in range(5):
        part = table.slice(number * step, step + 50)
        if number % 2:
            exchanges(part, folder / f"{number}.parquet")
        else:
            (folder / f"{number}.jsonl").write_bytes(jsonl(part.to_pylist()) + b"not a line\n")
    return folder, place / "smoke" / "accounts.parquet"


def test_one_look_a_day_is_a_scan(first: Run, world: World, quick: Path, tmp_path: Path) -> None:
    """Byte for byte; and what lies in the state can be scanned by itself."""
    logs = tmp_path / "logs"
    _aged(exchanges(world.table(), logs / "day.parquet"))
    ended = _watch(logs, world, quick, tmp_path / "report", "--looks", 1, "--json")
    for name in TABLES:
        assert (tmp_path / "report" / name).read_bytes() == (first.out / name).read_bytes(), name
    assert ended.status == first.ended.status
    said = json.loads(ended.out)
    assert said["read"]["rows"] == summary(first.out)["counts"]["exchanges"]
    assert said["look"]["shares"] == {"claim": 1.0, "stand": 1.0, "controller": 1.0}
    again = _watch(logs, world, quick, tmp_path / "report", "--looks", 1, "--json")
    assert json.loads(again.out)["read"]["rows"] == 0
    assert json.loads(again.out)["look"] is None


def test_in_pieces_out_of_order_and_twice(first: Run, world: World, quick: Path, tmp_path: Path) -> None:
    """The groups, their members and the hints of one scan over all of it; with a smaller rate the kinds that follow."""
    table = world.table()
    order = np.random.default_rng(3).permutation(len(table))
    twice = np.concatenate([order[: len(order) // 2], order[len(order) // 3 :]])
    logs = tmp_path / "logs"
    logs.mkdir()
    half = len(twice) // 2
    for number, rows in enumerate((twice[:half], twice[half:])):
        for each in (0, 1):
            part = table.take(pa.array(rows[each::2]))
            _aged(exchanges(part, logs / f"{1 - number}-{each}.parquet"))
        out = tmp_path / f"report-{number}"
        _watch(logs, world, quick, out, "--looks", 3, "--state", tmp_path / "state")
        if number == 0:
            _next_day(tmp_path / "state")
    found = tmp_path / "report-1"
    assert members(found) == members(first.out)
    share = summary(found)["watch"]["shares"]["claim"]
    assert share == 0.5
    rates = {c["campaign_id"]: c for c in pq.read_table(first.out / "campaigns.parquet").to_pylist()}
    now = {c["campaign_id"]: c for c in pq.read_table(found / "campaigns.parquet").to_pylist()}
    assert now.keys() == rates.keys()
    for name, row in rates.items():
        adjusted = row["false_discovery_rate"] - 1e-4
        if row["kind"] == "campaign" and adjusted <= 0.01 * share:
            assert (now[name]["kind"], now[name]["confidence"]) == ("campaign", row["confidence"])
        if row["kind"] == "pool":
            assert now[name]["kind"] == "pool"
    if all(now[name]["kind"] == row["kind"] for name, row in rates.items()):
        assert hints(found) == hints(first.out)
    assert summary(found)["counts"]["duplicates"] == len(twice) - len(table)


def _next_day(state: Path) -> None:
    """Put what was looked at back by a day, so that the next look is the first of its day."""
    with sqlite3.connect(state / "watch.sqlite") as db:
        db.execute("UPDATE look SET day = '2000-01-01'")
    db.close()


def test_a_campaign_leaves_with_its_exchanges(parts: tuple[Path, Path], quick: Path, tmp_path: Path) -> None:
    """Nothing sticks: when they are older than what is kept, the next look knows of nothing."""
    folder, accounts = parts
    logs, out = tmp_path / "logs", tmp_path / "report"
    shutil.copytree(folder, logs)
    args = ("watch", logs, "--accounts", accounts, "--out", out, "--settings", quick, "--once", "--looks", 1)
    for log in logs.iterdir():
        _aged(log)
    assert cli(*args).status in (0, 10)
    known = summary(out)["watch"]["groups"]
    assert known
    later = {"exchange_id": "late", "started_at": "2026-03-15T12:00:00Z", "account_id": "x", "model": "m"}
    (logs / "later.jsonl").write_bytes(jsonl([later]))
    _next_day(tmp_path / "report.state")
    ended = cli(*args, "--keep", "3d")
    assert ended.status == 0, ended.err
    told = summary(out)
    assert set(told["watch"]["left"]) == {group["first"] for group in known.values()}
    assert told["counts"]["exchanges"] == 1
    assert pq.read_table(out / "members.parquet").num_rows == 0


def _ledger(state: Path) -> dict[str, Any]:
    db = sqlite3.connect(state / "watch.sqlite")
    found = {
        "looks": db.execute("SELECT number, day, slot, begun, claim, stand, controller FROM look").fetchall(),
        "standing": db.execute("SELECT * FROM standing").fetchall(),
        "rows": db.execute("SELECT day, sum(rows) FROM segment GROUP BY day").fetchall(),
        "marks": db.execute("SELECT offset, lines, format, note FROM mark ORDER BY name").fetchall(),
    }
    db.close()
    return found


def test_killed_at_any_point_it_goes_on_exactly(
    parts: tuple[Path, Path], quick: Path, tmp_path: Path
) -> None:
    """Killed at random moments again and again, it ends with what it says undisturbed, and has read every line once."""
    folder, accounts = parts

    def start(place: Path) -> subprocess.Popen[str]:
        place.mkdir(exist_ok=True)
        args = [sys.executable, "-c", VISITS, str(folder), str(place), str(quick), str(accounts)]
        return subprocess.Popen(
            args, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    began = time.monotonic()
    whole = start(tmp_path / "whole")
    out, err = whole.communicate(timeout=600)
    assert (whole.returncode, out.split()) == (0, ["0", "1", "2", "3", "4", "done"]), err
    visit_s = (time.monotonic() - began) / 6
    rng = random.Random(5)
    place, killed = tmp_path / "killed", 0
    for number in range(4):
        run = start(place)
        assert run.stdout is not None
        while run.stdout.readline() != f"{number}\n":
            assert run.poll() is None
        time.sleep(rng.uniform(0.0, visit_s / 2))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        killed += run.returncode == -signal.SIGKILL
    assert killed >= 3
    last = start(place)
    out, err = last.communicate(timeout=600)
    assert (last.returncode, out.split()[-1]) == (0, "done"), err
    one, other = tmp_path / "whole", place
    assert _ledger(one / "state") == _ledger(other / "state")
    for name in TABLES:
        assert (one / "report" / name).read_bytes() == (other / "report" / name).read_bytes(), name
    said = [summary(each / "report") for each in (one, other)]
    for each in said:
        each.pop("timings")
        each["watch"]["state"].pop("portions")
    assert said[0] == said[1]
    assert len(_ledger(one / "state")["looks"]) == 3
    assert said[0]["watch"]["groups"]


def test_a_process_that_watches(tmp_path: Path, quick: Path) -> None:
    """It holds its state, refuses a second, says how it stands, and ends in good order when it is told to."""
    logs, out = tmp_path / "logs", tmp_path / "report"
    logs.mkdir()
    args = ("watch", logs, "--out", out, "--settings", quick, "--every", "1h")
    run = subprocess.Popen(
        command(*args), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    try:
        assert "0 new exchanges; next look after" in run.stdout.readline()
        second = cli(*args, "--once")
        assert second.status == 2
        assert f"report.state is in use: process {run.pid} on " in second.err
        told = cli("watch", "--status", "--out", out)
        assert told.status == 0, told.err
        assert f"running as process {run.pid}" in told.out
    finally:
        run.send_signal(signal.SIGTERM)
        said = run.communicate(timeout=120)[1]
    assert run.returncode == 0, said
    assert said.strip().endswith("ended; started again, it goes on from here")
    assert "not running" in cli("watch", "--status", "--out", out).out
