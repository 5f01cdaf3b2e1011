"""Green lists chosen by the preceding tokens: vLLM's form, and the reference form of the paper.

A share ``gamma`` of the vocabulary is green after each context and is favoured by ``delta`` in the logits. Under
the null each distinct pair of context and token is a coin of probability ``gamma``.

`RedGreen` asks the keyed function of one token at a time and costs nothing. `Kirchenbauer` has to shuffle the
vocabulary for each context as the reference does, so it is slow: thousands of contexts a second, not millions.

*Looks alike*: with short contexts (width 1) there are few coins in all, and a text on one subject keeps asking the
same ones: its p-value hangs on few coins, and the random-key null shows it.

References
----------
Kirchenbauer et al., *A watermark for large language models* (ICML 2023), algorithm 2; *On the reliability of
watermarks* (2024) for additive seeding. vLLM main of November 2026, ``red_green``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.laws import Coins, Floats, Law
from stillwatch.prove.marks.mark import Digests, Keys, Mark, Tokens, digest_pairs
from stillwatch.prove.marks.philox import BLOCK, columns_of, fill_words, uniform24

U64 = np.uint64


@nb.njit(cache=True, nogil=True)
def _greens(key, width, columns, tokens, gamma):  # type: ignore[no-untyped-def]  # numba infers
    """1.0 where the value of context and token is below gamma."""
    out = np.empty(tokens.shape[0])
    words = np.empty(BLOCK, dtype=np.uint64)
    for at in range(0, tokens.shape[0], BLOCK):
        for i in range(fill_words(key, width, columns, tokens, at, words)):
            out[at + i] = 1.0 if uniform24(words[i]) < gamma else 0.0
    return out


@nb.njit(cache=True, nogil=True)
def _green_totals(keys, width, columns, tokens, gamma):  # type: ignore[no-untyped-def]  # numba infers
    """Green tokens for each key."""
    out = np.zeros(keys.shape[0])
    words = np.empty(BLOCK, dtype=np.uint64)
    for k in range(keys.shape[0]):
        for at in range(0, tokens.shape[0], BLOCK):
            for i in range(fill_words(keys[k], width, columns, tokens, at, words)):
                if uniform24(words[i]) < gamma:
                    out[k] += 1.0
    return out


def _share(gamma: float) -> float:
    if not 0.0 < gamma < 1.0:
        raise ConfigError(f"gamma {gamma}", hint="the share of green tokens lies strictly between 0 and 1")
    return gamma


@dataclass(frozen=True)
class RedGreen(Mark):
    """vLLM ``{"algorithm": "red_green"}``: the green list by the same keyed function as its Gumbel mark."""

    id = "vllm-red-green"
    engine = "vLLM main, November 2026"
    gamma: float = 0.25
    """Share of green tokens, between 0 and 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _share(self.gamma)

    @property
    def law(self) -> Law:
        return Coins(self.gamma)

    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        return np.asarray(_greens(key[0], self.width, columns_of(contexts), tokens, np.float32(self.gamma)))

    def totals(self, keys: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        first = np.ascontiguousarray(keys[:, 0])
        return np.asarray(
            _green_totals(first, self.width, columns_of(contexts), tokens, np.float32(self.gamma))
        )


_N, _M = 624, 397
_MAGIC, _UP, _DOWN = np.uint32(0x9908B0DF), np.uint32(0x80000000), np.uint32(0x7FFFFFFF)


@nb.njit(cache=True, nogil=True)
def _green_of_seed(seed, vocabulary, size):  # type: ignore[no-untyped-def]  # numba infers
    """Which tokens are green after one seed: the first ``size`` of a shuffle by a Mersenne twister."""
    state = np.empty(_N, dtype=np.uint32)
    state[0] = np.uint32(seed & U64(0xFFFFFFFF))
    for i in range(1, _N):
        last = state[i - 1]
        mixed = U64(last ^ (last >> np.uint32(30)))
        state[i] = np.uint32((U64(1812433253) * mixed + U64(i)) & U64(0xFFFFFFFF))
    order = np.arange(vocabulary)
    green = np.zeros(vocabulary, dtype=np.bool_)
    at = _N
    for i in range(min(size, vocabulary - 1)):
        if at == _N:
            for j in range(_N):
                y = (state[j] & _UP) | (state[(j + 1) % _N] & _DOWN)
                state[j] = (
                    state[(j + _M) % _N]
                    ^ (y >> np.uint32(1))
                    ^ (_MAGIC if y & np.uint32(1) else np.uint32(0))
                )
            at = 0
        y = state[at]
        at += 1
        y ^= y >> np.uint32(11)
        y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
        y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
        y ^= y >> np.uint32(18)
        other = i + np.int64(U64(y) % U64(vocabulary - i))
        order[i], order[other] = order[other], order[i]
        green[order[i]] = True
    if size == vocabulary:
        green[:] = True
    return green


@nb.njit(cache=True, nogil=True)
def _reference_greens(seeds, starts, tokens, vocabulary, size):  # type: ignore[no-untyped-def]  # numba infers
    """1.0 for green tokens; ``tokens`` are grouped by seed, ``starts`` says where each group begins."""
    out = np.empty(tokens.shape[0])
    for s in range(seeds.shape[0]):
        green = _green_of_seed(seeds[s], vocabulary, size)
        for i in range(starts[s], starts[s + 1]):
            inside = 0 <= tokens[i] < vocabulary
            out[i] = 1.0 if inside and green[tokens[i]] else 0.0
    return out


@dataclass(frozen=True)
class Kirchenbauer(Mark):
    """The reference implementation on a CPU: ``simple_1`` at width 1, additive seeding beyond.

    The generator keeps only the low 32 bits of key times the sum of the context, which is what duplicates are
    removed on.
    """

    id = "kgw-reference"
    engine = "lm-watermarking, CPU generator"
    keyed_preimages = True
    width: int = 1
    gamma: float = 0.25
    vocabulary: int = 50_257
    """Size of the vocabulary that was shuffled."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _share(self.gamma)

    @property
    def size(self) -> int:
        """How many tokens are green after a context."""
        return int(self.vocabulary * self.gamma)

    @property
    def law(self) -> Law:
        return Coins(self.size / self.vocabulary)

    def seeds(self, key: Keys, contexts: Tokens) -> Digests:
        """What seeds the shuffle after each context."""
        product = key[0] * contexts.sum(axis=1).astype(np.uint64)
        return np.asarray(product & U64(0xFFFFFFFF))

    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        seeds, group = np.unique(self.seeds(key, contexts), return_inverse=True)
        order = np.argsort(group, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=seeds.size))]).astype(np.int64)
        out = np.empty(tokens.shape[0])
        out[order] = _reference_greens(seeds, starts, tokens[order], self.vocabulary, self.size)
        return out

    def preimages(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Digests:
        return np.asarray(digest_pairs(self.seeds(key, contexts), tokens))
