"""The tables of the store, all of them on one page.

``version`` rises with every change of a row (see :func:`stillwatch.respond.work.changed`). What may grow without end is
indexed for the questions that pages ask. ``audit`` is append-only: the migration adds triggers that refuse anything
else. Long because it is a list: one table after the other, nothing else.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from stillwatch.respond.columns import Moment, Outside

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _col(name: str, kind: Any = Outside, *more: Any, **options: Any) -> Column[Any]:
    """A column that is never null unless it says so."""
    return Column(name, kind, *more, **{"nullable": False, **options})


def _maybe(name: str, kind: Any = Outside, *more: Any) -> Column[Any]:
    return Column(name, kind, *more, nullable=True)


def _number(name: str) -> Column[Any]:
    return Column(name, Integer, primary_key=True, autoincrement=True)


def _person(name: str) -> Column[Any]:
    return _maybe(name, Integer, ForeignKey("people.person_id"))


def _case(name: str = "case_number", **options: Any) -> Column[Any]:
    return _col(name, Integer, ForeignKey("cases.number"), **options)


# People. How they sign in (password, second factor, provider, sessions) is kept here and used by the console alone.

people = Table(
    "people", METADATA, _number("person_id"), _col("name", Outside, unique=True), _col("full_name"), _col("email"),
    _col("active", Boolean), _maybe("password_hash", Text), _maybe("totp_secret", Text),
    _maybe("totp_last_step", BigInteger), _maybe("oidc_issuer", Text), _maybe("oidc_subject", Text),
    _col("added_at", Moment),
    _col("version", Integer), UniqueConstraint("oidc_issuer", "oidc_subject"),
)  # fmt: skip
person_roles = Table(
    "person_roles", METADATA, _col("person_id", Integer, ForeignKey("people.person_id"), primary_key=True),
    _col("role", String(16), primary_key=True),
)  # fmt: skip
sessions = Table(
    "sessions", METADATA, Column("session_digest", String(64), primary_key=True),
    _col("person_id", Integer, ForeignKey("people.person_id"), index=True), _col("kind", String(16)), _col("label"),
    _col("made_at", Moment), _col("seen_at", Moment),
    _col("expires_at", Moment), _maybe("revoked_at", Moment), _col("client"), _col("user_agent"),
)  # fmt: skip
audit = Table(
    "audit", METADATA, Column("seq", BigInteger, primary_key=True, autoincrement=False), _col("at", Text),
    _maybe("person_id", Integer), _col("person_name"), _col("what", String(64), index=True),
    _col("subject", Outside, index=True), _col("details"), _col("previous", String(64)), _col("digest", String(64)),
)  # fmt: skip
audit_head = Table(
    "audit_head", METADATA, Column("one", Integer, primary_key=True, autoincrement=False), _col("seq", BigInteger),
    _col("digest", String(64)),
)  # fmt: skip

# Runs and cases.

runs = Table(
    "runs", METADATA, Column("run_id", String(64), primary_key=True), _col("label"), _col("imported_at", Moment),
    _person("imported_by"), _col("settings_digest", Text), _col("program_version", Text), _maybe("first_seen", Moment),
    _maybe("last_seen", Moment), _col("campaign_count", Integer), _col("account_count", Integer), _col("summary", JSON),
)  # fmt: skip
cases = Table(
    "cases", METADATA, _number("number"), _col("title"), _col("kind", String(16)), _col("state", String(16)),
    _maybe("verdict", String(24)), _person("assignee"), _col("opened_at", Moment), _col("changed_at", Moment),
    _maybe("closed_at", Moment), _maybe("run_id", String(64), ForeignKey("runs.run_id")), _maybe("campaign_id"),
    _maybe("first_seen", Moment), _maybe("last_seen", Moment), _col("account_count", Integer),
    _col("exchange_count", BigInteger), _col("output_tokens", BigInteger), _col("confidence", String(16)),
    _maybe("false_discovery_rate", Float), _maybe("extraction_share", Float), _col("families", Integer),
    _col("granted", Boolean), _col("hours", Float), _col("details", JSON), _col("version", Integer),
    Index("ix_cases_state_changed_at", "state", "changed_at"), Index("ix_cases_assignee_state", "assignee", "state"),
)  # fmt: skip
case_accounts = Table(
    "case_accounts", METADATA, _case(primary_key=True, autoincrement=False),
    _col("account_id", Outside, primary_key=True), _col("tier", String(16)), _col("membership_bits", Float),
    _col("extraction_share", Float), _col("exchange_count", BigInteger), _maybe("first_seen", Moment),
    _maybe("last_seen", Moment), _col("reasons", JSON), _col("present", Boolean), _col("first_run", String(64)),
    _col("last_run", String(64)), Index("ix_case_accounts_account_id", "account_id"),
    Index("ix_case_accounts_rank", "case_number", "membership_bits", "account_id"),
    Index("ix_case_accounts_volume", "case_number", "exchange_count", "account_id"),
)  # fmt: skip
case_traits = Table(
    "case_traits", METADATA, _case(primary_key=True, autoincrement=False), _col("trait", String(64), primary_key=True),
    _col("value", Outside, primary_key=True), _col("family", String(24)), _col("control", Boolean),
    _col("reference_share", Float), _col("members", Integer), _col("run_id", String(64)), _maybe("cleared_at", Moment),
    Index("ix_case_traits_trait_value", "trait", "value"),
)  # fmt: skip
"""What members of a case share; lineage rests on it until a person clears it."""
case_sightings = Table(
    "case_sightings", METADATA, _col("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    _col("campaign_id", Outside, primary_key=True), _case(index=True), _col("relation", String(16)), _col("at", Moment),
    _col("account_count", Integer), _col("joined", Integer), _col("left", Integer), _col("settings_digest", Text),
    _col("program_version", Text), _col("details", JSON),
)  # fmt: skip
case_findings = Table(
    "case_findings", METADATA, _case(primary_key=True, autoincrement=False),
    _col("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    _col("finding_id", Outside, primary_key=True),
    _col("trait", Text), _col("family", String(24)), _col("effect", Float), _col("unit", Text), _col("baseline", Text),
    _maybe("p_value", Float), _maybe("log10_e_value", Float), _col("reasons", JSON), _col("looks_alike", JSON),
    _col("settings_digest", Text),
)  # fmt: skip
case_exemplars = Table(
    "case_exemplars", METADATA, _case(primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False), _col("run_id", String(64)), _col("text"),
)  # fmt: skip
"""Prompt text, where a scan was told to keep it; read behind an unlock alone."""
case_links = Table(
    "case_links", METADATA, _case(primary_key=True, autoincrement=False),
    _case("other", primary_key=True, autoincrement=False, index=True), _col("relation", String(16), primary_key=True),
    _col("at", Moment), _col("grounds", JSON), _maybe("withdrawn_at", Moment),
)  # fmt: skip
case_events = Table(
    "case_events", METADATA, _number("event_id"), _case(), _col("at", Moment), _person("person_id"),
    _col("kind", String(16)), _col("text"), _col("hours", Float), _col("details", JSON),
    Index("ix_case_events_case_number_event_id", "case_number", "event_id"),
)  # fmt: skip

# Plans, their outbox, what accounts are under, tripwires.

plans = Table(
    "plans", METADATA, _number("number"), _case(index=True), _col("state", String(16), index=True),
    _col("measure", String(16)), _col("executor", String(24)), _col("stages", JSON), _col("stage_wait_s", Float),
    _col("reason", String(48)), _col("sentence"), _col("account_count", Integer), _col("credential_count", Integer),
    _col("estimate", JSON), _col("families", JSON), _col("approvals_needed", Integer), _col("digest", String(64)),
    _col("made_by", Integer, ForeignKey("people.person_id")), _col("made_at", Moment), _person("run_by"),
    _maybe("run_at", Moment), _maybe("done_at", Moment), _col("version", Integer),
)  # fmt: skip
plan_steps = Table(
    "plan_steps", METADATA, _number("step_id"), _col("plan_number", Integer, ForeignKey("plans.number")),
    _col("account_id"), _col("kind", String(16)), _col("undo", Boolean), _col("stage", Integer), _col("target"),
    _col("key", String(64), unique=True), _col("state", String(16)), _col("attempts", Integer), _col("error"),
    _maybe("due_at", Moment), _maybe("held_until", Moment), _maybe("done_at", Moment),
    Index("ix_plan_steps_todo", "plan_number", "undo", "state", "stage", "step_id"),
    Index("ix_plan_steps_account_id", "account_id"),
)  # fmt: skip
plan_approvals = Table(
    "plan_approvals", METADATA, _col("plan_number", Integer, ForeignKey("plans.number"), primary_key=True),
    _col("digest", String(64), primary_key=True),
    _col("person_id", Integer, ForeignKey("people.person_id"), primary_key=True), _col("agreed", Boolean),
    _col("note"), _col("at", Moment),
)  # fmt: skip
plan_runners = Table(
    "plan_runners", METADATA,
    _col("plan_number", Integer, ForeignKey("plans.number"), primary_key=True, autoincrement=False),
    _col("person_id", Integer, ForeignKey("people.person_id"), primary_key=True, autoincrement=False),
    _col("at", Moment),
)  # fmt: skip
"""Everybody who carried out or took back a part of a plan; who carried out an appeal's decision is not among them."""
account_measures = Table(
    "account_measures", METADATA, Column("account_id", Outside, primary_key=True), _col("measure", String(16)),
    _col("plan_number", Integer, ForeignKey("plans.number"), primary_key=True, autoincrement=False, index=True),
    _case(index=True), _col("since", Moment),
)  # fmt: skip
"""What each account is under now, and by which plans; a row goes when that plan's measure is taken back."""
tripwires = Table(
    "tripwires", METADATA, _number("tripwire_id"), _col("plan_number", Integer, ForeignKey("plans.number"), index=True),
    _case(), _col("trait", String(64)), _col("value"), _col("set_at", Moment), _col("expires_at", Moment),
    _maybe("withdrawn_at", Moment), Index("ix_tripwires_trait_value", "trait", "value"),
)  # fmt: skip
tripwire_hits = Table(
    "tripwire_hits", METADATA,
    _col("tripwire_id", Integer, ForeignKey("tripwires.tripwire_id"), primary_key=True),
    _col("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    _col("account_id", Outside, primary_key=True),
    _case(), _col("at", Moment),
)  # fmt: skip

# Appeals, grants, honest accounts, unlocked content.

appeals = Table(
    "appeals", METADATA, _number("number"), _col("account_id", Outside, index=True),
    _col("plan_number", Integer, ForeignKey("plans.number")), _case(index=True), _col("state", String(16)),
    _col("measure", String(16)), _col("reason", String(48)), _col("sentence"), _col("families", JSON),
    _col("offered_at", Moment), _col("expires_at", Moment), _maybe("filed_at", Moment), _maybe("due_at", Moment),
    _col("statement"), _maybe("outcome", String(16)), _person("decided_by"), _maybe("decided_at", Moment),
    _col("answer"), _col("version", Integer), UniqueConstraint("plan_number", "account_id"),
    Index("ix_appeals_state_due_at", "state", "due_at"),
)  # fmt: skip
appeal_tokens = Table(
    "appeal_tokens", METADATA, Column("token_digest", String(64), primary_key=True),
    _col("appeal_number", Integer, ForeignKey("appeals.number"), index=True), _col("issued_at", Moment),
)  # fmt: skip
documents = Table(
    "documents", METADATA, _number("document_id"),
    _col("appeal_number", Integer, ForeignKey("appeals.number"), index=True), _col("kind", String(24)), _col("name"),
    _col("media_type", String(64)), _col("size_bytes", Integer), _col("digest", String(64)),
    _col("content", LargeBinary), _col("at", Moment),
)  # fmt: skip
grants = Table(
    "grants", METADATA, Column("grant_id", Outside, primary_key=True), _maybe("account_id"), _maybe("org_id"),
    _col("purpose", String(24)), _col("models", JSON), _col("valid_from", Moment), _col("valid_until", Moment),
    _maybe("max_exchanges", BigInteger), _maybe("max_output_tokens", BigInteger), _col("note"), _person("added_by"),
    _col("added_at", Moment), _maybe("revoked_at", Moment), _person("revoked_by"), _col("version", Integer),
    Index("ix_grants_account_id", "account_id"), Index("ix_grants_org_id", "org_id"),
)  # fmt: skip
benign_accounts = Table(
    "benign_accounts", METADATA, Column("account_id", Outside, primary_key=True), _case(), _person("person_id"),
    _maybe("appeal_number", Integer, ForeignKey("appeals.number")), _col("at", Moment), _col("reason"),
)  # fmt: skip
"""Accounts that a person found innocent; lineage passes over them, and baselines may be fitted on them."""
unlocks = Table(
    "unlocks", METADATA, _number("unlock_id"), _case(index=True),
    _col("asked_by", Integer, ForeignKey("people.person_id")), _col("asked_at", Moment), _col("reason"),
    _person("agreed_by"), _maybe("agreed_at", Moment), _maybe("expires_at", Moment), _maybe("ended_at", Moment),
    _col("version", Integer),
)  # fmt: skip
"""Recorded, two-person, time-limited leave to read the prompt text kept with a case."""
