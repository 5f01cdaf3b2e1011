"""The keyed functions of the marks once more, in whole Python numbers, one position at a time.

Written from the published descriptions without looking at `stillwatch.prove.marks`; slow and plain.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

M32 = 2**32 - 1
M64 = 2**64 - 1


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 as in the paper."""
    c, k = list(counter), list(key)
    for turn in range(10):
        if turn:
            k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
        high0, low0 = divmod(c[0] * 0xD2511F53, 2**32)
        high1, low1 = divmod(c[2] * 0xCD9E8D57, 2**32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
    return c


def vllm_word(key: int, context: list[int], token: int) -> int:
    """Contexts absorbed four at a time, then the token picks counter and word."""
    k0, k1 = key & M32, key >> 32
    state = [0x574D4358, len(context), 0, 0]
    for start in range(0, len(context), 4):
        block = [c & M32 for c in context[start : start + 4]]
        block += [M32 - i for i in range(len(block), 4)]
        state = philox([s ^ b for s, b in zip(state, block, strict=True)], [k0 ^ start, k1])
    out = philox([token >> 2, *state[:3]], [k0 ^ state[3], k1 ^ 0x574D544B])
    return out[token & 3]


def vllm_uniform(key: int, context: list[int], token: int) -> float:
    """24 bits, inside (0, 1), as a 32-bit float."""
    return float(np.float32(((vllm_word(key, context, token) >> 8) + 1) / (2**24 + 1)))


def gumbel(key: int, context: list[int], token: int) -> float:
    return -math.log1p(-vllm_uniform(key, context, token))


def dual_gumbel(key: int, context: list[int], token: int, alpha: float = 0.1) -> float:
    first, second = (
        int.from_bytes(hashlib.sha256(role + key.to_bytes(8, "big")).digest()[:8], "big")
        for role in (b"key_a", b"key_b")
    )
    return (1 - alpha) * gumbel(first, context, token) + alpha * gumbel(second, context, token)


def red_green(key: int, context: list[int], token: int, gamma: float = 0.25) -> float:
    return float(vllm_uniform(key, context, token) < gamma)


def synthid(key: int, context: list[int], token: int) -> float:
    return float(vllm_word(key, context, token).bit_count())


def _rotl(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & M32


def murmur(words: list[int]) -> int:
    """MurmurHash3 x86 32 over whole words, seed 0."""
    h = 0
    for word in words:
        k = _rotl((word & M32) * 0xCC9E2D51 & M32, 15) * 0x1B873593 & M32
        h = (_rotl(h ^ k, 13) * 5 + 0xE6546B64) & M32
    h ^= 4 * len(words)
    h = (h ^ h >> 16) * 0x85EBCA6B & M32
    h = (h ^ h >> 13) * 0xC2B2AE35 & M32
    return h ^ h >> 16


def sglang(key: int, context: list[int], token: int) -> float:
    word = murmur([key & M32, key >> 32, murmur(context), token])
    return -math.log1p(-(word + 0.5) / 2**32)


def sglang_dual(first: int, second: int, context: list[int], token: int, share: float = 0.5) -> float:
    coin = murmur([first & M32, first >> 32, second & M32, second >> 32, murmur(context)])
    return sglang(first if coin < int(share * 2**32) else second, context, token)


def _signed(value: int, bits: int) -> int:
    value &= 2**bits - 1
    return value - 2**bits if value >> (bits - 1) else value


def jenkins(x: int) -> int:
    """Bob Jenkins' integer hash in signed 32 bits."""
    i = _signed(x + 1, 32)
    i = _signed(i - (i << 6), 32)
    i = _signed(i ^ (i >> 17), 32)
    i = _signed(i - (i << 9), 32)
    i = _signed(i ^ (i << 4), 32)
    i = _signed(i - (i << 3), 32)
    i = _signed(i ^ (i << 10), 32)
    return _signed(i ^ (i >> 15), 32)


def _bernoulli(seed: int, token: int, gamma: float) -> float:
    word = philox([token // 4, 0, 0, 0], [seed & M32, (seed >> 32) & M32])[token % 4]
    return float((word & 0x7FFFFFFF) < int(gamma * 0x7FFFFFFF))


def sbw(key: int, context: list[int], token: int, gamma: float = 0.5) -> float:
    own, signed = jenkins(token), _signed(key, 64)
    seeds = [_signed(signed * own * own, 64)]
    seeds += [_signed(signed * jenkins(c) * own, 64) for c in context[1:]]
    return _bernoulli(min(seeds) & M64, token, gamma)


def sbw_left(key: int, context: list[int], token: int, gamma: float = 0.5) -> float:
    return _bernoulli(key * sum(context) & M64, token, gamma)


def kirchenbauer(
    key: int, context: list[int], token: int, gamma: float = 0.25, vocabulary: int = 50_257
) -> float:
    """Shuffle by exchanging each place with a later one, drawn by a Mersenne twister."""
    twister = np.random.RandomState(key * sum(context) & M32)
    size = int(gamma * vocabulary)
    draws = twister.randint(0, 2**32, size=size, dtype=np.uint32).tolist()
    order = list(range(vocabulary))
    for i, draw in enumerate(draws):
        j = i + draw % (vocabulary - i)
        order[i], order[j] = order[j], order[i]
    return float(token in order[:size])


def synthid_reference(keys: list[int], context: list[int], token: int) -> float:
    table = np.random.RandomState(0).randint(0, 2**32, size=65_536, dtype=np.uint32) & 1
    state = 1
    for word in [*context, token]:
        state = ((state + word) * 6364136223846793005 + 1) & M64
    at = [((state + key) * 6364136223846793005 + 1) % 2**64 % 65_536 for key in keys]
    return float(sum(int(table[i]) for i in at))
