"""Philox4x32-10, compiled, and the two ways in which engines key it.

References
----------
Salmon, Moraes, Dror and Shaw, *Parallel random numbers: as easy as 1, 2, 3* (SC 2011). The input mapping of the
watermark function is vLLM's ``philox4x32-10-v1``: contexts are absorbed four tokens at a time under a domain
word, then the candidate token selects counter and word.
"""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

U64 = np.uint64
LOW = U64(0xFFFFFFFF)
_32 = U64(32)
_M0, _M1 = U64(0xD2511F53), U64(0xCD9E8D57)
_W0, _W1 = U64(0x9E3779B9), U64(0xBB67AE85)
_CONTEXT, _TOKEN = U64(0x574D4358), U64(0x574D544B)
_ZERO, _ONE, _TWO, _THREE, _EIGHT = U64(0), U64(1), U64(2), U64(3), U64(8)
BLOCK = 512
"""Tokens hashed at a time: their states stay in the first cache."""


@nb.njit(inline="always", cache=True)
def _round(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]  # numba infers
    """One round on four 32-bit words held in 64 bits."""
    p0 = c0 * _M0
    p1 = c2 * _M1
    return (
        (p1 >> _32) ^ c1 ^ k0,
        p1 & LOW,
        (p0 >> _32) ^ c3 ^ k1,
        p0 & LOW,
        (k0 + _W0) & LOW,
        (k1 + _W1) & LOW,
    )


@nb.njit(inline="always", cache=True)
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]  # numba infers
    """Ten rounds, written out so that the compiler can put several tokens side by side."""
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _round(c0, c1, c2, c3, k0, k1)
    return c0, c1, c2, c3


@nb.njit(inline="always", cache=True)
def _pick(o0, o1, o2, o3, place):  # type: ignore[no-untyped-def]  # numba infers
    """The word that the two low bits of the token name."""
    even = o0 if place & _TWO == _ZERO else o2
    odd = o1 if place & _TWO == _ZERO else o3
    return even if place & _ONE == _ZERO else odd


def columns_of(contexts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Contexts as columns of 32-bit words, filled up to a multiple of four as the engine does."""
    n, width = contexts.shape
    columns = np.empty((-(-width // 4) * 4, n), dtype=np.uint64)
    for place in range(columns.shape[0]):
        filler = U64(0xFFFFFFFF - place % 4)
        columns[place] = contexts[:, place].astype(np.uint64) & LOW if place < width else filler
    return columns


@nb.njit(cache=True, nogil=True)
def fill_words(key, width, columns, tokens, at, words):  # type: ignore[no-untyped-def]  # numba infers
    """The 32-bit words of tokens ``at`` and following after their contexts, as vLLM maps them."""
    size = min(words.shape[0], tokens.shape[0] - at)
    k0 = key & LOW
    k1 = key >> _32
    s0 = np.full(size, _CONTEXT)
    s1 = np.full(size, U64(width))
    s2 = np.zeros(size, dtype=np.uint64)
    s3 = np.zeros(size, dtype=np.uint64)
    for start in range(0, columns.shape[0], 4):
        part = k0 ^ U64(start)
        b0, b1 = columns[start, at : at + size], columns[start + 1, at : at + size]
        b2, b3 = columns[start + 2, at : at + size], columns[start + 3, at : at + size]
        for i in range(size):
            s0[i], s1[i], s2[i], s3[i] = philox(
                s0[i] ^ b0[i], s1[i] ^ b1[i], s2[i] ^ b2[i], s3[i] ^ b3[i], part, k1
            )
    last = k1 ^ _TOKEN
    for i in range(size):
        word = U64(tokens[at + i]) & LOW
        o0, o1, o2, o3 = philox(word >> _TWO, s0[i], s1[i], s2[i], k0 ^ s3[i], last)
        words[i] = _pick(o0, o1, o2, o3, word & _THREE)
    return size


@nb.njit(inline="always", cache=True)
def uniform24(word):  # type: ignore[no-untyped-def]  # numba infers
    """A word as the uniform value vLLM forms: 24 bits, strictly inside (0, 1), rounded to 32-bit float."""
    return np.float64(np.float32((np.float64(np.int64(word >> _EIGHT)) + 1.0) / 16777217.0))


@nb.njit(inline="always", cache=True)
def bare_word(seed, token):  # type: ignore[no-untyped-def]  # numba infers
    """The word of one candidate token under a 64-bit seed, as the Bernoulli watermark uses the generator."""
    word = U64(token) & LOW
    o0, o1, o2, o3 = philox(word >> _TWO, _ZERO, _ZERO, _ZERO, seed & LOW, seed >> _32)
    return _pick(o0, o1, o2, o3, word & _THREE)
