"""The customer's page: what was done and why, a statement, documents, the clock, the decision. A link is the key.

No sign-in, no cookie, nothing but this one appeal. A wrong link tells nothing; one whose time is over still says what
was done, and what was decided, and takes nothing more.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from stillwatch.console.door import AtSite
from stillwatch.console.render import page
from stillwatch.respond import PROGRAM, appeals
from stillwatch.respond.appeals import KINDS, MOST_BYTES, MOST_DOCUMENTS, Upload

router = APIRouter(include_in_schema=False)


@router.get("/appeal/{token}")
def read(request: Request, site: AtSite, token: str) -> Response:
    """The page behind a link."""
    with site.desk.look(PROGRAM) as work:
        held = appeals.by_token(work.conn, token)
        handed_in = appeals.documents(work.conn, held.number)
    return page(
        request, "appeal_door.html.j2", appeal=held, documents=handed_in, token=token, now=site.now(), kinds=KINDS,
        most=MOST_DOCUMENTS, mebibytes=MOST_BYTES // 2**20, seen=None,
    )  # fmt: skip


@router.post("/appeal/{token}")
def write(
    site: AtSite, token: str, statement: Annotated[str, Form(max_length=20_000)] = "",
    kind: Annotated[str, Form(max_length=40)] = "other", documents: Annotated[list[UploadFile] | None, File()] = None,
) -> Response:  # fmt: skip
    """Take a statement and documents."""
    uploads = [
        Upload(kind, one.filename or "document", one.file.read(MOST_BYTES + 1))
        for one in (documents or [])[: MOST_DOCUMENTS + 1]
        if one.size
    ]
    with site.work(None) as work:
        appeals.file(work, token, statement, uploads, days_to_decide=site.settings.respond.decide_days)
    return RedirectResponse(f"/appeal/{token}?done=filed", status_code=303)
