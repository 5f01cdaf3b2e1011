"""Test martingales: betting e-values for shared values, Poisson e-values for events, and e-BH.

An *e-value* is a number that is at most 1 on average when nothing links the units; 10^6 of them against the
null is as strong as it sounds, and they stay valid when the data decide when to stop. Everything here works
in log10, because real campaigns reach 10^1000.

References
----------
Waudby-Smith and Ramdas, *Estimating means of bounded random variables by betting* (2023); Vovk and Wang,
*E-values: calibration, combination and applications* (2021); Wang and Ramdas, *False discovery rate control
with e-values* (2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

EPSILONS = np.array([0.02, 0.1, 0.4])
"""Shares of the wealth put on "shows what an earlier member showed"; the e-value averages the three."""
THIRD = 2
"""Earlier owners that a value needs before it is bet on: pairs of honest accounts share cards and addresses."""
RATES = np.array([10.0, 100.0, 1000.0])
"""Multiples of the null rate that the Poisson bet averages over."""
ODDS = np.array([2.0, 4.0, 10.0, 100.0, 1000.0])
"""Multiples of the null odds that the bet on shares averages over: a share of a half can only be doubled."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What units show, ready to be bet on: a value that is shown once in the whole traffic can win nothing."""

    k: np.ndarray
    """int8[units]: how many values each shows."""
    stratum: np.ndarray
    """int8[units]: that of the first."""
    codes: np.ndarray
    """int32[units, width]: those that are shown more than once, padded with -1."""

    @classmethod
    def of(cls, codes: np.ndarray, stratum: np.ndarray) -> Telling:
        """From int32[units, width] codes, -1 padded, and the stratum of each code."""
        return cls(*_telling(codes, stratum))


@nb.njit(cache=True, nogil=True)
def _telling(codes, stratum):  # type: ignore[no-untyped-def]  # numba infers
    units, width = codes.shape
    times = np.zeros(len(stratum), np.int32)
    for u in range(units):
        for j in range(width):
            if codes[u, j] < 0:
                break
            times[codes[u, j]] += 1
    k, first, few = np.zeros(units, np.int8), np.zeros(units, np.int8), np.full((units, width), -1, np.int32)
    for u in range(units):
        kept = 0
        for j in range(width):
            if codes[u, j] < 0:
                break
            k[u] += 1
            if times[codes[u, j]] > 1:
                few[u, kept] = codes[u, j]
                kept += 1
        if k[u]:
            first[u] = stratum[codes[u, 0]]
    return k, first, few


def bet_hubs(
    ptr: np.ndarray, units: np.ndarray, half: np.ndarray, telling: Telling, total: np.ndarray, stratum: np.ndarray,
    present: np.ndarray, q_reference: np.ndarray, q_floor: float, use_traffic: bool, kappa: float,
    asked: np.ndarray, halved: np.ndarray, choosing: bool = False,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Bet, hub by hub, that the next unit shows a value an earlier unit of the hub showed.

    ``units[ptr[h]:ptr[h+1]]`` are the members of hub h in an order that does not depend on data. The probability of
    code x under the null is at most ``kappa * q(x)`` with q the larger of the reference share and, if
    ``use_traffic``, the share among units outside the hub. Only values with two earlier owners are bet on, so that
    a hub full of unrelated honest pairs gains nothing; the stake is the mass of such values, which is known before
    the unit is looked at.

    Returns log10 e (float64[3, hubs]) of bets on all members of hubs that are ``asked`` for (bool[hubs]), and on those
    with ``half`` 0 and with ``half`` 1 of hubs that are also ``halved``; and how many of them show anything
    (int64[3, hubs]). Both are 0 for everything else. If it is only about ``choosing``, those that are halved are bet on
    with ``half`` 0 alone.

    *Looks alike*: any dependence that kappa does not cover, such as a region or a product, raises the value
    without a controller; that is why hubs need several sources and the shape test.
    """
    found: tuple[np.ndarray, np.ndarray] = _bet_hubs(
        ptr, units, half, telling.k, telling.stratum, telling.codes, total, stratum, present, q_reference, q_floor,
        use_traffic, kappa, asked, halved, choosing,
    )  # fmt: skip
    return found


@nb.njit(cache=True, nogil=True)
def _bet_hubs(  # type: ignore[no-untyped-def]  # numba infers
    ptr, units, half, k, first, codes, total, stratum, present, q_reference, q_floor, use_traffic, kappa, asked,
    halved, choosing,
):  # fmt: skip
    """Values of one hub get numbers of their own first, so that what is counted of them lies close together.

    Most hubs end there: nobody shows what another shows, and no bet is ever made.
    """
    hubs, width = len(ptr) - 1, codes.shape[1]
    out, shown = np.zeros((3, hubs)), np.zeros((3, hubs), np.int64)
    number = np.zeros(len(total), np.int32)  # of each code in this hub, from 1; 0 where no member shows it
    most = max(np.max(np.diff(ptr)), 1) if hubs else 1
    names, owners = np.empty(most * width, np.int32), np.empty(most * width, np.int64)
    weight, null = np.empty(most * width), np.empty(most * width)
    who, many, held = np.empty(most, np.int64), np.empty(most, np.int64), np.empty((most, width), np.int32)
    n_h = np.zeros(8)
    for h in range(hubs):
        if not asked[h]:
            continue
        n_h[:] = 0.0
        n, n_names, met = 0, 0, False
        for i in range(ptr[h], ptr[h + 1]):
            u = units[i]
            if k[u] == 0:
                continue
            n_h[first[u]] += 1.0
            who[n], many[n] = half[u], k[u]
            for j in range(width):
                x = codes[u, j]
                held[n, j] = -1
                if x < 0:
                    break
                at = number[x] - 1
                if at < 0:
                    at = n_names
                    names[at], owners[at], weight[at] = x, 0, 0.0
                    n_names += 1
                    number[x] = n_names
                owners[at] += 1
                weight[at] += 1.0 / k[u]
                met |= owners[at] > 1
                held[n, j] = at
            shown[0, h] += 1
            if halved[h]:
                shown[1 + who[n], h] += 1
            n += 1
        if met:
            for at in range(n_names):
                x = names[at]
                if owners[at] > THIRD:
                    q = max(q_reference[x], q_floor)
                    if use_traffic:
                        q = max(
                            q, (total[x] - weight[at] + 1.0) / (present[stratum[x]] - n_h[stratum[x]] + 1.0)
                        )
                    null[at] = min(1.0, kappa * q)
            for part in range(1 if halved[h] and choosing else 0, (2 if choosing else 3) if halved[h] else 1):
                out[part, h] = _bet(part, n, who, many, held, owners, weight, null, n_names)
        for at in range(n_names):
            number[names[at]] = 0
    return out, shown


@nb.njit(cache=True, nogil=True)
def _bet(part, n, who, many, held, owners, seen, null, n_names):  # type: ignore[no-untyped-def]  # numba infers
    """log10 e-value of the bets on some members; ``owners`` and ``seen`` are room for what is counted on the way."""
    owners[:n_names] = 0
    seen[:n_names] = 0.0
    wealth = np.zeros(3)
    prior, eager = 0.0, 0.0
    for i in range(n):
        if part != 0 and who[i] != part - 1:
            continue
        k = many[i]
        if eager > 0.0:
            gain = 0.0
            for j in range(held.shape[1]):
                at = held[i, j]
                if at < 0:
                    break
                if owners[at] >= THIRD:
                    gain += seen[at] / (prior * null[at]) / k
            for e in range(3):
                wealth[e] += np.log10(1.0 - EPSILONS[e] * eager / prior + EPSILONS[e] * gain)
        prior += 1.0
        for j in range(held.shape[1]):
            at = held[i, j]
            if at < 0:
                break
            if owners[at] == THIRD - 1:
                eager += seen[at] + 1.0 / k
            elif owners[at] >= THIRD:
                eager += 1.0 / k
            owners[at] += 1
            seen[at] += 1.0 / k
    top = max(wealth[0], wealth[1], wealth[2])
    s = 0.0
    for e in range(3):
        s += 10.0 ** (wealth[e] - top)
    return top + np.log10(s / 3.0)


def log10_mean(parts: np.ndarray, axis: int = 0) -> np.ndarray:
    """log10 of the mean of 10**parts along an axis; an average of e-values is an e-value.

    >>> float(log10_mean(np.array([2.0, 2.0])))
    2.0
    """
    top = np.max(parts, axis=axis)
    spread = np.sum(10.0 ** (parts - np.expand_dims(top, axis)), axis=axis)
    out: np.ndarray = top + np.log10(spread / parts.shape[axis])
    return out


def poisson_log10_e(count: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """log10 e-value of counts whose null mean is at most ``mean``: a bet on 10, 100 and 1,000 times the rate.

    >>> bool(poisson_log10_e(np.array([0.0]), np.array([1e-3]))[0] < 0.01)
    True
    >>> bool(poisson_log10_e(np.array([5.0]), np.array([1e-3]))[0] > 10)
    True
    """
    parts = np.stack([count * np.log10(r) - mean * (r - 1.0) / np.log(10.0) for r in RATES])
    return log10_mean(parts)


def tilted_log10_e(successes: np.ndarray, trials: np.ndarray, null: np.ndarray) -> np.ndarray:
    """log10 e-value that successes are more frequent than ``null``: a bet on 2 to 1,000 times the odds.

    Where ``null`` is small this is nearly `poisson_log10_e` with the mean ``trials * null``; where it is not, it stays
    a bet on shares of at most one.

    >>> null = np.array([1e-4])
    >>> count, trials = np.array([9.0]), np.array([1e3])
    >>> poisson, tilted = poisson_log10_e(count, trials * null), tilted_log10_e(count, trials, null)
    >>> bool(abs(poisson[0] - tilted[0]) < 0.3)
    True
    >>> bool(tilted_log10_e(np.array([950.0]), trials, np.array([0.5]))[0] > 100)
    True
    """
    parts = np.stack([successes * np.log10(r) - trials * np.log10(1.0 - null + r * null) for r in ODDS])
    return log10_mean(parts)


def events_log10_e(
    inside: np.ndarray, touching: np.ndarray, honest: np.ndarray, mixed: np.ndarray, share: np.ndarray, kappa: float
) -> np.ndarray:  # fmt: skip
    """log10 e-value of events inside sets of units, against the honest rate and against chance: the smaller of two.

    ``honest`` is the mean number of events inside at the honest rate. Chance is asked twice, and the two e-values are
    averaged. Of all events a set holds ``mixed`` on average if they fall anywhere; this sees a small part of a
    campaign. And of the events that touch a set, with one end or both, each stays inside with the odds of a set that
    holds ``share`` of everybody, ``share / (2 - share)`` against the rest; this sees a network that makes nearly all
    events there are, which the first takes for what is usual. Kappa multiplies means and odds.

    >>> def e(inside, touching, mixed, share):
    ...     given = [np.array([float(v)]) for v in (inside, touching, 0.1, mixed, share)]
    ...     return float(events_log10_e(*given, 3.0)[0])
    >>> e(20, 200, 0.1, 0.01) > 10, e(900, 905, 250, 0.5) > 100, e(300, 900, 250, 0.5) < 0
    (True, True, True)
    """
    count = np.asarray(inside, float)
    odds = kappa * share / np.maximum(2.0 - 2.0 * share, 1e-12)
    stayed = tilted_log10_e(count, np.asarray(touching, float), odds / (1.0 + odds))
    fallen = poisson_log10_e(count, kappa * mixed + 1e-12)
    chance = log10_mean(np.stack(np.broadcast_arrays(stayed, fallen)))
    out: np.ndarray = np.minimum(poisson_log10_e(count, kappa * honest + 1e-12), chance)
    return out


def binomial_log10_e(
    successes: np.ndarray | int, trials: np.ndarray | int, null: np.ndarray | float
) -> np.ndarray:
    """log10 e-value that successes are more frequent than ``null``: average bet on three alternatives.

    Arguments broadcast against each other.

    >>> float(binomial_log10_e(0, 0, 0.5))
    0.0
    >>> bool(binomial_log10_e(40, 40, 0.6) > 5)
    True
    """
    parts = [
        successes * np.log10((null + (1.0 - null) * step) / null)
        + (trials - successes) * np.log10(1.0 - step)
        for step in (0.25, 0.5, 0.9)
    ]
    return log10_mean(np.stack(np.broadcast_arrays(*parts)))


def e_bh(log10_e: np.ndarray, alpha: float) -> np.ndarray:
    """Benjamini-Hochberg for e-values: which hypotheses to reject so that FDR is at most ``alpha``.

    Valid under any dependence. Returns a boolean array.

    >>> e_bh(np.array([9.0, 0.1, -1.0]), 1e-4).tolist()
    [True, False, False]
    """
    m = len(log10_e)
    keep = np.zeros(m, np.bool_)
    if not m:
        return keep
    order = np.argsort(-log10_e, kind="stable")
    need = np.log10(m / (alpha * np.arange(1, m + 1)))
    passed = np.flatnonzero(log10_e[order] >= need)
    if len(passed):
        keep[order[: passed[-1] + 1]] = True
    return keep


def bh_adjusted(p: np.ndarray) -> np.ndarray:
    """Benjamini-Hochberg adjusted p-values.

    >>> [round(float(v), 3) for v in bh_adjusted(np.array([0.01, 0.04, 0.03]))]
    [0.03, 0.04, 0.04]
    """
    m = len(p)
    order = np.argsort(p, kind="stable")
    ranked = p[order] * m / np.arange(1, m + 1)
    ranked = np.minimum.accumulate(ranked[::-1])[::-1]
    out = np.empty(m)
    out[order] = np.minimum(ranked, 1.0)
    return out
