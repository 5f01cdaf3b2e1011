"""Evidence A: is one controller behind the units of a hub?

For every hub and every channel that does not define it, an e-value: betting on shared values, Poisson bets
on hand-offs between units, universal inference on how work is dealt out. A hub's e-value is their average,
which is valid under any dependence. Hubs are selected on one half of the evidence and tested again on the
other: units are halved by a keyed hash in hubs of `SPLIT_SIZE` or more; smaller hubs are split by channel
block, and events by time. Events are compared with the honest rate and with chance: a hub that holds a
share s of all units holds s squared of all event pairs if these fall anywhere, and of the pairs that touch it
s / (2 - s) stay inside.

A hub stands only with sources: one control channel, or two independent ones of payment, identity, egress and
device. Shared software and shared content name hubs and never count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numba as nb
import numpy as np

from stillwatch.detect.baseline import Baseline
from stillwatch.detect.betting import Telling, bet_hubs, e_bh, events_log10_e
from stillwatch.detect.families import look_up
from stillwatch.detect.hubs import Hubs, TokenMatrix, hubs_by_unit, runs
from stillwatch.detect.threads import spread
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import (
    CONTROL_GROUPS,
    SOURCE_GROUPS,
    Events,
    EventTrait,
    Judged,
    Judgements,
    QueueTrait,
)

SPLIT_SIZE = 24
BLOCK = 1_000_000
"""Members of hubs that are tested at one time."""
SOURCE_DECADES = 3.0
"""A channel is a source of a hub when its own e-value there is at least 10^3."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct (giver, taker) pairs of one event trait in each half of the time."""

    trait: EventTrait
    giver: np.ndarray
    taker: np.ndarray
    half: np.ndarray
    exposure: np.ndarray
    rate: float
    """Null rate per opportunity before kappa."""

    def degree(self) -> np.ndarray:
        """int64[2, units]: ends of pairs at each unit, by half."""
        n = len(self.exposure)
        halves = [self.half == h for h in (0, 1)]
        return np.stack(
            [np.bincount(np.concatenate([self.giver[at], self.taker[at]]), minlength=n) for at in halves]
        )


@dataclass(frozen=True, slots=True)
class HubTests:
    """Every hub's evidence."""

    channels: tuple[str, ...]
    groups: tuple[str, ...]
    log10: np.ndarray
    """float64[hubs, channels]; nan where the channel defines the hub or cannot judge it, or nobody asked."""
    combined: np.ndarray
    select: np.ndarray
    retest: np.ndarray
    """Like ``combined``, 0 where nobody asked."""
    discovered: np.ndarray
    """Rejected by e-BH on the selection half."""
    confirmed: np.ndarray
    """Rejected again by e-BH on the held-out half, over all hubs discovered on the first."""
    sourced: np.ndarray
    """Has one control source or two independent ones."""

    def controlled(self, hubs: list[int]) -> bool:
        """Does any control channel reach a source's weight in any of the hubs?"""
        control = [c for c, g in enumerate(self.groups) if g in CONTROL_GROUPS]
        found = np.nan_to_num(self.log10[np.ix_(hubs, control)], nan=-1.0)
        return bool((found >= SOURCE_DECADES).any())


def share_of(
    matrix: TokenMatrix, baseline: Baseline, codes: Sequence[int] | slice = slice(None)
) -> tuple[np.ndarray, float]:
    """Reference share of each code of a matrix, or of some (0 when unseen), and the floor for unseen values."""
    values = matrix.values[codes]
    known = baseline.shares.get(matrix.trait.id)
    if known is None:
        return np.zeros(len(values)), 1e-9
    return look_up(values, known.values, known.shares), 1.0 / (known.units + 1)


def make_pairs(traffic: Traffic, trait: EventTrait, events: Events, trusted: np.ndarray) -> Pairs:
    """Reduce events to distinct pairs per half, and estimate the null rate from trusted units."""
    half = (events.ts >= traffic.middle).astype(np.int64)
    keys = np.unique(
        np.stack([np.minimum(events.giver, events.taker), np.maximum(events.giver, events.taker), half]),
        axis=1,
    )
    calm = trusted[events.giver] & trusted[events.taker]
    exposed = float(events.exposure[trusted].sum())
    rate = trait.rate
    if exposed >= 1000:
        distinct = len(np.unique(np.stack([events.giver[calm], events.taker[calm]]), axis=1).T)
        rate = max(rate, (distinct + 1.0) / (exposed + 1.0))
    return Pairs(trait, keys[0].astype(np.int32), keys[1].astype(np.int32), keys[2], events.exposure, rate)


@nb.njit(cache=True, nogil=True)
def _count_pairs(unit_ptr, unit_hubs, a, b, half, counts):  # type: ignore[no-untyped-def]  # numba infers
    for e in range(a.shape[0]):
        i, j = unit_ptr[a[e]], unit_ptr[b[e]]
        while i < unit_ptr[a[e] + 1] and j < unit_ptr[b[e] + 1]:
            if unit_hubs[i] == unit_hubs[j]:
                counts[unit_hubs[i], half[e]] += 1
                i += 1
                j += 1
            elif unit_hubs[i] < unit_hubs[j]:
                i += 1
            else:
                j += 1


def _ends(ptr: np.ndarray, units: np.ndarray, degree: np.ndarray) -> np.ndarray:
    """int64[hubs, 2]: ends of pairs that lie in each hub, by half; a pair inside has two."""
    return np.stack([np.add.reduceat(of_half[units], ptr[:-1]) for of_half in degree], axis=1)


def test_hubs(
    traffic: Traffic, hubs: Hubs, matrices: dict[str, TokenMatrix], pairs: list[Pairs],
    queues: list[tuple[QueueTrait, Mapping[int, Judged]]], baseline: Baseline, *,
    kappa: float, alpha: float, use_traffic: bool, retest: bool = True, every: bool = True,
) -> HubTests:  # fmt: skip
    """Test every hub on every channel that does not define it, a block of hubs at a time.

    Unless it is asked of ``every`` hub, the whole of the evidence and its second half are laid out for those alone that
    the first half chooses: few of the many. Without ``retest`` hubs are chosen and believed on all of the evidence at
    once, for comparing.
    """
    n = len(hubs)
    bets = [m for m in matrices.values() if m.trait.bets and len(m.values)]
    channels = [m.trait.id for m in bets] + [p.trait.id for p in pairs] + [q.id for q, _ in queues]
    groups = [m.trait.group for m in bets] + [p.trait.group for p in pairs] + [q.group for q, _ in queues]
    evidence = _Evidence(
        (traffic.unit_order & np.uint64(1)).astype(np.int64), hubs, bets,
        [Telling.of(m.codes, m.stratum) for m in bets], [share_of(m, baseline) for m in bets], pairs,
        _inside(traffic, hubs, pairs), [p.degree() for p in pairs],
        [Judgements.of(found) for _, found in queues], kappa, use_traffic,
        np.array([*(t.group for t in hubs.traits), ""])[hubs.trait],  # -1 is of no trait
    )  # fmt: skip
    log10 = np.full((n, len(channels)), np.nan)
    parts = np.zeros((3, n))
    asked = np.arange(n)

    def choose(block: slice) -> None:
        parts[1, block] = _average(evidence.of(block, len(channels), choosing=True)[1])

    def judge(block: slice) -> None:
        found = chosen.of(block, len(channels))
        log10[asked[block]] = found[0]
        parts[:, asked[block]] = [_average(part) for part in found]

    if retest and not every:
        spread(choose, _blocks(hubs.ptr), traffic.threads)
        asked = np.flatnonzero(e_bh(parts[1], alpha))
    chosen = evidence.among(asked)
    spread(judge, _blocks(chosen.hubs.ptr), traffic.threads)
    discovered = e_bh(parts[1], alpha)
    confirmed = np.zeros(n, np.bool_)
    confirmed[discovered] = e_bh(parts[2][discovered], alpha)
    if not retest:
        discovered = confirmed = e_bh(parts[0], alpha)
    return HubTests(
        tuple(channels), tuple(groups), log10, parts[0], parts[1], parts[2], discovered, confirmed,
        _sourced(log10, groups, evidence.own_group),
    )  # fmt: skip


def _blocks(ptr: np.ndarray) -> list[slice]:
    """Hubs in blocks of about `BLOCK` members, each hub counting for one more."""
    if len(ptr) < 2:
        return []
    work = ptr[1:] + np.arange(1, len(ptr))
    ends = np.searchsorted(work, np.arange(BLOCK, int(work[-1]) + BLOCK, BLOCK)) + 1
    ends = np.unique(np.minimum(ends, len(work)))
    return [slice(int(a), int(b)) for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def _inside(traffic: Traffic, hubs: Hubs, pairs: list[Pairs]) -> list[np.ndarray]:
    """int64[hubs, 2] for each event trait: pairs with both ends in a hub, by half."""
    out = [np.zeros((len(hubs), 2), np.int64) for _ in pairs]
    if len(hubs) and pairs:
        paired = np.zeros(traffic.n_units, np.bool_)
        for p in pairs:
            paired[p.giver] = paired[p.taker] = True
        unit_ptr, unit_hubs = hubs_by_unit(hubs.ptr, hubs.units, np.arange(len(hubs)), paired)
        for counts, p in zip(out, pairs, strict=True):
            _count_pairs(unit_ptr, unit_hubs, p.giver, p.taker, p.half, counts)
    return out


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What speaks of hubs, channel by channel."""

    half: np.ndarray
    """int64[units]: which half each unit is in."""
    hubs: Hubs
    bets: list[TokenMatrix]
    telling: list[Telling]
    reference: list[tuple[np.ndarray, float]]
    pairs: list[Pairs]
    inside: list[np.ndarray]
    degree: list[np.ndarray]
    queues: list[Judgements]
    kappa: float
    use_traffic: bool
    own_group: np.ndarray
    """Group of the trait that defines each hub."""

    def among(self, some: np.ndarray) -> _Evidence:
        """What speaks of some of the hubs, ascending."""
        hubs, length = self.hubs, np.diff(self.hubs.ptr)[some]
        found = [(q, np.flatnonzero(np.isin(q.hub, some))) for q in self.queues]
        return replace(
            self,
            hubs=replace(
                hubs, ptr=np.concatenate([[0], np.cumsum(length)]), units=hubs.units[runs(hubs.ptr[some], length)],
                trait=hubs.trait[some], value=hubs.value[some], size=hubs.size[some],
            ),
            inside=[counts[some] for counts in self.inside],
            queues=[Judgements(np.searchsorted(some, q.hub[at]), q.log10[at]) for q, at in found],
            own_group=self.own_group[some],
        )  # fmt: skip

    def of(self, block: slice, channels: int, *, choosing: bool = False) -> np.ndarray:
        """float64[3, hubs, channels]: log10 e-values of a block of hubs on all evidence and on its two halves.

        If it is only about ``choosing`` hubs, the first half alone is looked at, and the rest says nothing.
        """
        first, end = block.start, block.stop
        ptr = self.hubs.ptr[first : end + 1] - self.hubs.ptr[first]
        units = self.hubs.units[self.hubs.ptr[first] : self.hubs.ptr[end]]
        size = np.diff(ptr)
        out = np.full((3, len(size), channels), np.nan)
        own = self.own_group[block]
        bets = zip(self.bets, self.telling, self.reference, strict=True)
        for c, (matrix, telling, (q, floor)) in enumerate(bets):
            self._bet(
                out[:, :, c], matrix, telling, q, floor, ptr, units, own != matrix.trait.group, choosing
            )
        events = zip(self.pairs, self.inside, self.degree, strict=True)
        for c, (p, inside, degree) in enumerate(events, start=len(self.bets)):
            self._events(
                out[:, :, c],
                p,
                inside[block],
                _ends(ptr, units, degree) - inside[block],
                ptr,
                units,
                choosing,
            )
        for c, found in enumerate(self.queues, start=len(self.bets) + len(self.pairs)):
            low, high = np.searchsorted(found.hub, (first, end))
            out[:, found.hub[low:high] - first, c] = found.log10[low:high].T
        return out

    def _bet(
        self, out: np.ndarray, matrix: TokenMatrix, telling: Telling, q: np.ndarray, floor: float, ptr: np.ndarray,
        units: np.ndarray, judged: np.ndarray, choosing: bool,
    ) -> None:  # fmt: skip
        """Bets on the hubs that are judged: small ones as a whole for the block that their trait belongs to."""
        small = np.diff(ptr) < SPLIT_SIZE
        if choosing and matrix.trait.block != 1:
            judged = judged & ~small
        values, shown = bet_hubs(
            ptr, units, self.half, telling, matrix.total, matrix.stratum, matrix.present, q, floor, self.use_traffic,
            self.kappa, judged, ~small, choosing,
        )  # fmt: skip
        for part, asked in enumerate((judged, judged & ~small, judged & ~small)):
            out[part, asked] = np.where(shown[part] >= 2, values[part], 0.0)[asked]
        out[1 if matrix.trait.block == 1 else 2, small] = out[0, small]

    def _events(
        self, out: np.ndarray, p: Pairs, counts: np.ndarray, touching: np.ndarray, ptr: np.ndarray,
        units: np.ndarray, choosing: bool,
    ) -> None:  # fmt: skip
        """Pairs of events inside the hubs, against the honest rate and against chance."""
        n_units = len(self.half)
        exposed = np.add.reduceat(p.exposure[units], ptr[:-1]).astype(float)
        rate = p.rate * exposed
        size = np.diff(ptr)
        share = np.maximum(size / n_units, exposed / max(float(p.exposure.sum()), 1.0))
        mixed = (size / n_units) ** 2
        if not choosing:
            out[0] = events_log10_e(
                counts.sum(1), touching.sum(1), rate, mixed * len(p.giver), share, self.kappa
            )
        for h in (0,) if choosing else (0, 1):
            out[h + 1] = events_log10_e(
                counts[:, h], touching[:, h], rate / 2, mixed * int((p.half == h).sum()), share, self.kappa
            )


def _average(log10: np.ndarray) -> np.ndarray:
    """Average e-value over the channels that could judge; 1 where none could."""
    if not log10.size:
        return np.zeros(len(log10))
    seen = ~np.isnan(log10)
    count = np.maximum(seen.sum(1), 1)
    filled = np.where(seen, log10, -np.inf)
    top = np.max(filled, axis=1)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.sum(np.where(seen, 10.0 ** (filled - top[:, None]), 0.0), axis=1)
    with np.errstate(divide="ignore"):
        out: np.ndarray = np.where(seen.any(1), top + np.log10(total / count), 0.0)
    return out


def _sourced(log10: np.ndarray, groups: list[str], own_group: np.ndarray) -> np.ndarray:
    strong = np.nan_to_num(log10, nan=-1.0) >= SOURCE_DECADES
    names = np.array(groups)
    control = np.zeros(len(log10), np.bool_)
    sources = np.zeros(len(log10), np.int64)
    for group in sorted(CONTROL_GROUPS):
        control |= strong[:, names == group].any(1)
    for group in sorted(SOURCE_GROUPS):
        sources += (strong[:, names == group].any(1) | (own_group == group)).astype(np.int64)
    return control | (sources >= 2)


__all__ = ["HubTests", "Pairs", "make_pairs", "share_of", "test_hubs"]
