"""A world is whole or it is not there; what an interrupted run left is cleared by the next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

import stillwatch
from stillwatch.errors import ConfigError
from stillwatch.lab import generate, population
from stillwatch.lab.discipline import close_world, read_family
from stillwatch.lab.scenario import LookAlike
from tests.lab.conftest import digests, scenario

SMALL = scenario(ordinary=40, honest={"byok": LookAlike(1, (5, 5), (5, 9))})


def test_world_json_is_written_last(tmp_path: Path) -> None:
    """While exchanges are being written the folder holds no ``world.json``, not even that of an earlier world."""
    generate(SMALL, seed=1, out=tmp_path)
    seen: list[bool] = []
    generate(
        SMALL,
        seed=1,
        out=tmp_path,
        progress=lambda done, total: seen.append((tmp_path / "world.json").exists()),
    )
    assert seen
    assert not any(seen)
    assert (tmp_path / "world.json").exists()


def test_a_run_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """An error in the middle takes the half-written world with it, and the next run works."""

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(SMALL, seed=1, out=tmp_path, progress=stop)
    assert digests(tmp_path) == {}
    generate(SMALL, seed=1, out=tmp_path)
    assert (tmp_path / "world.json").exists()


def test_a_killed_run_is_recognised_and_cleared_by_the_next(tmp_path: Path) -> None:
    """After SIGKILL there is no ``world.json``; another run writes what a run into an empty folder writes."""
    out, code = (
        tmp_path / "killed",
        "import sys; from stillwatch.lab.__main__ import main; main(sys.argv[1:])",
    )
    command = [sys.executable, "-c", code, "demo_day", "--out", str(out), "--processes", "1"]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(Path(stillwatch.__file__).parents[1])}
    )
    until = time.monotonic() + 60
    while not list(out.glob("exchanges/part-*")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.kill()
    assert process.wait() < 0
    assert list(out.glob("exchanges/part-*"))
    assert list(out.glob(".scratch-*"))
    assert not (out / "world.json").exists()
    generate(SMALL, seed=1, out=out)
    generate(SMALL, seed=1, out=tmp_path / "clean")
    assert digests(out) == digests(tmp_path / "clean")
    assert not list(out.glob(".scratch-*"))


def test_a_world_is_replaced_whole_and_ledgers_stay(tmp_path: Path) -> None:
    """Sealed truth, parts and family of the older world go; the ledger is a record and stays."""
    sealed = scenario(ordinary=30)
    object.__setattr__(sealed, "split", "sealed")
    generate(sealed, seed=1, out=tmp_path)
    close_world(tmp_path, sealed, 1, 1.0)
    assert list((tmp_path / "truth").glob("*.sealed"))
    (tmp_path / "exchanges" / "part-0007.parquet").write_bytes(b"old")
    (tmp_path / "ledger.jsonl").write_text("{}\n")
    generate(SMALL, seed=2, out=tmp_path)
    assert not list((tmp_path / "truth").glob("*.sealed"))
    assert [p.name for p in (tmp_path / "exchanges").iterdir()] == ["part-0000.parquet"]
    assert read_family(tmp_path) is None
    assert (tmp_path / "ledger.jsonl").exists()


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    """A folder with somebody's accounts and no ``world.json`` is refused, and so is a file."""
    (tmp_path / "accounts.parquet").write_bytes(b"a provider's own")
    with pytest.raises(ConfigError, match=r"accounts\.parquet"):
        generate(SMALL, seed=1, out=tmp_path)
    assert (tmp_path / "accounts.parquet").read_bytes() == b"a provider's own"
    with pytest.raises(ConfigError, match="is a file"):
        generate(SMALL, seed=1, out=tmp_path / "accounts.parquet")


@pytest.mark.parametrize(
    "wrong",
    [{"seed": -1}, {"scale": 0.0}, {"scale": float("nan")}, {"scale": float("inf")}, {"processes": 0}],
)
def test_impossible_numbers_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    """A negative seed, a scale of nought or not a number, no process: said before anything is written."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        generate(SMALL, **{"seed": 1, "out": tmp_path / "none", **wrong})  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()


def test_the_population_is_part_of_what_made_a_world(tmp_path: Path) -> None:
    """``world.json`` holds the digest of the figures in use."""
    generate(SMALL, seed=1, out=tmp_path)
    about = json.loads((tmp_path / "world.json").read_text())
    assert about["population_digest"] == sha256(population.PATH.read_bytes()).hexdigest()
