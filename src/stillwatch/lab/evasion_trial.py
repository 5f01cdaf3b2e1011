"""One trial of an attacker: make the world, hand its traffic to a detector, see who was flagged and what it cost."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stillwatch.lab.discipline.family import WORLD
from stillwatch.lab.scenario import Scenario
from stillwatch.lab.scoring.rates import clopper_pearson
from stillwatch.lab.writer import generate

Detector = Callable[[Path], Path]
"""Takes a traffic folder (exchanges, accounts, grants and releases; no truth) and returns the run folder it wrote."""
FLAGGED: Mapping[str, frozenset[str]] = {
    "review": frozenset({"review", "act"}),
    "act": frozenset({"act"}),
}
"""Hints that count as flagged, by the level asked for."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a detector made of one world."""

    truth: tuple[Mapping[str, Any], ...]
    """Rows of the truth about accounts, only accounts with traffic."""
    hints: Mapping[str, str]
    campaigns: tuple[Mapping[str, Any], ...]
    """Rows of the truth about campaigns, with their bills."""

    def flagged(self, account: str, level: str = "review") -> bool:
        """Was the account hinted at this level or above?"""
        return self.hints.get(account, "none") in FLAGGED[level]


def run_trial(scenario: Scenario, seed: int, detector: Detector, *, scale: float = 1.0) -> Seen:
    """Generate a world, run the detector on it, read truth and hints, delete everything.

    The truth and the world's description are moved to a folder of another name before the detector runs.
    """
    with _folder() as place, _folder() as held:
        traffic, truth = place / "traffic", held / "truth"
        generate(scenario, seed=seed, scale=scale, out=traffic)
        for name in ("truth", WORLD):
            shutil.move(traffic / name, held / name)
        run = detector(traffic)
        hints = pq.read_table(
            run / "accounts.parquet", columns=["account_id", "disposition_hint"]
        ).to_pylist()
        rows = pq.read_table(truth / "accounts.parquet").to_pylist()
        lines = (truth / "campaigns.jsonl").read_text(encoding="utf-8").splitlines()
        return Seen(
            tuple(r for r in rows if r["exchanges"] > 0),
            {h["account_id"]: h["disposition_hint"] or "none" for h in hints},
            tuple(json.loads(line) for line in lines),
        )


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="stillwatch-trial-") as name:
        yield Path(name)


def interval(hits: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided Clopper-Pearson interval of a share.

    >>> [round(x, 3) for x in interval(0, 8)], [round(x, 3) for x in interval(8, 8)]
    ([0.0, 0.369], [0.631, 1.0])
    """
    return clopper_pearson(hits, total, confidence)


__all__ = ["FLAGGED", "Detector", "Seen", "interval", "run_trial"]
