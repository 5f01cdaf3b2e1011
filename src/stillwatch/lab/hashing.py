"""Counter-based randomness: every text, token count and identifier is a pure function of 64-bit keys.

A row is planned as a handful of integers and rendered later, so the same payload can be rendered again in
another account's history, and a world of millions of rows never has to be held as text.

References
----------
Steele, Lea, Flood: Fast splittable pseudorandom number generators (OOPSLA 2014), the SplitMix64 finaliser.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_A = np.uint64(0xBF58476D1CE4E5B9)
_B = np.uint64(0x94D049BB133111EB)


def as_key(value: object) -> U64:
    """Any integer array or scalar as an unsigned 64-bit array (negative values wrap)."""
    array = np.asarray(value)
    if array.dtype == np.uint64:
        return array
    return array.astype(np.int64).astype(np.uint64)


def mix(*parts: object) -> U64:
    """Hash integers (arrays broadcast) into one well-mixed unsigned 64-bit array.

    >>> int(mix(1, 2)) == int(mix(1, 2)), int(mix(1, 2)) == int(mix(2, 1))
    (True, False)
    """
    with np.errstate(over="ignore"):
        state = np.zeros((), dtype=np.uint64)
        for part in parts:
            state = (state ^ as_key(part)) + _GOLDEN
            state = (state ^ (state >> np.uint64(30))) * _A
            state = (state ^ (state >> np.uint64(27))) * _B
            state = state ^ (state >> np.uint64(31))
    return np.asarray(state, dtype=np.uint64)


def pick(keys: U64, salt: int, size: int) -> I64:
    """Index in ``[0, size)`` per key, uniform up to 2^-40."""
    return ((mix(keys, salt) >> np.uint64(16)) % np.uint64(max(size, 1))).astype(np.int64)


def unit(keys: object, salt: int = 0) -> F64:
    """Uniform number in ``[0, 1)`` per key."""
    return (mix(keys, salt) >> np.uint64(11)).astype(np.float64) * (1.0 / 9007199254740992.0)


def normal(keys: object, salt: int = 0) -> F64:
    """Roughly standard normal number per key (sum of four uniforms: light tails, cheap)."""
    h = mix(keys, salt)
    total = np.zeros(h.shape, dtype=np.float64)
    for shift in (0, 16, 32, 48):
        total += ((h >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64)
    return (total / 65536.0 - 2.0) * 1.7320508


def hex_ids(keys: U64, prefix: str = "", width: int = 16) -> list[str]:
    """Keys as fixed-width hexadecimal strings.

    >>> hex_ids(np.array([255], dtype=np.uint64), "a_")
    ['a_00000000000000ff']
    """
    text = np.ascontiguousarray(keys).astype(">u8").tobytes().hex()
    return [prefix + text[i : i + width] for i in range(0, 16 * len(keys), 16)]
