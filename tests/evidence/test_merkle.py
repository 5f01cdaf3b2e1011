"""Roots and proofs against published vectors, the definition, and every small tree."""

from __future__ import annotations

import hashlib
import random
from functools import cache

import pytest

from stillwatch.errors import VerificationError
from stillwatch.evidence.merkle import (
    EMPTY,
    check_consistency,
    check_inclusion,
    consistency,
    inclusion,
    leaf_hash,
    node_hash,
    root,
)
from tests.evidence.making import entries, reader_of

INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Roots of the trees of the first 0 to 8 inputs: the vectors of Certificate Transparency's own tests."""
LEAVES = [leaf_hash(entry) for entry in entries(400)]


def plain(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(plain(leaves[:k]), plain(leaves[k:]))


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    """The first leaves of Certificate Transparency's test tree give its published roots."""
    leaves = [leaf_hash(bytes.fromhex(text)) for text in INPUTS[:size]]
    assert root(reader_of(leaves), size).hex() == ROOTS[size]


def test_roots_follow_the_definition() -> None:
    """Every size up to 200."""
    assert root(reader_of([]), 0) == EMPTY
    for size in range(1, 201):
        assert root(reader_of(LEAVES), size) == plain(LEAVES[:size])


def test_inclusion_in_every_tree_up_to_200() -> None:
    """Each leaf's proof holds for it, and for no other leaf."""
    read = cache(reader_of(LEAVES))
    for size in range(1, 201):
        top = root(read, size)
        for index in range(size):
            path = inclusion(read, index, size)
            check_inclusion(LEAVES[index], index, size, path, top)
            with pytest.raises(VerificationError):
                check_inclusion(LEAVES[index + 1], index, size, path, top)


def test_consistency_of_every_pair_up_to_200() -> None:
    """Each pair's proof holds, and for no other earlier root."""
    read = cache(reader_of(LEAVES))
    roots = [root(read, size) for size in range(201)]
    for new in range(1, 201):
        for old in range(1, new + 1):
            path = consistency(read, old, new)
            check_consistency(old, new, path, roots[old], roots[new])
            with pytest.raises(VerificationError):
                check_consistency(old, new, path, roots[old - 1], roots[new])


@pytest.mark.parametrize("new", [2, 3, 7, 8, 100])
def test_a_changed_proof_fails(new: int) -> None:
    """Longer, shorter, or with another hash; of inclusion at another place as well."""
    read = reader_of(LEAVES)
    top = root(read, new)
    for old in range(1, new):
        path = consistency(read, old, new)
        beside = inclusion(read, old, new)
        for bad in (lambda p: [*p, EMPTY], lambda p: p[:-1], lambda p: [EMPTY, *p[1:]]):
            with pytest.raises(VerificationError):
                check_consistency(old, new, bad(path), root(read, old), top)
            with pytest.raises(VerificationError):
                check_inclusion(LEAVES[old], old, new, bad(beside), top)
        with pytest.raises(VerificationError):
            check_inclusion(LEAVES[old], old - 1, new, beside, top)


def test_random_sizes_beyond() -> None:
    """Seed 11: inclusion and consistency in trees of up to 5,000 leaves."""
    chance = random.Random(11)
    leaves = [leaf_hash(entry) for entry in entries(5000)]
    read = reader_of(leaves)
    for _ in range(40):
        new = chance.randrange(201, 5001)
        old, index = chance.randrange(1, new + 1), chance.randrange(new)
        top = root(read, new)
        check_inclusion(leaves[index], index, new, inclusion(read, index, new), top)
        check_consistency(old, new, consistency(read, old, new), root(read, old), top)


@pytest.mark.parametrize(
    ("old", "new", "path"), [(5, 3, []), (0, 4, [EMPTY]), (3, 3, [EMPTY]), (2, 4, []), (4, 8, [])]
)
def test_nonsense_is_refused(old: int, new: int, path: list[bytes]) -> None:
    """A log that shrank, or a proof with too little or too much."""
    read = reader_of(LEAVES)
    with pytest.raises(VerificationError):
        check_consistency(old, new, path, root(read, old), root(read, new))


def test_a_split_log_is_seen() -> None:
    """Two roots of one size that differ."""
    with pytest.raises(VerificationError, match="split or rewritten"):
        check_consistency(4, 4, [], root(reader_of(LEAVES), 4), root(reader_of(LEAVES[1:]), 4))
