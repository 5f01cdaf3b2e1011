"""One world of a suite: generate it, take its truth away, run detectors on what is left, score them, delete it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.errors import StillwatchError
from stillwatch.lab.discipline.family import WORLD, Family, split_of, stamp
from stillwatch.lab.discipline.judging import judged
from stillwatch.lab.discipline.ledger import LEDGER
from stillwatch.lab.discipline.opening import open_truth
from stillwatch.lab.discipline.seal import seal_folder
from stillwatch.lab.scenario import load_scenario
from stillwatch.lab.scoring import read_run
from stillwatch.lab.suite.cells import keep_cell, key_of
from stillwatch.lab.suite.delay import detection_delay
from stillwatch.lab.suite.detectors import Detector, Runner, run_detector
from stillwatch.lab.suite.shared import Shared
from stillwatch.lab.writer import generate

Clock = Callable[[], str]
"""Gives the time as RFC 3339; a room does not look at the clock."""


@dataclass(frozen=True, slots=True)
class Job:
    """One world and the detectors that have not judged it yet."""

    scenario: str
    """Name or path."""
    seed: int
    scale: float
    delay: tuple[float, ...]
    detectors: tuple[Detector, ...]
    out: Path
    """The suite's folder: cells and ledger."""
    ledgers: tuple[Path, ...]
    purpose: str
    work: Path | None
    """Where traffic is written; the system's temporary folder when None."""

    def keys(self) -> list[str]:
        """Key of each detector's cell; see `key_of`."""
        loaded = load_scenario(self.scenario)
        return [
            key_of(loaded, self.seed, self.scale, self.delay, d.id, d.digest, self.purpose)
            for d in self.detectors
        ]


def run_world(
    job: Job, runner: Runner | None, now: Clock | None = None, told: Callable[[str], None] | None = None
) -> int:
    """Run a job; keeps one cell per detector and gives their number.

    A detector that fails leaves a cell with ``error``; the others run on.
    """
    with tempfile.TemporaryDirectory(prefix="stillwatch-lab-", dir=job.work) as place:
        traffic, held = Path(place) / "traffic", Path(place) / "held"
        family = _make(job, traffic, held)
        shared = Shared(traffic, Path(place), job.detectors)
        for detector in job.detectors:
            if told is not None:
                told(detector.id)
            keep_cell(job.out, _cell(job, detector, family, shared, held, runner, now))
    return len(job.detectors)


def _make(job: Job, traffic: Path, held: Path) -> Family:
    """Generate; move what a detector must not see into ``held`` and seal it."""
    scenario = load_scenario(job.scenario)
    generate(scenario, seed=job.seed, scale=job.scale, out=traffic)
    family = Family(scenario.name, job.seed, job.scale, split_of(scenario))
    held.mkdir()
    shutil.move(traffic / "truth", held / "truth")
    if (traffic / WORLD).exists():
        shutil.move(traffic / WORLD, held / WORLD)
    shutil.copy(traffic / "accounts.parquet", held / "accounts.parquet")
    stamp(held, family)
    seal_folder(held / "truth", family)
    return family


def _cell(
    job: Job, detector: Detector, family: Family, shared: Shared, held: Path, runner: Runner | None,
    now: Clock | None,
) -> dict[str, Any]:  # fmt: skip
    out = shared.work / "run"
    key = job.keys()[job.detectors.index(detector)]
    row: dict[str, Any] = {
        "key": key, "scenario": family.scenario, "seed": job.seed, "scale": job.scale, "split": family.split,
        "purpose": job.purpose, "detector": detector.row(),
    }  # fmt: skip
    try:
        row["wall_s"] = round(shared.run(detector, runner, out), 3)
        run = read_run(out)
    except Exception as error:  # a detector may fail in any way; the others run on
        return row | _failure(error)
    finally:
        shutil.rmtree(out, ignore_errors=True)
    # What fails from here on is the ledger or the seal, and stops everything.
    opened = open_truth(
        held, purpose=job.purpose, ledgers=(job.out / LEDGER, *job.ledgers), by=f"suite, {detector.id}",
        at=now() if now else "",
    )  # fmt: skip
    row["ledger"] = opened.heads[1]
    row["detector"] |= {k: str(v) for k, v in run.detector.items() if k in ("title", "version", "source")}
    try:
        row["score"] = judged(opened, run, held)
        if job.delay:
            row["delay"] = detection_delay(
                shared.traffic, opened, lambda t, o: run_detector(detector, runner, t, o), shared.work,
                shares=job.delay,
            )  # fmt: skip
    except Exception as error:  # its output does not fit this world, or it fails on a part of the log
        return row | _failure(error)
    return row


def _failure(error: Exception) -> dict[str, str]:
    if isinstance(error, StillwatchError):
        return {"error": str(error), "hint": error.hint}
    return {"error": f"{type(error).__name__}: {error}"}


__all__ = ["Clock", "Job", "run_world"]
