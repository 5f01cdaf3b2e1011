"""What members of a sharing hub say to each other: closed words, no free text.

Whatever a member says through the hub, besides the bundles that the outbound gate has read, is one of these words, an
id or a time. So no text can travel from one member to another, and none has to be made harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Corroboration(StrEnum):
    """How many independent organisations stand behind a submission; who they are is never said."""

    REPORTED = "reported"
    """One organisation: the one that submitted it."""
    CORROBORATED = "corroborated"
    """At least one other says that it saw the same, or its clusters joined."""
    ESTABLISHED = "established"
    """At least three, and at least one of the others by a join: words alone do not lead here."""


class Contest(StrEnum):
    """Why the corroboration of a submission does not count now."""

    NONE = "none"
    DISPUTED = "disputed"
    APPEALED = "appealed"


class Verb(StrEnum):
    """What a member says of another's submission. The last word of each member counts."""

    SEEN = "seen"
    FALSE_POSITIVE = "false_positive"
    OUTDATED = "outdated"
    DISAGREE = "disagree_attribution"


class Ground(StrEnum):
    """Why something is disputed, appealed against or withdrawn."""

    ERROR = "error"
    INNOCENT = "innocent"
    SHARED_ADDRESS = "shared_address"
    AUTHORISED = "authorised"
    EXPIRED = "expired"
    LEGAL = "legal"
    DISPUTE_UPHELD = "dispute_upheld"
    APPEAL_UPHELD = "appeal_upheld"


class StepKind(StrEnum):
    """What a member tells the others who are concerned with a case."""

    WORKING = "working"
    HOLD = "hold"
    """Please do not act before the time that is named: a law enforcement request, an open appeal."""
    ACT = "act"
    """I am about to act at the time that is named."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Who:
    """Whose key signed a request."""

    member: str
    organisation: str
    """Members of one organisation count as one."""
    person: str
    clearance: int
    """Highest TLP level that may be shown."""
    steward: bool
    """May decide disputes between others."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done: a line of the journal, a leaf of the log."""

    seq: int
    at_us: int
    member: str
    """Who did it; empty for whoever runs the hub."""
    person: str
    kind: str
    data: dict[str, Any]


__all__ = ["Contest", "Corroboration", "Entry", "Ground", "StepKind", "Verb", "Who"]
