"""Appeals: the list with its clocks, and one appeal, read and decided by a person who had no part in the action."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.asked import AsAsked
from stillwatch.console.door import AtSite, from_a_form, may
from stillwatch.console.names import appeal_number, names
from stillwatch.console.render import page
from stillwatch.console.signin.sessions import Seen
from stillwatch.records import AppealState, Outcome, Permission
from stillwatch.respond import appeals, correcting, outbox, planning

router = APIRouter(include_in_schema=False)
Reads = Annotated[Seen, Depends(may(Permission.APPEAL_READ))]
Decides = Annotated[Seen, Depends(may(Permission.APPEAL_DECIDE))]
Text = Annotated[str, Form(max_length=5_000)]
_LIMIT = 50


@router.get("/appeals")
def listing(request: Request, site: AtSite, seen: Reads, asked: AsAsked, state: str = "filed") -> Response:
    """Those that wait for a decision, the most pressing first; or those of another state."""
    states = tuple(s for s in AppealState if s.value == state)
    with site.desk.look(seen.person) as work:
        found = appeals.listing(work, states=states, offset=asked.offset, limit=_LIMIT)
        turned = correcting.overturned(work)
    return page(
        request, "appeals.html.j2", found=found, asked=asked, state=state, states=list(AppealState), now=site.now(),
        overturned=turned,
    )  # fmt: skip


@router.get("/appeals/{name}")
def appeal(request: Request, site: AtSite, seen: Reads, name: str) -> Response:
    """One appeal. That somebody read what the customer wrote is a line of the audit record."""
    number = appeal_number(name)
    with site.work(seen.person) as work:
        held = appeals.get(work, number)
        handed_in = appeals.documents(work.conn, number)
        acted = planning.actors(work, held.plan_number)
        called = names(work.conn, [held.decided_by, *acted])
    return page(
        request, "appeal.html.j2", appeal=held, documents=handed_in, now=site.now(), called=called, acted=acted,
        outcomes=list(Outcome), own=seen.person.person_id in acted,
    )  # fmt: skip


@router.get("/appeals/{name}/documents/{document_id}")
def document(site: AtSite, seen: Reads, name: str, document_id: int) -> Response:
    """What was handed in, as a download that no browser opens here; each reading is on record."""
    with site.work(seen.person) as work:
        held, content = appeals.content(work, document_id)
    plain = "".join(c if c.isascii() and (c.isalnum() or c in " ._-") else "_" for c in held.name)
    headers = {
        "content-disposition": f'attachment; filename="{plain}"',
        "content-security-policy": "default-src 'none'; sandbox",
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.post("/appeals/{name}/decide", dependencies=[Depends(from_a_form)])
def decide(
    site: AtSite, seen: Decides, name: str, outcome: Annotated[Outcome, Form()], answer: Text,
    version: Annotated[int, Form(ge=0, le=2**31 - 1)],
) -> Response:  # fmt: skip
    """Decide. What is to be taken back is in the plan's outbox at once, and carried out beside the pages."""
    number = appeal_number(name)
    with site.work(seen.person) as work:
        done = appeals.decide(work, number, outcome, answer, version=version)
        plans = outbox.taking_back(work, done.account_id)
    for plan in plans:
        site.runner.run(seen.person, plan)
    return RedirectResponse(f"/appeals/A-{number}?done=appeal", status_code=303)
