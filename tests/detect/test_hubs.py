"""Hubs and token matrices: what is kept, what is dropped, and that the choice never looks at data."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.detect.hubs import MAX_TOKENS, build_hubs, mix, token_matrix
from stillwatch.detect.trait import Tokens
from tests.detect.making import bare_traffic, trait


def tokens(pairs: list[tuple[int, int]], count: int = 1) -> Tokens:
    """Tokens of (unit, value) pairs."""
    unit = np.array([p[0] for p in pairs], np.int32)
    value = np.array([p[1] for p in pairs], np.int64)
    return Tokens(unit, value, np.full(len(pairs), count, np.int64))


def test_the_mixer_is_a_bijection_that_scatters() -> None:
    """No two of many small codes collide, negative digests included, and order says nothing about size."""
    values = np.concatenate([np.arange(-5000, 5000), [2**63 - 1, -(2**63)]])
    assert len(np.unique(mix(values))) == len(values)
    rank = np.argsort(np.argsort(mix(np.arange(10_000))))
    assert abs(np.corrcoef(np.arange(10_000), rank)[0, 1]) < 0.05


def test_a_sample_of_values_does_not_look_at_counts_or_others() -> None:
    """For a trait that is bet on, which four of a unit's values are kept depends on these values alone."""
    traffic = bare_traffic(40)
    mine = [(0, v) for v in range(100, 120)]
    crowd = [(u, v) for u in range(1, 40) for v in range(100, 103)]
    kept = []
    for others, count in (([], 1), (crowd, 1), ([], 50)):
        got = token_matrix(traffic, trait("t"), tokens(mine + others, count))
        kept.append({int(got.values[c]) for c in got.codes[0]})
    assert (
        kept[0]
        == kept[1]
        == kept[2]
        == set(np.array(range(100, 120))[np.argsort(mix(np.arange(100, 120)))[:4]].tolist())
    )


def test_a_trait_that_only_attributes_keeps_what_is_shown_most() -> None:
    """Counts decide there, ties fall to the mixer."""
    traffic = bare_traffic(2)
    got = Tokens(np.zeros(6, np.int32), np.arange(1, 7), np.array([1, 9, 8, 1, 7, 6]))
    matrix = token_matrix(traffic, trait("t", bets=False), got)
    assert sorted(matrix.values[matrix.codes[0]].tolist()) == [2, 3, 5, 6]


def test_hubs_below_and_above_the_limits() -> None:
    """Too few units are no hub, too many are counted as dropped."""
    traffic = bare_traffic(30)
    pairs = (
        [(u, 1) for u in range(4)]
        + [(u, 2) for u in range(5)]
        + [(u, 3) for u in range(20)]
        + [(u, 4) for u in range(21)]
    )
    hubs = build_hubs(traffic, {"t": tokens(pairs)}, (trait("t"),), low=5, high=20, sample=1000)
    assert sorted(hubs.value.tolist()) == [2, 3]
    assert hubs.dropped_large == 1


def test_only_traits_that_name_hubs_do() -> None:
    """A trait without the mark, or without tokens, gives none, and no trait at all gives none."""
    traffic = bare_traffic(10)
    got = tokens([(u, 1) for u in range(10)])
    assert (
        len(build_hubs(traffic, {"t": got}, (trait("t", defines_hubs=False),), low=2, high=99, sample=9)) == 0
    )
    empty = build_hubs(traffic, {"t": Tokens.empty()}, (trait("t"),), low=2, high=99, sample=9)
    assert len(empty) == 0 and empty.ptr.tolist() == [0] and len(empty.units) == 0


def test_hubs_of_the_same_members_are_kept_once() -> None:
    """The first trait's stands, within a trait and across traits; one member more is another hub."""
    traffic = bare_traffic(12)
    a = tokens([(u, v) for u in range(6) for v in (1, 2)])
    b = tokens([(u, 9) for u in range(6)] + [(u, 8) for u in range(7)])
    hubs = build_hubs(traffic, {"a": a, "b": b}, (trait("a"), trait("b")), low=5, high=99, sample=99)
    assert [(hubs.traits[t].id, v) for t, v in zip(hubs.trait, hubs.value, strict=True)] == [
        ("a", 1),
        ("b", 8),
    ]


def test_a_sample_of_members_does_not_look_at_data() -> None:
    """A hub over the limit keeps those first in the keyed order, whatever the value or the order of the input."""
    traffic = bare_traffic(50, seed=3)
    first = np.argsort(traffic.unit_order)[:8].tolist()
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(50)
        hubs = build_hubs(
            traffic,
            {"t": tokens([(int(u), 1000 + seed) for u in order])},
            (trait("t"),),
            low=5,
            high=99,
            sample=8,
        )
        assert hubs.members(0).tolist() == first
        assert hubs.size.tolist() == [50]


@pytest.mark.parametrize("seed", range(5))
def test_work_is_linear_in_tokens(seed: int) -> None:
    """Rows of all hubs together never exceed the number of tokens, nor does the inverted index."""
    rng = np.random.default_rng(seed)
    traffic = bare_traffic(60)
    pairs = sorted(
        {(int(u), int(v)) for u, v in zip(rng.integers(0, 60, 900), rng.zipf(1.3, 900) % 500, strict=True)}
    )
    got = tokens(pairs)
    hubs = build_hubs(traffic, {"t": got}, (trait("t"),), low=2, high=10**6, sample=10**6)
    matrix = token_matrix(traffic, trait("t"), got)
    assert len(hubs.units) <= len(pairs)
    assert len(matrix.owners) <= min(len(pairs), MAX_TOKENS * 60)
    assert matrix.n_present == len({u for u, _ in pairs})


@pytest.mark.parametrize("seed", range(6))
def test_hubs_are_those_of_a_plain_count(seed: int) -> None:
    """Values, sizes and members in the keyed order, of tokens in any order, some of them told twice."""
    rng = np.random.default_rng(seed)
    traffic = bare_traffic(50, seed)
    pairs = [
        (int(u), int(v) - 9) for u, v in zip(rng.integers(0, 50, 900), rng.zipf(1.4, 900) % 200, strict=True)
    ]
    hubs = build_hubs(traffic, {"t": tokens(pairs)}, (trait("t"),), low=4, high=40, sample=12)
    rank = np.argsort(np.argsort(traffic.unit_order))
    shown = {v: sorted({u for u, w in pairs if w == v}, key=lambda u: rank[u]) for _, v in sorted(pairs)}
    wanted, seen = [], set()
    for value, units in sorted(shown.items()):
        if 4 <= len(units) <= 40 and tuple(units) not in seen:
            seen.add(tuple(units))
            wanted.append((value, len(units), units[:12]))
    got = zip(
        hubs.value.tolist(),
        hubs.size.tolist(),
        (hubs.members(h).tolist() for h in range(len(hubs))),
        strict=True,
    )
    assert list(got) == wanted and len(wanted) > 3
    assert hubs.dropped_large == sum(len(units) > 40 for units in shown.values())
