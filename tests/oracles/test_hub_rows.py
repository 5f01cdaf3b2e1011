"""Token matrices and hubs against plain Python on random tokens."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from stillwatch.detect.families import look_up
from stillwatch.detect.hubs import MAX_TOKENS, build_hubs, mix, token_matrix
from stillwatch.detect.trait import Tokens
from tests.detect.making import bare_traffic, trait

UNITS = 25


def random_tokens(seed: int) -> Tokens:
    """Distinct (unit, value) pairs in no order, values of either sign."""
    rng = np.random.default_rng(seed)
    pool = rng.integers(-(2**62), 2**62, int(rng.integers(1, 12)))
    pairs = sorted(
        {(int(u), int(v)) for u, v in zip(rng.integers(0, UNITS, 120), rng.choice(pool, 120), strict=True)}
    )
    pairs = [pairs[i] for i in rng.permutation(len(pairs))]
    return Tokens(
        np.array([u for u, _ in pairs], np.int32),
        np.array([v for _, v in pairs]),
        rng.integers(1, 9, len(pairs)),
    )


def by_unit(got: Tokens) -> dict[int, list[int]]:
    """Values of each unit, at most four, smallest mix first."""
    out: dict[int, list[int]] = defaultdict(list)
    for u, v in zip(got.unit.tolist(), got.value.tolist(), strict=True):
        out[u].append(v)
    return {u: sorted(vs, key=lambda v: int(mix(np.array([v]))[0]))[:MAX_TOKENS] for u, vs in out.items()}


@pytest.mark.parametrize("seed", range(12))
def test_token_matrices(seed: int) -> None:
    """Codes, totals, counts, strata and the inverted index, each as counted by hand."""
    got = random_tokens(seed)
    matrix = token_matrix(bare_traffic(UNITS), trait("t", stratum=lambda v: np.abs(v) % 3), got)
    wanted = by_unit(got)
    assert matrix.values.tolist() == sorted(set(got.value.tolist()))
    total: dict[int, float] = defaultdict(float)
    owners: dict[int, set[int]] = defaultdict(set)
    present = [0.0] * 8
    for u in range(UNITS):
        row = [int(matrix.values[c]) for c in matrix.codes[u] if c >= 0]
        assert row == wanted.get(u, [])
        assert (matrix.codes[u, len(row) :] == -1).all()
        for v in row:
            total[v] += 1 / len(row)
            owners[v].add(u)
        if row:
            present[abs(row[0]) % 3] += 1
    for c, v in enumerate(matrix.values.tolist()):
        assert matrix.total[c] == pytest.approx(total[v])
        assert matrix.having[c] == len(owners[v])
        assert set(matrix.owners[matrix.ptr[c] : matrix.ptr[c + 1]].tolist()) == owners[v]
        assert matrix.stratum[c] == abs(v) % 3
    assert matrix.present.tolist() == present
    assert matrix.total.sum() == pytest.approx(matrix.n_present)


@pytest.mark.parametrize("seed", range(12))
def test_hub_rows(seed: int) -> None:
    """Members, sizes, limits, samples and double sets of two traits, each as counted by hand."""
    traffic = bare_traffic(UNITS, seed)
    got = {"a": random_tokens(seed), "b": random_tokens(seed + 100), "c": random_tokens(seed)}
    traits = tuple(trait(name) for name in got)
    low, high, sample = 4, 14, 9
    place = {int(u): i for i, u in enumerate(np.argsort(traffic.unit_order))}
    wanted, seen, dropped = [], set(), 0
    for name in got:
        sets: dict[int, set[int]] = defaultdict(set)
        for u, v in zip(got[name].unit.tolist(), got[name].value.tolist(), strict=True):
            sets[v].add(u)
        for v in sorted(sets):
            members = frozenset(sets[v])
            dropped += len(members) > high
            if low <= len(members) <= high and members not in seen:
                seen.add(members)
                wanted.append((name, v, len(members), sorted(members, key=place.__getitem__)[:sample]))
    hubs = build_hubs(traffic, got, traits, low=low, high=high, sample=sample)
    found = [
        (hubs.traits[hubs.trait[h]].id, int(hubs.value[h]), int(hubs.size[h]), hubs.members(h).tolist())
        for h in range(len(hubs))
    ]
    assert found == wanted
    assert hubs.dropped_large == dropped


def test_looking_up() -> None:
    """A sorted table answers as a dictionary does; an empty one answers 0."""
    rng = np.random.default_rng(0)
    for size in (0, 1, 2, 50):
        table = np.unique(rng.integers(-(2**62), 2**62, size))
        weights = rng.random(len(table))
        values = np.concatenate([rng.integers(-(2**62), 2**62, 30), table[::3], [-(2**63), 2**63 - 1, 0]])
        wanted = dict(zip(table.tolist(), weights.tolist(), strict=True))
        assert look_up(values, table, weights).tolist() == [wanted.get(v, 0.0) for v in values.tolist()]
    assert look_up(np.zeros(0, np.int64), np.array([1]), np.array([5])).tolist() == []
