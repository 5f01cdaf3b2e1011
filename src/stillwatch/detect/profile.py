"""The compiled part of `stillwatch.detect.assemble`: what units show of one trait, and what others share with them.

Only arithmetic that gives the same bits everywhere is done here; logarithms are left to the caller.
"""

from __future__ import annotations

import numba as nb
import numpy as np

_SPREAD = 0x9E3779B1
"""An odd number that spreads neighbouring codes over a table."""


@nb.njit(cache=True, nogil=True)
def shown_by(codes, members):  # type: ignore[no-untyped-def]  # numba infers
    """Distinct codes of ``members``, ascending; how many times each comes; how many members show anything.

    ``codes`` is int32[units, k], padded with -1.
    """
    held = np.empty(len(members) * codes.shape[1], np.int32)
    used, shown = 0, 0
    for u in members:
        if codes[u, 0] >= 0:
            shown += 1
        for j in range(codes.shape[1]):
            if codes[u, j] >= 0:
                held[used] = codes[u, j]
                used += 1
    held = np.sort(held[:used])
    distinct, count = np.empty(used, np.int32), np.empty(used, np.float64)
    k = 0
    for i in range(used):
        if k and distinct[k - 1] == held[i]:
            count[k - 1] += 1.0
        else:
            distinct[k], count[k] = held[i], 1.0
            k += 1
    return distinct[:k].copy(), count[:k].copy(), float(shown)


@nb.njit(cache=True, nogil=True)
def null_shares(distinct, mine, absent, reference, floor, use_traffic, having, stratum, present, kappa):  # type: ignore[no-untyped-def]  # numba infers
    """``kappa`` times the share of each code among the others, at most 1: the reference's, or the traffic's if larger.

    ``mine`` (float64[codes]) is how many of those who show a code are left out of the traffic, and ``absent`` how many
    of those who show anything.
    """
    q = np.empty(len(distinct))
    for i in range(len(distinct)):
        code = distinct[i]
        share = max(reference[code], floor)
        if use_traffic:
            others = max(present[stratum[code]] - absent, 0.0)
            share = max(share, (having[code] - mine[i] + 1.0) / (others + 1.0))
        q[i] = min(kappa * share, 1.0)
    return q


@nb.njit(cache=True, nogil=True)
def odds(codes, units, inside, distinct, count, shown, q):  # type: ignore[no-untyped-def]  # numba infers
    """float64[units, k]: one half, and half the share of other members that show a code over its null share ``q``."""
    out = np.full((len(units), codes.shape[1]), 0.5)
    slots = 8
    while slots < 2 * len(distinct):
        slots *= 2
    place = np.full(slots, -1, np.int32)
    for k in range(len(distinct)):
        slot = (np.int64(distinct[k]) * _SPREAD) & (slots - 1)
        while place[slot] >= 0:
            slot = (slot + 1) & (slots - 1)
        place[slot] = k
    for i in range(len(units)):
        own = 1.0 if inside[units[i]] else 0.0
        base = max(shown - own, 1.0)
        for j in range(codes.shape[1]):
            code = codes[units[i], j]
            if code < 0:
                continue
            slot = (np.int64(code) * _SPREAD) & (slots - 1)
            while place[slot] >= 0 and distinct[place[slot]] != code:
                slot = (slot + 1) & (slots - 1)
            if place[slot] >= 0:
                at = place[slot]
                out[i, j] = 0.5 + 0.5 * max(count[at] - own, 0.0) / base / q[at]
    return out


@nb.njit(cache=True, nogil=True)
def own_odds(codes, ptr, members, reference, floor, use_traffic, having, stratum, present, kappa):  # type: ignore[no-untyped-def]  # numba infers
    """float64[members]: the largest of the `odds` of each unit against the other members of its set, at least 1.

    Sets are in compressed rows. What one member alone shows says nothing, so nothing is sorted and no share is looked
    up but of what two show.
    """
    width, most = codes.shape[1], 1
    for s in range(len(ptr) - 1):
        most = max(most, ptr[s + 1] - ptr[s])
    slots = 8
    while slots < 2 * most * width:
        slots *= 2
    place = np.full(slots, -1, np.int32)
    distinct, count = np.empty(most * width, np.int32), np.empty(most * width, np.float64)
    found, best = np.empty(most * width, np.int64), np.empty(most * width, np.float64)
    held = np.empty((most, width), np.int32)
    out = np.ones(len(members))
    for s in range(len(ptr) - 1):
        slots = 8
        while slots < 2 * (ptr[s + 1] - ptr[s]) * width:
            slots *= 2
        shown, n, shared = 0.0, 0, False
        for i in range(ptr[s + 1] - ptr[s]):
            u = members[ptr[s] + i]
            if codes[u, 0] >= 0:
                shown += 1.0
            for j in range(width):
                code = codes[u, j]
                held[i, j] = -1
                if code < 0 or having[code] < 2:
                    continue
                slot = (np.int64(code) * _SPREAD) & (slots - 1)
                while place[slot] >= 0 and distinct[place[slot]] != code:
                    slot = (slot + 1) & (slots - 1)
                if place[slot] < 0:
                    place[slot], found[n], distinct[n], count[n] = n, slot, code, 0.0
                    n += 1
                at = place[slot]
                count[at] += 1.0
                shared |= count[at] > 1.0
                held[i, j] = at
        if shared:
            base = max(shown - 1.0, 1.0)
            for at in range(n):
                best[at] = 0.5
                if count[at] > 1.0:
                    code = distinct[at]
                    share = max(reference[code], floor)
                    if use_traffic:
                        others = max(present[stratum[code]] - shown, 0.0)
                        share = max(share, (having[code] - count[at] + 1.0) / (others + 1.0))
                    q = min(kappa * share, 1.0)
                    best[at] = 0.5 + 0.5 * max(count[at] - 1.0, 0.0) / base / q
            for i in range(ptr[s + 1] - ptr[s]):
                for j in range(width):
                    if held[i, j] >= 0:
                        out[ptr[s] + i] = max(out[ptr[s] + i], best[held[i, j]])
        for at in range(n):
            place[found[at]] = -1
    return out


@nb.njit(cache=True, nogil=True)
def keep_best(codes, units, decades, part):  # type: ignore[no-untyped-def]  # numba infers
    """Raise ``part`` (float64[units]) to the best decades of the codes that each unit shows; 0 where it shows none."""
    for i in range(len(units)):
        best, some = -9.0, False
        for j in range(codes.shape[1]):
            if codes[units[i], j] >= 0:
                some = True
                best = max(best, decades[i, j])
        part[i] = max(part[i], best if some else 0.0)


@nb.njit(cache=True, nogil=True)
def met(units, inside, ptr, other):  # type: ignore[no-untyped-def]  # numba infers
    """bool[units]: whether one of those that a unit has an event with, ``other[ptr[u]:ptr[u + 1]]``, is ``inside``."""
    out = np.zeros(len(units), np.bool_)
    for i in range(len(units)):
        for j in range(ptr[units[i]], ptr[units[i] + 1]):
            if inside[other[j]]:
                out[i] = True
                break
    return out
