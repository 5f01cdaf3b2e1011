"""Which of some words a text holds, for many texts and words in one pass (Aho and Corasick, 1975).

>>> import pyarrow as pa
>>> needles = Needles({"role": 1, '"system"': 2, "sys": 4})
>>> needles.in_texts(pa.array(['{"role": "system"}', None, "a system", ""])).tolist()
[7, 0, 4, 0]
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numba as nb
import numpy as np
import pyarrow as pa


class Needles:
    """Words, each with the bits that it sets.

    Args:
        bits: words that are not empty, to bits of a byte.
    """

    def __init__(self, bits: Mapping[str, int]) -> None:
        words = {word.encode(): bit for word, bit in bits.items()}
        letters = sorted({letter for word in words for letter in word})
        self._letter = np.zeros(256, np.uint8)
        self._letter[letters] = np.arange(1, len(letters) + 1)
        steps: list[dict[int, int]] = [{}]
        found = [0]
        for word, bit in words.items():
            state = 0
            for letter in self._letter[list(word)].tolist():
                if letter not in steps[state]:
                    steps[state][letter] = len(steps)
                    steps.append({})
                    found.append(0)
                state = steps[state][letter]
            found[state] |= bit
        self._next = np.zeros((len(steps), len(letters) + 1), np.int32)
        shorter = [0] * len(steps)
        waiting = deque([0])
        while waiting:
            state = waiting.popleft()
            found[state] |= found[shorter[state]]
            self._next[state] = self._next[shorter[state]]
            for letter, after in steps[state].items():
                shorter[after] = int(self._next[state, letter]) if state else 0
                self._next[state, letter] = after
                waiting.append(after)
        self._found = np.array(found, np.uint8)

    def in_texts(self, texts: pa.Array) -> np.ndarray:
        """uint8[n]: bits of all words that each text of a string array holds; 0 where it is missing."""
        out = np.zeros(len(texts), np.uint8)
        _, offsets, data = texts.buffers()
        if len(texts) and offsets is not None and data is not None:
            ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
            valid = np.asarray(texts.is_valid())
            _search(np.frombuffer(data, np.uint8), ends, valid, self._letter, self._next, self._found, out)
        return out


@nb.njit(cache=True, nogil=True)
def _search(data, ends, valid, letter, following, found, out):  # type: ignore[no-untyped-def]  # numba infers
    for row in range(len(out)):
        if not valid[row]:
            continue
        state = np.int32(0)
        for i in range(ends[row], ends[row + 1]):
            state = following[state, letter[data[i]]]
            out[row] |= found[state]
