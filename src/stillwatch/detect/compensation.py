"""What the others do in the seconds after one account is refused: load that moves instead of waiting.

A dispatcher that is refused on one account sends the request on another at once. Whoever has nothing to do with
the refused account does not care. So each refusal is its own control: among the other accounts of a hub, is
somebody heard in the moments *after* it and nobody in as long a time *before*, or the other way round? Independent
accounts make both equally likely, whatever the hour, the load or the text; a dispatcher makes the first far more
likely. Only such discordant refusals count (McNemar's test), so bursts and quiet hours cancel.

What honest traffic could do to the balance, and what is done about it:

* a provider-wide overload refuses many at once: refusals amid other accounts' refusals are left out;
* clients retry on their own account: a request soon after a refusal of the same account is not heard;
* jobs of strangers that start on the hour: requests that were *answered*, of the same accounts, are counted in the
  same way, and the null is their balance, never less than a half, with odds inflated by `INFLATION`;
* a person with two accounts among many strangers: no pair of accounts gives more than a few votes.

References
----------
McNemar, *Note on the sampling error of the difference between correlated proportions* (1947). Whitaker et al.,
*Tutorial in biostatistics: the self-controlled case series method* (2006).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numba as nb
import numpy as np

from stillwatch.detect.betting import binomial_log10_e, log10_mean
from stillwatch.detect.discordant import SLOT, counted_votes
from stillwatch.detect.hubs import Hubs, mix
from stillwatch.detect.trait import Judgements

if TYPE_CHECKING:
    from stillwatch.detect.traffic import Traffic

SECOND = 1_000_000
WINDOWS_S = (1.0, 5.0, 20.0)
"""How soon the others must be heard; the e-value is the mean over the three."""
REFUSED = (401, 403, 429)
"""Refusals that concern the account; 5xx are the provider's trouble and everybody's."""
APART_S = 40.0
"""Refusals of one account closer than this are one."""
OWN_RETRY_S = 60.0
STORM_SHARE, STORM_ROWS = 0.25, 8
"""A refusal among at least so many requests of others, of which so large a share is refused, is an overload's."""
MAX_ROWS = 64
"""Rows that are looked at on either side of a refusal: where traffic is dense, only the shorter windows are judged."""
MAX_REFUSALS = 100_000
MIN_REFUSALS = 8
"""Refusals that a hub must hold to be judged."""
MOST_REFUSALS = 400
"""Refusals of one hub that are looked at, about; which is drawn by lot. So many say all that is needed."""
CONTROL_GAP_S = 60.0
INFLATION = 1.25
"""Odds by which the null may favour "after" over the balance that answered requests show."""
PRIOR = 5.0
"""Pseudo-votes on each side of that balance."""
PAIR_VOTES, SMALL_HUB_VOTES = 4, 100
"""Votes that one pair of units may give in one half: four, or a hundred over the number of units of a small hub."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Refusals, as many answered requests for comparison, and who else was heard around each."""

    giver: np.ndarray
    """int32[events]."""
    when: np.ndarray
    """int64[events] microseconds, ascending."""
    control: np.ndarray
    """bool[events]: an answered request."""
    late: np.ndarray
    """int8[events]: 1 in the second half of the time."""
    lot: np.ndarray
    """uint64[events]: keyed, says which of several events that overlap is counted."""
    reach: np.ndarray
    """int64[events] microseconds that were looked at on both sides."""
    ptr: np.ndarray
    unit: np.ndarray
    """int32: other units heard; event e owns ``ptr[e]`` to ``ptr[e + 1]``, a unit at most once on each side."""
    gap: np.ndarray
    """int32 microseconds from the event to that unit's nearest request; negative before it."""


def moments(traffic: Traffic) -> Moments:
    """Refusals of the traffic and their surroundings; computed once."""
    if "moments" not in traffic.cache:
        traffic.cache["moments"] = _moments(traffic)
    got: Moments = traffic.cache["moments"]
    return got


def _moments(traffic: Traffic) -> Moments:
    ts, unit, refused, fine = _in_time(traffic)
    hushed, first, control = _by_unit(
        ts, unit, refused, fine, traffic.n_units,
        int(OWN_RETRY_S * SECOND), int(APART_S * SECOND), int(CONTROL_GAP_S * SECOND),
    )  # fmt: skip
    keyed = mix(traffic.unit_order[unit[first]] ^ ts[first].astype(np.uint64))
    chosen = np.sort(np.argsort(keyed, kind="stable")[:MAX_REFUSALS])
    first, control = first[chosen], control[chosen]
    rows = np.concatenate([first, control[control >= 0]])
    is_control = np.arange(len(rows)) >= len(first)
    place = np.lexsort((is_control, rows))
    rows, is_control = rows[place], is_control[place]
    horizon = int(max(WINDOWS_S) * SECOND)
    counts, heard, gap, reach, storm = _around(
        ts, unit, refused, hushed, rows, horizon, MAX_ROWS, STORM_ROWS, traffic.n_units
    )
    calm = storm < STORM_SHARE
    keep, rows, counts, reach = np.repeat(calm, counts), rows[calm], counts[calm], reach[calm]
    heard, gap = heard[keep], gap[keep]
    when, giver = ts[rows], unit[rows]
    reach = np.minimum(reach, np.minimum(when - traffic.start, traffic.end - when))
    # Who is heard beyond the longest window that can be judged cannot count, and is left out.
    widths = np.array([int(w * SECOND) for w in WINDOWS_S])
    longest = np.where(reach[:, None] >= widths, widths, 0).max(1, initial=0)
    event = np.repeat(np.arange(len(rows)), counts)
    keep = np.abs(gap) <= longest[event]
    heard, gap, counts = heard[keep], gap[keep], np.bincount(event[keep], minlength=len(rows))
    return Moments(
        giver=giver,
        when=when,
        control=is_control[calm],
        late=(when >= traffic.middle).astype(np.int8),
        lot=mix(traffic.unit_order[giver] ^ when.astype(np.uint64)),
        reach=reach,
        ptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        unit=heard,
        gap=gap,
    )


def _in_time(traffic: Traffic) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Time, unit, whether refused and whether answered, of all exchanges in order of time, then of keyed unit."""
    ts, unit, status = (traffic.column(name) for name in ("ts", "unit", "status"))
    refused, fine = np.isin(status, REFUSED), (status >= 100) & (status < 300)
    order = np.argsort(ts, kind="stable")
    sorted_ts = ts[order]
    same = np.zeros(len(ts) + 1, np.bool_)
    same[1:-1] = np.diff(sorted_ts) == 0
    tied = np.flatnonzero(same[1:] | same[:-1])
    rows = order[tied]
    order[tied] = rows[np.lexsort((traffic.unit_order[unit[rows]], ts[rows]))]
    return sorted_ts, unit[order].astype(np.int32), refused[order], fine[order]


@nb.njit(cache=True, nogil=True)
def _by_unit(ts, unit, refused, fine, n_units, retry, apart, control_gap):  # type: ignore[no-untyped-def]  # numba infers
    """Own retries, the first refusal of each run of refusals, and an answered request of the unit before it."""
    n = len(ts)
    hushed = np.zeros(n, np.bool_)
    last_refused = np.full(n_units, -1, np.int64)
    last_kept = np.full(n_units, -1, np.int64)
    calm_row = np.full(n_units, -1, np.int64)  # newest answered row that is old enough
    fresh_row = np.full(n_units, -1, np.int64)
    first = np.empty(n, np.int64)
    control = np.empty(n, np.int64)
    k = 0
    for i in range(n):
        u = unit[i]
        if last_refused[u] >= 0 and ts[i] - ts[last_refused[u]] <= retry:
            hushed[i] = True
        if fresh_row[u] >= 0 and ts[i] - ts[fresh_row[u]] >= control_gap:
            calm_row[u] = fresh_row[u]
        if refused[i]:
            if last_kept[u] < 0 or ts[i] - ts[last_kept[u]] >= apart:
                first[k] = i
                control[k] = calm_row[u]
                k += 1
                last_kept[u] = i
                calm_row[u] = -1
                fresh_row[u] = -1
            last_refused[u] = i
        elif fine[i] and not hushed[i] and (fresh_row[u] < 0 or ts[i] - ts[fresh_row[u]] >= control_gap):
            fresh_row[u] = i
    return hushed, first[:k].copy(), control[:k].copy()


@nb.njit(cache=True, nogil=True)
def _around(ts, unit, refused, hushed, rows, horizon, max_rows, storm_rows, n_units):  # type: ignore[no-untyped-def]  # numba infers
    """Other units on both sides of each row: nearest request of each, how far was looked, share of refusals."""
    m = len(rows)
    counts = np.zeros(m, np.int64)
    reach = np.zeros(m, np.int64)
    storm = np.zeros(m, np.float64)
    room = max(1024, m * 8)
    heard = np.empty(room, np.int32)
    gap = np.empty(room, np.int32)
    stamp = np.full(n_units, -1, np.int64)
    used = 0
    for e in range(m):
        r = rows[e]
        others = 0
        refusals = 0
        covered = horizon
        for side in range(2):
            step = 1 if side == 0 else -1
            k = r + step
            looked = 0
            mark = 2 * e + side
            while 0 <= k < len(ts):
                away = abs(ts[k] - ts[r])
                if away > horizon:
                    break
                looked += 1
                if looked > max_rows:
                    covered = min(covered, away - 1)
                    break
                u = unit[k]
                if u != unit[r]:
                    others += 1
                    if refused[k]:
                        refusals += 1
                    if away > 0 and not hushed[k] and stamp[u] != mark:
                        stamp[u] = mark
                        if used == room:
                            room *= 2
                            wider = np.empty(room, np.int32)
                            wider[:used] = heard
                            heard = wider
                            longer = np.empty(room, np.int32)
                            longer[:used] = gap
                            gap = longer
                        heard[used] = u
                        gap[used] = away if side == 0 else -away
                        used += 1
                        counts[e] += 1
                k += step
        reach[e] = covered
        if others >= storm_rows:
            storm[e] = refusals / others
    return counts, heard[:used].copy(), gap[:used].copy(), reach, storm


@nb.njit(cache=True, nogil=True)
def counted(ptr, keys, cap, classes, always):  # type: ignore[no-untyped-def]  # numba infers
    """int64[owners, classes, sides]: votes of each owner, capped by pair of units.

    The keys of owner o are ``keys[ptr[o]:ptr[o + 1]]``. A cap matters only where "after" prevails among
    refusals, which are the even classes: elsewhere all votes count, unless ``always``, which is no gain.
    """
    out = np.zeros((len(ptr) - 1, classes * 2), np.int64)
    for o in range(len(ptr) - 1):
        after, before = 0, 0
        for r in range(ptr[o], ptr[o + 1]):
            slot = keys[r] >> SLOT
            out[o, slot] += 1
            if slot & 2 == 0:
                if slot & 1 == 0:
                    after += 1
                else:
                    before += 1
        if not always and after <= before:
            continue
        out[o] = 0
        mine = np.sort(keys[ptr[o] : ptr[o + 1]])
        run = 0
        for k in range(len(mine)):
            run = run + 1 if k and mine[k] == mine[k - 1] else 1
            if run <= cap[o]:
                out[o, mine[k] >> SLOT] += 1
    return out


def tally(found: Moments, hubs: Hubs, n_units: int, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Hubs that have votes, ascending, and int64[hubs, windows, halves, refused or control, after or before].

    Hubs with fewer than `MIN_REFUSALS` refusals have none: they could not say anything.
    """
    none = np.zeros((0, len(WINDOWS_S), 2, 2, 2), np.int64)
    if not len(hubs) or not len(found.giver):
        return none[:, 0, 0, 0, 0], none
    refusals = np.bincount(found.giver[~found.control], minlength=n_units).astype(np.int32)
    held = np.add.reduceat(refusals[hubs.units], hubs.ptr[:-1])
    able = np.flatnonzero(held >= MIN_REFUSALS)
    if not len(able):
        return none[:, 0, 0, 0, 0], none
    share = np.minimum(MOST_REFUSALS / np.maximum(held[able], 1), 1.0)
    limit = (share * float(2**64 - 2**12)).astype(np.uint64)  # the largest float below 2**64, nearly
    limit[share >= 1.0] = np.iinfo(np.uint64).max

    def count(own: np.ndarray, ptr: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cap = pair_cap(hubs.ptr[own + 1] - hubs.ptr[own])
        voted = np.flatnonzero(np.diff(ptr))
        return own[voted], counted(ptr, keys, cap, len(WINDOWS_S) * 4, False)[voted]

    parts = counted_votes(
        found, hubs, able, 2 * np.minimum(held[able], MOST_REFUSALS), limit,
        np.array([int(w * SECOND) for w in WINDOWS_S], np.int64), n_units, threads, count,
    )  # fmt: skip
    hub = np.concatenate([own for own, _ in parts])
    order = np.argsort(hub)
    return hub[order], np.concatenate([counts for _, counts in parts])[order].reshape(-1, *none.shape[1:])


def pair_cap(size: np.ndarray) -> np.ndarray:
    """Votes that one pair of units may give in sets of so many units.

    >>> pair_cap(np.array([3, 10, 500])).tolist()
    [33, 10, 4]
    """
    cap: np.ndarray = np.maximum(PAIR_VOTES, SMALL_HUB_VOTES // np.maximum(size, 1))
    return cap


def balance(control: np.ndarray) -> np.ndarray:
    """Null probability of "after" given (after, before) votes of answered requests in the last axis.

    >>> round(float(balance(np.array([0, 0]))), 3)
    0.556
    """
    after = np.maximum((control[..., 0] + PRIOR) / (control.sum(-1) + 2 * PRIOR), 0.5)
    out: np.ndarray = INFLATION * after / (1.0 + (INFLATION - 1.0) * after)
    return out


def extract(traffic: Traffic, hubs: Hubs, rng: np.random.Generator | None = None) -> Judgements:
    """Compensation evidence of every hub in which a refusal was followed or preceded by another unit.

    With ``rng`` a coin says for each event which side is "after": the null of ``--check-null``.
    """
    found = moments(traffic)
    if rng is not None:
        coin = rng.choice(np.array([-1, 1]), len(found.giver))
        found = replace(found, gap=found.gap * np.repeat(coin, np.diff(found.ptr)))
    hub, counts = tally(found, hubs, traffic.n_units, traffic.threads)
    refused, control = counts[:, :, :, 0], counts[:, :, :, 1].sum(2)
    null = balance(control)
    halves = [
        log10_mean(binomial_log10_e(r[..., 0], r.sum(-1), null), axis=1)
        for r in (refused[:, :, 0], refused[:, :, 1])
    ]
    seen = refused.any(axis=(1, 2, 3))
    return Judgements(hub[seen], np.stack([halves[0] + halves[1], *halves], axis=1)[seen])
