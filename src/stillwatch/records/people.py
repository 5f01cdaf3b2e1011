"""People who work with the console and the command line: who they are, and what a role allows.

Examples
--------
>>> ada = Person(1, "ada", roles=frozenset({Role.ANALYST}))
>>> ada.may(Permission.CASE_WORK), ada.may(Permission.PLAN_APPROVE)
(True, False)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is here for. A person may have several."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    APPROVER = "approver"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Permission(StrEnum):
    """One thing that may be done. Every service asks for exactly one of these."""

    CASE_READ = "case_read"
    CASE_WORK = "case_work"
    """Open, assign, note, close."""
    RUN_IMPORT = "run_import"
    CONTENT_ASK = "content_ask"
    """Ask to see prompt text."""
    CONTENT_APPROVE = "content_approve"
    CONTENT_READ = "content_read"
    """Read prompt text while an unlock stands."""
    PLAN_READ = "plan_read"
    PLAN_MAKE = "plan_make"
    PLAN_APPROVE = "plan_approve"
    PLAN_RUN = "plan_run"
    PLAN_UNDO = "plan_undo"
    APPEAL_READ = "appeal_read"
    APPEAL_DECIDE = "appeal_decide"
    GRANT_READ = "grant_read"
    GRANT_EDIT = "grant_edit"
    POLICY_READ = "policy_read"
    POLICY_SWITCH = "policy_switch"
    """Kill switches."""
    POLICY_MODE = "policy_mode"
    """Shadow, canary, enforce."""
    PEOPLE_READ = "people_read"
    PEOPLE_EDIT = "people_edit"
    AUDIT_READ = "audit_read"
    STORE_CARE = "store_care"
    """Back up, restore, check, migrate."""


_READ = frozenset({
    Permission.CASE_READ, Permission.PLAN_READ, Permission.APPEAL_READ, Permission.GRANT_READ, Permission.POLICY_READ,
})  # fmt: skip
_ANALYST = _READ | {
    Permission.CASE_WORK, Permission.RUN_IMPORT, Permission.CONTENT_ASK, Permission.CONTENT_READ, Permission.PLAN_MAKE,
}  # fmt: skip
_APPROVER = _READ | {
    Permission.CONTENT_APPROVE, Permission.PLAN_APPROVE, Permission.PLAN_RUN, Permission.PLAN_UNDO,
    Permission.APPEAL_DECIDE, Permission.GRANT_EDIT, Permission.POLICY_SWITCH, Permission.CASE_WORK,
    Permission.POLICY_MODE,
}  # fmt: skip
ALLOWS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _READ,
    Role.ANALYST: _ANALYST,
    Role.APPROVER: _APPROVER,
    Role.ADMIN: _READ
    | {
        Permission.PEOPLE_READ, Permission.PEOPLE_EDIT, Permission.STORE_CARE, Permission.GRANT_EDIT,
        Permission.POLICY_SWITCH, Permission.AUDIT_READ, Permission.RUN_IMPORT,
    },
    Role.AUDITOR: _READ | {Permission.AUDIT_READ, Permission.PEOPLE_READ},
}  # fmt: skip
"""What each role allows. An admin keeps people and the store, and neither acts on accounts nor reads prompts."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody known by name; how they sign in is kept elsewhere."""

    person_id: int
    name: str
    roles: frozenset[Role] = frozenset()
    active: bool = True
    full_name: str = ""
    email: str = ""
    version: int = 1

    def may(self, permission: Permission) -> bool:
        """Whether one of the roles allows it; nobody inactive may do anything."""
        return self.active and any(permission in ALLOWS[role] for role in self.roles)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the append-only record: who did or read what, and when, chained to the line before."""

    seq: int
    at: str
    """RFC 3339, UTC, as it was digested."""
    person_id: int | None
    """None: the program itself, or a customer with an appeal link."""
    person_name: str
    what: str
    """``case.close``, ``content.read``, ...: noun and verb."""
    subject: str
    """``K-12``, ``P-3``, an account id, ..."""
    details: str
    """JSON with sorted keys; never prompt text."""
    previous: str
    """Digest of the line before, 64 hexadecimal digits; zeros for the first."""
    digest: str
