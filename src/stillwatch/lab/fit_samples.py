"""What the fit compares: samples of one quantity, in groups (tenants) that are drawn together.

A sample comes from a world or from a public trace and carries the unit of resampling: an account's hundred
ten-minute bins say less than a hundred accounts' one, and the interval must know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.lab.hashing import F64, I64

BIN_S = 600
"""Ten minutes: the bin of the ServeGen data."""
LEAST = 20
"""Fewest requests of a bin whose burstiness is measured."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of one quantity and the tenant each belongs to."""

    values: F64
    groups: I64

    def __len__(self) -> int:
        """Number of values."""
        return len(self.values)

    def resampled(self, rng: np.random.Generator) -> F64:
        """Values of as many groups as there are, drawn with replacement."""
        order = np.argsort(self.groups, kind="stable")
        names, first, size = np.unique(self.groups[order], return_index=True, return_counts=True)
        drawn = rng.integers(0, len(names), len(names))
        take = np.concatenate([np.arange(first[d], first[d] + size[d]) for d in drawn.tolist()])
        drawn_values: F64 = self.values[order][take]
        return drawn_values

    def thinned(self, rng: np.random.Generator, most: int) -> Sample:
        """At most this many values."""
        if len(self.values) <= most:
            return self
        rows = np.sort(rng.choice(len(self.values), most, replace=False))
        return Sample(self.values[rows], self.groups[rows])


def alone(values: F64) -> Sample:
    """A sample whose every value is a group of its own."""
    return Sample(np.asarray(values, dtype=np.float64), np.arange(len(values)))


def distance(a: F64, b: F64) -> float:
    """Two-sample Kolmogorov-Smirnov distance, 0 to 1.

    >>> distance(np.array([1.0, 2.0]), np.array([3.0, 4.0])), distance(np.arange(9.0), np.arange(9.0))
    (1.0, 0.0)
    """
    both = np.concatenate([a, b])
    left = np.searchsorted(np.sort(a), both, side="right") / len(a)
    right = np.searchsorted(np.sort(b), both, side="right") / len(b)
    return float(np.max(np.abs(left - right)))


def interval(rng: np.random.Generator, a: Sample, b: Sample, rounds: int = 200) -> tuple[float, float]:
    """95 % percentile interval of the distance, both sides resampled by group."""
    found = [distance(a.resampled(rng), b.resampled(rng)) for _ in range(rounds)]
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def volumes_of(counts: F64) -> Sample:
    """Requests per tenant in units of the mean: how unequal tenants are."""
    busy = counts[counts > 0]
    return alone(busy / busy.mean())


def bursts_of(times_s: F64, tenant: I64) -> tuple[Sample, I64]:
    """Coefficient of variation of inter-arrival times per tenant and ten-minute bin, and each bin's requests.

    Args
    ----
    times_s: seconds since any midnight, in any order.
    tenant: same length.
    """
    order = np.lexsort((times_s, tenant))
    t, who = times_s[order], tenant[order]
    cell = who * (1 << 24) + (t // BIN_S).astype(np.int64)
    cuts = np.flatnonzero(np.diff(cell)) + 1
    starts, ends = np.concatenate([[0], cuts]), np.concatenate([cuts, [len(t)]])
    big = np.flatnonzero(ends - starts >= LEAST)
    values = np.array([_cv(t[a:b]) for a, b in zip(starts[big].tolist(), ends[big].tolist(), strict=True)])
    return Sample(values, who[starts[big]]), (ends - starts)[big]


def _cv(times_s: F64) -> float:
    gaps = np.diff(times_s)
    return float(gaps.std() / max(gaps.mean(), 1e-9))


def active_of(times_s: F64, tenant: I64, bins: int, least: int) -> Sample:
    """Share of ten-minute bins with any request, per tenant with at least ``least`` requests."""
    who, count = np.unique(tenant, return_counts=True)
    busy = who[count >= least]
    cells = np.unique(np.stack([tenant, (times_s // BIN_S).astype(np.int64)]), axis=1)
    kept = np.isin(cells[0], busy)
    _, used = np.unique(cells[0][kept], return_counts=True)
    return alone(used / bins)


def hours_of(times_s: F64, weight: F64 | None = None) -> F64:
    """Load by hour of day (UTC), mean 1."""
    load = np.bincount(((times_s // 3600) % 24).astype(np.int64), weights=weight, minlength=24).astype(
        np.float64
    )
    mean_one: F64 = load / load.mean()
    return mean_one
