"""What is shared, with whom, and who released it.

Examples
--------
>>> Tlp.AMBER < Tlp.AMBER_STRICT, Tlp.of("amber+strict").label
(True, 'amber+strict')
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from stillwatch.records.finding import Campaign


class Tlp(IntEnum):
    """Traffic Light Protocol 2.0: who may read. Rises with how closely it is held."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4

    @property
    def label(self) -> str:
        """As FIRST writes it, in small letters."""
        return self.name.lower().replace("_", "+")

    @classmethod
    def of(cls, label: str) -> Tlp:
        """The level of a label; `ValueError` when there is none."""
        wanted = label.strip().lower()
        for level in cls:
            if level.label == wanted:
                return level
        raise ValueError(label)


class Audience(StrEnum):
    """Who reads it, and so what may be in it."""

    LAB = "lab"
    CLOUD = "cloud"
    GOVERNMENT = "government"
    PUBLIC = "public"


class Product(StrEnum):
    """How it is done, and by whom, are told apart: the second is a person's judgement."""

    TACTICS = "tactics"
    ACTORS = "actors"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who shares, as the audience knows them."""

    name: str
    identity: str
    """STIX id, made once and kept: ``identity--`` and a random UUID."""
    appeal_url: str
    """Where an affected customer's objection goes."""


@dataclass(frozen=True, slots=True)
class Observable:
    """Something that another laboratory may look for. A person chose it; a lead, never a verdict."""

    kind: str
    """``asn``, ``domain``, ``ipv4``, ``ipv6``, ``ja4`` or ``user_agent``."""
    value: str
    ground: str
    """Why it belongs to this campaign."""
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What people add to what a scan found."""

    sender: Sender
    summary: str = ""
    techniques: tuple[str, ...] = ()
    """ATLAS ids that a person adds, for example an impact."""
    mitigations: tuple[str, ...] = ()
    model_families: tuple[str, ...] = ()
    """Published names only."""
    access_channels: tuple[str, ...] = ()
    observables: tuple[Observable, ...] = ()
    legal_basis: str = ""
    attribution: dict[str, Any] | None = None
    """A person's, as the evidence room checked it; None in a product on tactics."""


@dataclass(frozen=True, slots=True)
class ToShare:
    """One campaign, and with whom it is to be shared."""

    campaign: Campaign
    facts: Facts
    audience: Audience
    product: Product
    level: Tlp


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that does not leave because it is not on the audience's list."""

    object_type: str
    field: str
    """Dotted path; empty: the whole object."""
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing leaves until a person has changed something. Never quotes what was found."""

    rule: str
    where: str
    """Type of the object and path of the field."""
    reason: str


@dataclass(frozen=True, slots=True)
class Screened:
    """What the outbound gate lets through, and what it says of the rest."""

    objects: tuple[dict[str, Any], ...]
    dropped: tuple[Dropped, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's signature under what is to leave."""

    person: str
    key_id: str
    signature: str
    """Base64."""
    at: str


@dataclass(frozen=True, slots=True)
class Release:
    """What a person signs: which bytes go to whom, at which level."""

    bundle_sha256: str
    audience: Audience
    product: Product
    level: Tlp
    people_needed: int
    approvals: tuple[Approval, ...] = field(default=())
