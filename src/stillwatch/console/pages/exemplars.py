"""Exemplars: prompt text of a case, behind a recorded, time-limited leave that two people give; redacted by default."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.door import AtSite, Reader, from_a_form, may
from stillwatch.console.names import case_number, names
from stillwatch.console.render import page
from stillwatch.console.signin.sessions import Seen
from stillwatch.records import Permission
from stillwatch.respond import content

router = APIRouter(include_in_schema=False)
Asks = Annotated[Seen, Depends(may(Permission.CONTENT_ASK))]
Agrees = Annotated[Seen, Depends(may(Permission.CONTENT_APPROVE))]
Reads = Annotated[Seen, Depends(may(Permission.CONTENT_READ))]
FORM = [Depends(from_a_form)]
Text = Annotated[str, Form(max_length=2_000)]
Number = Annotated[int, Form(ge=0, le=2**31 - 1)]


@router.get("/exemplars")
def listing(request: Request, site: AtSite, seen: Reader) -> Response:
    """Who asked to read what, who agreed, and until when."""
    with site.desk.look(seen.person) as work:
        found = content.unlocks(work)
        called = names(work.conn, [p for u in found for p in (u.asked_by, u.agreed_by)])
    return page(request, "exemplars.html.j2", found=found, called=called, now=site.now())


@router.post("/cases/{name}/unlock", dependencies=FORM)
def ask(site: AtSite, seen: Asks, name: str, reason: Text) -> Response:
    """Ask to see the prompts of a case."""
    with site.work(seen.person) as work:
        content.ask(work, case_number(name), reason)
    return RedirectResponse("/exemplars?done=asked", status_code=303)


@router.post("/exemplars/agree", dependencies=FORM)
def agree(
    site: AtSite,
    seen: Agrees,
    unlock: Number,
    version: Number,
    hours: Annotated[float, Form(gt=0, le=72)] = 4.0,
) -> Response:
    """Agree to what somebody else asked for, for some hours."""
    with site.work(seen.person) as work:
        content.agree(work, unlock, hours=hours, version=version)
    return RedirectResponse("/exemplars?done=agreed", status_code=303)


@router.post("/exemplars/end", dependencies=FORM)
def end(site: AtSite, seen: Reader, unlock: Number, version: Number) -> Response:
    """End it before its time, or refuse it."""
    with site.work(seen.person) as work:
        content.end(work, unlock, version=version)
    return RedirectResponse("/exemplars?done=locked", status_code=303)


@router.post("/cases/{name}/exemplars", dependencies=FORM)
def read(request: Request, site: AtSite, seen: Reads, name: str, whole: Text = "") -> Response:
    """The prompts, while the leave stands. A reading leaves its line, so no link or prefetch makes one."""
    number = case_number(name)
    with site.work(seen.person) as work:
        texts = content.exemplars(work, number, whole=whole == "yes")
    return page(request, "exemplars_read.html.j2", texts=texts, number=number, whole=whole == "yes")
