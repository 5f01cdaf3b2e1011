"""Search over settings: random first, then guided, seeded, resumable, within a budget.

Knows nothing of campaigns. Every trial is a line of JSON; a search that was cut short goes on where it stopped and
makes the same trials as one that was not, since each trial has a seed of its own.

References
----------
Watanabe: Tree-structured Parzen estimator (2023), as implemented in Optuna.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.errors import ConfigError

Settings = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """One setting that is searched."""

    low: float
    high: float
    log: bool = False
    integer: bool = False
    idle: float | None = None
    """Value of the setting left alone. Half of the draws give exactly that: without it, no setting drawn at random
    would ever save what it costs to have a setting at all."""

    def draw(self, u: float) -> float:
        """Value at quantile ``u``.

        >>> Axis(1, 100, log=True).draw(0.5), Axis(0, 10, integer=True).draw(0.26)
        (10.0, 3.0)
        >>> Axis(0, 1, idle=0.0).draw(0.49), Axis(0, 1, idle=0.0).draw(0.75)
        (0.0, 0.5)
        """
        if self.idle is not None:
            if u < 0.5:
                return self.idle
            u = 2 * u - 1
        if self.log:
            value = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + u * (self.high - self.low)
        value = round(value, 12)
        return float(round(value)) if self.integer else value

    def place(self, value: float) -> float:
        """A quantile that draws this value, or for a whole number one near it.

        >>> Axis(0, 1, idle=0.0).place(0.5), Axis(1, 100, log=True).place(10.0)
        (0.75, 0.5)
        """
        if value == self.idle:
            return 0.25
        if self.log:
            u = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            u = (value - self.low) / (self.high - self.low)
        u = min(max(u, 0.0), 1.0)
        return u if self.idle is None else 0.5 + u / 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial gave: values to be made small, in the search's order, and facts to keep."""

    values: tuple[float, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """One tried setting."""

    number: int
    settings: Settings
    values: tuple[float, ...]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop."""

    random_trials: int = 20
    guided_trials: int = 40
    seconds: float = math.inf
    """No trial begins after this long, measured over this call."""


def search(
    space: Mapping[str, Axis],
    evaluate: Callable[[Settings], Outcome],
    *,
    seed: int,
    budget: Budget,
    about: str = "",
    store: Path | None = None,
    told: Callable[[Trial, int], None] | None = None,
) -> list[Trial]:
    """Try settings until the budget is spent; returns all trials, those of an earlier call included.

    Args
    ----
    space: setting by name.
    evaluate: gives a trial's outcome; every value finite, smaller is better.
    seed: same seed, space and evaluation, same trials.
    about: what is searched, in words or a digest; a store of something else is refused.
    store: JSON lines file; None keeps nothing.
    told: called after each trial with the number planned in all.

    Raises
    ------
    ConfigError
        The store belongs to another search, or guided trials are wanted and Optuna is not installed.
    """
    names = sorted(space)
    kept = None if store is None else Store(store, mark_of(space, seed, about))
    rows = [] if kept is None else kept.rows
    trials = [Trial(r["number"], r["settings"], tuple(r["values"]), r["facts"]) for r in rows]
    total, begun = budget.random_trials + budget.guided_trials, time.monotonic()
    if len(trials) < total and budget.guided_trials:
        _optuna()  # say so before hours of random trials
    while len(trials) < total and time.monotonic() - begun < budget.seconds:
        number = len(trials)
        if number < budget.random_trials:
            u = np.random.default_rng([seed, 7, number]).random(len(names))
            settings = {n: space[n].draw(float(x)) for n, x in zip(names, u, strict=True)}
        else:
            settings = _guided(space, trials, seed, number)
        outcome = evaluate(settings)
        if not all(math.isfinite(v) for v in outcome.values):
            raise ValueError(f"trial {number} gave {outcome.values}: values must be finite")
        trial = Trial(number, settings, tuple(map(float, outcome.values)), dict(outcome.facts))
        trials.append(trial)
        if kept is not None:
            kept.add(asdict(trial))
        if told is not None:
            told(trial, total)
    return trials


def pareto(points: Sequence[Sequence[float]]) -> list[int]:
    """Positions of points that no other point beats in one value and equals in the rest (smaller is better).

    >>> pareto([(1, 3), (2, 2), (3, 3), (1, 3)])
    [0, 1]
    """
    keep: list[int] = []
    for i, p in enumerate(points):
        beaten = any(
            all(a <= b for a, b in zip(q, p, strict=True)) and (tuple(q) != tuple(p) or j < i)
            for j, q in enumerate(points)
            if j != i
        )
        if not beaten:
            keep.append(i)
    return keep


def mark_of(space: Mapping[str, Axis], seed: int, about: str) -> str:
    """Digest of what a store belongs to."""
    plain = json.dumps([{n: asdict(space[n]) for n in sorted(space)}, seed, about], sort_keys=True)
    return hashlib.blake2b(plain.encode(), digest_size=8).hexdigest()


class Store:
    """JSON lines under a first line that says which search they belong to; a line cut short is dropped.

    Raises
    ------
    ConfigError
        The file belongs to another search.
    """

    def __init__(self, path: Path, mark: str) -> None:
        self.path, self.rows = path, list[dict[str, Any]]()
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"search": mark}) + "\n", encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines()
        read: list[Any] = []
        for line in lines:
            try:
                read.append(json.loads(line))
            except ValueError:  # cut short while it was written: it is made again
                break
        if not read or not isinstance(read[0], dict) or read[0].get("search") != mark:
            raise ConfigError(
                f"{path.name} holds another search",
                hint="name another folder; seed, scenario, prices, detector and what is searched must be the same",
            )
        self.rows = read[1:]
        if len(read) < len(lines):
            path.write_text("\n".join(lines[: len(read)]) + "\n", encoding="utf-8")

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep one more line."""
        self.rows.append(dict(row))
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row, sort_keys=True) + "\n")


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ConfigError("guided search needs Optuna", hint="pip install 'stillwatch[lab]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _guided(space: Mapping[str, Axis], trials: Sequence[Trial], seed: int, number: int) -> dict[str, float]:
    """Led by earlier trials, in quantiles: what a setting is left at and how far it is turned are one scale."""
    optuna = _optuna()
    kinds = {n: optuna.distributions.FloatDistribution(0.0, 1.0) for n in sorted(space)}
    own = int(np.random.default_rng([seed, 8, number]).integers(2**31))
    study = optuna.create_study(
        directions=["minimize"] * len(trials[0].values) if trials else ["minimize"],
        sampler=optuna.samplers.TPESampler(seed=own, n_startup_trials=0),
    )
    for t in trials:
        at = {n: space[n].place(v) for n, v in t.settings.items()}
        study.add_trial(optuna.trial.create_trial(params=at, distributions=kinds, values=list(t.values)))
    asked = study.ask(kinds)
    return {n: space[n].draw(float(u)) for n, u in sorted(asked.params.items())}


__all__ = ["Axis", "Budget", "Outcome", "Settings", "Store", "Trial", "mark_of", "pareto", "search"]
