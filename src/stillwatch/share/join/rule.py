"""The rule by which clusters of two members are told that they belong together, and what is told.

Counted are common parts of evidence (see ``evidence``). A pair is told when what the two have in common is a twentieth
of either's evidence, in content and in one kind more. Told is a pair of names, to its two members, and how much they
have in common as a bucket: never which tags. Below the threshold nothing is told, not even that there was something. A
tag that many clusters have (a shared exit of a VPN, a university) joins nobody. A contribution with a honey tag is set
aside whole: only who tries values out has one.

A cluster has 400 parts of a kind and clusters of one member share none, so twenty pairs at most can be told of one
cluster to one member, and each costs it a twentieth of what the other really shows, in two kinds. That, the budget and
one round a week bound what trying out can teach; ``docs/join.md`` has it.

Looks alike: two honest clusters behind one small provider. Several kinds must agree, and a pair is a lead, no verdict.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from stillwatch.errors import ConfigError
from stillwatch.share.join.contribution import TAG_SIZE, Contribution
from stillwatch.share.join.evidence import KINDS, MOST_PARTS_OF_A_VALUE, PARTS

_NAME = re.compile(r"[0-9a-z]{1,32}\Z")
"""Names are shown to the other member: no text can travel in them."""


@dataclass(frozen=True)
class Rule:
    """Thresholds of a week, published before it."""

    fewest_of_a_kind: int = PARTS // 20
    """Common parts from which on a kind counts: a twentieth of what either cluster shows of it."""
    fewest_kinds: int = 2
    """Kinds that must count."""
    needed: str = "content"
    """The kind that must be among them: an office, a provider or a domain that is shared says nothing of the use."""
    most_clusters_of_a_tag: int = 12
    """A tag that more clusters have, over all members, joins nobody."""
    most_clusters_of_a_member: int = 1000

    def __post_init__(self) -> None:
        if self.fewest_of_a_kind <= MOST_PARTS_OF_A_VALUE or self.fewest_kinds < 2:
            raise ConfigError(
                f"a rule below {MOST_PARTS_OF_A_VALUE + 1} common parts of 2 kinds would tell of single values",
                hint="keep the thresholds higher",
            )
        if self.most_clusters_of_a_tag < 2 or self.needed not in KINDS:
            raise ConfigError(
                "a rule needs one of the kinds, and tags that two clusters may have",
                hint=f"kinds are {', '.join(KINDS)}",
            )


@dataclass(frozen=True)
class Match:
    """Two clusters of two members that have enough in common."""

    members: tuple[str, str]
    clusters: tuple[str, str]
    common: str
    """Share of the evidence that is common, of content or the other kind, whichever is less: ``5-9%`` to ``25%+``."""


@dataclass(frozen=True)
class SetAside:
    """A contribution that took no part, and why."""

    member: str
    reason: str
    """``honey_tag``, ``wrong_epoch``, ``shared_tag``, ``too_large``, ``malformed`` or ``twice``."""


@dataclass(frozen=True)
class Round:
    """What a week gave. ``for_member`` is what one member may see of it."""

    epoch: str
    matches: tuple[Match, ...]
    set_aside: tuple[SetAside, ...]

    def for_member(self, member: str) -> tuple[Match, ...]:
        """The pairs that a member has a part in."""
        return tuple(match for match in self.matches if member in match.members)


def join(
    epoch: str,
    contributions: Iterable[Contribution],
    rule: Rule | None = None,
    honey: Set[bytes] = frozenset(),
) -> Round:
    """Joins a week's contributions, after their commitments were checked.

    Args:
        honey: Tags of values that no traffic has, made by the key holders as any member makes tags.
    """
    rule = rule or Rule()
    taken: dict[str, Contribution] = {}
    aside: list[SetAside] = []
    for each in contributions:
        reason = "twice" if each.member in taken else fault(each, epoch, rule, honey)
        if reason:
            aside.append(SetAside(each.member, reason))
            if reason == "twice":
                del taken[each.member]
        else:
            taken[each.member] = each
    aside_members = {each.member for each in aside}
    playing = [each for member, each in sorted(taken.items()) if member not in aside_members]
    return Round(epoch, tuple(_matches(playing, rule)), tuple(sorted(aside, key=lambda each: each.member)))


def fault(contribution: Contribution, epoch: str, rule: Rule, honey: Set[bytes]) -> str:
    """Why a contribution takes no part, or nothing."""
    if contribution.epoch != epoch:
        return "wrong_epoch"
    if len(contribution.clusters) > rule.most_clusters_of_a_member:
        return "too_large"
    seen: set[bytes] = set()
    names = {cluster.name for cluster in contribution.clusters}
    if len(names) != len(contribution.clusters) or not all(_NAME.match(name) for name in names):
        return "malformed"
    for cluster in contribution.clusters:
        if not cluster.tags.keys() <= set(KINDS):
            return "malformed"
        for tags in cluster.tags.values():
            if len(tags) > PARTS:
                return "too_large"
            if any(len(tag) != TAG_SIZE for tag in tags):
                return "malformed"
            if not seen.isdisjoint(tags):
                return "shared_tag"
            seen |= tags
    return "" if seen.isdisjoint(honey) else "honey_tag"


def _matches(playing: list[Contribution], rule: Rule) -> Iterable[Match]:
    having: dict[tuple[str, bytes], list[tuple[str, str]]] = defaultdict(list)
    for each in playing:
        for cluster in each.clusters:
            for kind, tags in cluster.tags.items():
                for tag in tags:
                    having[kind, tag].append((each.member, cluster.name))
    common: dict[tuple[tuple[str, str], tuple[str, str]], dict[str, int]] = defaultdict(
        lambda: defaultdict(int)
    )
    for (kind, _), clusters in having.items():
        if 1 < len(clusters) <= rule.most_clusters_of_a_tag:
            ordered = sorted(clusters)
            for at, one in enumerate(ordered):
                for other in ordered[at + 1 :]:
                    common[one, other][kind] += 1
    for (one, other), kinds in sorted(common.items()):
        agreed = _agreed(kinds, rule)
        if one[0] != other[0] and agreed >= rule.fewest_of_a_kind:
            yield Match((one[0], other[0]), (one[1], other[1]), common_bucket(agreed, rule))


def _agreed(kinds: Mapping[str, int], rule: Rule) -> int:
    """Common parts of the weakest of as many kinds as are asked for, the needed one among them."""
    others = sorted((count for kind, count in kinds.items() if kind != rule.needed), reverse=True)
    strongest = others[: rule.fewest_kinds - 1]
    return min(kinds.get(rule.needed, 0), *strongest) if len(strongest) == rule.fewest_kinds - 1 else 0


def common_bucket(count: int, rule: Rule) -> str:
    """A number of common parts, as a share as coarse as it is told; the first bucket begins at the threshold.

    >>> common_bucket(20, Rule()), common_bucket(99, Rule()), common_bucket(390, Rule())
    ('5-9%', '10-24%', '25%+')
    """
    least = rule.fewest_of_a_kind * 100 // PARTS
    floors = [least, *(each for each in (10, 25) if each > least)]
    at = max(at for at, floor in enumerate(floors) if floor * PARTS <= count * 100)
    return f"{floors[at]}-{floors[at + 1] - 1}%" if at + 1 < len(floors) else f"{floors[at]}%+"


__all__ = ["Match", "Round", "Rule", "SetAside", "common_bucket", "fault", "join"]
