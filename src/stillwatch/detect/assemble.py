"""From validated hubs to groups of units, and from groups to accounts.

Strongest evidence first: a hub's members become a seed; members whose own evidence (everything but the trait
that recruited them) is under one decade leave it, and a hub that keeps less than half was a public template
with a campaign inside, so it cannot seed a group: if control events in it are strong and hardly a trusted unit is
there, it stands as a *thin* group afterwards. The seed's profile then attracts other units, leave-one-out, until
nothing changes. Hubs whose members are mostly inside an earlier group are part of it. Linear per group; and so is
what is laid out for hubs that make none, since hubs of people who were let go often enough are put aside unread.

A unit's weight is the sum over independent trait groups of the strongest channel in each:
``log10(1/2 + 1/2 * share in group / (kappa * share outside))``, with its own contribution left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from stillwatch.detect.baseline import Baseline
from stillwatch.detect.controller import HubTests, Pairs, share_of
from stillwatch.detect.hubs import Hubs, TokenMatrix, runs
from stillwatch.detect.profile import Shown, met, odds, own_odds, profile
from stillwatch.detect.threads import spread
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import CONTROL_GROUPS, SOURCE_GROUPS, UnitEvidence

JOIN_DECADES = 4.0
"""Weight at which a unit joins a group: one in 10,000 unlinked units would reach it by chance."""
STAY_DECADES = 1.0
OWN_CONTENT = 1.5
"""Decades of content that a unit must share where it has a single source."""
RETENTION = 0.5
ABSORB = 0.5
MAX_ROUNDS = 8
LET_GO = 4
"""Hubs that let a unit go before it counts as settled for hubs of that size and larger ones."""
SETTLED = 0.4
"""Share of settled members from which a hub is put aside; under `RETENTION`, so a hub that fails settles somebody."""
THIN_CONTROL = 6.0
"""Decades of control evidence with which a hub may stand although few members show it themselves."""
THIN_JOIN = 1.0
THIN_MERGE = 0.2
THIN_HONEST = 0.25
"""Largest estimated share of honest members in such a hub."""
MIN_TRUSTED = 0.05
"""Below this share of trusted units in the population the honest share cannot be estimated."""
AHEAD = 64
"""Hubs that are weighed at one time, before it is known whether what is found meanwhile decides them."""
MAX_GROUPS = 2000
PAIR_CAP = 4.0


@dataclass
class Group:
    """Units behind one controller."""

    units: np.ndarray
    """int32, sorted."""
    seed: int
    hubs: list[int]
    thin: bool = False
    """Held together by shared content with control events on some members; most are only associated."""
    parts: dict[str, np.ndarray] = field(default_factory=dict)
    """Trait group to float64[units] decades, leave-one-out; their sum is a unit's weight."""
    channels: dict[str, float] = field(default_factory=dict)
    """Channel to log10 e-value of the group as a whole; nan where it could not judge."""
    controlled: bool = False
    """Control events or a work queue speak for it as a whole."""
    log10: float = 0.0
    """How heavy the evidence is, on the finished group: no second test, and no error rate of its own."""


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

    def _shown(self, groups: frozenset[str]) -> tuple[Shown, np.ndarray]:
        """What units show of the traits of some groups, and the row of `trait_groups` that each trait belongs to."""
        chosen = [i for i, m in enumerate(self.matrices) if m.trait.group in groups]
        matrices = [self.matrices[i] for i in chosen]
        shown = Shown.of(matrices, [self.reference[i] for i in chosen], self.traffic.n_units)
        return shown, np.array([self.trait_groups.index(m.trait.group) for m in matrices], np.int64)

    def score(self, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Units and decades[trait groups, units] of members, each against the others; rows follow ``trait_groups``."""
        units = np.sort(members).astype(np.int32)
        parts = self.of_sets(np.array([0, len(units)]), units, *self.shown)
        if self.pairs or self.links:
            inside = np.zeros(self.traffic.n_units, np.bool_)
            inside[members] = True
            parts[-1] = np.maximum(parts[-1], self.control(units, inside))
        return units, parts

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

    def joined(self, members: np.ndarray, floor: float, *, controlled: bool) -> np.ndarray:
        """int32, ascending: of members and of all who share a telling value or an event with one, who `qualifies`.

        Control events are laid out only for those whom they decide.
        """
        inside = self._marked(members)
        with self._profile(members, np.zeros(0, np.int32)) as found:
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

    def against(self, members: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Decades[trait groups, units] of given units against the profile of ``members``; both are inside."""
        inside = self._marked(members)
        with self._profile(members, np.setdiff1d(units, members)) as found:
            parts = self._odds(units, inside, found)
        if self.pairs or self.links:
            parts[-1] = np.maximum(parts[-1], self.control(units, inside))
        return parts

    def _marked(self, members: np.ndarray) -> np.ndarray:
        inside = np.zeros(self.traffic.n_units, np.bool_)
        inside[members] = True
        return inside

    @contextmanager
    def _profile(self, members: np.ndarray, others_too: np.ndarray) -> Iterator[_Profile]:
        """What members show; ``others_too`` are left out of the traffic as they are."""
        shown, _ = self.shown
        codes, count, q, showing = profile(
            members, others_too, shown.ptr, shown.codes, shown.shows, shown.trait, shown.share, shown.having,
            shown.present, self.use_traffic, self.kappa, self._place,
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


def assemble(
    traffic: Traffic, hubs: Hubs, tests: HubTests, attributor: Attributor, trusted: np.ndarray, *, low: int
) -> list[Group]:
    """Groups from validated hubs, strongest seed first; their evidence is measured after they are split."""
    standing = np.flatnonzero(tests.discovered & tests.confirmed & tests.sourced)
    size = np.diff(hubs.ptr)
    strength = tests.combined[standing] / np.sqrt(np.maximum(size[standing], 1))
    order = standing[np.lexsort((hubs.value[standing], -strength))]
    claimed = np.full(traffic.n_units, -1, np.int64)
    groups: list[Group] = []
    doubtful: list[int] = []
    let_go, growth = _LetGo(traffic.n_units), _Growth(attributor, low)

    def absorbed(hub: int) -> bool:
        return bool((claimed[hubs.members(hub)] >= 0).mean() >= ABSORB)

    def decided(hub: int) -> bool:
        return absorbed(hub) or let_go.settle(hubs.members(hub))

    for hub, weighed in _weighed_ahead(attributor, hubs, order.tolist(), decided):
        members = hubs.members(hub)
        if absorbed(hub):
            owners = claimed[members]
            groups[int(np.bincount(owners[owners >= 0]).argmax())].hubs.append(hub)
            continue
        if len(groups) >= MAX_GROUPS:
            break
        if let_go.settle(members):
            doubtful.append(hub)
            continue
        seed = _retain(attributor, weighed)
        if not traffic.enough(seed, low) or len(seed) < RETENTION * len(members):
            let_go.note(len(members), np.setdiff1d(members, seed))
            doubtful.append(hub)
            continue
        units = growth.of(seed, controlled=tests.controlled([hub]))
        let_go.note(len(members), np.setdiff1d(members, units))
        if len(units) < RETENTION * len(seed):
            doubtful.append(hub)
            continue
        _claim(traffic, groups, claimed, units, hub, low, thin=False)
    for hub in sorted(doubtful, key=lambda h: (-int(size[h]), int(hubs.value[h]))):
        members = hubs.members(hub)
        if _may_be_thin(hubs, tests, hub, trusted) and (claimed[members] < 0).mean() > ABSORB:
            units, content = attributor.content(members)
            _claim(traffic, groups, claimed, units[content >= THIN_JOIN], hub, low, thin=True)
    return groups


class _LetGo:
    """How often the hubs that were read let each unit go, by the size of the hub.

    In a template that a campaign of 600 shares with 2,000 others, nobody but the campaign stays; each of its thousand
    other templates would tell the same again. So a hub is put aside unread if many of its members were let go by
    `LET_GO` others of its size or smaller: in a larger one a unit's own crowd may go under, in those it did not.
    """

    def __init__(self, n_units: int) -> None:
        self.times = np.zeros((_size_class(n_units) + 1, n_units), np.uint8)

    def note(self, size: int, units: np.ndarray) -> None:
        """A hub of so many members let these units go; so would larger ones."""
        rows = self.times[_size_class(size) :]
        rows[:, units] = np.minimum(rows[:, units] + np.uint8(1), np.uint8(LET_GO))

    def settle(self, members: np.ndarray) -> bool:
        """Whether enough of a hub's members have been let go often enough."""
        often = self.times[_size_class(len(members)), members] >= LET_GO
        return bool(often.mean() >= SETTLED)


def _size_class(size: int) -> int:
    return max(size, 1).bit_length()


def content_groups(traffic: Traffic, hubs: Hubs, attributor: Attributor, *, low: int) -> list[Group]:
    """Groups by shared content alone, largest first and without overlap: what the controller test is compared with."""
    size = np.diff(hubs.ptr)
    content = [h for h in range(len(hubs)) if hubs.traits[hubs.trait[h]].group == "content"]
    claimed = np.full(traffic.n_units, -1, np.int64)
    groups: list[Group] = []
    for hub in sorted(content, key=lambda h: (-int(size[h]), int(hubs.value[h]))):
        _claim(traffic, groups, claimed, hubs.members(hub), hub, low, thin=False)
    for group in groups:
        group.units, parts = attributor.score(group.units)
        group.parts = dict(zip(attributor.trait_groups, parts, strict=True))
    return groups


def _claim(
    traffic: Traffic,
    groups: list[Group],
    claimed: np.ndarray,
    units: np.ndarray,
    hub: int,
    low: int,
    *,
    thin: bool,
) -> None:
    """Make a group of units, or add them to the group that most of them belong to already."""
    if not traffic.enough(units, low):
        return
    owners = claimed[units]
    taken = owners >= 0
    fresh = units[~taken].astype(np.int32)
    if taken.any():
        overlap = np.bincount(owners[taken], minlength=len(groups))
        most = int(overlap.argmax())
        merge = ABSORB if not (thin and groups[most].thin) else THIN_MERGE
        if overlap[most] >= merge * min(len(units), len(groups[most].units)) and (
            groups[most].thin or not thin
        ):
            groups[most].hubs.append(hub)
            groups[most].units = np.union1d(groups[most].units, fresh).astype(np.int32)
            claimed[fresh] = most
            return
    if traffic.enough(fresh, low):
        claimed[fresh] = len(groups)
        groups.append(Group(np.sort(fresh), hub, [hub], thin))


@dataclass(frozen=True, slots=True)
class _Weighed:
    """Members of a hub, and what they show beside the trait that recruited them, before control events."""

    units: np.ndarray
    """int32, sorted."""
    weight: np.ndarray
    """float64[units] decades."""
    undecided: np.ndarray
    """int64: places of those who are under `STAY_DECADES`, and whom control events could lift to it."""


def _weighed_ahead(
    attributor: Attributor, hubs: Hubs, order: list[int], decided: Callable[[int], bool]
) -> Iterator[tuple[int, _Weighed]]:
    """Hubs in their order, `AHEAD` of them weighed at one time; one that is decided by then has no weights.

    What is decided stays so, and what a hub weighs does not depend on the groups.
    """
    threads = max(attributor.traffic.threads, 1)
    for first in range(0, len(order), AHEAD):
        some = order[first : first + AHEAD]
        asked = [hub for hub in some if not decided(hub)]
        shares = [asked[k::threads] for k in range(threads) if asked[k::threads]]
        found = spread(lambda share: _weigh(attributor, hubs, share), shares, threads)
        weighed = {
            h: w for share, got in zip(shares, found, strict=True) for h, w in zip(share, got, strict=True)
        }
        for hub in some:
            yield hub, weighed.get(hub, _NOTHING)


_NOTHING = _Weighed(np.zeros(0, np.int32), np.zeros(0), np.zeros(0, np.int64))


def _weigh(attributor: Attributor, hubs: Hubs, some: list[int]) -> list[_Weighed]:
    """Weights of the members of some hubs."""
    sets = [np.sort(hubs.members(hub)) for hub in some]
    ptr = np.concatenate([[0], np.cumsum([len(units) for units in sets])])
    parts = attributor.of_sets(ptr, np.concatenate(sets), *attributor.sources)
    inside = np.zeros(attributor.traffic.n_units, np.bool_)
    out = []
    for hub, units, start, end in zip(some, sets, ptr[:-1], ptr[1:], strict=True):
        telling = SOURCE_GROUPS - {hubs.traits[hubs.trait[hub]].group}
        weight = parts[[i for i, g in enumerate(attributor.trait_groups) if g in telling], start:end].sum(0)
        undecided = np.flatnonzero(weight < STAY_DECADES)
        if len(undecided):
            inside[units] = True
            most = weight[undecided] + attributor.control_at_most(units[undecided], inside)
            undecided = undecided[most >= STAY_DECADES]
            inside[units] = False
        out.append(_Weighed(units, weight, undecided))
    return out


def _retain(attributor: Attributor, weighed: _Weighed) -> np.ndarray:
    """Members whose evidence, the recruiting trait group left out, reaches one decade.

    Control events are laid out only for those whom they could help, and for nobody once it is sure that fewer stay than
    `RETENTION` asks for; who is named then is too few as well.
    """
    units, undecided = weighed.units, weighed.undecided
    stay = weighed.weight >= STAY_DECADES
    if len(undecided) and stay.sum() + len(undecided) >= RETENTION * len(units):
        inside = np.zeros(attributor.traffic.n_units, np.bool_)
        inside[units] = True
        lifted = weighed.weight[undecided] + attributor.control(units[undecided], inside)
        stay[undecided] = lifted >= STAY_DECADES
    kept: np.ndarray = units[stay]
    return kept


def _may_be_thin(hubs: Hubs, tests: HubTests, hub: int, trusted: np.ndarray) -> bool:
    """Content hub with strong control events and hardly a trusted unit in it.

    A public template with a campaign inside has trusted units in proportion to its honest members; their
    share in the hub over their share in the population estimates how much of the hub is honest.
    """
    if hubs.traits[hubs.trait[hub]].group != "content":
        return False
    control = [i for i, g in enumerate(tests.groups) if g in CONTROL_GROUPS]
    if not control or np.nanmax(np.append(tests.log10[hub, control], -1.0)) < THIN_CONTROL:
        return False
    base = float(trusted.mean())
    if base < MIN_TRUSTED:
        return False
    members = hubs.members(hub)
    return (float(trusted[members].sum()) + 0.5) / (len(members) + 1.0) / base <= THIN_HONEST


class _Growth:
    """Grows seeds until nothing changes; a set that was reached before leads where it led then.

    Most seeds of one campaign grow into the same few sets.
    """

    def __init__(self, attributor: Attributor, low: int) -> None:
        self.attributor, self.low = attributor, low
        self._known: dict[tuple[bool, bytes], np.ndarray] = {}

    def of(self, seed: np.ndarray, *, controlled: bool) -> np.ndarray:
        """What a seed grows to; too few if it fails."""
        members = np.sort(seed).astype(np.int32)
        for _ in range(MAX_ROUNDS):
            key = (controlled, members.tobytes())
            if key not in self._known:
                self._known[key] = self.attributor.joined(members, JOIN_DECADES, controlled=controlled)
            fresh = self._known[key]
            if not self.attributor.traffic.enough(fresh, self.low) or np.array_equal(fresh, members):
                return fresh
            members = fresh
        return members
