"""Logs in memory that crash where a test says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from stillwatch.evidence.keys import SigningKey
from stillwatch.evidence.merkle import Reader, folded


class Crash(Exception):
    """The machine went away."""


@dataclass
class Disk:
    """Files in memory; the write after ``left`` more is torn and the machine is gone."""

    files: dict[str, bytes] = field(default_factory=dict)
    left: int | None = None
    keep: float = 0.5
    """How much of a torn append reaches the disk; a torn ``put`` or ``cut`` does not happen at all."""
    writes: int = 0

    def read(self, name: str) -> bytes | None:
        return self.files.get(name)

    def has(self, name: str) -> bool:
        return name in self.files

    def put(self, name: str, data: bytes) -> None:
        self._tick()
        self.files[name] = data

    def append(self, name: str, data: bytes) -> None:
        before = self.files.get(name, b"")
        try:
            self._tick()
        except Crash:
            self.files[name] = before + data[: int(len(data) * self.keep)]
            raise
        self.files[name] = before + data

    def cut(self, name: str, length: int) -> None:
        self._tick()
        self.files[name] = self.files[name][:length]

    def remove(self, name: str) -> None:
        self._tick()
        self.files.pop(name, None)

    def _tick(self) -> None:
        if self.left is not None:
            if self.left <= 0:
                raise Crash
            self.left -= 1
        self.writes += 1


def entries(count: int, start: int = 0) -> list[bytes]:
    """Entries that differ."""
    return [b"entry %d" % n for n in range(start, start + count)]


def a_key(name: str = "a") -> SigningKey:
    """A signing key that is the same at every run; of tests only, so worth nothing."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return SigningKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


def reader_of(leaves: Sequence[bytes]) -> Reader:
    """A reader over leaf hashes in memory, for small trees."""
    return lambda height, index: folded(leaves[index << height : (index + 1) << height])
