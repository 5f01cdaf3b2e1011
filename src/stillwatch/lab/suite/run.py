"""Run a suite: what is missing, in one process or several, resumable, with a word about the time left."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stillwatch.errors import VerificationError
from stillwatch.lab.discipline.family import split_of
from stillwatch.lab.discipline.ledger import LEDGER, Ledger
from stillwatch.lab.discipline.standing import refuse_tuned
from stillwatch.lab.scenario import load_scenario
from stillwatch.lab.suite.cells import read_cells
from stillwatch.lab.suite.detectors import Detector, Runner
from stillwatch.lab.suite.plan import Suite, Worlds
from stillwatch.lab.suite.world import Clock, Job, run_world


@dataclass(frozen=True, slots=True)
class Moment:
    """How far a suite is."""

    done: int
    total: int
    doing: str
    left_s: float | None
    """Seconds left, from the cells done in this run; None before the first."""

    @property
    def words(self) -> str:
        """One line.

        >>> Moment(2, 8, "ladder_L0 seed 11, stillwatch", 90.0).words
        '3 of 8: ladder_L0 seed 11, stillwatch; about 2 min left'
        """
        left = "" if self.left_s is None else f"; about {max(1, round(self.left_s / 60))} min left"
        return f"{min(self.done + 1, self.total)} of {self.total}: {self.doing}{left}"


Told = Callable[[Moment], None]


def run_suite(
    suite: Suite, detectors: Sequence[Detector], out: Path, *, runner: Runner | None = None, jobs: int = 1,
    purpose: str = "report", ledgers: Iterable[Path] = (), work: Path | None = None, now: Clock | None = None,
    told: Told | None = None, elsewhere: Collection[str] = (),
) -> list[dict[str, Any]]:  # fmt: skip
    """Run every cell that is not kept yet; cells that failed are tried again.

    Args
    ----
    suite, detectors: what is run; see `stillwatch.lab.suite.detectors.choose`.
    out: folder of cells and ledger; given again, the suite goes on where it stopped.
    runner: runs our own detector; with more than one job it must be picklable.
    jobs: processes, one world each.
    purpose: ``report`` or ``tune``; see `stillwatch.lab.discipline`.
    ledgers: further ledgers that are read before and written as well.
    work: where traffic is written while a world lives.
    now: the clock for the ledger.
    told: called with a `Moment` whenever something moves.
    elsewhere: keys of cells that somebody else has kept; they are neither run nor returned.

    Returns
    -------
    The cells of this suite in the suite's order, those that failed included.

    Raises
    ------
    ConfigError: a family was opened for tuning; an unknown scenario.
    VerificationError: a ledger is broken, or lines that a kept cell refers to are gone.
    """
    out.mkdir(parents=True, exist_ok=True)
    books = tuple(ledgers)
    _permitted(suite, out, purpose, books)
    kept = read_cells(out)
    _anchored(out, kept)
    plan = [_job(w, seed, detectors, out, books, purpose, work) for w in suite.worlds for seed in w.seeds]
    missing = [_missing(job, kept, elsewhere) for job in _even(suite, plan)]
    todo = [job for job in missing if job.detectors]
    meter = _Meter(sum(len(j.detectors) for j in todo), told)
    if jobs > 1 and len(todo) > 1:
        _spread(todo, runner, now, jobs, out, meter)
    else:
        for job in todo:
            run_world(job, runner, now, lambda name, job=job: meter.begin(_doing(job, name)))  # type: ignore[misc]
    kept = read_cells(out)
    return [kept[k] for job in plan for k in job.keys() if k in kept]


def _permitted(suite: Suite, out: Path, purpose: str, ledgers: tuple[Path, ...]) -> None:
    entries = [e for path in (out / LEDGER, *ledgers) for e in Ledger(path).entries()]
    if purpose != "report":
        return
    for worlds in suite.worlds:
        scenario = load_scenario(worlds.scenario)
        refuse_tuned(scenario.name, worlds.seeds, split_of(scenario), entries)


def _anchored(out: Path, kept: dict[str, dict[str, Any]]) -> None:
    """Every kept cell's opening must still stand in the ledger: lines cut off at its end are noticed here."""
    known = {e["hash"] for e in Ledger(out / LEDGER).entries()}
    lost = [row for row in kept.values() if row.get("ledger") and row["ledger"] not in known]
    if lost:
        raise VerificationError(
            f"{out / LEDGER}: the openings of {len(lost)} kept cells are gone",
            hint="restore the ledger from a copy, or start again in a new --out folder",
        )


def _job(
    worlds: Worlds, seed: int, detectors: Sequence[Detector], out: Path, ledgers: tuple[Path, ...], purpose: str,
    work: Path | None,
) -> Job:  # fmt: skip
    return Job(
        worlds.scenario, seed, worlds.scale, worlds.delay, tuple(detectors), out, ledgers, purpose, work
    )


def _even(suite: Suite, plan: list[Job]) -> list[Job]:
    """The first seed of every family, then the second of each: a suite that is stopped early has seen all of them."""
    turns = [i for w in suite.worlds for i in range(len(w.seeds))]
    return [job for _, job in sorted(zip(turns, plan, strict=True), key=lambda pair: pair[0])]


def _missing(job: Job, kept: dict[str, dict[str, Any]], elsewhere: Collection[str]) -> Job:
    left = [
        d for d, key in zip(job.detectors, job.keys(), strict=True)
        if key not in elsewhere and (key not in kept or "error" in kept[key])
    ]  # fmt: skip
    return replace(job, detectors=tuple(left))


def _doing(job: Job, detector: str) -> str:
    return f"{Path(job.scenario).stem} seed {job.seed}, {detector}"


def _spread(
    todo: list[Job], runner: Runner | None, now: Clock | None, jobs: int, out: Path, meter: _Meter
) -> None:
    """Worlds over processes; progress is read from the cells that they keep."""
    before = _count(out)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting = {pool.submit(run_world, job, runner, now) for job in todo}
        try:
            while waiting:
                ended, waiting = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()
                meter.at(_count(out) - before, f"{len(waiting)} worlds to go")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _count(out: Path) -> int:
    """Kept lines; cells that failed earlier and ran again count twice, which is what a difference needs."""
    path = out / "cells.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


class _Meter:
    """Counts cells and guesses the time left."""

    def __init__(self, total: int, told: Told | None) -> None:
        self.total, self.told = total, told
        self.done = -1
        self.since = time.perf_counter()
        self.said = ""

    def begin(self, doing: str) -> None:
        """A cell begins, so the one before has ended."""
        self.at(self.done + 1, doing)

    def at(self, done: int, doing: str) -> None:
        """So many cells have ended."""
        self.done = done
        spent = time.perf_counter() - self.since
        left = spent / done * (self.total - done) if done > 0 else None
        said = json.dumps([done, doing])
        if self.told is not None and said != self.said:
            self.told(Moment(done, self.total, doing, left))
        self.said = said


__all__ = ["Moment", "Told", "run_suite"]
