"""Stateless Bernoulli watermark: each token is green by a coin of its own, and green tokens are favoured.

Two ways to seed the coin, and in both the function sees less than the context:

* ``selfhash``: the smallest of one product for each context token (but the first) and one for the candidate
  itself. Which one is smallest depends on the key, so which contexts fall together does too.
* ``lefthash``: the *sum* of the context tokens.

Removing duplicate contexts, as the engine's own detector does, leaves the same coin counted many times; here
duplicates are removed on the seed, key by key for ``selfhash``.

*Looks alike*: a text that uses few words often. With ``selfhash`` a common word seeds most of its neighbours.

References
----------
Ceppi and Sanchez, *Flip, don't shuffle* (EMNLP 2026, arXiv 2609.03844). vLLM pull request 56859, whose sampler and
detector hash the left context differently; the sampler, which makes the mark, is followed here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.laws import Coins, Floats, Law
from stillwatch.prove.marks.mark import Digests, Keys, Mark, Tokens, digest_pairs
from stillwatch.prove.marks.philox import bare_word

U64 = np.uint64
INT31 = 0x7FFFFFFF
_INT31 = U64(INT31)


@nb.njit(inline="always", cache=True)
def _jenkins(token):  # type: ignore[no-untyped-def]  # numba infers
    """Bob Jenkins' integer hash in signed 32 bits, sign-extended to 64."""
    i = np.int32(token + 1)
    i = np.int32(i - np.int32(i << 6))
    i = np.int32(i ^ np.int32(i >> 17))
    i = np.int32(i - np.int32(i << 9))
    i = np.int32(i ^ np.int32(i << 4))
    i = np.int32(i - np.int32(i << 3))
    i = np.int32(i ^ np.int32(i << 10))
    i = np.int32(i ^ np.int32(i >> 15))
    return np.int64(i)


@nb.njit(cache=True, nogil=True)
def selfhash_seeds(key, contexts, tokens):  # type: ignore[no-untyped-def]  # numba infers
    """The seed of each token: the smallest of the signed products."""
    out = np.empty(tokens.shape[0], dtype=np.uint64)
    signed = np.int64(key)
    for i in range(tokens.shape[0]):
        own = _jenkins(tokens[i])
        seed = signed * own * own
        for j in range(1, contexts.shape[1]):
            term = signed * _jenkins(contexts[i, j]) * own
            if term < seed:
                seed = term
        out[i] = U64(seed)
    return out


@nb.njit(cache=True, nogil=True)
def lefthash_seeds(key, contexts):  # type: ignore[no-untyped-def]  # numba infers
    """The seed of each context: key times the sum of its tokens."""
    out = np.empty(contexts.shape[0], dtype=np.uint64)
    for i in range(contexts.shape[0]):
        total = np.int64(0)
        for j in range(contexts.shape[1]):
            total += contexts[i, j]
        out[i] = key * U64(total)
    return out


@nb.njit(cache=True, nogil=True)
def greens(seeds, tokens, limit):  # type: ignore[no-untyped-def]  # numba infers
    """1.0 where the coin of seed and token says green."""
    out = np.empty(tokens.shape[0])
    for i in range(tokens.shape[0]):
        out[i] = 1.0 if (bare_word(seeds[i], tokens[i]) & _INT31) < limit else 0.0
    return out


@dataclass(frozen=True)
class Sbw(Mark):
    """vLLM ``{"algorithm": "sbw"}`` with ``selfhash`` seeding."""

    id = "vllm-sbw"
    engine = "vLLM pull request 56859"
    keyed_preimages = True
    gamma: float = 0.5
    """Share of green tokens, between 0 and 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.gamma < 1.0:
            raise ConfigError(f"gamma {self.gamma}", hint="strictly between 0 and 1")

    @property
    def law(self) -> Law:
        return Coins(int(self.gamma * INT31) / 2**31)

    def seeds(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Digests:
        """What seeds the coin at each position."""
        return np.asarray(selfhash_seeds(key[0], contexts, tokens))

    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        limit = U64(int(self.gamma * INT31))
        return np.asarray(greens(self.seeds(key, contexts, tokens), tokens, limit))

    def preimages(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Digests:
        return np.asarray(digest_pairs(self.seeds(key, contexts, tokens), tokens))


@dataclass(frozen=True)
class SbwLeft(Sbw):
    """vLLM ``{"algorithm": "sbw", "sbw_scheme": "lefthash"}``."""

    id = "vllm-sbw-left"
    keyed_preimages = False
    width: int = 1

    def seeds(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Digests:
        return np.asarray(lefthash_seeds(key[0], contexts))

    def preimages(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Digests:
        return np.asarray(digest_pairs(contexts.sum(axis=1).astype(np.uint64), tokens))
