"""A scan on Spark writes what a scan on this machine writes: in one process, on a cluster, and when a worker dies."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scripts.bench_engines import differences
from stillwatch.lab import generate, load_scenario
from tests.e2e.driving import FILES, ONE_THREAD, command, environment, summary
from tests.scale.spark_cluster import Cluster, configured, spark_or_skip

PARTS = 6
PATIENCE_S = 900.0


@dataclass(frozen=True)
class Unheard:
    """A scan that no master answers."""

    running: subprocess.Popen[bytes]
    master: str
    place: Path


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """A small simulated day in several files, some of it refused, with everything that is known beside it."""
    place = tmp_path_factory.mktemp("world")
    generate(load_scenario("demo_day"), seed=7, scale=0.04, out=place)
    table = pq.read_table(place / "exchanges")
    logs = place / "logs"
    logs.mkdir()
    size = len(table) // PARTS + 1
    for i in range(PARTS):
        pq.write_table(table.slice(i * size, size), logs / f"part-{i}.parquet")
    rows = table.slice(0, 40).to_pylist()
    lines = [json.dumps(row, default=str) for row in rows] + ["{", '{"exchange_id": "x"}', "not json"]
    (logs / "zz-again.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    quick = place / "quick.toml"
    quick.write_text(ONE_THREAD, encoding="utf-8")
    return [
        logs, "--accounts", place / "accounts.parquet", "--grants", place / "grants.jsonl",
        "--releases", place / "releases.jsonl", "--client-releases", place / "client_releases.jsonl",
        "--settings", quick,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def here(inputs: list[object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scan on this machine."""
    out = tmp_path_factory.mktemp("here") / "report"
    scan(*inputs, "--out", out)
    counts = summary(out)["counts"]
    assert counts["duplicates"] == 40 and counts["rejected"] == 3 and counts["campaigns"] >= 1
    return out


@pytest.fixture(scope="module", autouse=True)
def unheard(inputs: list[object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unheard]:
    """A scan on a master that takes connections and says nothing; it waits while the other tests run."""
    spark_or_skip()
    place = tmp_path_factory.mktemp("unheard")
    with socket.create_server(("127.0.0.1", 0)) as silent, (place / "said").open("wb") as said:
        master = f"spark://127.0.0.1:{silent.getsockname()[1]}"
        on_it = ("--engine", "spark", "--master", master, "--out", place / "out")
        env = environment(SPARK_CONF_DIR=str(configured(place / "conf")), SPARK_LOCAL_IP="127.0.0.1")
        running = subprocess.Popen(
            command("scan", *inputs, *on_it), env=env, stdout=said, stderr=subprocess.STDOUT
        )
        try:
            yield Unheard(running, master, place)
        finally:
            running.kill()
            running.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """One master and two workers; nothing of them is left in the end."""
    running = Cluster(tmp_path / "cluster")
    try:
        yield running
    finally:
        running.stop()
    assert running.left() == []


def scan(*options: object, **env: str) -> None:
    """Run a scan to its end, as a user does; it finds campaigns."""
    done = subprocess.run(
        command("scan", *options), env=environment(**env), capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 10, done.stderr


def same(one: Path, other: Path) -> None:
    """The same files with the same bytes, timings apart."""
    assert {p.name for p in one.iterdir()} == {p.name for p in other.iterdir()} == FILES
    assert differences(one, other) == []


def test_one_process(inputs: list[object], here: Path, tmp_path: Path) -> None:
    """Spark in the process of the scan gives the same bytes."""
    spark_or_skip()
    on_it = ("--engine", "spark", "--master", "local[2]")
    quick = {"SPARK_CONF_DIR": str(configured(tmp_path / "conf"))}
    scan(*inputs, "--out", tmp_path / "out", *on_it, **quick)
    same(here, tmp_path / "out")


def test_a_worker_dies(inputs: list[object], here: Path, cluster: Cluster, tmp_path: Path) -> None:
    """A worker that dies at a task, with half of the tables on its disk, is made up for, to the same bytes."""
    said = tmp_path / "said"
    end = time.monotonic() + PATIENCE_S
    with said.open("wb") as heard:
        running = subprocess.Popen(
            command("scan", *inputs, "--out", tmp_path / "out", "--engine", "spark", "--master", cluster.url),
            env=environment(**cluster.environment()), stdout=heard, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def over() -> bool:
        return running.poll() is not None or time.monotonic() > end

    try:
        while b"traits" not in said.read_bytes() and not over():
            time.sleep(0.05)
        assert not over(), said.read_text(errors="replace")
        assert cluster.kill_first_at_work(over) > 0
        lost, others = cluster.finished("first"), cluster.finished("second")
        assert lost > 10 and others > 10
        assert running.wait(timeout=PATIENCE_S) == 10, said.read_text(errors="replace")
    finally:
        running.kill()
        running.wait()
    assert cluster.finished("first") == lost and cluster.finished("second") > others + 10
    same(here, tmp_path / "out")


def test_what_is_started_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that comes up half leaves no process behind."""
    spark_or_skip()
    begun: list[subprocess.Popen[bytes]] = []
    start = Cluster._start

    def fail_at_second(self: Cluster, name: str, kind: str, *options: object) -> None:
        if name == "second":
            begun.extend(self.processes)
            raise OSError("no more processes")
        start(self, name, kind, *options)

    monkeypatch.setattr(Cluster, "_start", fail_at_second)
    with pytest.raises(OSError, match="no more"):
        Cluster(tmp_path / "cluster")
    assert len(begun) == 2 and all(process.returncode is not None for process in begun)


def test_a_master_that_says_nothing(unheard: Unheard) -> None:
    """What takes connections and is no master is given up, in words, and nothing is written."""
    assert unheard.running.wait(timeout=PATIENCE_S) == 2
    assert f"error: no Spark session at {unheard.master}" in (unheard.place / "said").read_text("utf-8")
    assert not (unheard.place / "out").exists()
