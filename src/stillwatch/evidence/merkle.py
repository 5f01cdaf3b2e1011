"""The Merkle tree of RFC 6962: roots, and proofs that a leaf is in it and that it only grew.

Nothing is stored here. A tree is read through `Reader`, which gives the roots of complete subtrees, so that ten
million leaves cost a proof a handful of reads.

References: RFC 6962 section 2.1; the checks are those of RFC 9162 sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from stillwatch.errors import VerificationError

Reader = Callable[[int, int], bytes]
"""``read(height, index)``: root of the complete subtree over leaves ``[index << height, (index + 1) << height)``."""
EMPTY = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry as a leaf.

    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node; its prefix differs from a leaf's, so that neither passes for the other."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def folded(hashes: Sequence[bytes]) -> bytes:
    """Root of a complete subtree from the hashes of one of its rows; their number is a power of two."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def root(read: Reader, size: int) -> bytes:
    """Root of the tree of the first ``size`` leaves."""
    return _range(read, 0, size) if size else EMPTY


def inclusion(read: Reader, index: int, size: int) -> list[bytes]:
    """Hashes beside the way from leaf ``index`` to the root of ``size`` leaves, lowest first."""
    _check(0 <= index < size, f"there is no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range(read, middle, high))
            high = middle
        else:
            path.append(_range(read, low, middle))
            low = middle
    return path[::-1]


def consistency(read: Reader, old: int, new: int) -> list[bytes]:
    """Hashes from which both roots follow: the tree of ``new`` leaves begins with the tree of ``old``."""
    _check(0 < old <= new, f"a tree of {old} leaves is not the beginning of one of {new}")
    path: list[bytes] = []
    low, high, whole = 0, new, True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range(read, middle, high))
            high = middle
        else:
            path.append(_range(read, low, middle))
            low, whole = middle, False
    if not whole:
        path.append(_range(read, low, high))
    return path[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """Raise `VerificationError` unless ``leaf`` is leaf ``index`` of the tree with root ``expected``."""
    _check(0 <= index < size, f"there is no leaf {index} in a tree of {size}")
    at, last, found = index, size - 1, leaf
    for sibling in path:
        _check(last > 0, "the inclusion proof is too long")
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    _check(last == 0, "the inclusion proof is too short")
    _check(found == expected, f"leaf {index} is not in this log")


def check_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raise `VerificationError` unless the second tree begins with the first: nothing was taken out or changed."""
    _check(0 <= old <= new, f"the log shrank from {old} leaves to {new}")
    if old in (0, new):
        _check(not path, "the consistency proof is too long")
        _check(
            old == 0 or old_root == new_root,
            f"two trees of {old} leaves differ: the log was split or rewritten",
        )
        return
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    _check(bool(hashes), "the consistency proof is too short")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        _check(last > 0, "the consistency proof is too long")
        if at & 1 or at == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    _check(last == 0, "the consistency proof is too short")
    _check(first == old_root, "the earlier tree is not the one that was seen")
    _check(second == new_root, "the log was rewritten: the later tree does not begin with the earlier one")


def _split(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def _range(read: Reader, low: int, high: int) -> bytes:
    count = high - low
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        return read(height, low >> height)
    middle = low + _split(count)
    return node_hash(_range(read, low, middle), _range(read, middle, high))


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise VerificationError(message, hint="do not rely on this log until its keeper has explained it")
