"""From validated hubs to groups of units, and from groups to accounts.

Strongest evidence first: a hub's members become a seed; members whose own evidence (everything but the trait
that recruited them) is under one decade leave it, and a hub that keeps less than half was a public template
with a campaign inside, so it cannot seed a group: if control events in it are strong and hardly a trusted unit is
there, it stands as a *thin* group afterwards. The seed's profile then attracts other units, leave-one-out, until
nothing changes. Hubs whose members are mostly inside an earlier group are part of it. Linear per group; and so is
what is laid out for hubs that make none, since hubs of people who were let go often enough are put aside unread.

Of a campaign that is half of all traffic no hub sets itself apart: its members are compared with their own people in
other hubs. So hubs that could stand as thin groups, and share members, are first taken together as a *fleet*, which is
a seed like any other but for the yardstick: nobody in any of these hubs is one. It is taken where it holds more than
thin groups of the same hubs would, and what it leaves may still be thin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from stillwatch.detect.attributor import Attributor
from stillwatch.detect.controller import HubTests
from stillwatch.detect.hubs import Hubs
from stillwatch.detect.profile import LeftOut
from stillwatch.detect.threads import spread
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import CONTROL_GROUPS, SOURCE_GROUPS

JOIN_DECADES = 4.0
"""Weight at which a unit joins a group: one in 10,000 unlinked units would reach it by chance."""
STAY_DECADES = 1.0
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
REMEMBERED = 64_000_000
"""Bytes of sets that are kept while groups grow."""
_NOBODY = np.zeros(0, np.int32)


@dataclass
class Group:
    """Units behind one controller."""

    units: np.ndarray
    """int32, sorted."""
    seed: int
    hubs: list[int]
    thin: bool = False
    """Held together by shared content with control events on some members; most are only associated."""
    left_out: LeftOut | None = None
    """With whom it is not compared, if it was made of a fleet: everybody who was in one."""
    parts: dict[str, np.ndarray] = field(default_factory=dict)
    """Trait group to float64[units] decades, leave-one-out; their sum is a unit's weight."""
    channels: dict[str, float] = field(default_factory=dict)
    """Channel to log10 e-value of the group as a whole; nan where it could not judge."""
    controlled: bool = False
    """Control events or a work queue speak for it as a whole."""
    log10: float = 0.0
    """How heavy the evidence is, on the finished group: no second test, and no error rate of its own."""


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
        _claim(traffic, groups, claimed, units, hub, low)
    doubtful.sort(key=lambda h: (-int(size[h]), int(hubs.value[h])))
    thin = [
        hub for hub in doubtful
        if _may_be_thin(hubs, tests, hub, trusted) and (claimed[hubs.members(hub)] < 0).mean() > ABSORB
    ]  # fmt: skip
    apart, each = [replace(g, hubs=list(g.hubs)) for g in groups], claimed.copy()
    _claim_thin(traffic, hubs, attributor, thin, apart, each, low)
    if not _claim_fleets(traffic, hubs, tests, attributor, thin, groups, claimed, each >= 0, low):
        return apart
    _claim_thin(traffic, hubs, attributor, thin, groups, claimed, low)
    return groups


def _claim_thin(
    traffic: Traffic, hubs: Hubs, attributor: Attributor, thin: list[int], groups: list[Group],
    claimed: np.ndarray, low: int,
) -> None:  # fmt: skip
    """Groups of those whose content sets them apart, of hubs that are mostly free."""
    for hub in thin:
        members = hubs.members(hub)
        if (claimed[members] < 0).mean() > ABSORB:
            units, content = attributor.content(members)
            _claim(traffic, groups, claimed, units[content >= THIN_JOIN], hub, low, thin=True)


def _claim_fleets(
    traffic: Traffic, hubs: Hubs, tests: HubTests, attributor: Attributor, thin: list[int], groups: list[Group],
    claimed: np.ndarray, apart: np.ndarray, low: int,
) -> bool:  # fmt: skip
    """Grow what hubs that could be thin hold together, compared with those who are in none of them.

    A fleet is taken if more of its units stay than thin groups would hold ``apart`` (bool[units]). Whether one was is
    told.
    """
    fleets = _fleets(hubs, thin, claimed < 0)
    left_out = attributor.left_out(np.concatenate([_NOBODY, *(units for _, units in fleets)]))
    growth = _Growth(attributor, low, left_out)
    taken = False
    for own, units in fleets:
        if len(groups) >= MAX_GROUPS:
            break
        if len(own) < 2 or not traffic.enough(units, low):
            continue
        grown = growth.of(units, controlled=tests.controlled(own))
        stay = int(np.isin(units, grown).sum())
        if stay >= RETENTION * len(units) and stay > apart[units].sum():
            _claim(traffic, groups, claimed, grown, own[0], low, left_out=left_out)
            taken = True
    return taken


def _fleets(hubs: Hubs, some: list[int], free: np.ndarray) -> list[tuple[list[int], np.ndarray]]:
    """Hubs that share members, and all of those who are free (int32, sorted); every unit once.

    A hub is of the fleet that holds most of its free members, if these are at least `THIN_MERGE` of them. Linear in
    memberships, but for sorting within a hub.
    """
    owner = np.full(len(free), -1, np.int32)
    found: list[list[int]] = []
    for hub in some:
        members = hubs.members(hub)
        members = members[free[members]]
        held = owner[members]
        fleets, shared = np.unique(held[held >= 0], return_counts=True)
        at = int(fleets[shared.argmax()]) if len(shared) else -1
        if at < 0 or shared.max() < THIN_MERGE * len(members):
            at = len(found)
            found.append([])
        found[at].append(hub)
        owner[members[held < 0]] = at
    order = np.argsort(owner, kind="stable").astype(np.int32)
    ends = np.cumsum(np.bincount(owner + 1, minlength=len(found) + 1))
    return [(own, order[ends[i] : ends[i + 1]]) for i, own in enumerate(found)]


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
        _claim(traffic, groups, claimed, hubs.members(hub), hub, low)
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
    thin: bool = False,
    left_out: LeftOut | None = None,
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
            if len(fresh) > len(groups[most].units):
                groups[most].left_out = left_out
            groups[most].units = np.union1d(groups[most].units, fresh).astype(np.int32)
            claimed[fresh] = most
            return
    if traffic.enough(fresh, low):
        claimed[fresh] = len(groups)
        groups.append(Group(np.sort(fresh), hub, [hub], thin, left_out))


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
        inside = attributor.marked(units)
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

    def __init__(self, attributor: Attributor, low: int, left_out: LeftOut | None = None) -> None:
        self.attributor, self.low, self.left_out = attributor, low, left_out
        self._known: dict[tuple[bool, bytes], np.ndarray] = {}
        self._held = 0

    def of(self, seed: np.ndarray, *, controlled: bool) -> np.ndarray:
        """What a seed grows to; too few if it fails."""
        members = np.sort(seed).astype(np.int32)
        for _ in range(MAX_ROUNDS):
            key = (controlled, members.tobytes())
            if key not in self._known:
                fresh = self.attributor.joined(
                    members, JOIN_DECADES, controlled=controlled, left_out=self.left_out
                )
                self._remember(key, fresh)
            fresh = self._known[key]
            if not self.attributor.traffic.enough(fresh, self.low) or np.array_equal(fresh, members):
                return fresh
            members = fresh
        return members

    def _remember(self, key: tuple[bool, bytes], found: np.ndarray) -> None:
        """Note where a set leads; everything before is forgotten once it is too much, and worked out again if asked."""
        self._held += len(key[1]) + found.nbytes
        if self._held > REMEMBERED:
            self._known.clear()
            self._held = len(key[1]) + found.nbytes
        self._known[key] = found
