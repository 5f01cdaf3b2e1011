"""Two words a format may answer instead of a row: a refusal with its reason, or "not a model call".

>>> Refusal("not valid JSON").reason
'not valid JSON'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

Row = dict[str, Any]
"""One exchange under the contract's field names; what is unknown is absent or None."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One record that could not be read. The reason never quotes the record."""

    reason: str


class Skipped:
    """A record that is sound but is not a model call, such as a span of a database query."""

    __slots__ = ()


SKIPPED: Final = Skipped()
"""The only instance: counted as skipped, never as rejected."""


HOSTILE = (
    TypeError,
    ValueError,
    KeyError,
    AttributeError,
    IndexError,
    RecursionError,
    OverflowError,
    ArithmeticError,
)
"""What a record of an unforeseen shape may raise in a reader; it costs that record only."""


class Broken(Exception):
    """The byte stream ends or fails before its end mark; what came before it counts.

    Caught where the stream is cut into records and turned into one `Refusal` with a line number.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
