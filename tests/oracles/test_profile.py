"""What units show of traits and share with others, against the same sums in plain NumPy, one trait at a time."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stillwatch.detect.profile import LeftOut, Shown, met, odds, own_odds, profile

KAPPA, FLOOR, ROWS = 3.0, 1e-9, 3
NOBODY = np.zeros(0, np.int32)


def a_matrix(rng: np.random.Generator, units: int) -> Any:
    """Up to four codes a unit, some units with none."""
    values = int(rng.integers(4, 60))
    codes = np.full((units, 4), -1, np.int32)
    for row in codes:
        width = int(rng.integers(0, 5))
        row[:width] = rng.choice(values, width, replace=False)
    owner, code = np.repeat(np.arange(units, dtype=np.int32), 4)[codes.ravel() >= 0], codes[codes >= 0]
    having = np.bincount(code, minlength=values)
    return SimpleNamespace(
        codes=codes, having=having.astype(np.int32), stratum=rng.integers(0, 3, values),
        present=rng.integers(0, units, 8).astype(float), ptr=np.concatenate([[0], np.cumsum(having)]),
        owners=owner[np.argsort(code, kind="stable")],
    )  # fmt: skip


class World:
    """Some traits, of which two may be in one row, and their values under one numbering."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.n, self.traffic = int(rng.integers(3, 300)), bool(seed % 3)
        self.matrices = [a_matrix(rng, self.n) for _ in range(4)]
        self.reference = [
            rng.random(len(m.having)) * rng.choice([0.0, 1e-3, 1.0], len(m.having)) for m in self.matrices
        ]
        self.shown = Shown.of(self.matrices, [(r, FLOOR) for r in self.reference], self.n)
        self.row = np.array([0, 1, 2, 1])

    def some(self, least: int = 1) -> np.ndarray:
        """Some units, ascending."""
        return np.sort(self.rng.choice(self.n, int(self.rng.integers(least, self.n)), replace=False)).astype(
            np.int32
        )

    def plainly(self, members: np.ndarray, more: np.ndarray, units: np.ndarray) -> np.ndarray:
        """float64[rows, units]: the best odds of each unit by the textbook formula, at least 1."""
        out = np.ones((ROWS, len(units)))
        for matrix, reference, row in zip(self.matrices, self.reference, self.row, strict=True):
            got, theirs = matrix.codes[members], matrix.codes[more]
            shown, absent = (got[:, 0] >= 0).sum(), (got[:, 0] >= 0).sum() + (theirs[:, 0] >= 0).sum()
            for i, unit in enumerate(units.tolist()):
                own = float(unit in members)
                for code in matrix.codes[unit][matrix.codes[unit] >= 0].tolist():
                    count, mine = (got == code).sum(), (got == code).sum() + (theirs == code).sum()
                    q = max(reference[code], FLOOR)
                    if self.traffic:
                        others = max(matrix.present[matrix.stratum[code]] - float(absent), 0.0)
                        q = max(q, (matrix.having[code] - float(mine) + 1.0) / (others + 1.0))
                    share = max(float(count) - own, 0.0) / max(float(shown) - own, 1.0)
                    out[row, i] = max(out[row, i], 0.5 + 0.5 * share / min(KAPPA * q, 1.0))
        return out

    def compiled(
        self, members: np.ndarray, more: np.ndarray, units: np.ndarray, out: np.ndarray = NOBODY
    ) -> np.ndarray:
        """The same by the compiled code, some left out beforehand."""
        s, place = self.shown, np.full(len(self.shown.share), -1, np.int32)
        _, count, q, showing = profile(
            members, more, s.ptr, s.codes, s.shows, s.trait, s.share, s.having, s.present, LeftOut.of(out, s),
            self.traffic, KAPPA, place,
        )  # fmt: skip
        inside = np.isin(np.arange(self.n), members)
        found: np.ndarray = odds(
            units, inside, s.ptr, s.codes, s.trait, place, count, q, showing, self.row, ROWS
        )
        return found


@pytest.mark.parametrize("seed", range(40))
def test_profiles_are_the_plain_sums(seed: int) -> None:
    """Odds are those of the textbook formula, to the bit, whoever is inside, asked for or left out of the traffic."""
    world = World(seed)
    members, units = world.some(), world.some()
    more = np.setdiff1d(world.rng.integers(0, world.n, 20 * (seed % 2)), members).astype(np.int32)
    got = world.compiled(members, more, units)
    assert got.tolist() == world.plainly(members, more, units).tolist()
    out = world.some(0)
    asked = np.union1d(more, np.setdiff1d(out, members)).astype(np.int32)
    beforehand = world.compiled(members, more, units, out)
    assert beforehand.tolist() == world.plainly(members, asked, units).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_sets_laid_beside_themselves_are_the_same_one_by_one(seed: int) -> None:
    """The best odds of each member are those that the general sums give, to the bit, whatever sets are beside it."""
    world, s = World(seed), World(seed).shown
    sizes = (1, world.n, world.n // 2, 0, int(world.rng.integers(1, world.n + 1)))
    sets = [np.sort(world.rng.choice(world.n, size, replace=False)).astype(np.int32) for size in sizes]
    got = own_odds(
        np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(sets), s.ptr, s.codes, s.shows, s.trait, s.share,
        s.having, s.present, world.row, ROWS, world.traffic, KAPPA,
    )  # fmt: skip
    wanted = np.concatenate([world.compiled(members, NOBODY, members) for members in sets], axis=1)
    assert got.tolist() == wanted.tolist()
    assert world.traffic or got.max() > 1.0


@pytest.mark.parametrize("seed", range(5))
def test_a_value_has_one_number_and_its_owners(seed: int) -> None:
    """Whoever shows a value that two show is among its owners and the other way round; what one shows has no number."""
    world = World(seed)
    s, said = world.shown, set()
    for u in range(world.n):
        said |= {(int(c), u) for c in s.codes[s.ptr[u] : s.ptr[u + 1]]}
        assert s.shows[u].tolist() == [int(m.codes[u, 0] >= 0) for m in world.matrices]
    owned = {(c, int(u)) for c in range(len(s.share)) for u in s.owners[s.owner_ptr[c] : s.owner_ptr[c + 1]]}
    assert said == owned
    assert len(s.share) == sum(int((m.having >= 2).sum()) for m in world.matrices)
    assert (np.diff(s.owner_ptr) == s.having).all()


def test_the_best_of_several_kinds_of_events_counts() -> None:
    """An event with somebody inside gives the gain of its kind; others give nothing."""
    inside = np.array([True, False, True, False])
    ptr, other, kind = (
        np.array([0, 1, 4, 4, 5]),
        np.array([1, 0, 2, 3, 1]),
        np.array([0, 0, 1, 1, 0], np.int8),
    )
    gains = np.array([[1.0, 2.0, 3.0, 4.0], [0.5, 3.5, 0.5, 0.5]])
    assert met(np.arange(4), inside, ptr, other, kind, gains).tolist() == [0.0, 3.5, 0.0, 0.0]
