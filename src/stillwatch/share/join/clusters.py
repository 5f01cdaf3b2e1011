"""A scan's groups as clusters to join, and a week's answer as leads on them.

What this room makes of a run and a week is here; who reads logs is ``wiring.join_clusters``. The whole way::

    clusters   = wiring.join_clusters.clusters_of(run, logs, accounts, settings=settings, progress=progress)
    tags       = {value: tag}                   # tags.ask, both key holders, tags.open_answers, for `asked(clusters)`
    prepared   = prepare("north", epoch, clusters, tags)
    joiner gets  prepared.committed before the cut-off; prepared.contribution and prepared.nonce after it
    leads      = leads_of(round.for_member("north"), "north", prepared.book)
    corroborated(own p-values by cluster, the partners' told bounds by cluster, rate)

A lead says that another member sees the same network. It changes no finding. Which weak clusters it carries over the
member's own threshold is `corroborated`'s to say, at a stated false discovery rate.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stillwatch.errors import ConfigError
from stillwatch.share.join.contribution import Contribution, cluster_tags, commitment, without_shared
from stillwatch.share.join.rule import Match
from stillwatch.share.join.tags import Value

TOLD_P = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0)
"""Bounds in which a p-value is told to the other side of a pair: rounded up, so that it stays valid."""


@dataclass(frozen=True)
class Cluster:
    """A group of a scan that may be joined."""

    subject: str
    """Its id in the member's own run; it never leaves."""
    accounts: int
    standing: str
    """The highest hint of its accounts: ``act``, ``review``, ``watch`` or ``none``."""
    p_value: float
    """How often honest linked groups are shaped like it; 1 where the scan could not say."""
    values: tuple[Value, ...] = field(repr=False)


@dataclass(frozen=True)
class Prepared:
    """A contribution that is ready, and what the member keeps to itself."""

    contribution: Contribution
    nonce: bytes = field(repr=False)
    committed: bytes
    book: Mapping[str, str] = field(repr=False)
    """The week's random names, and which cluster each stands for."""


@dataclass(frozen=True)
class JoinLead:
    """Another member sees the network that this cluster is a part of. A lead, never a verdict."""

    subject: str
    member: str
    """Who sees it too."""
    theirs: str
    """The other cluster's name of the week."""
    common: str
    """How much both have in common, as a bucket."""


def asked(clusters: Iterable[Cluster]) -> list[Value]:
    """Every value once, in a fixed order: what the key holders are asked for, one unit of the budget each."""
    found = {(value.kind, value.value): value for cluster in clusters for value in cluster.values}
    return [found[key] for key in sorted(found)]


def prepare(
    member: str, epoch: str, clusters: Sequence[Cluster], tags: Mapping[Value, bytes], nonce: bytes = b""
) -> Prepared:
    """What a member hands in for a week, with random names, filled up, and committed to.

    Args:
        tags: The tag of every value that `asked` names.

    Raises:
        ConfigError: a tag is missing, or a cluster is too small to be joined.
    """
    by_kind: list[dict[str, list[bytes]]] = []
    for cluster in clusters:
        found: dict[str, list[bytes]] = {}
        for value in cluster.values:
            if value not in tags:
                raise ConfigError(
                    f"a value of kind {value.kind} has no tag", hint="ask the key holders for all of `asked`"
                )
            found.setdefault(value.kind, []).append(tags[value])
        by_kind.append(found)
    made = [
        cluster_tags(cluster.accounts, found)
        for cluster, found in zip(clusters, without_shared(by_kind), strict=True)
    ]
    book = {one.name: cluster.subject for one, cluster in zip(made, clusters, strict=True)}
    contribution = Contribution(member, epoch, tuple(sorted(made, key=lambda one: one.name)))
    nonce = nonce or secrets.token_bytes(32)
    return Prepared(contribution, nonce, commitment(contribution, nonce), book)


def leads_of(matches: Iterable[Match], member: str, book: Mapping[str, str]) -> tuple[JoinLead, ...]:
    """A week's pairs in the member's own words; a name that is not in its book is nobody's."""
    found = []
    for match in matches:
        for mine, theirs in ((0, 1), (1, 0)):
            if match.members[mine] == member and match.clusters[mine] in book:
                subject = book[match.clusters[mine]]
                found.append(JoinLead(subject, match.members[theirs], match.clusters[theirs], match.common))
    return tuple(sorted(found, key=lambda lead: (lead.subject, lead.member, lead.theirs)))


def told_p(p_value: float) -> float:
    """What the other side of a pair is told of a p-value.

    >>> told_p(0.0004), told_p(0.011), told_p(0.4)
    (0.001, 0.02, 1.0)
    """
    return next(bound for bound in TOLD_P if p_value <= bound or bound == 1.0)


def corroborated(
    own: Mapping[str, float], told: Mapping[str, Sequence[float]], rate: float
) -> tuple[str, ...]:
    """The clusters that stand at a false discovery rate once their partners' p-values are heard.

    Matched clusters are parts of one network, so one hypothesis is tested: that it is honest. Bonferroni over its k
    p-values (k times the least) holds whatever their dependence; Benjamini-Hochberg runs over everything the member
    tests, matched or not. The rate holds as far as the joins are true; a false join hands an honest cluster a
    stranger's p-value.

    Args:
        own: the p-value of every cluster that the scan tested, matched or not.
        told: what partners told of theirs, by own cluster.

    >>> corroborated({"weak": 0.2, "alone": 0.2}, {"weak": [0.001]}, 0.01)
    ('weak',)

    References: Benjamini and Hochberg (1995); Vovk and Wang, Combining p-values via averaging (2020), section 1.
    """
    combined = {
        name: min(1.0, (1 + len(told.get(name, ()))) * min([p, *told.get(name, ())]))
        for name, p in own.items()
    }
    ranked = sorted(combined.items(), key=lambda item: (item[1], item[0]))
    stand = max((n for n, (_, p) in enumerate(ranked, 1) if p <= rate * n / len(ranked)), default=0)
    return tuple(sorted(name for name, _ in ranked[:stand]))


__all__ = [
    "TOLD_P", "Cluster", "JoinLead", "Prepared", "asked", "corroborated", "leads_of", "prepare", "told_p",
]  # fmt: skip
