"""How many bytes may wait at once: what does not fit is sent away to come again, and nothing is dropped.

>>> budget = Budget(100)
>>> budget.take(60), budget.take(60), budget.held
(True, False, 60)
>>> budget.give(60); budget.take(60)
True
"""

from __future__ import annotations


class Budget:
    """Bytes of bodies that are being read or wait to be kept. Used by one thread."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def take(self, size: int) -> bool:
        """Hold ``size`` bytes more, if they fit."""
        if self.held + size > self.most:
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        """Let go of bytes that were held."""
        self.held -= size
