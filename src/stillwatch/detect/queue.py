"""Evidence that no single unit shows: how a set of questions, or a ban's aftermath, is dealt out over a hub."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy import stats

from stillwatch.detect.betting import binomial_log10_e, log10_mean
from stillwatch.detect.traffic import DAY, UNKNOWN_TIME

if TYPE_CHECKING:
    from stillwatch.detect.hubs import Hubs
    from stillwatch.detect.traffic import Traffic

MIN_PAYLOADS = 20
MAX_REPEATS = 64
SUCCESSION_NULL = 0.6
"""Null probability that a first appearance near a ban falls after it: one half, inflated."""


@lru_cache(maxsize=4096)
def log10_ceiling(units: int) -> np.ndarray:
    """log10 of the largest probability that any popularity gives to "exactly m of ``units`` accounts".

    Index m from 0 to `MAX_REPEATS`; counts are zero-truncated binomial. Index 0 is unused.

    >>> c = log10_ceiling(1000)
    >>> float(c[1]), round(10 ** float(c[2]), 2)
    (0.0, 0.32)
    """
    grid = np.concatenate([np.logspace(-6, -0.001, 400), [1.0 - 1e-9]])
    top = min(units, MAX_REPEATS)
    m = np.arange(1, top + 1)
    pmf = (
        stats.binom.logpmf(m[:, None], units, grid[None, :])
        - np.log(-np.expm1(units * np.log1p(-grid)))[None, :]
    )
    out = np.zeros(MAX_REPEATS + 1)
    out[1 : top + 1] = np.minimum(pmf.max(axis=1) / np.log(10.0), 0.0)
    out[1] = 0.0
    return out


def exact_repeat_log10_e(multiplicity: np.ndarray, counts: np.ndarray, units: int) -> tuple[float, int]:
    """log10 e-value that payloads go to exactly R different accounts, averaged over R; and the best R.

    ``multiplicity[i]`` accounts sent each of ``counts[i]`` payloads. The alternative puts 0.8 on R and spreads
    the rest over the other counts.
    """
    if counts.sum() < MIN_PAYLOADS or units < 3:
        return 0.0, 0
    m = np.minimum(multiplicity, MAX_REPEATS).astype(int)
    ceiling = log10_ceiling(units)
    high = min(units, MAX_REPEATS)
    scores = []
    repeats = np.arange(2, min(high, 32) + 1)
    for r in repeats:
        alternative = np.where(m == r, np.log10(0.8), np.log10(0.2 / max(high - 1, 1)))
        scores.append(float((counts * (alternative - ceiling[m])).sum()))
    if not scores:
        return 0.0, 0
    best = int(repeats[int(np.argmax(scores))])
    return float(log10_mean(np.array(scores))), best


def multiplicities(traffic: Traffic, where: str) -> dict[int, tuple[np.ndarray, np.ndarray, int]]:
    """Per key of ``where`` (a SQL table with columns key, unit, payload): (multiplicity, payloads, units)."""
    rows = traffic.con.con.execute(
        f"""
        WITH source AS ({where}),
        spread AS (SELECT key, payload, count(DISTINCT unit) AS m FROM source GROUP BY key, payload),
        size AS (SELECT key, count(DISTINCT unit) AS units FROM source GROUP BY key)
        SELECT spread.key AS key, m, count(*) AS payloads, any_value(units) AS units
        FROM spread JOIN size USING (key) GROUP BY spread.key, m ORDER BY key, m
        """  # noqa: S608  (the sources are the two below)
    ).fetchnumpy()
    out: dict[int, tuple[np.ndarray, np.ndarray, int]] = {}
    key = rows["key"]
    for k in np.unique(key):
        at = key == k
        out[int(k)] = (rows["m"][at], rows["payloads"][at], int(rows["units"][at][0]))
    return out


def extract(traffic: Traffic, hubs: Hubs) -> dict[int, float]:
    """Work-queue evidence of the hubs that are template families."""
    if len(hubs) and (hubs.trait < 0).all():
        return _of_groups(traffic, hubs)
    content = {h for h, t in enumerate(hubs.trait) if hubs.traits[t].group == "content"}
    wanted = {value: hub for value, hub in hubs.alias.items() if hub in content}
    by_family = multiplicities(
        traffic,
        "SELECT family AS key, unit, payload FROM exchange WHERE family <> 0 AND payload <> 0 "
        "AND status < 300 AND family IN (SELECT family FROM exchange WHERE family <> 0 GROUP BY family "
        "HAVING count(*) >= 40 AND min(unit) <> max(unit))",
    )
    out: dict[int, float] = {}
    for family, (m, payloads, units) in sorted(by_family.items()):
        if family in wanted and wanted[family] not in out:
            out[wanted[family]] = exact_repeat_log10_e(m, payloads, units)[0]
    return out


def _of_groups(traffic: Traffic, groups: Hubs) -> dict[int, float]:
    """Work-queue evidence of whole groups: their templated traffic, disjoint groups only."""
    owner = pa.table({"unit": groups.units, "key": np.repeat(groups.value, np.diff(groups.ptr))})
    traffic.con.con.register("_group", owner)
    found = multiplicities(
        traffic,
        "SELECT _group.key AS key, exchange.unit AS unit, exchange.payload AS payload FROM exchange "
        "JOIN _group ON exchange.unit = _group.unit "
        "WHERE exchange.family <> 0 AND exchange.payload <> 0 AND exchange.status < 300",
    )
    traffic.con.con.unregister("_group")
    return {key: exact_repeat_log10_e(m, payloads, units)[0] for key, (m, payloads, units) in found.items()}


def succession_log10_e(traffic: Traffic, units: np.ndarray) -> tuple[float, int, int]:
    """log10 e-value of first appearances after against before the bans in a set of units, and both counts."""
    frame = traffic.accounts
    banned = (frame.status == 3) & (frame.status_changed != UNKNOWN_TIME)
    if not banned.any():
        return 0.0, 0, 0
    if "first_seen" not in traffic.cache:
        first = np.full(traffic.n_units, np.iinfo(np.int64).max)
        np.minimum.at(first, traffic.column("unit"), traffic.column("ts"))
        traffic.cache["first_seen"] = first
    inside = np.zeros(traffic.n_units, np.bool_)
    inside[units] = True
    bans = np.sort(frame.status_changed[banned & inside[traffic.unit]])
    bans = bans[(bans > traffic.start + DAY) & (bans < traffic.end - DAY)]
    if not len(bans):
        return 0.0, 0, 0
    first = traffic.cache["first_seen"][units]
    at = np.searchsorted(bans, first)
    since = first - bans[np.maximum(at - 1, 0)]
    until = bans[np.minimum(at, len(bans) - 1)] - first
    after = (at > 0) & (since <= DAY)
    before = (at < len(bans)) & (until >= 0) & (until <= DAY)
    both = after & before
    a, b = int((after & ~both).sum()), int((before & ~both).sum())
    return binomial_log10_e(a, a + b, SUCCESSION_NULL), a, b


def succession(traffic: Traffic, hubs: Hubs) -> dict[int, float]:
    """Succession evidence of every hub that holds a banned account."""
    frame = traffic.accounts
    banned = np.zeros(traffic.n_units, np.bool_)
    banned[traffic.unit[frame.status == 3]] = True
    if not banned.any():
        return {}
    has = np.add.reduceat(banned[hubs.units].astype(np.int64), hubs.ptr[:-1]) if len(hubs) else np.zeros(0)
    out = {}
    for h in np.flatnonzero(has > 0):
        e, after, before = succession_log10_e(traffic, hubs.members(int(h)))
        if after + before:
            out[int(h)] = e
    return out
