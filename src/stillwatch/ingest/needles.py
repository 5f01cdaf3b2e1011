"""Which of some words a text holds, for many texts and words in one pass that skips what it can (Wu and Manber, 1994).

A window as long as the shortest word moves over the text. By the last two bytes in it is known how far it may move
until the front of a word could fill it; where it may not, every word is laid there.

>>> import pyarrow as pa
>>> needles = Needles({"role": 1, '"system"': 2, "sys": 4})
>>> needles.in_texts(pa.array(['{"role": "system"}', None, "a system", ""])).tolist()
[7, 0, 4, 0]
"""

from __future__ import annotations

from collections.abc import Mapping

import numba as nb
import numpy as np
import pyarrow as pa

_PAIRS = 1 << 12
"""Entries of the table of byte pairs, which share them; it stays in the innermost cache."""


class Needles:
    """Words, each with the bits that it sets.

    Args:
        bits: words of at least two bytes, to bits of a byte.
    """

    def __init__(self, bits: Mapping[str, int]) -> None:
        words = [word.encode() for word in bits]
        self._words = np.frombuffer(b"".join(words), np.uint8)
        self._ends = np.cumsum([0, *map(len, words)]).astype(np.int64)
        self._bits = np.array(list(bits.values()), np.uint8)
        window = min(map(len, words))
        if window < 2:
            raise ValueError("a word has fewer than two bytes")
        self._window = window
        self._shift = np.full(_PAIRS, window - 1, np.uint8)
        for word in words:
            for end in range(2, window + 1):
                pair = _pair(word[end - 2], word[end - 1])
                self._shift[pair] = min(self._shift[pair], window - end)

    def in_texts(self, texts: pa.Array) -> np.ndarray:
        """uint8[n]: bits of all words that each text of a string array holds; 0 where it is missing."""
        out = np.zeros(len(texts), np.uint8)
        _, offsets, data = texts.buffers()
        if len(texts) and offsets is not None and data is not None:
            ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
            valid = np.asarray(texts.is_valid())
            _search(
                np.frombuffer(data, np.uint8), ends, valid, self._words, self._ends, self._bits, self._shift,
                self._window, out,
            )  # fmt: skip
        return out


def _pair(first: int, second: int) -> int:
    """Where two bytes stand in the table."""
    return (first << 4 ^ second) & (_PAIRS - 1)


@nb.njit(cache=True, nogil=True)
def _search(data, ends, valid, words, word_ends, bits, shift, window, out):  # type: ignore[no-untyped-def]  # numba infers
    every = 0
    for word in range(len(bits)):
        every |= bits[word]
    for row in range(len(out)):
        if not valid[row]:
            continue
        end = np.int64(ends[row + 1])
        i = np.int64(ends[row]) + window - 1
        while i < end:
            skip = np.int64(shift[((np.int64(data[i - 1]) << 4) ^ np.int64(data[i])) & (_PAIRS - 1)])
            if skip:
                i += skip
                continue
            out[row] |= _laid(data, i - window + 1, end, words, word_ends, bits)
            if out[row] == every:
                break
            i += 1


@nb.njit(cache=True, nogil=True)
def _laid(data, start, end, words, word_ends, bits):  # type: ignore[no-untyped-def]  # numba infers
    """Bits of the words that begin at ``start``."""
    found = 0
    for word in range(len(bits)):
        first, last = word_ends[word], word_ends[word + 1]
        if end - start < last - first:
            continue
        at = start
        while first < last and data[at] == words[first]:
            at += 1
            first += 1
        if first == last:
            found |= bits[word]
    return found
