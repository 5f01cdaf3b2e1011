"""A watch on Spark says what a watch on this machine says, to the last byte, wherever it is killed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.lab import generate, load_scenario
from stillwatch.settings import RunSettings, Settings
from stillwatch.store.watch_state import Portion, WatchState
from stillwatch.wiring.features import ingest
from stillwatch.wiring.progress import Unheard
from stillwatch.wiring.watch_look import Context
from stillwatch.wiring.watching import Visit, Watch, WatchOptions
from tests.conftest import KEY
from tests.e2e.driving import exchanges, jsonl
from tests.e2e.test_watch import TABLES

pytest.importorskip("pyspark", reason="needs the extra: pip install 'stillwatch[spark]'")

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
DUCK = Settings(run=RunSettings(threads=1))
SPARK = Settings(run=RunSettings(threads=2, engine="spark", master="local[2]", memory_limit="1GB"))
ENV = {"STILLWATCH_KEY": KEY}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A few thousand exchanges in logs of three kinds, some of it refused, and their accounts."""
    place = tmp_path_factory.mktemp("parts")
    generate(load_scenario("smoke"), seed=7, scale=1.0, out=place / "smoke")
    table = pq.read_table(place / "smoke" / "exchanges")
    folder = place / "parts"
    step = -(-len(table) // 4)
    for number in range(4):
        part = table.slice(number * step, step + 50)
        if number == 0:
            exchanges(part, place / "first.parquet")
            ingest([str(place / "first.parquet")], settings=DUCK, out=folder / "kept", format=None, mapping=None,
                   overwrite=False, progress=Unheard(), env=ENV)  # fmt: skip
        elif number % 2:
            exchanges(part, folder / f"{number}.parquet")
        else:
            (folder / f"a log [{number}].jsonl").write_bytes(jsonl(part.to_pylist()) + b"not a line\n")
    (folder / "kept" / "rejected.jsonl").write_text('{"reason": "no log"}\n')
    (folder / "useless.txt").write_text("no log either\n")
    return folder, place / "smoke" / "accounts.parquet"


class Desk:
    """One watch on logs that come in, on either engine."""

    def __init__(self, place: Path, settings: Settings, accounts: Path) -> None:
        self.place, self.settings, self.now = place, settings, NOW
        self.out, self.state = place / "report", place / "state"
        (place / "logs").mkdir(parents=True)
        self.context = Context(accounts=(str(accounts),))

    def put(self, parts: Path, names: Sequence[str], age: timedelta = timedelta(hours=1)) -> None:
        """Files come into the folder of logs."""
        for name in names:
            to = self.place / "logs" / name
            (shutil.copytree if (parts / name).is_dir() else shutil.copy)(parts / name, to)
            for path in [to, *to.rglob("*")]:
                os.utime(path, ((self.now - age).timestamp(),) * 2)

    def visit(self) -> Visit:
        """A process that makes one visit, in the folder that holds the logs."""
        options = WatchOptions(["logs"], self.out, self.state, looks=1, context=self.context)
        with Watch(
            options, settings=self.settings, progress=Unheard(), env=ENV, now=lambda: self.now
        ) as made:
            return made.visit()

    def said(self) -> dict[str, Any]:
        """Everything that the run says, without its clock."""
        summary = json.loads((self.out / "summary.json").read_text())
        for name in ("timings", "settings_digest"):
            summary.pop(name)
        summary["watch"]["state"].pop("portions")
        return {name: (self.out / name).read_bytes() for name in TABLES} | {"summary": summary}

    def kept(self) -> list[str]:
        """Accounts of the exchanges that are kept; in these tests each exchange has its own."""
        state = WatchState(self.state, {})
        found = [
            str(a) for path in state.paths() for a in pq.ParquetFile(path).read(["acct"])["acct"].to_pylist()
        ]
        state.close()
        return sorted(found)

    def marks(self) -> list[tuple[Any, ...]]:
        """How far each log was read."""
        with sqlite3.connect(self.state / "watch.sqlite") as db:
            rows = db.execute("SELECT name, size, format, note FROM mark ORDER BY name").fetchall()
        db.close()
        return rows


@pytest.fixture
def desks(tmp_path: Path, parts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> list[Desk]:
    """The same watch twice."""
    monkeypatch.setenv("SPARK_CONF_DIR", str(_quick(tmp_path / "conf")))
    return [Desk(tmp_path / name, s, parts[1]) for name, s in (("duckdb", DUCK), ("spark", SPARK))]


def _quick(folder: Path) -> Path:
    folder.mkdir()
    (folder / "spark-defaults.conf").write_text("spark.sql.shuffle.partitions 2\n")
    return folder


def test_it_says_what_the_watch_on_this_machine_says(
    desks: list[Desk], parts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text, Parquet and features come in over two visits, and some of it is refused: every byte is the same."""
    names = sorted(path.name for path in parts[0].iterdir())
    for desk in desks:
        monkeypatch.chdir(desk.place)
        desk.put(parts[0], names[:3])
        with monkeypatch.context() as no_look:
            no_look.setattr(Watch, "_look_if_due", lambda self, now: None)
            desk.visit()
        desk.put(parts[0], names[3:])
        desk.visit()
    one, other = (desk.said() for desk in desks)
    assert one == other
    assert one["summary"]["watch"]["groups"] and one["summary"]["counts"]["rejected"] >= 2
    assert desks[0].marks() == desks[1].marks()


@pytest.fixture
def reading(desks: list[Desk], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A watch on Spark that reads, and does not look."""
    desk = desks[1]
    monkeypatch.chdir(desk.place)
    monkeypatch.setattr(Watch, "_look_if_due", lambda self, now: None)
    return desk


def test_what_a_file_stream_does_not_tell_is_made_up_for(reading: Desk) -> None:
    """A file somebody is writing to waits; one that changes, or comes again under its name, is read whole."""
    young, old = reading.place / "logs" / "young.jsonl", reading.place / "logs" / "old.jsonl"
    _write(old, [1], reading.now - timedelta(hours=1))
    _write(young, [2], reading.now - timedelta(seconds=5))
    assert reading.visit().read.rows == 1
    reading.now += timedelta(minutes=15)
    assert reading.visit().read.rows == 1
    _write(old, [1, 3], reading.now - timedelta(minutes=2))
    assert reading.visit().read.rows == 2
    young.unlink()
    assert reading.visit().read.rows == 0
    _write(young, [4, 5], reading.now - timedelta(minutes=2))
    assert reading.visit().read.rows == 2
    assert reading.kept() == ["e1", "e1", "e2", "e3", "e4", "e5"]
    young.unlink()
    reading.now += timedelta(days=60)
    assert reading.visit().read.rows == 0
    assert [name for name, *_ in reading.marks()] == ["logs/old.jsonl"]


@pytest.mark.parametrize("after", [False, True], ids=["before the ledger", "after the ledger"])
def test_cut_short_it_goes_on_exactly(reading: Desk, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    """Before a batch counts, all of it is read again; when it counts and Spark has not noted it, nothing is."""
    for number in range(3):
        _write(reading.place / "logs" / f"{number}.jsonl", [number], reading.now - timedelta(hours=1))
    real = WatchState.commit

    def cut(state: WatchState, portion: Portion) -> None:
        if after:
            real(state, portion)
        raise RuntimeError("cut")

    with monkeypatch.context() as once, pytest.raises(RuntimeError, match="cut"):
        once.setattr(WatchState, "commit", cut)
        reading.visit()
    assert reading.visit().read.rows == (0 if after else 3)
    assert reading.kept() == ["e0", "e1", "e2"]


def _write(path: Path, numbers: Sequence[int], at: datetime) -> None:
    rows = [
        {"exchange_id": f"e{n}", "started_at": "2026-03-20T08:00:00Z", "account_id": f"e{n}", "model": "m"}
        for n in numbers
    ]
    path.write_bytes(jsonl(rows))
    os.utime(path, (at.timestamp(),) * 2)
