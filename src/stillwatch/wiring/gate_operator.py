"""What the operator of a gate is told, and what is counted. Words are ours: nothing of a request is quoted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from stillwatch.errors import StillwatchError

Notice = Callable[[str], None]


@dataclass(slots=True)
class Counts:
    """What a gate has done, for metrics."""

    decisions: dict[str, int] = field(default_factory=dict)
    """By action."""
    faults: int = 0
    unlogged: int = 0
    """Decisions that could not be written down."""
    reloads: int = 0
    refused: int = 0
    """Policies, tables and switches that could not be used."""


class Operator:
    """Whoever runs the gate: told each thing, and what lasts only once."""

    def __init__(self, notice: Notice | None) -> None:
        self._notice = notice or _to_stderr
        self._last = ""

    def tell(self, text: str) -> None:
        """One line, whatever becomes of it."""
        with suppress(Exception):
            self._notice(text)

    def tell_once(self, text: str) -> None:
        """One line; a fault that lasts is told once, not once a request."""
        if text != self._last:
            self._last = text
            self.tell(text)


def words(error: Exception) -> str:
    """An error for the operator: our own words, or its kind alone, for its words may quote a request."""
    return str(error) if isinstance(error, StillwatchError) else type(error).__name__


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"stillwatch: {text}\n")
