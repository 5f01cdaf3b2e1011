"""Tournament marks: SynthID-Text as vLLM writes it and as its reference implementation does.

Each layer of a tournament gives every candidate a bit; the winner has unusually many ones. The score of a token
is the number of ones over all layers.

The reference implementation looks its bits up in a public table of 65,536 entries at a linear congruential hash of
context, token and key. A power of two keeps only the low bits of such a hash, so there are 65,536 inputs in all,
whatever the width: duplicates are removed on *that*. Its layers read the same table, so a sum is binomial only
nearly; the random-key null beside the p-value is what says whether it is near enough.

*Looks alike*: with the reference table, any long text: beyond some 65,000 tokens nothing new is learnt.

References
----------
Dathathri et al., *Scalable watermarking for identifying large language model outputs* (Nature 2024). PyPI
``synthid-text`` 0.2.1. vLLM main of November 2026, ``synthid``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import ConfigError
from stillwatch.prove.laws import Coins, Floats, Law
from stillwatch.prove.marks.mark import Digests, Keys, Mark, Tokens
from stillwatch.prove.marks.philox import BLOCK, columns_of, fill_words

U64 = np.uint64
_MULTIPLIER, _ONE = U64(6364136223846793005), U64(1)


@nb.njit(cache=True, nogil=True)
def _bits(key, width, columns, tokens, mask):  # type: ignore[no-untyped-def]  # numba infers
    """Ones among the bits of each word under a mask."""
    out = np.empty(tokens.shape[0])
    words = np.empty(BLOCK, dtype=np.uint64)
    for at in range(0, tokens.shape[0], BLOCK):
        for i in range(fill_words(key, width, columns, tokens, at, words)):
            x = words[i] & mask
            x -= (x >> _ONE) & U64(0x55555555)
            x = (x & U64(0x33333333)) + ((x >> U64(2)) & U64(0x33333333))
            x = (x + (x >> U64(4))) & U64(0x0F0F0F0F)
            out[at + i] = np.float64(np.int64(((x * U64(0x01010101)) & U64(0xFFFFFFFF)) >> U64(24)))
    return out


def _layers(depth: int, most: int) -> int:
    if not 1 <= depth <= most:
        raise ConfigError(f"{depth} layers", hint=f"a tournament here has 1 to {most} layers")
    return depth


@dataclass(frozen=True)
class SynthId(Mark):
    """vLLM ``synthid``: the layers are the bits of one Philox word."""

    id = "vllm-synthid"
    engine = "vLLM main, November 2026"
    depth: int = 32
    """Layers of the tournament, 1..32."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _layers(self.depth, 32)

    @property
    def law(self) -> Law:
        return Coins(0.5, self.depth)

    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        return np.asarray(_bits(key[0], self.width, columns_of(contexts), tokens, U64(2**self.depth - 1)))


@nb.njit(cache=True, nogil=True)
def _ngram_hashes(contexts, tokens):  # type: ignore[no-untyped-def]  # numba infers
    """The linear congruential hash of context and token."""
    out = np.empty(tokens.shape[0], dtype=np.uint64)
    for i in range(tokens.shape[0]):
        state = _ONE
        for j in range(contexts.shape[1]):
            state = (state + U64(contexts[i, j])) * _MULTIPLIER + _ONE
        out[i] = (state + U64(tokens[i])) * _MULTIPLIER + _ONE
    return out


@nb.njit(cache=True, nogil=True)
def _table_bits(key, hashes, table):  # type: ignore[no-untyped-def]  # numba infers
    """Ones over all layers, read from the table."""
    out = np.empty(hashes.shape[0])
    size = np.int64(table.shape[0])
    low = U64(size - 1)
    powered = size & (size - 1) == 0
    for i in range(hashes.shape[0]):
        ones = 0
        for layer in range(key.shape[0]):
            at = (hashes[i] + key[layer]) * _MULTIPLIER + _ONE
            ones += table[at & low] if powered else table[np.int64(at) % size]
        out[i] = ones
    return out


@cache
def sampling_table(size: int, seed: int) -> NDArray[np.uint8]:
    """The public table of bits: the low bits of a Mersenne twister's words.

    >>> sampling_table(65536, 0).mean().round(2)
    np.float64(0.5)
    """
    words: Any = np.random.RandomState(seed).randint(0, 2**32, size=size, dtype=np.uint32)
    return np.asarray(words & np.uint32(1), dtype=np.uint8)


@dataclass(frozen=True)
class SynthIdReference(Mark):
    """The reference implementation: a key is one word for each layer; ``ngram_len`` there is ``width`` + 1."""

    id = "synthid-reference"
    engine = "synthid-text 0.2.1"
    key_words = 30
    table_size: int = 65_536
    table_seed: int = 0

    @property
    def law(self) -> Law:
        return Coins(float(sampling_table(self.table_size, self.table_seed).mean()), self.key_words)

    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        table = sampling_table(self.table_size, self.table_seed)
        return np.asarray(_table_bits(key, _ngram_hashes(contexts, tokens), table))

    def preimages(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Digests:
        hashes = _ngram_hashes(contexts, tokens)
        if self.table_size & (self.table_size - 1) == 0:
            hashes = hashes & U64(self.table_size - 1)
        return np.asarray(hashes)
