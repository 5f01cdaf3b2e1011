"""Gumbel-max marks as SGLang writes them: a 32-bit hash of the context, then of key, context hash and token.

A request may carry its own key, so one engine serves every campaign under its own. What the function hashes is the
*context hash*: two contexts with the same hash are one context to it.

*Looks alike*: nothing innocent under a secret key, once duplicates are gone. The hash is not cryptographic:
whoever can query a detector freely can learn to forge.

References
----------
SGLang 0.5.23, *Text watermarking* (design notes of its sampling package). Appleby, MurmurHash3 (public domain).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.laws import Exponential, Floats, Law
from stillwatch.prove.marks.mark import Digests, Keys, Mark, Tokens, digest_pairs

U64 = np.uint64
_LOW, _32 = U64(0xFFFFFFFF), U64(32)
_C1, _C2, _C3 = U64(0xCC9E2D51), U64(0x1B873593), U64(0xE6546B64)
_F1, _F2 = U64(0x85EBCA6B), U64(0xC2B2AE35)
_5, _13, _15, _16, _17, _19 = U64(5), U64(13), U64(15), U64(16), U64(17), U64(19)
_4, _20 = U64(4), U64(20)


@nb.njit(inline="always", cache=True)
def _mix(state, word):  # type: ignore[no-untyped-def]  # numba infers
    """One 32-bit word into the state."""
    v = (word * _C1) & _LOW
    v = ((v << _15) | (v >> _17)) & _LOW
    v = ((v * _C2) & _LOW) ^ state
    v = ((v << _13) | (v >> _19)) & _LOW
    return (v * _5 + _C3) & _LOW


@nb.njit(inline="always", cache=True)
def _finish(state):  # type: ignore[no-untyped-def]  # numba infers
    """The finaliser."""
    state ^= state >> _16
    state = (state * _F1) & _LOW
    state ^= state >> _13
    state = (state * _F2) & _LOW
    return state ^ (state >> _16)


@nb.njit(cache=True, nogil=True)
def context_hashes(contexts):  # type: ignore[no-untyped-def]  # numba infers
    """The 32-bit hash of each context."""
    out = np.empty(contexts.shape[0], dtype=np.uint64)
    for i in range(contexts.shape[0]):
        state = U64(0)
        for j in range(contexts.shape[1]):
            state = _mix(state, U64(contexts[i, j]) & _LOW)
        out[i] = _finish(state ^ (_4 * U64(contexts.shape[1])))
    return out


@nb.njit(inline="always", cache=True)
def _uniform(key, hashed, token):  # type: ignore[no-untyped-def]  # numba infers
    """u of a token after a context hash."""
    state = _mix(_mix(U64(0), key & _LOW), key >> _32)
    state = _mix(_mix(state, hashed), U64(token) & _LOW)
    return (np.float64(_finish(state ^ _16)) + 0.5) / 4294967296.0


@nb.njit(cache=True, nogil=True)
def single_scores(key, hashes, tokens):  # type: ignore[no-untyped-def]  # numba infers
    """-log(1 - u) of each token."""
    out = np.empty(tokens.shape[0])
    for i in range(tokens.shape[0]):
        out[i] = -np.log1p(-_uniform(key, hashes[i], tokens[i]))
    return out


@nb.njit(cache=True, nogil=True)
def single_totals(keys, hashes, tokens):  # type: ignore[no-untyped-def]  # numba infers
    """The sum of -log(1 - u) for each key; one logarithm serves sixteen tokens."""
    out = np.zeros(keys.shape[0])
    for k in range(keys.shape[0]):
        total = 0.0
        product = 1.0
        for i in range(tokens.shape[0]):
            product *= 1.0 - _uniform(keys[k], hashes[i], tokens[i])
            if i & 15 == 15:
                total -= np.log(product)
                product = 1.0
        out[k] = total - np.log(product)
    return out


@nb.njit(cache=True, nogil=True)
def dual_scores(first, second, threshold, hashes, tokens):  # type: ignore[no-untyped-def]  # numba infers
    """-log(1 - u) of each token under the key that a coin of its context chooses."""
    out = np.empty(tokens.shape[0])
    start = _mix(_mix(_mix(_mix(U64(0), first & _LOW), first >> _32), second & _LOW), second >> _32)
    for i in range(tokens.shape[0]):
        coin = _finish(_mix(start, hashes[i]) ^ _20)
        key = first if coin < threshold else second
        out[i] = -np.log1p(-_uniform(key, hashes[i], tokens[i]))
    return out


@dataclass(frozen=True)
class SglangGumbel(Mark):
    """SGLang ``--enable-watermark`` with one key; a request's own ``watermark.key`` is the same thing."""

    id = "sglang-gumbel"
    engine = "SGLang 0.5.23"

    @property
    def law(self) -> Law:
        return Exponential()

    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        return np.asarray(single_scores(key[0], context_hashes(contexts), tokens))

    def preimages(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Digests:
        return np.asarray(digest_pairs(context_hashes(contexts), tokens))

    def totals(self, keys: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        first = np.ascontiguousarray(keys[:, 0])
        return np.asarray(single_totals(first, context_hashes(contexts), tokens))


@dataclass(frozen=True)
class SglangDualGumbel(SglangGumbel):
    """SGLang with ``key_b``: a coin of the context chooses the key. A key is two words, A then B."""

    id = "sglang-dual-gumbel"
    key_words = 2
    mixing_probability: float = 0.5
    """Share of contexts under key A, between 0 and 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.mixing_probability < 1.0:
            raise ConfigError(
                f"mixing probability {self.mixing_probability}", hint="strictly between 0 and 1"
            )

    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        threshold = U64(int(self.mixing_probability * 2**32))
        return np.asarray(dual_scores(key[0], key[1], threshold, context_hashes(contexts), tokens))

    def totals(self, keys: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        threshold = U64(int(self.mixing_probability * 2**32))
        hashes = context_hashes(contexts)
        return np.array([dual_scores(k[0], k[1], threshold, hashes, tokens).sum() for k in keys])
