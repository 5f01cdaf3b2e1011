"""What a search is against, what it may turn, and the settings that it tries again on worlds it never saw."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.lab.cost_prices import PRICES_DIGEST
from stillwatch.lab.evasion_search import Axis, Settings, Store, Trial, mark_of, pareto
from stillwatch.lab.evasion_trial import Detector
from stillwatch.lab.scenario import Scenario
from stillwatch.lab.writer import GENERATOR

MOST_RETRIED = 6
"""Settings tried again on fresh worlds."""

Retried = Callable[[Trial], None]
"""Told before a setting is tried again."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is searched against."""

    detector: Detector
    name: str
    """Name and version of the detector, for the report."""
    scenario: Scenario
    seeds: tuple[int, ...]
    """Worlds of the search; a setting has to look good in all of them to be tried again. One will do."""
    confirm: tuple[int, ...]
    """Fresh worlds, on which the settings that looked good are tried again; none may be among ``seeds``."""
    base: Mapping[str, float]
    """Dials that are held fixed, beside those the scenario sets itself."""
    digest: str = ""
    """Of the detector's code and settings, so that trials against another one are never mixed in."""

    def __post_init__(self) -> None:
        if self.scenario.split != "develop":
            raise ConfigError(
                f"{self.scenario.name} is of split {self.scenario.split}; a search tunes, and only worlds of split"
                " develop may be tuned on",
                hint='copy the scenario under another name with split = "develop"',
            )
        if set(self.seeds) & set(self.confirm) or not self.seeds or not self.confirm:
            raise ConfigError(
                "worlds of the search and of the report must differ, and neither may be empty",
                hint="for example seed 11 to search, 12 to 19 to report",
            )
        if not self.scenario.campaigns:
            raise ConfigError(f"{self.scenario.name} has no campaign to turn the dials of")

    @property
    def held(self) -> dict[str, float]:
        """Dials and imitations that are not searched, by name: what the scenario or ``base`` sets."""
        spec = self.scenario.campaigns[0]
        own = {name: getattr(spec, name) for name in ("extraction_share", "ban_share")}
        copy = {f"imitate_{name}": value for name, value in spec.imitation.items()}
        return {**spec.dials, **copy, **{k: v for k, v in own.items() if v is not None}, **self.base}

    def free(self, space: Mapping[str, Axis]) -> dict[str, Axis]:
        """The part of a space that is not held fixed."""
        return {name: axis for name, axis in space.items() if name not in self.held}

    def about(self, kind: str) -> str:
        """Everything that makes a trial's outcome, beside its settings."""
        said = [
            kind, self.name, self.digest, self.scenario.digest, GENERATOR, PRICES_DIGEST, self.seeds,
            sorted(self.base.items()),
        ]  # fmt: skip
        return json.dumps(said)


def candidates(
    trials: Sequence[Trial], values: Callable[[Trial], Sequence[float]], most: int = MOST_RETRIED
) -> list[Trial]:
    """Settings worth another try: those that no other beats, then those that only they beat, and so on.

    Where more stand on one front than may be tried, they are taken evenly along it.

    >>> made = [Trial(k, {}, (x, y), {}) for k, (x, y) in enumerate([(1, 3), (2, 2), (3, 1), (3, 3), (9, 9)])]
    >>> [t.number for t in candidates(made, lambda t: t.values, 4)]
    [0, 1, 2, 3]
    >>> [t.number for t in candidates(made, lambda t: t.values, 2)]
    [0, 2]
    """
    left, chosen = list(trials), list[Trial]()
    while left and len(chosen) < most:
        front = sorted(
            (left[i] for i in pareto([values(t) for t in left])), key=lambda t: (values(t), t.number)
        )
        room = most - len(chosen)
        if len(front) > room:
            step = (len(front) - 1) / max(room - 1, 1)
            front = [front[round(k * step)] for k in range(room)]
        chosen += front
        left = [t for t in left if t not in front]
    return chosen


class Retries:
    """Outcomes of settings on fresh worlds, kept beside the trials so that none is made twice."""

    def __init__(self, setup: Setup, kind: str, space: Mapping[str, Axis], seed: int, out: Path) -> None:
        self._store = Store(out / "retries.jsonl", mark_of(space, seed, setup.about(kind)))
        self._done = {(r["trial"], r["seed"]): r["outcome"] for r in self._store.rows}
        self._seeds = setup.confirm

    def __call__(
        self, trial: Trial, tried: Callable[[Settings, int], dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """The setting's outcome in every fresh world."""
        for seed in self._seeds:
            if (trial.number, seed) not in self._done:
                outcome = tried(trial.settings, seed)
                self._store.add({"trial": trial.number, "seed": seed, "outcome": outcome})
                self._done[trial.number, seed] = outcome
        return [self._done[trial.number, seed] for seed in self._seeds]


__all__ = ["MOST_RETRIED", "Retried", "Retries", "Setup", "candidates"]
