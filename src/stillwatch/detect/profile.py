"""The compiled part of `stillwatch.detect.attributor`: what units show of all traits, and what others share with them.

Values that two units or more show have numbers of their own, whatever their trait, and what one unit shows lies
together: a unit is looked at once and not once for every trait. What one unit alone shows says nothing of another.
Only arithmetic that gives the same bits everywhere is done here; logarithms are left to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numba as nb
import numpy as np

from stillwatch.detect.hubs import TokenMatrix


@dataclass(frozen=True, slots=True)
class Shown:
    """What units show of some traits that others show too."""

    ptr: np.ndarray
    codes: np.ndarray
    """int32: unit u shows ``codes[ptr[u]:ptr[u + 1]]``."""
    shows: np.ndarray
    """uint8[units, traits]: whether a unit shows anything of a trait."""
    trait: np.ndarray
    """int16[codes]: place of the trait that each is of."""
    share: np.ndarray
    """float64[codes]: reference share, or the floor."""
    having: np.ndarray
    """float64[codes]: units that show each."""
    present: np.ndarray
    """float64[codes]: units that show anything of its stratum."""
    owner_ptr: np.ndarray
    owners: np.ndarray
    """int32: who shows code c are ``owners[owner_ptr[c]:owner_ptr[c + 1]]``."""

    @classmethod
    def of(
        cls, matrices: Sequence[TokenMatrix], reference: Sequence[tuple[np.ndarray, float]], n_units: int
    ) -> Shown:
        """Number the values of some traits, given the reference share of each and the floor."""
        wide = [np.zeros((n_units, 0), np.int32)]
        shows = np.zeros((n_units, len(matrices)), np.uint8)
        columns: list[list[np.ndarray]] = [[np.zeros(0)] * 5]
        numbered = 0
        for i, (matrix, (known, floor)) in enumerate(zip(matrices, reference, strict=True)):
            several = matrix.having >= 2
            number = np.append(np.where(several, np.cumsum(several) - 1 + numbered, -1), -1).astype(np.int32)
            wide.append(number[matrix.codes])  # the last number is of what is missing, -1
            shows[:, i] = matrix.codes[:, 0] >= 0
            having = matrix.having[several]
            columns.append([
                np.full(len(having), i), np.maximum(known[several], floor), having,
                matrix.present[matrix.stratum[several]], matrix.owners[np.repeat(several, np.diff(matrix.ptr))],
            ])  # fmt: skip
            numbered += len(having)
        codes = np.concatenate(wide, axis=1)
        held = codes >= 0
        trait, share, having, present, owners = (np.concatenate(c) for c in zip(*columns, strict=True))
        return cls(
            np.concatenate([[0], np.cumsum(held.sum(1))]).astype(np.int64), codes[held], shows, trait.astype(np.int16),
            share, having.astype(float), present, np.concatenate([[0], np.cumsum(having)]).astype(np.int64),
            owners.astype(np.int32),
        )  # fmt: skip


class LeftOut(NamedTuple):
    """Units that are no part of the traffic which values are compared with."""

    marked: np.ndarray
    """bool[units]."""
    codes: np.ndarray
    """float64[codes]: how many of them show each value."""
    shows: np.ndarray
    """float64[traits]: how many of them show anything."""

    @classmethod
    def of(cls, units: np.ndarray, shown: Shown) -> LeftOut:
        """Count what some units show."""
        marked = np.zeros(len(shown.shows), np.bool_)
        marked[units] = True
        held = shown.codes[np.repeat(marked, np.diff(shown.ptr))]
        counts = np.bincount(held, minlength=len(shown.share)).astype(float)
        return cls(marked, counts, shown.shows[marked].sum(0, dtype=float))


@nb.njit(cache=True, nogil=True)
def _null(share, having, present, mine, absent, use_traffic, kappa):  # type: ignore[no-untyped-def]  # numba infers
    """``kappa`` times the share of a code among the others, at most 1: the reference's, or the traffic's if larger.

    ``mine`` is how many of those who show it are left out of the traffic, and ``absent`` how many of those who show
    anything.
    """
    if use_traffic:
        others = max(present - absent, 0.0)
        share = max(share, (having - mine + 1.0) / (others + 1.0))
    return min(kappa * share, 1.0)


@nb.njit(cache=True, nogil=True)
def own_odds(  # type: ignore[no-untyped-def]  # numba infers
    sets, members, ptr, codes, shows, trait, share, having, present, row, rows, use_traffic, kappa
):
    """float64[rows, members]: the largest of the `odds` of each unit against the other members of its set.

    Sets are in compressed rows.
    """
    most = 1
    for s in range(len(sets) - 1):
        total = 0
        for i in range(sets[s], sets[s + 1]):
            total += ptr[members[i] + 1] - ptr[members[i]]
        most = max(most, total)
    count, best, distinct = np.zeros(len(share)), np.empty(len(share)), np.empty(most, np.int32)
    shown = np.zeros(shows.shape[1])
    out = np.ones((rows, len(members)))
    for s in range(len(sets) - 1):
        shown[:] = 0.0
        n = 0
        for i in range(sets[s], sets[s + 1]):
            u = members[i]
            for t in range(shows.shape[1]):
                shown[t] += shows[u, t]
            for j in range(ptr[u], ptr[u + 1]):
                c = codes[j]
                if count[c] == 0.0:
                    distinct[n] = c
                    n += 1
                count[c] += 1.0
        for k in range(n):
            c = distinct[k]
            best[c] = 0.5
            if count[c] > 1.0:
                all_of = shown[trait[c]]
                q = _null(share[c], having[c], present[c], count[c], all_of, use_traffic, kappa)
                best[c] = 0.5 + 0.5 * max(count[c] - 1.0, 0.0) / max(all_of - 1.0, 1.0) / q
        for i in range(sets[s], sets[s + 1]):
            for j in range(ptr[members[i]], ptr[members[i] + 1]):
                c = codes[j]
                out[row[trait[c]], i] = max(out[row[trait[c]], i], best[c])
        for k in range(n):
            count[distinct[k]] = 0.0
    return out


@nb.njit(cache=True, nogil=True)
def profile(  # type: ignore[no-untyped-def]  # numba infers
    members, more, ptr, codes, shows, trait, share, having, present, left_out, use_traffic, kappa, place
):
    """Distinct codes of ``members`` and how often each comes; `_null` of each; members that show anything, by trait.

    ``more`` are left out of the traffic as well, and so are those of `LeftOut`. ``place`` is -1 before, and afterwards
    where each code is.
    """
    out, out_codes, out_shows = left_out
    total = 0
    for u in members:
        total += ptr[u + 1] - ptr[u]
    distinct, count, mine, n = np.empty(total, np.int32), np.empty(total), np.empty(total), 0
    shown, absent = np.zeros(shows.shape[1]), out_shows.copy()
    for u in members:
        held = 0.0 if out[u] else 1.0
        for t in range(shows.shape[1]):
            shown[t] += shows[u, t]
            absent[t] += held * shows[u, t]
        for j in range(ptr[u], ptr[u + 1]):
            c = codes[j]
            if place[c] < 0:
                place[c], distinct[n], count[n], mine[n] = n, c, 0.0, out_codes[c]
                n += 1
            count[place[c]] += 1.0
            mine[place[c]] += held
    for u in more:
        if out[u]:
            continue
        for t in range(shows.shape[1]):
            absent[t] += shows[u, t]
        for j in range(ptr[u], ptr[u + 1]):
            if place[codes[j]] >= 0:
                mine[place[codes[j]]] += 1.0
    q = np.empty(n)
    for k in range(n):
        c = distinct[k]
        q[k] = _null(share[c], having[c], present[c], mine[k], absent[trait[c]], use_traffic, kappa)
    return distinct[:n].copy(), count[:n].copy(), q, shown


@nb.njit(cache=True, nogil=True)
def odds(units, inside, ptr, codes, trait, place, count, q, shown, row, rows):  # type: ignore[no-untyped-def]  # numba infers
    """float64[rows, units]: of what each unit shows, the largest odds, at least 1.

    The odds of a code are one half, and half the share of other members that show it over its null share ``q``.
    """
    out = np.ones((rows, len(units)))
    for i in range(len(units)):
        own = 1.0 if inside[units[i]] else 0.0
        for j in range(ptr[units[i]], ptr[units[i] + 1]):
            k = place[codes[j]]
            if k >= 0:
                t = trait[codes[j]]
                found = 0.5 + 0.5 * max(count[k] - own, 0.0) / max(shown[t] - own, 1.0) / q[k]
                out[row[t], i] = max(out[row[t], i], found)
    return out


@nb.njit(cache=True, nogil=True)
def met(units, inside, ptr, other, kind, gains):  # type: ignore[no-untyped-def]  # numba infers
    """float64[units]: the largest of the ``gains`` (float64[kinds, units]) of events with somebody who is ``inside``.

    A unit has events with ``other[ptr[u]:ptr[u + 1]]``, of these kinds.
    """
    out = np.zeros(len(units))
    for i in range(len(units)):
        for j in range(ptr[units[i]], ptr[units[i] + 1]):
            if inside[other[j]]:
                out[i] = max(out[i], gains[kind[j], units[i]])
    return out
