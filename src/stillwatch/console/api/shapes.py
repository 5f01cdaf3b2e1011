"""What the API takes and gives, as models that describe themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from stillwatch.records import CaseAccount, CaseEvent, Role, Verdict

Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Limit = Annotated[int, Query(ge=1, le=1_000)]
Words = Annotated[str, Query(max_length=200)]
Version = Annotated[
    int, Field(ge=0, le=2**31 - 1, description="The version it was read at; another one is a conflict.")
]


class Taken(BaseModel):
    """A body: nothing that is not known."""

    model_config = ConfigDict(extra="forbid")


class Failure(BaseModel):
    """What went wrong, and what to do next."""

    class Said(BaseModel):
        """The words of it."""

        message: str
        hint: str

    error: Said


FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "It cannot be done, and why."},
    401: {"model": Failure, "description": "Nobody is signed in."},
    403: {"model": Failure, "description": "The roles do not allow it."},
    404: {"model": Failure, "description": "There is no such thing."},
    409: {"model": Failure, "description": "Somebody was quicker; nothing was written."},
    413: {"model": Failure, "description": "The body is too long."},
    422: {"model": Failure, "description": "A value cannot be used."},
    503: {"model": Failure, "description": "The database cannot be used now."},
}


class RunOut(BaseModel):
    """The run that the console shows."""

    run_digest: str
    settings_digest: str
    start: datetime | None
    end: datetime | None
    accounts: int
    exchanges: int
    false_discovery_rate: float | None
    campaigns: int
    incomplete: list[str]


class CampaignLine(BaseModel):
    """One campaign or pool in a list."""

    campaign_id: str
    kind: str
    confidence: str
    granted: bool
    first_seen: datetime
    last_seen: datetime
    account_count: int
    exchange_count: int
    output_tokens: int
    extraction_share: float
    case: str | None = Field(description="Case of it, as K-12.")


class MemberOut(BaseModel):
    """One account of a campaign."""

    campaign_id: str
    account_id: str
    tier: str
    membership_bits: float
    extraction_share: float
    exchange_count: int
    first_seen: datetime
    last_seen: datetime
    reasons: list[str]


class MembersOut(BaseModel):
    """A page of members."""

    total: int
    offset: int
    rows: list[MemberOut]


class AccountLine(BaseModel):
    """One account that the run saw."""

    account_id: str
    exchange_count: int
    campaign_id: str | None
    disposition_hint: str
    abstentions: list[str] | None


class AccountsOut(BaseModel):
    """A page of accounts."""

    total: int
    offset: int
    rows: list[AccountLine]


class AccountOut(BaseModel):
    """Everything about one account."""

    account: AccountLine | None
    memberships: list[MemberOut]
    decisions: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    appeals: list[dict[str, Any]]
    grants: list[dict[str, Any]]


class CaseOut(BaseModel):
    """One case."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    kind: str
    state: str
    verdict: str | None
    assignee: int | None
    opened_at: datetime
    changed_at: datetime
    closed_at: datetime | None
    run_id: str | None
    campaign_id: str | None
    account_count: int
    exchange_count: int
    output_tokens: int
    confidence: str
    hours: float
    version: int


class CasesOut(BaseModel):
    """A page of cases."""

    total: int
    offset: int
    rows: list[CaseOut]


class EventsOut(BaseModel):
    """A page of a timeline."""

    total: int
    offset: int
    rows: list[CaseEvent]


class CaseAccountsOut(BaseModel):
    """A page of a case's accounts."""

    total: int
    offset: int
    rows: list[CaseAccount]


class OpenIn(Taken):
    """A case by hand."""

    title: str = Field(min_length=1, max_length=200)
    accounts: list[Annotated[str, Field(max_length=600)]] = Field(default=[], max_length=10_000)


class NoteIn(Taken):
    """A note."""

    text: str = Field(min_length=1, max_length=20_000)
    hours: float = Field(default=0.0, ge=0.0, le=744.0)


class AssignIn(Taken):
    """Who is to work on it; null for nobody."""

    to: str | None = Field(max_length=64)
    version: Version


class CloseIn(Taken):
    """A verdict and why."""

    verdict: Verdict
    reason: str = Field(min_length=1, max_length=20_000)
    version: Version


class ReopenIn(Taken):
    """Why."""

    reason: str = Field(min_length=1, max_length=20_000)
    version: Version


class PersonOut(BaseModel):
    """Somebody who works here."""

    model_config = ConfigDict(from_attributes=True)

    person_id: int
    name: str
    full_name: str
    email: str
    active: bool
    roles: list[Role]


class AuditLine(BaseModel):
    """One line of the audit record."""

    model_config = ConfigDict(from_attributes=True)

    seq: int
    at: str
    person_id: int | None
    person_name: str
    what: str
    subject: str
    details: str
    previous: str
    digest: str


class AuditOut(BaseModel):
    """A page of the audit record, newest first."""

    total: int
    offset: int
    rows: list[AuditLine]
