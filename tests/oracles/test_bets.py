"""Betting on hubs against ten lines of plain Python that follow the formula and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from stillwatch.detect.betting import EPSILONS, THIRD, Telling, bet_hubs


@dataclass(frozen=True)
class World:
    """A random little world: units with up to four values, hubs of units in an order."""

    hubs: list[list[int]]
    half: np.ndarray
    codes: np.ndarray
    stratum: np.ndarray
    reference: np.ndarray
    floor: float
    kappa: float

    @property
    def shown(self) -> list[list[int]]:
        """Values of each unit."""
        return [[int(c) for c in row if c >= 0] for row in self.codes]

    @property
    def total(self) -> np.ndarray:
        """Units per value, a unit with k values counting 1/k for each."""
        out = np.zeros(len(self.reference))
        for values in self.shown:
            for x in values:
                out[x] += 1 / len(values)
        return out

    @property
    def present(self) -> np.ndarray:
        """Units per stratum of their first value."""
        out = np.zeros(8)
        for values in self.shown:
            if values:
                out[self.stratum[values[0]]] += 1
        return out


def plain(world: World, members: list[int], part: int, use_traffic: bool) -> tuple[float, int]:
    """(log10 e, members that show anything) of one hub."""
    shown = world.shown
    q = {}
    for x in range(len(world.reference)):
        q[x] = max(world.reference[x], world.floor)
        if use_traffic:
            inside = sum(shown[u].count(x) / len(shown[u]) for u in members if shown[u])
            here = sum(world.stratum[shown[u][0]] == world.stratum[x] for u in members if shown[u])
            q[x] = max(q[x], (world.total[x] - inside + 1) / (world.present[world.stratum[x]] - here + 1))
    past: list[list[int]] = []
    wealth = [1.0] * len(EPSILONS)
    for u in members:
        if not shown[u] or (part and world.half[u] != part - 1):
            continue
        if past:
            every = {x for p in past for x in p}
            seen = {x: sum(p.count(x) / len(p) for p in past) for x in every}
            eager = {x for x in every if sum(x in p for p in past) >= THIRD}
            stake = sum(seen[x] for x in eager) / len(past)
            gain = sum(
                seen[x] / len(past) / min(1.0, world.kappa * q[x]) for x in shown[u] if x in eager
            ) / len(shown[u])
            wealth = [w * (1 - e * stake + e * gain) for w, e in zip(wealth, EPSILONS, strict=True)]
        past.append(shown[u])
    return math.log10(sum(wealth) / len(wealth)), len(past)


def random_world(seed: int) -> World:
    """Hubs that overlap, units that show nothing, values in several strata, common and rare."""
    rng = np.random.default_rng(seed)
    n_units, n_codes = int(rng.integers(6, 40)), int(rng.integers(2, 12))
    stratum = rng.integers(0, int(rng.integers(1, 8)) + 1, n_codes)
    codes = np.full((n_units, 4), -1, np.int32)
    for u in range(n_units):
        k = int(rng.integers(0, min(4, n_codes) + 1))
        codes[u, :k] = rng.choice(n_codes, k, replace=False)
    hubs = [
        rng.choice(n_units, int(rng.integers(1, n_units + 1)), replace=False).tolist()
        for _ in range(int(rng.integers(1, 6)))
    ]
    reference = np.where(rng.random(n_codes) < 0.4, 0.0, rng.random(n_codes) ** 3)
    return World(
        hubs,
        rng.integers(0, 2, n_units),
        codes,
        stratum,
        reference,
        float(rng.choice([1e-9, 1e-3, 0.1])),
        float(rng.choice([1.0, 3.0, 5.0])),
    )


def run(world: World, part: int, use_traffic: bool) -> tuple[np.ndarray, np.ndarray]:
    """The code under test."""
    ptr = np.concatenate([[0], np.cumsum([len(h) for h in world.hubs])]).astype(np.int64)
    units = np.array([u for h in world.hubs for u in h], np.int32)
    values, shown = bet_hubs(
        ptr,
        units,
        world.half,
        Telling.of(world.codes, world.stratum.astype(np.int64)),
        world.total,
        world.stratum.astype(np.int64),
        world.present,
        world.reference,
        world.floor,
        use_traffic,
        world.kappa,
        np.ones(len(world.hubs), np.bool_),
        np.ones(len(world.hubs), np.bool_),
    )
    return values[part], shown[part]


@pytest.mark.parametrize("use_traffic", [False, True], ids=["reference", "traffic"])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_bets_are_the_formula(part: int, use_traffic: bool) -> None:
    """Several values per unit, halves, strata, gaps and overlaps: 60 worlds, every hub."""
    for seed in range(60):
        world = random_world(seed)
        got, shown = run(world, part, use_traffic)
        for h, members in enumerate(world.hubs):
            wanted = plain(world, members, part, use_traffic)
            assert shown[h] == wanted[1], (seed, h)
            assert got[h] == pytest.approx(wanted[0], abs=1e-9), (seed, h)


def test_a_hub_is_not_touched_by_the_hubs_before_it() -> None:
    """Scratch counts are cleared: a hub among others has the value that it has alone."""
    for seed in range(20):
        world = random_world(seed)
        together, _ = run(world, 0, True)
        for h, members in enumerate(world.hubs):
            alone = World(
                [members], world.half, world.codes, world.stratum, world.reference, world.floor, world.kappa
            )
            assert run(alone, 0, True)[0][0] == together[h]


def test_no_bet_without_two_who_show_something() -> None:
    """One member, or members that show nothing, leave the wealth at 1."""
    world = World(
        [[0], [1, 2], [0, 1]],
        np.zeros(3, int),
        np.array([[0, -1, -1, -1], [-1] * 4, [-1] * 4], np.int32),
        np.zeros(1, int),
        np.array([0.1]),
        0.1,
        3.0,
    )
    got, shown = run(world, 0, True)
    assert got.tolist() == [0.0, 0.0, 0.0]
    assert shown.tolist() == [1, 0, 1]
