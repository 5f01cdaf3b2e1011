"""What units show of a trait and share with others, against the same sums in plain NumPy."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stillwatch.detect.assemble import Attributor
from stillwatch.detect.profile import keep_best, odds, own_odds

KAPPA, FLOOR = 3.0, 1e-9


def a_matrix(rng: np.random.Generator) -> Any:
    """Up to four codes a unit, some units with none."""
    units, values = int(rng.integers(3, 300)), int(rng.integers(4, 60))
    codes = np.full((units, 4), -1, np.int32)
    for row in codes:
        width = int(rng.integers(0, 5))
        row[:width] = rng.choice(values, width, replace=False)
    return SimpleNamespace(
        codes=codes, having=np.bincount(codes[codes >= 0], minlength=values).astype(np.int64),
        stratum=rng.integers(0, 3, values), present=rng.integers(0, units, 8).astype(float),
    )  # fmt: skip


def plain_table(
    matrix: Any, members: np.ndarray, more: np.ndarray, reference: np.ndarray, traffic: bool
) -> Any:
    """Codes, counts, how many show anything, and kappa times the null share."""
    got, theirs = matrix.codes[members], matrix.codes[more]
    codes, count = np.unique(got[got >= 0], return_counts=True)
    shown = float((got[:, 0] >= 0).sum())
    q = np.maximum(reference[codes], FLOOR)
    if traffic:
        mine = np.array([n + (theirs == code).sum() for code, n in zip(codes, count, strict=True)])
        present = matrix.present[matrix.stratum[codes]] - shown - float((theirs[:, 0] >= 0).sum())
        q = np.maximum(q, (matrix.having[codes] - mine + 1.0) / (np.maximum(present, 0.0) + 1.0))
    return codes, count.astype(float), shown, np.minimum(KAPPA * q, 1.0)


@pytest.mark.parametrize("seed", range(40))
def test_profiles_are_the_plain_sums(seed: int) -> None:
    """Codes, counts, null shares and decades are those of the textbook formula, whoever is inside or left out."""
    rng = np.random.default_rng(seed)
    matrix, traffic = a_matrix(rng), bool(seed % 3)
    n, values = len(matrix.codes), len(matrix.having)
    members = np.sort(rng.choice(n, int(rng.integers(1, n)), replace=False)).astype(np.int32)
    more = np.setdiff1d(rng.integers(0, n, 20 * (seed % 2)), members).astype(np.int32)
    reference = rng.random(values) * rng.choice([0.0, 1e-3, 1.0], values)
    attributor = Attributor.__new__(Attributor)
    attributor.use_traffic, attributor.kappa = traffic, KAPPA
    table = attributor._table(matrix, members, more, reference, FLOOR)
    codes, count, shown, q = plain_table(matrix, members, more, reference, traffic)
    assert table.codes.tolist() == codes.tolist() and table.count.tolist() == count.tolist()
    assert table.shown == shown and table.q.tolist() == q.tolist()

    inside = np.isin(np.arange(n), members)
    units = np.sort(rng.choice(n, int(rng.integers(1, n)), replace=False)).astype(np.int32)
    best = rng.random(len(units))
    expected = best.copy()
    for i, unit in enumerate(units.tolist()):
        base, decades = max(shown - inside[unit], 1.0), []
        for code in matrix.codes[unit][matrix.codes[unit] >= 0].tolist():
            at = np.flatnonzero(codes == code)
            others = max(float(count[at[0]]) - inside[unit], 0.0) if len(at) else 0.0
            decades.append(np.log10(0.5 + 0.5 * others / base / (q[at[0]] if len(at) else 1.0)))
        expected[i] = max(best[i], max([-9.0, *decades]) if decades else 0.0)
    found = odds(matrix.codes, units, inside, table.codes, table.count, table.shown, table.q)
    keep_best(matrix.codes, units, np.log10(found), best)
    np.testing.assert_allclose(best, expected, rtol=1e-15)


@pytest.mark.parametrize("seed", range(20))
def test_sets_laid_beside_themselves_are_the_same_one_by_one(seed: int) -> None:
    """The best odds of each member are those that the general sums give, to the bit, whatever sets are beside it."""
    rng = np.random.default_rng(seed)
    matrix, traffic = a_matrix(rng), bool(seed % 3)
    n, values = len(matrix.codes), len(matrix.having)
    reference = rng.random(values) * rng.choice([0.0, 1e-3, 1.0], values)
    attributor = Attributor.__new__(Attributor)
    attributor.use_traffic, attributor.kappa = traffic, KAPPA
    sizes = (1, n, n // 2, 0, int(rng.integers(1, n + 1)))
    sets = [np.sort(rng.choice(n, size, replace=False)).astype(np.int32) for size in sizes]
    got = own_odds(
        matrix.codes, np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(sets), reference, FLOOR, traffic,
        matrix.having, matrix.stratum, matrix.present, KAPPA,
    )  # fmt: skip
    wanted = []
    for members in sets:
        table = attributor._table(matrix, members, np.zeros(0, np.int32), reference, FLOOR)
        inside = np.isin(np.arange(n), members)
        found = odds(matrix.codes, members, inside, table.codes, table.count, table.shown, table.q)
        wanted.append(np.maximum(found.max(1), 1.0))
    assert got.tolist() == np.concatenate(wanted).tolist()
    assert traffic or got.max() > 1.0
