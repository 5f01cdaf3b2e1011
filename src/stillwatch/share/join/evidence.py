"""A cluster's evidence, cut into equal parts of which the joiner counts the common ones.

Every account of a cluster has one unit of evidence of each kind, spread evenly over all values of that kind that it
shows. A value's share of the cluster is what the accounts have put on it, over their number. It leaves as so many parts
of 400 as its share says, each with a tag of its own: parts that two clusters have in common are then 400 times the
share of evidence that is common, the sum over values of the smaller of both shares. The joiner learns it by counting
equal tags, and nothing else: neither which parts are of one value nor how many accounts show it.

Why shares and no numbers of values: five common values are easily reached by two large clusters whose customers copy
the same public prompts, and by three accounts of one customer that lie in a group of seventeen. Either is a small
share of what the clusters do.

A value has 10 parts at most, so that one value alone, however common in both, never reaches what a pair needs. What is
left of a share below one part is thrown for with a coin made of the value itself, so that all members throw alike.

Looks alike: a network whose accounts send mostly unique requests puts a small share on what they have in common. It
pays for that with the requests.

Reference: the sum of minima is Ruzicka similarity without its denominator; consistent sampling is Manasse, McSherry and
Talwar, Consistent weighted sampling (2010), simplified.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from stillwatch.share.join.tags import Value

KINDS = ("address", "content", "device", "identity")
"""Where requests come from, what is asked, on what, and by whom. Values of one kind may depend on each other."""
PARTS = 400
"""Parts of a cluster's evidence of one kind."""
MOST_PARTS_OF_A_VALUE = 10


def part(kind: str, value: bytes, number: int) -> Value:
    """One part of a value, as all members write it.

    >>> part("address", b"net:8bytes", 0).value
    b'net:8bytes#0'
    """
    return Value(kind, value + b"#%d" % number)


def parts(kind: str, shares: Mapping[bytes, float]) -> tuple[Value, ...]:
    """What is handed in of a kind: each value as often as its share of the evidence says, at most 400 in all.

    Args:
        shares: Of the cluster's evidence of this kind, by value; their sum is at most 1.

    >>> [v.value for v in parts("address", {b"heavy": 0.006, b"never": 0.0})]
    [b'heavy#0', b'heavy#1']
    >>> len(parts("address", {b"everybody": 1.0}))
    10
    """
    made: list[tuple[int, float, bytes]] = []
    for value, share in shares.items():
        coin = _coin(kind, value)
        count = min(MOST_PARTS_OF_A_VALUE, int(share * PARTS + coin))
        made += [(number, 1.0 - coin, value) for number in range(count)]
    return tuple(part(kind, value, number) for number, _, value in sorted(made)[:PARTS])


def every_part(kind: str, value: bytes) -> tuple[Value, ...]:
    """All parts that a value can have, for whoever plants one that no traffic has."""
    return tuple(part(kind, value, number) for number in range(MOST_PARTS_OF_A_VALUE))


def _coin(kind: str, value: bytes) -> float:
    """From 0 to below 1, of the value alone: every member throws the same."""
    return int.from_bytes(hashlib.sha256(kind.encode() + b"\0" + value).digest()[:6], "big") / 2**48


__all__ = ["KINDS", "MOST_PARTS_OF_A_VALUE", "PARTS", "every_part", "part", "parts"]
