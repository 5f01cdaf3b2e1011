"""Gumbel-max marks as vLLM writes them: one key, or two keys of which one is chosen for each token.

At each step the engine draws the Gumbel noise of every candidate from the keyed function of context and
candidate instead of from a random generator, so the distribution of one step is untouched and the chosen token
has an unusually large uniform value. The detector adds -log(1 - u).

*Looks alike*: nothing innocent under a secret key, once duplicates are gone; whoever holds the key can forge it.

References
----------
Aaronson, *Watermarking of large language models* (2023). vLLM 0.33, ``docs/features/watermarking.md``.
TextSeal, arXiv 2605.12456, for two keys.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numba as nb
import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.laws import Exponential, Floats, Law, TwoExponentials
from stillwatch.prove.marks.mark import Keys, Mark, Tokens, as_keys
from stillwatch.prove.marks.philox import BLOCK, columns_of, fill_words, uniform24


@nb.njit(cache=True, nogil=True)
def gumbel_scores(key, width, columns, tokens):  # type: ignore[no-untyped-def]  # numba infers
    """-log(1 - u) of each token."""
    out = np.empty(tokens.shape[0])
    words = np.empty(BLOCK, dtype=np.uint64)
    for at in range(0, tokens.shape[0], BLOCK):
        for i in range(fill_words(key, width, columns, tokens, at, words)):
            out[at + i] = -np.log1p(-uniform24(words[i]))
    return out


@nb.njit(cache=True, nogil=True)
def gumbel_totals(keys, width, columns, tokens):  # type: ignore[no-untyped-def]  # numba infers
    """The sum of -log(1 - u) for each key; one logarithm serves sixteen tokens."""
    out = np.zeros(keys.shape[0])
    words = np.empty(BLOCK, dtype=np.uint64)
    for k in range(keys.shape[0]):
        total = 0.0
        for at in range(0, tokens.shape[0], BLOCK):
            product = 1.0
            for i in range(fill_words(keys[k], width, columns, tokens, at, words)):
                product *= 1.0 - uniform24(words[i])
                if i & 15 == 15:
                    total -= np.log(product)
                    product = 1.0
            total -= np.log(product)
        out[k] = total
    return out


@dataclass(frozen=True)
class Gumbel(Mark):
    """vLLM ``{"algorithm": "gumbel"}``.

    >>> mark = Gumbel(width=4)
    >>> contexts, tokens = np.array([[1, 2, 3, 4]]), np.array([7])
    >>> bool(mark.scores(as_keys([42])[0], contexts, tokens)[0] > 0)
    True
    """

    id = "vllm-gumbel"
    engine = "vLLM 0.33"

    @property
    def law(self) -> Law:
        return Exponential()

    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        return np.asarray(gumbel_scores(key[0], self.width, columns_of(contexts), tokens))

    def totals(self, keys: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        return np.asarray(
            gumbel_totals(np.ascontiguousarray(keys[:, 0]), self.width, columns_of(contexts), tokens)
        )


def derive(key: int, role: bytes) -> int:
    """A key of a role from a master key, as vLLM derives it: SHA-256 of role and key, first eight bytes."""
    return int.from_bytes(hashlib.sha256(role + key.to_bytes(8, "big")).digest()[:8], "big")


@dataclass(frozen=True)
class DualGumbel(Mark):
    """vLLM ``{"algorithm": "dual_key_gumbel"}``: the key handed in is the master key.

    The score is the engine's (1 - alpha) * first + alpha * second; its tail here is exact, the engine's matches
    two moments.
    """

    id = "vllm-dual-gumbel"
    engine = "vLLM 0.33"
    alpha: float = 0.1
    """Share of tokens chosen under the second key, 0..1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.alpha <= 1.0:
            raise ConfigError(f"alpha {self.alpha}", hint="a share from 0 to 1")

    @property
    def law(self) -> Law:
        return TwoExponentials(self.alpha)

    def pair(self, keys: Keys) -> tuple[Keys, Keys]:
        """First and second keys derived from master keys uint64[k]."""
        masters = [int(key) for key in keys]
        first = [derive(key, b"key_a") for key in masters]
        second = [derive(key, b"key_b") for key in masters]
        return as_keys(first)[:, 0], as_keys(second)[:, 0]

    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        first, second = self.pair(key)
        columns = columns_of(contexts)
        a = gumbel_scores(first[0], self.width, columns, tokens)
        b = gumbel_scores(second[0], self.width, columns, tokens)
        return np.asarray((1.0 - self.alpha) * a + self.alpha * b)

    def totals(self, keys: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        first, second = self.pair(keys[:, 0])
        columns = columns_of(contexts)
        a = gumbel_totals(first, self.width, columns, tokens)
        b = gumbel_totals(second, self.width, columns, tokens)
        return np.asarray((1.0 - self.alpha) * a + self.alpha * b)
