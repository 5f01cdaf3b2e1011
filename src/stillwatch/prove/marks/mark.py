"""What every mark offers: the score of a token after a context under a key, and what its function really hashed.

A *mark* is one scheme with its public parameters; the key is handed in. Scores rise with suspicion. Two positions
whose keyed function received the same input carry the same value and are one piece of evidence, however different
their contexts look: `preimages` names that input, and `distinct` keeps one position of each.

*Looks alike*: text that repeats itself, boilerplate and shared templates. Without removal of duplicates they alone
make an innocent text significant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numba as nb
import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import ConfigError
from stillwatch.prove.laws import Floats, Law

Keys = NDArray[np.uint64]
Tokens = NDArray[np.int64]
Digests = NDArray[np.uint64]

U64 = np.uint64
_A, _B, _S = U64(0xBF58476D1CE4E5B9), U64(0x94D049BB133111EB), U64(0x9E3779B97F4A7C15)
_30, _27, _31 = U64(30), U64(27), U64(31)


@nb.njit(inline="always", cache=True)
def fold(state, word):  # type: ignore[no-untyped-def]  # numba infers
    """One more word into a 64-bit digest (the finaliser of SplitMix64)."""
    x = (state + _S) ^ word
    x = (x ^ (x >> _30)) * _A
    x = (x ^ (x >> _27)) * _B
    return x ^ (x >> _31)


@nb.njit(cache=True, nogil=True)
def digest_rows(contexts, tokens):  # type: ignore[no-untyped-def]  # numba infers
    """One digest for each context and token."""
    out = np.empty(tokens.shape[0], dtype=np.uint64)
    for i in range(tokens.shape[0]):
        state = U64(contexts.shape[1])
        for j in range(contexts.shape[1]):
            state = fold(state, U64(contexts[i, j]))
        out[i] = fold(state, U64(tokens[i]))
    return out


@nb.njit(cache=True, nogil=True)
def digest_pairs(seeds, tokens):  # type: ignore[no-untyped-def]  # numba infers
    """One digest for each seed of 64 bits and token."""
    out = np.empty(tokens.shape[0], dtype=np.uint64)
    for i in range(tokens.shape[0]):
        out[i] = fold(fold(_S, seeds[i]), U64(tokens[i]))
    return out


@dataclass(frozen=True)
class Mark(ABC):
    """One marking scheme with its public parameters."""

    id: ClassVar[str]
    engine: ClassVar[str]
    """Whose mark this is, with the version it was checked against."""
    key_words: ClassVar[int] = 1
    """How many 64-bit words a key has."""
    keyed_preimages: ClassVar[bool] = False
    """Whether which positions share an input depends on the key."""

    width: int = 4
    """Tokens of context that the function hashes, 1..64."""

    def __post_init__(self) -> None:
        if not 1 <= self.width <= 64:
            raise ConfigError(f"width {self.width} of mark {self.id}", hint="a context has 1 to 64 tokens")

    @property
    @abstractmethod
    def law(self) -> Law:
        """The law of one score under the null."""

    @abstractmethod
    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        """Score of each token; ``key`` uint64[key_words], ``contexts`` int64[n, width], ``tokens`` int64[n]."""

    def preimages(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Digests:
        """Digest of what the keyed function hashed at each position, token included."""
        return np.asarray(digest_rows(contexts, tokens))

    def totals(self, keys: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        """Sum of scores for each key; no duplicates are removed here."""
        return np.array([self.scores(key, contexts, tokens).sum() for key in keys])


def distinct(digests: Digests) -> NDArray[np.intp]:
    """Where each digest occurs first, in order.

    >>> distinct(np.array([5, 7, 5, 9], dtype=np.uint64)).tolist()
    [0, 1, 3]
    """
    return np.sort(np.unique(digests, return_index=True)[1])


def as_keys(keys: list[int] | tuple[int, ...]) -> Keys:
    """Whole numbers as one-word keys, uint64[k, 1].

    >>> as_keys([1, 2**64 - 1]).shape
    (2, 1)
    """
    if any(not 0 <= key < 2**64 for key in keys):
        raise ConfigError("a marking key does not fit 64 bits", hint="use the key that the engine was given")
    return np.array(keys, dtype=np.uint64).reshape(-1, 1)


@dataclass(frozen=True, slots=True)
class Totals:
    """What a mark says of one material under several keys."""

    total: Floats
    """Sum of the scores of distinct inputs, for each key."""
    scored: NDArray[np.int64]
    """How many distinct inputs there were, for each key."""


def score_keys(
    mark: Mark, keys: Keys, contexts: Tokens, tokens: Tokens, *, deduplicate: bool = True
) -> Totals:
    """Score one material under every key, each input of the keyed function once.

    ``deduplicate=False`` exists for the test that shows why it must never be used.
    """
    count = np.full(keys.shape[0], tokens.shape[0], dtype=np.int64)
    if not deduplicate or not tokens.size:
        return Totals(mark.totals(keys, contexts, tokens), count)
    if not mark.keyed_preimages:
        kept = distinct(mark.preimages(keys[0], contexts, tokens))
        total = mark.totals(keys, np.ascontiguousarray(contexts[kept]), np.ascontiguousarray(tokens[kept]))
        return Totals(total, np.full(keys.shape[0], kept.size, dtype=np.int64))
    total = np.empty(keys.shape[0])
    for i, key in enumerate(keys):
        kept = distinct(mark.preimages(key, contexts, tokens))
        count[i] = kept.size
        total[i] = mark.totals(key[None, :], contexts[kept], tokens[kept])[0]
    return Totals(total, count)
