"""What a member hands in for a week: the tags of its clusters, no values, no accounts, no exact sizes.

A contribution is committed to before the cut-off and shown after it: nobody can hand in what fits what others handed
in. Clusters of one member share no tag, so that a value that both sides are known to have can stand behind one cluster
only (see ``rule``). Every kind is filled up with random tags to one number, the same for all clusters: how much of its
evidence a cluster hands in, and of which kinds, is seen by nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.share.join.evidence import KINDS, PARTS

TAG_SIZE = 64
FEWEST_ACCOUNTS = 10
"""Accounts that a member's own detectors must have put into a cluster before it may be joined."""
_BUCKETS = (10, 50, 200, 1000, 10_000)


@dataclass(frozen=True)
class ClusterTags:
    """One cluster as the joiner sees it."""

    name: str
    """A random name of this week; the member alone knows which cluster it is."""
    accounts: str
    """How many accounts, as a bucket: ``10-49`` to ``10000+``."""
    tags: Mapping[str, frozenset[bytes]] = field(repr=False)
    """400 tags of every kind, random ones among them."""


@dataclass(frozen=True)
class Contribution:
    """All clusters of one member for one epoch."""

    member: str
    epoch: str
    clusters: tuple[ClusterTags, ...]

    def bytes(self) -> bytes:
        """One form for equal contents: every part with its length before it."""
        parts = [b"stillwatch-contribution-1", self.member.encode(), self.epoch.encode()]
        for cluster in sorted(self.clusters, key=lambda each: each.name):
            parts += [b"cluster", cluster.name.encode(), cluster.accounts.encode()]
            for kind in sorted(cluster.tags):
                parts += [b"kind", kind.encode(), *sorted(cluster.tags[kind])]
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def cluster_tags(accounts: int, tags: Mapping[str, Sequence[bytes]]) -> ClusterTags:
    """A cluster made ready to leave: bucketed, filled up, under a new random name.

    Raises:
        ConfigError: the cluster is too small to be joined, a kind is none, or a tag is none or one too many.
    """
    if accounts < FEWEST_ACCOUNTS:
        raise ConfigError(
            f"a cluster of {accounts} accounts is not joined: {FEWEST_ACCOUNTS} are needed",
            hint="small clusters say too much about single customers",
        )
    if unknown := sorted(set(tags) - set(KINDS)):
        raise ConfigError(f"there is no kind {unknown[0]!r}", hint=f"kinds are {', '.join(KINDS)}")
    filled = {kind: _filled(tags.get(kind, ())) for kind in KINDS}
    return ClusterTags(secrets.token_hex(8), accounts_bucket(accounts), filled)


def accounts_bucket(accounts: int) -> str:
    """A number of accounts, as coarse as it may leave.

    >>> accounts_bucket(10), accounts_bucket(199), accounts_bucket(10_000)
    ('10-49', '50-199', '10000+')
    """
    floor = max(each for each in _BUCKETS if each <= accounts)
    above = next((each for each in _BUCKETS if each > accounts), None)
    return f"{floor}-{above - 1}" if above else f"{floor}+"


def without_shared(clusters: Sequence[Mapping[str, Sequence[bytes]]]) -> list[dict[str, list[bytes]]]:
    """Tags that several clusters of one member have, left out of all of them: they tell clusters apart for nobody."""
    seen = Counter(tag for tags in clusters for found in tags.values() for tag in set(found))
    return [
        {kind: [tag for tag in found if seen[tag] == 1] for kind, found in tags.items()} for tags in clusters
    ]


def commitment(contribution: Contribution, nonce: bytes) -> bytes:
    """What is handed in before the cut-off; it shows nothing, and no other contribution fits it.

    Args:
        nonce: 32 random bytes, shown together with the contribution.
    """
    if len(nonce) != 32:
        raise ConfigError(
            "a commitment needs a nonce of 32 random bytes", hint="draw it with secrets.token_bytes"
        )
    return hmac.new(nonce, contribution.bytes(), hashlib.sha256).digest()


def check_commitment(contribution: Contribution, nonce: bytes, committed: bytes) -> None:
    """Returns if this is what was committed to.

    Raises:
        VerificationError: it is something else.
    """
    if len(nonce) != 32 or not hmac.compare_digest(commitment(contribution, nonce), committed):
        raise VerificationError(
            "a contribution is not the one that was committed to before the cut-off",
            hint="leave this member out of the week",
        )


def _filled(found: Sequence[bytes]) -> frozenset[bytes]:
    tags = set(found)
    if any(len(tag) != TAG_SIZE for tag in tags):
        raise ConfigError(f"a tag has {TAG_SIZE} bytes", hint="make tags with stillwatch.share.join.tags")
    if len(tags) > PARTS:
        raise ConfigError(
            f"{len(tags)} tags of one kind; a cluster has {PARTS}", hint="make parts with share.join.evidence"
        )
    while len(tags) < PARTS:
        tags.add(secrets.token_bytes(TAG_SIZE))
    return frozenset(tags)


__all__ = [
    "FEWEST_ACCOUNTS", "TAG_SIZE", "ClusterTags", "Contribution", "accounts_bucket", "check_commitment",
    "cluster_tags", "commitment", "without_shared",
]  # fmt: skip
