"""What a seed decides in every laboratory of networks: the issued keys, and the seeds of everything else."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from stillwatch.prove.nulls import random_keys
from stillwatch.prove.radio import IssuedKey

KEYS = 64
"""Issued keys that every test tries at once."""


class Keyed:
    """A world with a seed."""

    seed: int

    @cached_property
    def keys(self) -> Any:
        """The issued keys."""
        return random_keys(self.seed * 1_000, KEYS)

    @property
    def issued(self) -> list[IssuedKey]:
        """What the guilty learnt is under the first."""
        return [IssuedKey(f"key-{i}", key, f"campaign-{i}") for i, key in enumerate(self.keys)]

    def draw(self, number: int) -> int:
        """A seed of this world."""
        return self.seed * 100_000 + number
