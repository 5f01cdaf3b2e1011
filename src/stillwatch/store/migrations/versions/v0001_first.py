"""The first form of the store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = "lines of the audit record are never changed or removed"


def upgrade() -> None:
    """Make every table, and let nothing but additions into the audit record."""
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("person_name", sa.Text(), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    op.create_index(op.f("ix_audit_what"), "audit", ["what"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "people",
        sa.Column("person_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("totp_secret", sa.Text(), nullable=True),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=True),
        sa.Column("oidc_issuer", sa.Text(), nullable=True),
        sa.Column("oidc_subject", sa.Text(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_people")),
        sa.UniqueConstraint("name", name=op.f("uq_people_name")),
        sa.UniqueConstraint("oidc_issuer", "oidc_subject", name=op.f("uq_people_oidc_issuer_oidc_subject")),
    )
    op.create_table(
        "grants",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("purpose", sa.String(length=24), nullable=False),
        sa.Column("models", sa.JSON(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("max_exchanges", sa.BigInteger(), nullable=True),
        sa.Column("max_output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("added_by", sa.Integer(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["added_by"], ["people.person_id"], name=op.f("fk_grants_added_by")),
        sa.ForeignKeyConstraint(["revoked_by"], ["people.person_id"], name=op.f("fk_grants_revoked_by")),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_account_id", "grants", ["account_id"], unique=False)
    op.create_index("ix_grants_org_id", "grants", ["org_id"], unique=False)
    op.create_table(
        "person_roles",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.person_id"], name=op.f("fk_person_roles_person_id")),
        sa.PrimaryKeyConstraint("person_id", "role", name=op.f("pk_person_roles")),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.Integer(), nullable=True),
        sa.Column("settings_digest", sa.Text(), nullable=False),
        sa.Column("program_version", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("campaign_count", sa.Integer(), nullable=False),
        sa.Column("account_count", sa.Integer(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["imported_by"], ["people.person_id"], name=op.f("fk_runs_imported_by")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
    )
    op.create_table(
        "sessions",
        sa.Column("session_digest", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.person_id"], name=op.f("fk_sessions_person_id")),
        sa.PrimaryKeyConstraint("session_digest", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_person_id"), "sessions", ["person_id"], unique=False)
    op.create_table(
        "cases",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=24), nullable=True),
        sa.Column("assignee", sa.Integer(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("campaign_id", sa.Text(), nullable=True),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("account_count", sa.Integer(), nullable=False),
        sa.Column("exchange_count", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("confidence", sa.String(length=16), nullable=False),
        sa.Column("false_discovery_rate", sa.Float(), nullable=True),
        sa.Column("extraction_share", sa.Float(), nullable=True),
        sa.Column("families", sa.Integer(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("hours", sa.Float(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["assignee"], ["people.person_id"], name=op.f("fk_cases_assignee")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_cases_run_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_assignee_state", "cases", ["assignee", "state"], unique=False)
    op.create_index("ix_cases_state_changed_at", "cases", ["state", "changed_at"], unique=False)
    op.create_table(
        "case_accounts",
        sa.Column("case_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("tier", sa.String(length=16), nullable=False),
        sa.Column("membership_bits", sa.Float(), nullable=False),
        sa.Column("extraction_share", sa.Float(), nullable=False),
        sa.Column("exchange_count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("first_run", sa.String(length=64), nullable=False),
        sa.Column("last_run", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name=op.f("fk_case_accounts_case_number")),
        sa.PrimaryKeyConstraint("case_number", "account_id", name=op.f("pk_case_accounts")),
    )
    op.create_index("ix_case_accounts_account_id", "case_accounts", ["account_id"], unique=False)
    op.create_index(
        "ix_case_accounts_rank",
        "case_accounts",
        ["case_number", "membership_bits", "account_id"],
        unique=False,
    )
    op.create_index(
        "ix_case_accounts_volume",
        "case_accounts",
        ["case_number", "exchange_count", "account_id"],
        unique=False,
    )
    op.create_table(
        "case_events",
        sa.Column("event_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("case_number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("hours", sa.Float(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name=op.f("fk_case_events_case_number")),
        sa.ForeignKeyConstraint(["person_id"], ["people.person_id"], name=op.f("fk_case_events_person_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_case_events")),
    )
    op.create_index(
        "ix_case_events_case_number_event_id", "case_events", ["case_number", "event_id"], unique=False
    )
    op.create_table(
        "case_exemplars",
        sa.Column("case_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_number"], ["cases.number"], name=op.f("fk_case_exemplars_case_number")
        ),
        sa.PrimaryKeyConstraint("case_number", "place", name=op.f("pk_case_exemplars")),
    )
    op.create_table(
        "case_findings",
        sa.Column("case_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("finding_id", sa.Text(), nullable=False),
        sa.Column("trait", sa.Text(), nullable=False),
        sa.Column("family", sa.String(length=24), nullable=False),
        sa.Column("effect", sa.Float(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("baseline", sa.Text(), nullable=False),
        sa.Column("p_value", sa.Float(), nullable=True),
        sa.Column("log10_e_value", sa.Float(), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("looks_alike", sa.JSON(), nullable=False),
        sa.Column("settings_digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name=op.f("fk_case_findings_case_number")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_case_findings_run_id")),
        sa.PrimaryKeyConstraint("case_number", "run_id", "finding_id", name=op.f("pk_case_findings")),
    )
    op.create_table(
        "case_links",
        sa.Column("case_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("other", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("relation", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("grounds", sa.JSON(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name=op.f("fk_case_links_case_number")),
        sa.ForeignKeyConstraint(["other"], ["cases.number"], name=op.f("fk_case_links_other")),
        sa.PrimaryKeyConstraint("case_number", "other", "relation", name=op.f("pk_case_links")),
    )
    op.create_index(op.f("ix_case_links_other"), "case_links", ["other"], unique=False)
    op.create_table(
        "case_sightings",
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("case_number", sa.Integer(), nullable=False),
        sa.Column("relation", sa.String(length=16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_count", sa.Integer(), nullable=False),
        sa.Column("joined", sa.Integer(), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.Column("settings_digest", sa.Text(), nullable=False),
        sa.Column("program_version", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_number"], ["cases.number"], name=op.f("fk_case_sightings_case_number")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_case_sightings_run_id")),
        sa.PrimaryKeyConstraint("run_id", "campaign_id", name=op.f("pk_case_sightings")),
    )
    op.create_index(op.f("ix_case_sightings_case_number"), "case_sightings", ["case_number"], unique=False)
    op.create_table(
        "case_traits",
        sa.Column("case_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("trait", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("family", sa.String(length=24), nullable=False),
        sa.Column("control", sa.Boolean(), nullable=False),
        sa.Column("reference_share", sa.Float(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name=op.f("fk_case_traits_case_number")),
        sa.PrimaryKeyConstraint("case_number", "trait", "value", name=op.f("pk_case_traits")),
    )
    op.create_index("ix_case_traits_trait_value", "case_traits", ["trait", "value"], unique=False)
    op.create_table(
        "plans",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("case_number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("executor", sa.String(length=24), nullable=False),
        sa.Column("stages", sa.JSON(), nullable=False),
        sa.Column("stage_wait_s", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(length=48), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("account_count", sa.Integer(), nullable=False),
        sa.Column("credential_count", sa.Integer(), nullable=False),
        sa.Column("estimate", sa.JSON(), nullable=False),
        sa.Column("families", sa.JSON(), nullable=False),
        sa.Column("approvals_needed", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_by", sa.Integer(), nullable=True),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name=op.f("fk_plans_case_number")),
        sa.ForeignKeyConstraint(["made_by"], ["people.person_id"], name=op.f("fk_plans_made_by")),
        sa.ForeignKeyConstraint(["run_by"], ["people.person_id"], name=op.f("fk_plans_run_by")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_plans")),
    )
    op.create_index(op.f("ix_plans_case_number"), "plans", ["case_number"], unique=False)
    op.create_index(op.f("ix_plans_state"), "plans", ["state"], unique=False)
    op.create_table(
        "unlocks",
        sa.Column("unlock_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("case_number", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("agreed_by", sa.Integer(), nullable=True),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agreed_by"], ["people.person_id"], name=op.f("fk_unlocks_agreed_by")),
        sa.ForeignKeyConstraint(["asked_by"], ["people.person_id"], name=op.f("fk_unlocks_asked_by")),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name=op.f("fk_unlocks_case_number")),
        sa.PrimaryKeyConstraint("unlock_id", name=op.f("pk_unlocks")),
    )
    op.create_index(op.f("ix_unlocks_case_number"), "unlocks", ["case_number"], unique=False)
    op.create_table(
        "plan_runners",
        sa.Column("plan_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.person_id"], name=op.f("fk_plan_runners_person_id")),
        sa.ForeignKeyConstraint(["plan_number"], ["plans.number"], name=op.f("fk_plan_runners_plan_number")),
        sa.PrimaryKeyConstraint("plan_number", "person_id", name=op.f("pk_plan_runners")),
    )
    op.create_table(
        "account_measures",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("case_number", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_number"], ["cases.number"], name=op.f("fk_account_measures_case_number")
        ),
        sa.ForeignKeyConstraint(
            ["plan_number"], ["plans.number"], name=op.f("fk_account_measures_plan_number")
        ),
        sa.PrimaryKeyConstraint("account_id", "plan_number", name=op.f("pk_account_measures")),
    )
    op.create_index(
        op.f("ix_account_measures_case_number"), "account_measures", ["case_number"], unique=False
    )
    op.create_index(
        op.f("ix_account_measures_plan_number"), "account_measures", ["plan_number"], unique=False
    )
    op.create_table(
        "appeals",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("case_number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=48), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("families", sa.JSON(), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name=op.f("fk_appeals_case_number")),
        sa.ForeignKeyConstraint(["decided_by"], ["people.person_id"], name=op.f("fk_appeals_decided_by")),
        sa.ForeignKeyConstraint(["plan_number"], ["plans.number"], name=op.f("fk_appeals_plan_number")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_appeals")),
        sa.UniqueConstraint("plan_number", "account_id", name=op.f("uq_appeals_plan_number_account_id")),
    )
    op.create_index(op.f("ix_appeals_account_id"), "appeals", ["account_id"], unique=False)
    op.create_index(op.f("ix_appeals_case_number"), "appeals", ["case_number"], unique=False)
    op.create_index("ix_appeals_state_due_at", "appeals", ["state", "due_at"], unique=False)
    op.create_table(
        "plan_approvals",
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("agreed", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.person_id"], name=op.f("fk_plan_approvals_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["plan_number"], ["plans.number"], name=op.f("fk_plan_approvals_plan_number")
        ),
        sa.PrimaryKeyConstraint("plan_number", "digest", "person_id", name=op.f("pk_plan_approvals")),
    )
    op.create_table(
        "plan_steps",
        sa.Column("step_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("undo", sa.Boolean(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["plan_number"], ["plans.number"], name=op.f("fk_plan_steps_plan_number")),
        sa.PrimaryKeyConstraint("step_id", name=op.f("pk_plan_steps")),
        sa.UniqueConstraint("key", name=op.f("uq_plan_steps_key")),
    )
    op.create_index("ix_plan_steps_account_id", "plan_steps", ["account_id"], unique=False)
    op.create_index(
        "ix_plan_steps_todo", "plan_steps", ["plan_number", "undo", "state", "stage", "step_id"], unique=False
    )
    op.create_table(
        "tripwires",
        sa.Column("tripwire_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("plan_number", sa.Integer(), nullable=False),
        sa.Column("case_number", sa.Integer(), nullable=False),
        sa.Column("trait", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name=op.f("fk_tripwires_case_number")),
        sa.ForeignKeyConstraint(["plan_number"], ["plans.number"], name=op.f("fk_tripwires_plan_number")),
        sa.PrimaryKeyConstraint("tripwire_id", name=op.f("pk_tripwires")),
    )
    op.create_index(op.f("ix_tripwires_plan_number"), "tripwires", ["plan_number"], unique=False)
    op.create_index("ix_tripwires_trait_value", "tripwires", ["trait", "value"], unique=False)
    op.create_table(
        "appeal_tokens",
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("appeal_number", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["appeal_number"], ["appeals.number"], name=op.f("fk_appeal_tokens_appeal_number")
        ),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_appeal_tokens")),
    )
    op.create_index(op.f("ix_appeal_tokens_appeal_number"), "appeal_tokens", ["appeal_number"], unique=False)
    op.create_table(
        "benign_accounts",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("case_number", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("appeal_number", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["appeal_number"], ["appeals.number"], name=op.f("fk_benign_accounts_appeal_number")
        ),
        sa.ForeignKeyConstraint(
            ["case_number"], ["cases.number"], name=op.f("fk_benign_accounts_case_number")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.person_id"], name=op.f("fk_benign_accounts_person_id")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_benign_accounts")),
    )
    op.create_table(
        "documents",
        sa.Column("document_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("appeal_number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["appeal_number"], ["appeals.number"], name=op.f("fk_documents_appeal_number")
        ),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_documents")),
    )
    op.create_index(op.f("ix_documents_appeal_number"), "documents", ["appeal_number"], unique=False)
    op.create_table(
        "tripwire_hits",
        sa.Column("tripwire_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("case_number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name=op.f("fk_tripwire_hits_case_number")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_tripwire_hits_run_id")),
        sa.ForeignKeyConstraint(
            ["tripwire_id"], ["tripwires.tripwire_id"], name=op.f("fk_tripwire_hits_tripwire_id")
        ),
        sa.PrimaryKeyConstraint("tripwire_id", "run_id", "account_id", name=op.f("pk_tripwire_hits")),
    )
    op.bulk_insert(
        sa.table("audit_head", sa.column("one"), sa.column("seq"), sa.column("digest")),
        [{"one": 1, "seq": 0, "digest": "0" * 64}],
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{APPEND_ONLY}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"
        )


def downgrade() -> None:
    """There is nothing before it: go back by restoring a backup."""
    raise NotImplementedError("restore a backup instead")
