"""Cases: the human file on a campaign or pool, kept across scans.

Examples
--------
>>> number_of("K-12", "K"), name_of("K", 12)
(12, 'K-12')
>>> number_of("12", "K")
12
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    WORKING = "working"
    CLOSED = "closed"


class Verdict(StrEnum):
    """What a person concluded when the case was closed."""

    TRUE_POSITIVE = "true_positive"
    """Unauthorised distillation."""
    BENIGN_POSITIVE = "benign_positive"
    """What was seen is there, and it is allowed or harmless."""
    FALSE_POSITIVE = "false_positive"
    """What was seen is not there, or not these accounts."""
    UNDETERMINED = "undetermined"


class Relation(StrEnum):
    """What a scan's campaign is to the case it was filed under."""

    NEW = "new"
    SAME = "same"
    GREW = "grew"
    SHRANK = "shrank"
    SPLIT = "split"
    """Part of an earlier case became a case of its own."""
    MERGED = "merged"
    """Another case's accounts came in."""
    RETURNED = "returned"
    """New accounts with the traits of accounts that were acted on."""


class EventKind(StrEnum):
    """Lines of a case's timeline."""

    OPENED = "opened"
    SIGHTING = "sighting"
    LINEAGE = "lineage"
    STATE = "state"
    ASSIGNED = "assigned"
    NOTE = "note"
    HOURS = "hours"
    PLAN = "plan"
    ACTION = "action"
    TRIPWIRE = "tripwire"
    APPEAL = "appeal"
    CORRECTED = "corrected"
    """An account turned out to be innocent, and what followed from that."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case as its newest sighting and its newest change left it."""

    number: int
    title: str
    kind: str
    """``campaign`` or ``pool``, as the newest scan has it; ``manual`` when a person opened it without a scan."""
    state: CaseState
    verdict: Verdict | None
    assignee: int | None
    """Person."""
    opened_at: datetime
    changed_at: datetime
    closed_at: datetime | None
    run_id: str | None
    campaign_id: str | None
    first_seen: datetime | None
    last_seen: datetime | None
    account_count: int
    exchange_count: int
    output_tokens: int
    confidence: str
    false_discovery_rate: float | None
    extraction_share: float | None
    families: int
    """Evidence families that carry weight."""
    granted: bool
    hours: float
    """Investigator hours so far."""
    version: int
    """Rises with every change; a change names the version it was made from."""

    @property
    def id(self) -> str:
        """As people name it."""
        return name_of("K", self.number)


@dataclass(frozen=True, slots=True)
class CaseAccount:
    """One account of a case."""

    account_id: str
    tier: str
    membership_bits: float
    extraction_share: float
    exchange_count: int
    first_seen: datetime | None
    last_seen: datetime | None
    reasons: tuple[str, ...]
    present: bool
    """Whether the newest sighting still has it."""
    first_run: str
    last_run: str


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One line of the timeline."""

    event_id: int
    case_number: int
    at: datetime
    person_id: int | None
    kind: EventKind
    text: str
    hours: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One campaign of one run, filed under a case."""

    run_id: str
    campaign_id: str
    case_number: int
    relation: Relation
    at: datetime
    account_count: int
    joined: int
    left: int
    settings_digest: str
    version: str
    """Of the program that scanned."""


@dataclass(frozen=True, slots=True)
class CaseLink:
    """Lineage between two cases, and on what it rests."""

    case_number: int
    other: int
    relation: Relation
    at: datetime
    grounds: tuple[str, ...]
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a longer list."""

    rows: tuple[Any, ...]
    total: int
    offset: int
    limit: int


_NAME = re.compile(r"(?:([A-Z])-)?([1-9][0-9]{0,8})")


def name_of(letter: str, number: int) -> str:
    """As people name it: ``K-12`` a case, ``P-3`` a plan, ``A-7`` an appeal."""
    return f"{letter}-{number}"


def number_of(text: str, letter: str) -> int | None:
    """The number behind a name; None when it is not such a name."""
    found = _NAME.fullmatch(text.strip())
    return int(found[2]) if found and found[1] in (None, letter) else None
