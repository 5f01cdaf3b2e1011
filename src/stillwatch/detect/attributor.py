"""How much a unit has in common with a set of units, by independent trait group.

A unit's weight is the sum over independent trait groups of the strongest channel in each:
``log10(1/2 + 1/2 * share in group / (kappa * share outside))``, with its own contribution left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from stillwatch.detect.baseline import Baseline
from stillwatch.detect.controller import Pairs, share_of
from stillwatch.detect.hubs import TokenMatrix, runs
from stillwatch.detect.profile import LeftOut, Shown, met, odds, own_odds, profile
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import CONTROL_GROUPS, SOURCE_GROUPS, UnitEvidence

OWN_CONTENT = 1.5
"""Decades of content that a unit must share where it has a single source."""
PAIR_CAP = 4.0
"""Most that one control event says, in decades."""
_NOBODY = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class _Profile:
    """Values that a set of units shows, by code."""

    codes: np.ndarray
    count: np.ndarray
    """float64[codes]: units of the set that show each."""
    q: np.ndarray
    """float64[codes]: null share of each."""
    showing: np.ndarray
    """float64[traits]: units of the set that show anything."""


class Attributor:
    """Scores units against a group's profile."""

    def __init__(
        self, traffic: Traffic, matrices: dict[str, TokenMatrix], pairs: list[Pairs], baseline: Baseline,
        *, kappa: float, use_traffic: bool, links: Sequence[UnitEvidence] = (),
    ) -> None:  # fmt: skip
        self.traffic = traffic
        self.matrices = list(matrices.values())
        self.pairs = pairs
        self.kappa = kappa
        self.use_traffic = use_traffic
        self.links = links
        self.reference = [share_of(m, baseline) for m in self.matrices]
        rates = [kappa * p.rate * np.maximum(p.exposure, 1) for p in pairs]
        gains = [np.clip(-np.log10(np.minimum(rate, 1.0)), 0.0, PAIR_CAP) for rate in rates]
        self.gains = np.stack(gains) if gains else np.zeros((0, traffic.n_units))
        self.others = _others(pairs, traffic.n_units)
        self.trait_groups = sorted({m.trait.group for m in self.matrices}) + (
            ["control"] if pairs or links else []
        )
        self.shown = self._shown(frozenset(self.trait_groups))
        self.sources = self._shown(SOURCE_GROUPS)
        self.texts = self._shown(frozenset({"content"}))
        self._draws = np.array([m.trait.group != "language" for m in self.matrices], np.bool_)
        self._place = np.full(len(self.shown[0].share), -1, np.int32)
        self._nobody = self.left_out(_NOBODY)

    def _shown(self, groups: frozenset[str]) -> tuple[Shown, np.ndarray]:
        """What units show of the traits of some groups, and the row of `trait_groups` that each trait belongs to."""
        chosen = [i for i, m in enumerate(self.matrices) if m.trait.group in groups]
        matrices = [self.matrices[i] for i in chosen]
        shown = Shown.of(matrices, [self.reference[i] for i in chosen], self.traffic.n_units)
        return shown, np.array([self.trait_groups.index(m.trait.group) for m in matrices], np.int64)

    def left_out(self, units: np.ndarray) -> LeftOut:
        """Some units as those with whom nobody is to be compared."""
        return LeftOut.of(units, self.shown[0])

    def score(self, members: np.ndarray, left_out: LeftOut | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Units and decades[trait groups, units] of members, each against the others; rows follow ``trait_groups``."""
        units = np.sort(members).astype(np.int32)
        return units, self.against(units, units, left_out)

    def content(self, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Units and decades[units] of the content that each of members shares with the others."""
        units = np.sort(members).astype(np.int32)
        parts = self.of_sets(np.array([0, len(units)]), units, *self.texts)
        return units, parts[self.trait_groups.index("content")]

    def of_sets(self, ptr: np.ndarray, units: np.ndarray, shown: Shown, row: np.ndarray) -> np.ndarray:
        """Decades[trait groups, units] of the members of some sets, each against the others of its set.

        Sets are in compressed rows. Control events are not looked at; the rows of groups that are not ``shown`` are 0.
        """
        best = own_odds(
            ptr, units, shown.ptr, shown.codes, shown.shows, shown.trait, shown.share, shown.having, shown.present,
            row, len(self.trait_groups), self.use_traffic, self.kappa,
        )  # fmt: skip
        decades: np.ndarray = np.log10(best)
        return decades

    def joined(
        self, members: np.ndarray, floor: float, *, controlled: bool, left_out: LeftOut | None = None
    ) -> np.ndarray:
        """int32, ascending: of members and of all who share a telling value or an event with one, who `qualifies`.

        Control events are laid out only for those whom they decide.
        """
        inside = self.marked(members)
        with self._profile(members, _NOBODY, left_out) as found:
            units = self._distinct(self._candidates(members, inside, found))
            parts = self._odds(units, inside, found)
        if self.pairs or self.links:
            parts[-1] = np.maximum(parts[-1], self._pairs(units, inside))
        stay = self.qualifies(parts, floor, controlled=controlled)
        if self.links:
            most = parts.copy()
            most[-1] = np.maximum(parts[-1], PAIR_CAP)
            able = np.flatnonzero(self.qualifies(most, floor, controlled=controlled) & ~stay)
            for control in (self.control_at_most, self.control):
                most[-1, able] = np.maximum(parts[-1, able], control(units[able], inside))
                able = able[self.qualifies(most[:, able], floor, controlled=controlled)]
            stay[able] = True
        joined: np.ndarray = units[stay]
        return joined

    def against(self, members: np.ndarray, units: np.ndarray, left_out: LeftOut | None = None) -> np.ndarray:
        """Decades[trait groups, units] of given units against the profile of ``members``; both are inside."""
        inside = self.marked(members)
        with self._profile(members, np.setdiff1d(units, members), left_out) as found:
            parts = self._odds(units, inside, found)
        if self.pairs or self.links:
            parts[-1] = np.maximum(parts[-1], self.control(units, inside))
        return parts

    def marked(self, members: np.ndarray) -> np.ndarray:
        """bool[units]: who is among members."""
        inside = np.zeros(self.traffic.n_units, np.bool_)
        inside[members] = True
        return inside

    @contextmanager
    def _profile(
        self, members: np.ndarray, others_too: np.ndarray, left_out: LeftOut | None
    ) -> Iterator[_Profile]:
        """What members show; ``others_too`` are left out of the traffic as they are."""
        shown, _ = self.shown
        codes, count, q, showing = profile(
            members, others_too, shown.ptr, shown.codes, shown.shows, shown.trait, shown.share, shown.having,
            shown.present, self._nobody if left_out is None else left_out, self.use_traffic, self.kappa, self._place,
        )  # fmt: skip
        try:
            yield _Profile(codes, count, q, showing)
        finally:
            self._place[codes] = -1

    def _candidates(self, members: np.ndarray, inside: np.ndarray, found: _Profile) -> list[np.ndarray]:
        """Members, who shares a telling value with two of them, and who has an event with one."""
        shown, _ = self.shown
        of = shown.trait[found.codes]
        telling = (found.count >= 2) & (found.showing[of] >= 2) & self._draws[of]
        drawing = found.codes[telling][
            found.count[telling] / found.showing[of[telling]] / found.q[telling] >= 10.0
        ]
        start = shown.owner_ptr[drawing]
        ptr, other, _ = self.others
        return [
            members,
            shown.owners[runs(start, shown.owner_ptr[drawing + 1] - start)],
            other[runs(ptr[members], ptr[members + 1] - ptr[members])],
            *(link.partners(inside) for link in self.links),
        ]

    def _odds(self, units: np.ndarray, inside: np.ndarray, found: _Profile) -> np.ndarray:
        """Decades[trait groups, units] against a profile, before control events."""
        shown, row = self.shown
        best = odds(
            units, inside, shown.ptr, shown.codes, shown.trait, self._place, found.count, found.q, found.showing, row,
            len(self.trait_groups),
        )  # fmt: skip
        decades: np.ndarray = np.log10(best)
        return decades

    def _weight(self, parts: np.ndarray) -> np.ndarray:
        """Decades of everything that counts for belonging."""
        names = np.array(self.trait_groups)
        hard = np.isin(names, sorted(SOURCE_GROUPS | CONTROL_GROUPS))
        weight: np.ndarray = parts[hard].sum(0) + parts[names == "content"].sum(0)
        return weight

    def _distinct(self, candidates: list[np.ndarray]) -> np.ndarray:
        """int32: the units that occur in any of some arrays, ascending."""
        some = np.zeros(self.traffic.n_units, np.bool_)
        for units in candidates:
            some[units] = True
        return np.flatnonzero(some).astype(np.int32)

    def control(self, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Decades of control events between units and those marked ``inside``."""
        out = self._pairs(units, inside)
        for link in self.links:
            out = np.maximum(out, np.clip(link.decades(units, inside), 0.0, PAIR_CAP))
        return out

    def control_at_most(self, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """What `control` does not exceed, for less work."""
        out = self._pairs(units, inside)
        for link in self.links:
            out = np.maximum(out, np.minimum(link.at_most(units, inside), PAIR_CAP))
        return out

    def _pairs(self, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
        found: np.ndarray = met(units, inside, *self.others, self.gains)
        return found

    def qualifies(self, parts: np.ndarray, floor: float, *, controlled: bool) -> np.ndarray:
        """Enough weight, from two independent sources, or from one beside content that is the group's own.

        Software, language, programme, pivot and schedule do not count here. An address and a template in common
        is what the users of one hosted app have, so that pair counts only in a group that control events have
        shown to be controlled.
        """
        names = np.array(self.trait_groups)
        hard = np.isin(names, sorted(SOURCE_GROUPS | CONTROL_GROUPS))
        content = parts[names == "content"].sum(0)
        strong = parts >= 1.0
        sources = strong[hard].sum(0)
        alone = strong[hard & (names != "egress")].any(0) | (controlled & (sources >= 1))
        out: np.ndarray = (self._weight(parts) >= floor) & (
            (sources >= 2) | (alone & (content >= OWN_CONTENT))
        )
        return out


def _others(pairs: list[Pairs], n_units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """With whom each unit has events, and of which kind, in compressed rows."""
    none = np.zeros(0, np.int32)
    ends = np.concatenate([none, *(p.giver for p in pairs), *(p.taker for p in pairs)])
    others = np.concatenate([none, *(p.taker for p in pairs), *(p.giver for p in pairs)])
    kinds = np.tile(np.repeat(np.arange(len(pairs), dtype=np.int8), [len(p.giver) for p in pairs]), 2)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=n_units))]).astype(np.int64)
    order = np.argsort(ends, kind="stable")
    return ptr, others[order], kinds[order]
