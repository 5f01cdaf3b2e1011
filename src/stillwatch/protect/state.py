"""What a gate remembers between requests: a small protocol that every store answers alike.

One process keeps it in memory with a local file; many replicas share a server. The same contract tests run over
both. Time comes with the call: a store never reads a clock, so that a replay of recorded traffic remembers as
the traffic did. A store that cannot be reached raises `UpstreamError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class State(Protocol):
    """Counters, buckets, small sets and remembered values, each under a key, each with an end."""

    def take(self, key: str, rate_per_s: float, burst: int, now: float) -> float:
        """Take one token from a bucket that holds ``burst`` and fills at ``rate_per_s``.

        Returns the seconds to wait until there is one; 0 when it was taken.
        """

    def add(self, key: str, amount: int, window_s: float, now: float) -> int:
        """Add to a counter and return its sum. It starts anew ``window_s`` after its first addition."""

    def count(self, key: str, now: float) -> int:
        """The counter as it stands."""

    def distinct(self, key: str, member: str, window_s: float, now: float) -> int:
        """Add to a set and return how many different members it has seen, up to a limit; it ends as a counter
        does."""

    def remember(self, key: str, value: str, ttl_s: float, now: float) -> None:
        """Keep a value for a time; what was kept under the key goes."""

    def recall(self, key: str, now: float) -> str | None:
        """The value kept under a key, while it lasts."""

    def recall_many(self, keys: Sequence[str], now: float) -> list[str | None]:
        """The values kept under several keys, in one go."""

    def flush(self) -> None:
        """Write down what is only in memory."""

    def close(self) -> None:
        """Flush and let go."""


MOST_DISTINCT = 1_024
"""A set stops growing here."""
EVER = 10.0 * 365 * 86400
"""Seconds; for what has no end of its own."""
