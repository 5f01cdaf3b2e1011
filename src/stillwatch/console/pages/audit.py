"""The audit log: who did or read what, each line chained to the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from stillwatch.console.asked import AsAsked
from stillwatch.console.door import AtSite, may
from stillwatch.console.render import page
from stillwatch.console.signin.sessions import Seen
from stillwatch.console.tables_out import csv_text
from stillwatch.errors import VerificationError
from stillwatch.records import Permission
from stillwatch.respond import audit

router = APIRouter(include_in_schema=False)
Auditor = Annotated[Seen, Depends(may(Permission.AUDIT_READ))]
COLUMNS = ("seq", "at", "person_name", "what", "subject", "details", "previous", "digest")
_LIMIT, _PIECE = 100, 1_000


@router.get("/audit")
def log(
    request: Request, site: AtSite, seen: Auditor, asked: AsAsked,
    subject: Annotated[str, Query(max_length=600)] = "", check: Annotated[str, Query(max_length=1)] = "",
) -> Response:  # fmt: skip
    """The record, newest first; with ``check`` the whole chain is walked."""
    said = None
    with site.desk.look(seen.person) as work:
        found = audit.entries(work.conn, what=asked.q, subject=subject, offset=asked.offset, limit=_LIMIT)
        if check:
            try:
                said = (*audit.verify(work.conn), "")
            except VerificationError as error:
                said = (0, "", f"{error.message}; {error.hint}")
    return page(request, "audit.html.j2", found=found, asked=asked, subject=subject, said=said)


@router.get("/audit.csv")
def export(site: AtSite, seen: Auditor) -> Response:
    """The whole record as CSV, as it stands now, oldest first; that it was taken is its last line."""
    site.record(seen.person, "audit.export", "audit")

    with site.desk.look(seen.person) as work:
        last, _ = audit.head(work.conn)

    def rows() -> Iterator[dict[str, Any]]:
        for first in range(1, last + 1, _PIECE):
            with site.desk.look(seen.person) as work:
                piece = list(audit.lines(work.conn, first, min(last, first + _PIECE - 1)))
            yield from map(asdict, piece)

    return StreamingResponse(csv_text(COLUMNS, rows()), media_type="text/csv; charset=utf-8",
                             headers={"content-disposition": 'attachment; filename="audit.csv"'})  # fmt: skip
