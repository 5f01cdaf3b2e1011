"""Evidence that no single unit shows: how a set of questions, or a ban's aftermath, is dealt out over a hub."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import ibis
import numba as nb
import numpy as np
import pyarrow as pa
from scipy import stats

from stillwatch.detect.betting import binomial_log10_e, log10_mean
from stillwatch.detect.tables import smallest
from stillwatch.detect.traffic import DAY, HOUR, UNKNOWN_TIME
from stillwatch.detect.trait import Judged, Judgements

if TYPE_CHECKING:
    from stillwatch.detect.hubs import Hubs
    from stillwatch.detect.traffic import Traffic

MIN_PAYLOADS = 20
MAX_REPEATS = 64
MAX_BET = 32
"""Largest R that is bet on."""
MIXING_SAMPLE = 400
"""Payloads of one multiplicity that are looked at for who sends together with whom."""
_PARTS = 1 << 32
"""Into how many parts one is divided where quotients are added up."""
MAX_VOTES = 6
"""First appearances on one side of one ban that count, each in another hour."""
_HOUR_BITS = 32
"""More hours than the calendar has."""
SUCCESSION_NULL = 0.6
"""Null probability that a first appearance near a ban falls after it: one half, inflated."""


@lru_cache(maxsize=4096)
def log10_ceiling(units: int) -> np.ndarray:
    """log10 of the largest probability that any popularity gives to "exactly m of ``units`` accounts".

    Index m from 0 to `MAX_REPEATS`; counts are zero-truncated binomial. Index 0 is unused, and the last index
    stands for "that many or more" where there are more units.

    >>> c = log10_ceiling(1000)
    >>> float(c[1]), round(10 ** float(c[2]), 2)
    (0.0, 0.32)
    """
    out = np.zeros(MAX_REPEATS + 1)
    m = np.arange(2, min(units, MAX_REPEATS + 1))
    if not len(m):
        return out
    m = m[m < MAX_REPEATS] if units > MAX_REPEATS else m
    low, high = np.zeros(len(m)), m / units
    for _ in range(60):  # the best popularity is where the truncated mean is m
        p = (low + high) / 2.0
        over = units * p / -np.expm1(units * np.log1p(-p)) >= m
        high, low = np.where(over, p, high), np.where(over, low, p)
    pmf = stats.binom.logpmf(m, units, high) - np.log(-np.expm1(units * np.log1p(-high)))
    out[m] = np.minimum(pmf / np.log(10.0), 0.0)
    out.flags.writeable = False
    return out


def exact_repeat_log10_e(
    multiplicity: np.ndarray, counts: np.ndarray, units: int, mixing: np.ndarray | None = None
) -> tuple[float, int]:
    """log10 e-value that payloads go to exactly R different accounts, averaged over R; and the best R.

    ``multiplicity[i]`` accounts sent each of ``counts[i]`` payloads. The alternative puts 0.8 on R and spreads
    the rest over the other counts.

    Customers who run one benchmark also reach every payload equally often, because they are the same
    customers. So a payload that the bet is on is held against the ceiling of the ``mixing[i]`` accounts that
    take turns with its senders, not of all units. That can only lower the e-value.
    """
    if counts.sum() < MIN_PAYLOADS or units < 3:
        return 0.0, 0
    m = np.minimum(multiplicity, MAX_REPEATS).astype(int)
    ceiling = log10_ceiling(units)
    high = min(units, MAX_REPEATS)
    turns = np.full(len(m), units) if mixing is None else np.clip(mixing.astype(int), m, units)
    base = counts * (np.log10(0.2 / max(high - 1, 1)) - ceiling[m])
    several, which = np.unique(turns, return_inverse=True)
    hit = counts * (np.log10(0.8) - np.stack([log10_ceiling(int(n)) for n in several])[which.ravel(), m])
    repeats = np.arange(2, min(high, MAX_BET) + 1)
    scores = np.where(m == repeats[:, None], hit, base).sum(axis=1)
    if not len(scores):
        return 0.0, 0
    return float(log10_mean(scores)), int(repeats[int(np.argmax(scores))])


@dataclass(frozen=True, slots=True)
class Spread:
    """How the payloads of one key are spread over units; arrays run over (half, multiplicity, mixing)."""

    multiplicity: np.ndarray
    mixing: np.ndarray
    """Accounts that take turns with the senders of these payloads; the multiplicity itself where none do."""
    payloads: np.ndarray
    units: int

    odd: np.ndarray
    """bool: payloads of the half that tests again; which half a payload is in depends on its digest alone."""

    def log10_e(self) -> float:
        """log10 e-value of `exact_repeat_log10_e` on all payloads."""
        return exact_repeat_log10_e(self.multiplicity, self.payloads, self.units, self.mixing)[0]

    def judged(self) -> Judged:
        """The e-value of all payloads and of each half of them; most families have too few payloads to say anything."""
        if self.payloads.sum() < MIN_PAYLOADS:
            return Judged(0.0, 0.0, 0.0)
        halves = [
            exact_repeat_log10_e(self.multiplicity[at], self.payloads[at], self.units, self.mixing[at])[0]
            for at in (~self.odd, self.odd)
        ]
        return Judged(self.log10_e(), *halves)


def multiplicities(traffic: Traffic, sent: Any) -> dict[int, Spread]:
    """How payloads spread over units, per key of ``sent`` (an expression with columns key, unit, payload).

    Nearly every payload of a large traffic has one sender, who takes turns with nobody. The accounts that take turns
    with another unit are the square of the sum over the sum of squares of how often
    it and each other sent a payload of the same multiplicity together, over at most `MIXING_SAMPLE` of them.
    """
    with traffic.engine.kept(sent.distinct()) as sent:
        times = sent.group_by("key", "payload").agg(m=sent.count())
        one = ibis.literal(1, "int64")
        alone = times.filter(times.m == 1).group_by("key", odd=times.payload & 1)
        alone = alone.agg(payloads=lambda t: t.count()).mutate(m=one, mixing=one)
        with traffic.engine.kept(sent.join(times.filter(times.m > 1), ["key", "payload"])) as dealt:
            each = turns_taken(dealt, traffic.engine.salts)
            spread = each.group_by("key", "m", "mixing", "odd").agg(payloads=each.count())
            size = sent.select("key", "unit").distinct().group_by("key").agg(units=lambda t: t.count())
            both = spread.union(alone.select(*spread.columns)).join(size, "key")
            rows = traffic.fetch(both.order_by("key", "odd", "m", "mixing"))
    key, units, odd = rows["key"], rows["units"], rows["odd"] != 0
    cuts = [0, *(np.flatnonzero(np.diff(key)) + 1).tolist(), len(key)] if len(key) else []
    out = {}
    for first, end in pairwise(cuts):
        own = slice(first, end)
        out[int(key[first])] = Spread(
            rows["m"][own], rows["mixing"][own], rows["payloads"][own], int(units[first]), odd[own]
        )
    return out


def turns_taken(dealt: Any, salts: int) -> Any:
    """Multiplicity, half and mixing of each payload that several units sent, by key, from (key, unit, payload, m).

    No more than `MIXING_SAMPLE` payloads of at most `MAX_BET` units are looked at for each key and multiplicity, so
    no more than 400 times m squared pairs are made of them, however large the traffic. A mean of quotients is taken
    in whole parts of `_PARTS`, since floats add up to something else in another order.
    """
    several = dealt.filter(dealt.m.between(2, MAX_BET))
    few = several.semi_join(
        smallest(
            several.select("key", "m", "payload").distinct(), ["key", "m"], "payload", MIXING_SAMPLE, salts
        ),
        ["key", "m", "payload"],
    )
    other = few.select("key", "payload", other="unit").view()
    # A pair counts both ways alike.
    met = few.join(other, ["key", "payload"]).filter(lambda t: t.unit <= t.other)
    pairs = met.group_by("key", "m", "unit", "other").agg(n=met.count())
    both = ibis.ifelse(
        pairs.unit == pairs.other, ibis.array([pairs.unit]), ibis.array([pairs.unit, pairs.other])
    )
    pairs = pairs.select("key", "m", "n", unit=both.unnest())
    turns = pairs.group_by("key", "m", "unit").agg(total=pairs.n.sum(), squares=(pairs.n * pairs.n).sum())
    mixing = turns.total.cast("float64") * turns.total.cast("float64") / turns.squares.cast("float64")
    turns = turns.select("key", "m", "unit", parts=(mixing * _PARTS + 0.5).floor().cast("int64"))
    alone = ibis.ifelse(dealt.m <= MAX_BET, dealt.m, 0) * _PARTS
    beside = dealt.mutate(alone=alone).left_join(turns, ["key", "m", "unit"])
    beside = beside.select("key", "m", "payload", parts=ibis.coalesce(beside.parts, beside.alone))
    each = beside.group_by("key", "m", "payload").agg(total=beside.parts.sum(), n=beside.count())
    mean = (each.total.cast("float64") / (each.n * _PARTS).cast("float64") + 1e-9).floor().cast("int64")
    return each.select("key", "m", odd=each.payload & 1, mixing=ibis.ifelse(each.m <= MAX_BET, mean, each.m))


def extract(traffic: Traffic, hubs: Hubs) -> dict[int, Judged]:
    """Work-queue evidence of the hubs that are template families."""
    if len(hubs) and (hubs.trait < 0).all():
        return _of_groups(traffic, hubs)
    of_content = np.array([t.group == "content" for t in hubs.traits])
    t = traffic.table()
    t = t.filter(t.family != 0)
    busy = t.group_by("family").agg(n=t.count(), low=t.unit.min(), high=t.unit.max())
    busy = busy.filter(busy.n >= 40, busy.low != busy.high).select("family")
    sent = t.filter(t.payload != 0, t.status < 300).semi_join(busy, "family")
    by_family = multiplicities(traffic, sent.select("unit", "payload", key="family"))
    out: dict[int, Judged] = {}
    for family, spread in sorted(by_family.items()):
        at = int(np.searchsorted(hubs.shared, family))
        if at < len(hubs.shared) and hubs.shared[at] == family:
            hub = int(hubs.hub_of[at])
            if of_content[hubs.trait[hub]] and hub not in out:
                out[hub] = spread.judged()
    return out


def _of_groups(traffic: Traffic, groups: Hubs) -> dict[int, Judged]:
    """Work-queue evidence of whole groups: their templated traffic, disjoint groups only."""
    owner = pa.table({"unit": groups.units, "key": np.repeat(groups.value, np.diff(groups.ptr))})
    t = traffic.table()
    t = t.filter(t.family != 0, t.payload != 0, t.status < 300).select("unit", "payload")
    found = multiplicities(
        traffic, t.join(traffic.engine.local(owner), "unit").select("key", "unit", "payload")
    )
    return {key: spread.judged() for key, spread in found.items()}


def succession_log10_e(traffic: Traffic, units: np.ndarray) -> tuple[float, int, int]:
    """log10 e-value of first appearances after against before the bans in a set of units, and both counts.

    Appearances in one hour count once, and no more than `MAX_VOTES` on one side of one ban: thirty students
    who join on the day after a ban are one event, not thirty.
    """
    after, before = _appearances(traffic, np.array([0, len(units)]), units)
    return float(_weighed(after, before)[0]), int(after[0]), int(before[0])


def _weighed(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    return binomial_log10_e(after, after + before, SUCCESSION_NULL)


def _appearances(traffic: Traffic, ptr: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First appearances that count after and before the bans in each of several sets of units (compressed rows).

    Only bans with a whole day of traffic on both sides are looked at.
    """
    if "bans" not in traffic.cache:
        frame = traffic.accounts
        known = (frame.status == 3) & (frame.status_changed != UNKNOWN_TIME)
        inside = (frame.status_changed > traffic.start + DAY) & (frame.status_changed < traffic.end - DAY)
        banned = np.flatnonzero(known & inside)
        banned = banned[np.argsort(traffic.unit[banned], kind="stable")]
        of_unit = np.bincount(traffic.unit[banned], minlength=traffic.n_units)
        traffic.cache["bans"] = (np.concatenate([[0], np.cumsum(of_unit)]), frame.status_changed[banned])
    ban_ptr, bans = traffic.cache["bans"]
    found: tuple[np.ndarray, np.ndarray] = _near_bans(ptr, units, ban_ptr, bans, traffic.first_seen())
    return found


@nb.njit(cache=True, nogil=True)
def _near_bans(ptr, units, ban_ptr, bans, first):  # type: ignore[no-untyped-def]  # numba infers
    """int64[sets], twice: votes for "after" and for "before"; who is near two bans says nothing."""
    after, before = np.zeros(len(ptr) - 1, np.int64), np.zeros(len(ptr) - 1, np.int64)
    for h in range(len(ptr) - 1):
        held = 0
        for i in range(ptr[h], ptr[h + 1]):
            held += ban_ptr[units[i] + 1] - ban_ptr[units[i]]
        if held == 0:
            continue
        own = np.empty(held, np.int64)
        k = 0
        for i in range(ptr[h], ptr[h + 1]):
            for j in range(ban_ptr[units[i]], ban_ptr[units[i] + 1]):
                own[k] = bans[j]
                k += 1
        own = np.sort(own)
        late = np.empty(ptr[h + 1] - ptr[h], np.int64)
        early = np.empty(ptr[h + 1] - ptr[h], np.int64)
        n_late, n_early = 0, 0
        for i in range(ptr[h], ptr[h + 1]):
            when = first[units[i]]
            at = np.searchsorted(own, when)
            is_late = at > 0 and when - own[at - 1] <= DAY
            is_early = at < held and own[at] - when <= DAY
            hour = (np.int64(at) << _HOUR_BITS) | (when // HOUR)
            if is_late and not is_early:
                late[n_late] = hour
                n_late += 1
            elif is_early and not is_late:
                early[n_early] = hour
                n_early += 1
        after[h], before[h] = _votes(late[:n_late]), _votes(early[:n_early])
    return after, before


@nb.njit(cache=True, nogil=True)
def _votes(hours):  # type: ignore[no-untyped-def]  # numba infers
    """Appearances (ban and hour) that count: one an hour and at most `MAX_VOTES` for one ban."""
    hours = np.sort(hours)
    votes, of_ban = 0, 0
    for i in range(len(hours)):
        if i and hours[i] == hours[i - 1]:
            continue
        of_ban = of_ban + 1 if i and hours[i] >> _HOUR_BITS == hours[i - 1] >> _HOUR_BITS else 1
        votes += 1 if of_ban <= MAX_VOTES else 0
    return votes


def succession(traffic: Traffic, hubs: Hubs) -> Judgements:
    """Succession evidence of every hub with somebody who appeared near a ban in it."""
    after, before = _appearances(traffic, hubs.ptr, hubs.units)
    judged = np.flatnonzero(after + before)
    log10 = _weighed(after[judged], before[judged])
    return Judgements(judged, np.stack([log10, np.full(len(log10), math.nan), log10], axis=1))
