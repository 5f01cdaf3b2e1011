"""Cases: the list, and the file on one of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.asked import AsAsked
from stillwatch.console.door import AtSite, Reader, from_a_form, may
from stillwatch.console.names import case_number, names
from stillwatch.console.render import page
from stillwatch.console.signin.sessions import Seen
from stillwatch.records import CaseState, Permission, Verdict
from stillwatch.respond import cases, content, people, planning
from stillwatch.respond.cases import CaseFilter

router = APIRouter(include_in_schema=False)
Worker = Annotated[Seen, Depends(may(Permission.CASE_WORK))]
Text = Annotated[str, Form(max_length=30_000)]
Version = Annotated[int, Form(ge=0, le=2**31 - 1)]
FORM = [Depends(from_a_form)]
_LIMIT = 50


@router.get("/cases")
def listing(
    request: Request, site: AtSite, seen: Reader, asked: AsAsked, state: Annotated[str, Query(max_length=10)] = "",
    mine: Annotated[str, Query(max_length=1)] = "",
) -> Response:  # fmt: skip
    """Cases, those that are not closed first."""
    states = tuple(s for s in CaseState if s.value == state) or (
        () if state == "all" else (CaseState.OPEN, CaseState.WORKING)
    )
    wanted = CaseFilter(states, seen.person.person_id if mine else None, words=asked.q)
    with site.desk.look(seen.person) as work:
        found = cases.listing(work, wanted, offset=asked.offset, limit=_LIMIT)
        called = names(work.conn, [c.assignee for c in found.rows])
    return page(
        request,
        "cases.html.j2",
        found=found,
        asked=asked,
        state=state,
        mine=bool(mine),
        called=called,
        now=site.now(),
    )


@router.get("/cases/{name}")
def case(request: Request, site: AtSite, seen: Reader, name: str) -> Response:
    """The file on one case."""
    number = case_number(name)
    with site.desk.look(seen.person) as work:
        held = cases.get(work, number)
        events = cases.timeline(work, number, limit=500)
        sightings, links = cases.sightings(work, number), cases.links(work, number)
        findings = cases.findings(work, number, held.run_id)
        plans, kept = planning.listing(work, case_number=number).rows, content.any_kept(work, number)
        workers = [p for p in people.everybody(work.conn) if p.may(Permission.CASE_WORK)]
        called = names(work.conn, [held.assignee, *(e.person_id for e in events.rows)])
    live = site.run.campaigns.get(held.campaign_id or "")
    return page(
        request, "case.html.j2", case=held, events=events, sightings=sightings, links=links, findings=findings,
        workers=workers, called=called, live=live, verdicts=list(Verdict), plans=plans, kept=kept, now=site.now(),
    )  # fmt: skip


def _back(number: int, done: str) -> Response:
    return RedirectResponse(f"/cases/K-{number}?done={done}", status_code=303)


@router.post("/cases/{name}/assign", dependencies=FORM)
def assign(site: AtSite, seen: Worker, name: str, version: Version, to: Text = "") -> Response:
    """Give it to somebody, or to nobody."""
    number = case_number(name)
    with site.work(seen.person) as work:
        person = people.by_name(work.conn, to).person_id if to else None
        cases.assign(work, number, person, version=version)
    return _back(number, "assigned")


@router.post("/cases/{name}/note", dependencies=FORM)
def note(
    site: AtSite, seen: Worker, name: str, text: Text, hours: Annotated[float, Form(ge=0, le=744)] = 0.0
) -> Response:
    """Add a note, and the hours it took."""
    number = case_number(name)
    with site.work(seen.person) as work:
        cases.note(work, number, text, hours=hours)
    return _back(number, "noted")


@router.post("/cases/{name}/close", dependencies=FORM)
def close(
    site: AtSite, seen: Worker, name: str, version: Version, verdict: Annotated[Verdict, Form()], reason: Text
) -> Response:
    """Close it with a verdict."""
    number = case_number(name)
    with site.work(seen.person) as work:
        cases.close(work, number, verdict, reason, version=version)
    return _back(number, "closed")


@router.post("/cases/{name}/reopen", dependencies=FORM)
def reopen(site: AtSite, seen: Worker, name: str, version: Version, reason: Text) -> Response:
    """Open it again."""
    number = case_number(name)
    with site.work(seen.person) as work:
        cases.reopen(work, number, reason, version=version)
    return _back(number, "reopened")
