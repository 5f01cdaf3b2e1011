"""Cases."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from stillwatch.console.api.shapes import (
    FAILURES,
    AssignIn,
    CaseAccountsOut,
    CaseOut,
    CasesOut,
    CloseIn,
    EventsOut,
    Limit,
    NoteIn,
    Offset,
    OpenIn,
    ReopenIn,
    Words,
)
from stillwatch.console.door import AtSite, Reader, from_a_form, may
from stillwatch.console.names import case_number
from stillwatch.console.signin.sessions import Seen
from stillwatch.records import CaseEvent, CaseState, Page, Permission
from stillwatch.respond import cases, people
from stillwatch.respond.cases import CaseFilter

router = APIRouter(prefix="/api/v1/cases", tags=["cases"], responses=FAILURES)
Worker = Annotated[Seen, Depends(may(Permission.CASE_WORK))]
CHANGES = [Depends(from_a_form)]


def told(page: Page) -> dict[str, object]:
    """A page for a model."""
    return {"total": page.total, "offset": page.offset, "rows": list(page.rows)}


@router.get("")
def listing(
    site: AtSite, seen: Reader, search: Words = "", state: Annotated[list[CaseState] | None, Query()] = None,
    offset: Offset = 0, limit: Limit = 50,
) -> CasesOut:  # fmt: skip
    """Cases, newest change first."""
    with site.desk.look(seen.person) as work:
        found = cases.listing(work, CaseFilter(tuple(state or ()), words=search), offset=offset, limit=limit)
    return CasesOut.model_validate(told(found))


@router.post("", dependencies=CHANGES, status_code=201)
def open_by_hand(site: AtSite, seen: Worker, body: OpenIn) -> CaseOut:
    """Open a case without a scan."""
    with site.work(seen.person) as work:
        return CaseOut.model_validate(cases.open_by_hand(work, body.title, tuple(body.accounts)))


@router.get("/{name}")
def case(site: AtSite, seen: Reader, name: str) -> CaseOut:
    """One case."""
    with site.desk.look(seen.person) as work:
        return CaseOut.model_validate(cases.get(work, case_number(name)))


@router.get("/{name}/timeline")
def timeline(site: AtSite, seen: Reader, name: str, offset: Offset = 0, limit: Limit = 100) -> EventsOut:
    """What happened, oldest first."""
    with site.desk.look(seen.person) as work:
        cases.get(work, case_number(name))
        return EventsOut.model_validate(
            told(cases.timeline(work, case_number(name), offset=offset, limit=limit))
        )


@router.get("/{name}/accounts")
def accounts(
    site: AtSite, seen: Reader, name: str, search: Words = "", offset: Offset = 0, limit: Limit = 100
) -> CaseAccountsOut:
    """Its accounts, page by page; ``search`` is how an account id begins."""
    with site.desk.look(seen.person) as work:
        cases.get(work, case_number(name))
        found = cases.accounts(work, case_number(name), search=search, offset=offset, limit=limit)
    return CaseAccountsOut.model_validate(told(found))


@router.post("/{name}/notes", dependencies=CHANGES, status_code=201)
def note(site: AtSite, seen: Worker, name: str, body: NoteIn) -> CaseEvent:
    """Add a note, and the hours it took."""
    with site.work(seen.person) as work:
        return cases.note(work, case_number(name), body.text, hours=body.hours)


@router.post("/{name}/assign", dependencies=CHANGES)
def assign(site: AtSite, seen: Worker, name: str, body: AssignIn) -> CaseOut:
    """Give it to somebody, or to nobody."""
    with site.work(seen.person) as work:
        to = people.by_name(work.conn, body.to).person_id if body.to is not None else None
        return CaseOut.model_validate(cases.assign(work, case_number(name), to, version=body.version))


@router.post("/{name}/close", dependencies=CHANGES)
def close(site: AtSite, seen: Worker, name: str, body: CloseIn) -> CaseOut:
    """Close it with a verdict."""
    with site.work(seen.person) as work:
        done = cases.close(work, case_number(name), body.verdict, body.reason, version=body.version)
        return CaseOut.model_validate(done)


@router.post("/{name}/reopen", dependencies=CHANGES)
def reopen(site: AtSite, seen: Worker, name: str, body: ReopenIn) -> CaseOut:
    """Open it again."""
    with site.work(seen.person) as work:
        return CaseOut.model_validate(
            cases.reopen(work, case_number(name), body.reason, version=body.version)
        )
