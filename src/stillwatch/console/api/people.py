"""People and the audit record."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from stillwatch.console.api.cases import told
from stillwatch.console.api.shapes import FAILURES, AuditOut, Limit, Offset, PersonOut
from stillwatch.console.door import AtSite, Somebody, may
from stillwatch.console.signin.sessions import Seen
from stillwatch.records import Permission
from stillwatch.respond import audit, people

router = APIRouter(prefix="/api/v1", tags=["people"], responses=FAILURES)


@router.get("/me")
def me(seen: Somebody) -> PersonOut:
    """Whose token this is."""
    return PersonOut.model_validate(seen.person)


@router.get("/people")
def everybody(site: AtSite, seen: Annotated[Seen, Depends(may(Permission.PEOPLE_READ))]) -> list[PersonOut]:
    """Everybody, by name."""
    with site.desk.look(seen.person) as work:
        return [PersonOut.model_validate(p) for p in people.everybody(work.conn)]


@router.get("/audit")
def log(
    site: AtSite, seen: Annotated[Seen, Depends(may(Permission.AUDIT_READ))],
    what: Annotated[str, Query(max_length=64)] = "", subject: Annotated[str, Query(max_length=600)] = "",
    offset: Offset = 0, limit: Limit = 100,
) -> AuditOut:  # fmt: skip
    """The audit record, newest first."""
    with site.desk.look(seen.person) as work:
        return AuditOut.model_validate(
            told(audit.entries(work.conn, what=what, subject=subject, offset=offset, limit=limit))
        )
