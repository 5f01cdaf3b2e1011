"""Which requests get siblings at serving time: chosen by a keyed digest, the same by whoever asks.

Siblings drawn when a reply is served come from the very model that served it. A small share of traffic is enough;
which requests it falls on must not depend on what was answered. Seeds of siblings come from the key too, one for
each, so no two draws share text because they share a seed.

Examples
--------
>>> share = sum(escrowed(Escrow(b"k" * 32, 0.01), f"r-{i}") is not None for i in range(20_000)) / 20_000
>>> 0.007 < share < 0.013
True
>>> len(set(escrowed(Escrow(b"k" * 32, 1.0, siblings=6), "r-1")))
6
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from stillwatch.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Escrow:
    """What share of traffic gets siblings, and how many."""

    key: bytes = field(repr=False)
    """Secret, at least 32 bytes."""
    share: float = 0.01
    """Of requests, 0..1."""
    siblings: int = 6

    def __post_init__(self) -> None:
        if len(self.key) < 32:
            raise ConfigError("the escrow key is shorter than 32 bytes", hint="draw 32 random bytes")
        if not 0.0 <= self.share <= 1.0 or self.siblings < 1:
            raise ConfigError(
                f"share {self.share}, {self.siblings} siblings",
                hint="a share from 0 to 1 and one sibling or more",
            )


def escrowed(escrow: Escrow, request_id: str) -> tuple[int, ...] | None:
    """Seeds of the siblings to draw for a request, 63 bits each; None for most requests."""

    def word(purpose: str) -> int:
        text = f"{purpose}\0{request_id}".encode()
        return int.from_bytes(hmac.digest(escrow.key, text, hashlib.sha256)[:8], "big")

    if word("chosen") >= escrow.share * 2**64:
        return None
    return tuple(word(f"sibling {i}") >> 1 for i in range(escrow.siblings))
