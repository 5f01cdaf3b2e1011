"""What was served under a key: a salted index of token windows and counts. No text, no token can be read from it.

A later test asks the index which windows of a suspect's material the campaign has ever been served. It is asked
about windows alone, never about the token that followed: that would keep what the mark had chosen, and convict
everyone.

Whoever holds the salt can test a guessed window; without it the digests say nothing. Eight bytes a window: among a
billion windows an unserved one is taken for served with probability 5e-11.

Examples
--------
>>> served = Served(bytes(32), 2)
>>> served.add([[1, 2, 3, 4]])
>>> served.windows, served.tokens, served.holds(np.array([[1, 2], [2, 9]])).tolist()
(2, 4, [True, False])
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from stillwatch.errors import ConfigError, VerificationError

Tokens = NDArray[np.int64]
_HEAD = struct.Struct("<8sIQQ")
_MAGIC = b"swserve1"


class Served:
    """The ledger of one key."""

    def __init__(self, salt: bytes, width: int) -> None:
        self._salt, self.width = salt, width
        self.answers = 0
        self.tokens = 0
        self._known: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)

    @property
    def windows(self) -> int:
        """Distinct windows that were served and followed by a token."""
        return int(self._known.size)

    def add(self, answers: Iterable[Sequence[int]]) -> None:
        """Answers as tokens of the engine's own tokeniser."""
        found = [self._known]
        for answer in answers:
            tokens = np.asarray(answer, dtype=np.int64)
            self.answers += 1
            self.tokens += int(tokens.size)
            if tokens.size > self.width:
                found.append(self._digests(np.lib.stride_tricks.sliding_window_view(tokens, self.width)[:-1]))
        self._known = np.unique(np.concatenate(found))

    def holds(self, contexts: Tokens) -> NDArray[np.bool_]:
        """Whether each window of int64[n, width] was served; longer contexts are asked about their end.

        Raises `ConfigError` for shorter ones: none of them would ever be found, and that would read as *not served*.
        """
        if contexts.shape[1] < self.width:
            raise ConfigError(
                f"contexts of {contexts.shape[1]} tokens, and a ledger of windows of {self.width}",
                hint="read the suspect with a mark of the width that the key was issued with",
            )
        rows, place = np.unique(contexts[:, -self.width :], axis=0, return_inverse=True)
        return np.asarray(np.isin(self._digests(rows), self._known)[place.ravel()])

    def to_bytes(self) -> bytes:
        """For the disk."""
        head = _HEAD.pack(_MAGIC, self.width, self.answers, self.tokens)
        return head + self._known.astype("<u8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, salt: bytes, width: int) -> Served:
        """From the disk. Raises `VerificationError` when it is damaged or of another window."""
        if len(data) < _HEAD.size or (len(data) - _HEAD.size) % 8:
            raise VerificationError("a ledger of served windows is damaged", hint="take it from a backup")
        magic, its_width, answers, tokens = _HEAD.unpack_from(data)
        if magic != _MAGIC or its_width != width:
            raise VerificationError("this is not the ledger of this key", hint="take it from a backup")
        served = cls(salt, width)
        served.answers, served.tokens = answers, tokens
        served._known = np.frombuffer(data, dtype="<u8", offset=_HEAD.size).astype(np.uint64)
        return served

    def _digests(self, rows: Tokens) -> NDArray[np.uint64]:
        whole = np.ascontiguousarray(rows, dtype="<i8")
        size, data = whole.shape[1] * 8, whole.tobytes()
        made = b"".join(
            blake2b(data[at : at + size], digest_size=8, key=self._salt, person=b"sw-served").digest()
            for at in range(0, len(data), size)
        )
        return np.frombuffer(made, dtype="<u8").astype(np.uint64)
