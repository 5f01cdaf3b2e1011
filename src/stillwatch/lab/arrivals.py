"""When accounts are active: bursty renewal arrivals in operational time, mapped through day rhythm and
on/off bins.

Parameters and their sources: ``population.toml``; how near a world comes to the traces: docs/lab_fit.md.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.hashing import F64, I64
from stillwatch.lab.population import figure

HOUR_US = 3_600_000_000

_OFFICE = np.array(figure("hours", "office"), dtype=np.float64)
_LEISURE = np.array(figure("hours", "leisure"), dtype=np.float64)


def rhythm(
    rng: np.random.Generator,
    start_us: int,
    hours: int,
    zone_h: I64,
    active: F64,
    weekend: F64,
    begin_us: I64,
    end_us: I64,
    leisure: bool,
) -> F64:
    """Intensity per account and hour, shape ``(accounts, hours)``.

    ``active`` is the wanted share of bins with any activity; activity comes in runs of a few hours.
    """
    n = len(zone_h)
    at = np.arange(hours)
    first = start_us // HOUR_US
    local = (first + at[None, :] + zone_h[:, None]) % 24
    day = ((first + at[None, :] + zone_h[:, None]) // 24 + 3) % 7  # 1970-01-01 was a Thursday; 0 = Monday
    base = (_LEISURE if leisure else _OFFICE)[local]
    base = np.where(day >= 5, base * weekend[:, None], base)
    runs = rng.random((n, -(-hours // 3)))
    threshold = np.minimum(active * 1.6, 1.0)[:, None]
    on = np.repeat(runs < threshold, 3, axis=1)[:, :hours]
    begin_h = (begin_us - start_us) // HOUR_US
    end_h = (end_us - start_us) // HOUR_US
    on &= (at[None, :] >= begin_h[:, None]) & (at[None, :] <= end_h[:, None])
    intensity = base * on
    dead = intensity.sum(axis=1) <= 0
    if dead.any():
        fallback = (at[None, :] >= begin_h[dead][:, None]) * 1.0
        fallback[:, -1] = 1.0
        intensity[dead] = fallback
    return np.asarray(intensity, dtype=np.float64)


def arrivals(
    rng: np.random.Generator, start_us: int, counts: I64, cv: F64, intensity: F64
) -> tuple[I64, I64]:
    """Row's account (position in ``counts``) and time, sorted by account, then time."""
    who = np.repeat(np.arange(len(counts)), counts)
    if not len(who):
        return who, who.copy()
    shape = np.clip(1.0 / np.square(cv), 0.003, 50.0)
    gaps = rng.gamma(shape[who]) + 1e-9
    weibull = np.flatnonzero(np.arange(len(counts)) % round(1 / figure("burst", "weibull_share")) == 0)
    is_weibull = np.isin(who, weibull)
    gaps[is_weibull] = (
        np.power(
            rng.exponential(1.0, int(is_weibull.sum())),
            np.clip(np.power(cv[who[is_weibull]], 0.75), 0.3, 3.5),
        )
        + 1e-9
    )
    used = counts > 0
    firsts = (np.cumsum(counts) - counts)[used]
    gaps /= np.repeat(np.maximum.reduceat(gaps, firsts), counts[used])  # one scale, so that sums stay exact
    total = np.cumsum(gaps)
    ends = np.cumsum(counts)
    before = np.where(ends - counts > 0, total[np.maximum(ends - counts - 1, 0)], 0.0)
    own = np.where(counts > 0, total[np.maximum(ends - 1, 0)], 0.0) - before
    tail = own / np.maximum(counts, 1) * rng.exponential(1.0, len(counts))
    u = (total - before[who]) / (own + tail)[who]
    cumulative = np.cumsum(intensity, axis=1)
    cumulative /= cumulative[:, -1:]
    hours = intensity.shape[1]
    flat = (cumulative + np.arange(len(counts))[:, None]).ravel()
    at = np.minimum(
        np.searchsorted(flat, who + np.clip(u, 0, 1 - 1e-12), side="right"), who * hours + hours - 1
    )
    low = np.where(at % hours > 0, flat[at - 1], who.astype(np.float64))
    inside = np.clip((who + u - low) / np.maximum(flat[at] - low, 1e-12), 0, 1 - 1e-9)
    t = start_us + ((at % hours + inside) * HOUR_US).astype(np.int64)
    return who, t + rng.integers(0, 1_000_000, len(t))
