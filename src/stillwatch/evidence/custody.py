"""The chain of custody: who did what to which item, each event holding the digest of the one before it.

It begins where a package is built. Who had the logs before is not in it: that is for the acquirer to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from stillwatch.evidence.canonical import canonical, sha256

FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Event:
    """One handover or one act."""

    at: datetime
    person: str
    action: str
    """``acquired``, ``redacted``, ``sealed``, ``handed over``, ``opened``."""
    item: str
    sha256: str | None
    note: str = ""


def chain(events: Iterable[Event]) -> tuple[bytes, str]:
    """The events as lines, and the digest of the last: what the statement signs.

    >>> lines, head = chain([])
    >>> (lines, head == FIRST)
    (b'', True)
    """
    lines, previous = [], FIRST
    for number, event in enumerate(events):
        line = canonical(
            {
                "number": number, "previous": previous, "at": event.at, "person": event.person,
                "action": event.action, "item": event.item, "sha256": event.sha256, "note": event.note,
            }
        )  # fmt: skip
        lines.append(line + b"\n")
        previous = sha256(line)
    return b"".join(lines), previous
