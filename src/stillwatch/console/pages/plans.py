"""Plans: what is to be done to which accounts, who agreed, how far it is, and the way back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.asked import AsAsked
from stillwatch.console.door import AtSite, from_a_form, may
from stillwatch.console.names import case_number, names, plan_number
from stillwatch.console.render import page
from stillwatch.console.signin.sessions import Seen
from stillwatch.records import GIVEN_BY_RULES, Measure, Permission
from stillwatch.respond import cases, planning
from stillwatch.respond.planning import EXECUTORS, Wanted
from stillwatch.wiring.takedown import collateral, make_plan

router = APIRouter(include_in_schema=False)
Reads = Annotated[Seen, Depends(may(Permission.PLAN_READ))]
Makes = Annotated[Seen, Depends(may(Permission.PLAN_MAKE))]
Approves = Annotated[Seen, Depends(may(Permission.PLAN_APPROVE))]
Runs = Annotated[Seen, Depends(may(Permission.PLAN_RUN))]
Undoes = Annotated[Seen, Depends(may(Permission.PLAN_UNDO))]
FORM = [Depends(from_a_form)]
Text = Annotated[str, Form(max_length=3_000)]
Version = Annotated[int, Form(ge=0, le=2**31 - 1)]
ORDERS = {"at once": (1.0,), "staged": (0.01, 0.1, 1.0)}
"""All at once, so that nobody is warned; or a hundredth and a tenth first."""
_LIMIT, _WHOM = 50, 20


@router.get("/plans")
def listing(request: Request, site: AtSite, seen: Reads, asked: AsAsked) -> Response:
    """All plans, the newest first."""
    with site.desk.look(seen.person) as work:
        found = planning.listing(work, offset=asked.offset, limit=_LIMIT)
        called = names(work.conn, [p.made_by for p in found.rows])
    return page(request, "plans.html.j2", found=found, asked=asked, called=called, now=site.now())


@router.get("/cases/{name}/plan")
def form(request: Request, site: AtSite, seen: Makes, name: str) -> Response:
    """A new plan: whom it would be about, and how many of them may be innocent."""
    number = case_number(name)
    with site.desk.look(seen.person) as work:
        case = cases.get(work, number)
        ahead = planning.outlook(work, case)
        estimated = collateral(work, case, ahead.bits, ahead.accounts - len(ahead.bits))
    return page(
        request, "plan_new.html.j2", case=case, estimated=estimated, out=ahead.out, measures=list(Measure),
        executors=EXECUTORS, reasons=sorted(GIVEN_BY_RULES), orders=ORDERS,
        two_above=site.settings.respond.two_above,
    )  # fmt: skip


@router.post("/cases/{name}/plan", dependencies=FORM)
def make(
    site: AtSite, seen: Makes, name: str, measure: Annotated[Measure, Form()], executor: Text, reason: Text,
    order: Text = "at once", sentence: Text = "", notices: Text = "",
) -> Response:  # fmt: skip
    """Make it; it waits for approval."""
    wanted = Wanted(
        measure, executor=executor, reason=reason, sentence=sentence.strip(), stages=ORDERS.get(order, (1.0,)),
        notices=notices == "yes",
    )  # fmt: skip
    made = make_plan(site.desk, seen.person, case_number(name), wanted, settings=site.settings)
    return RedirectResponse(f"/plans/{made.id}?done=planned", status_code=303)


@router.get("/plans/{name}")
def plan(request: Request, site: AtSite, seen: Reads, name: str, asked: AsAsked) -> Response:
    """One plan with whom it is about, its approvals and its progress."""
    number = plan_number(name)
    with site.desk.look(seen.person) as work:
        held = planning.read(work, number)
        case = cases.get(work, held.case_number)
        agreed, steps = planning.approvals(work, number), planning.progress(work, number)
        whom = planning.plan_accounts(work, number, offset=asked.offset, limit=_WHOM)
        called = names(work.conn, [held.made_by, held.run_by, *(a["person_id"] for a in agreed)])
    return page(
        request, "plan.html.j2", plan=held, case=case, agreed=agreed, steps=steps, whom=whom, asked=asked,
        called=called, said=site.runner.said(number), now=site.now(),
    )  # fmt: skip


@router.post("/plans/{name}/decide", dependencies=FORM)
def decide(
    site: AtSite, seen: Approves, name: str, digest: Text, agreed: Text, version: Version, note: Text = ""
) -> Response:
    """Agree to exactly what was shown, or refuse it."""
    with site.work(seen.person) as work:
        planning.approve(
            work, plan_number(name), agreed=agreed == "yes", digest=digest, note=note, version=version
        )
    return _back(name, "decided")


@router.post("/plans/{name}/drop", dependencies=FORM)
def drop(site: AtSite, seen: Makes, name: str, version: Version) -> Response:
    """Withdraw it."""
    with site.work(seen.person) as work:
        planning.drop(work, plan_number(name), version=version)
    return _back(name, "dropped")


@router.post("/plans/{name}/run", dependencies=FORM)
def run(site: AtSite, seen: Runs, name: str) -> Response:
    """Carry it out, or on."""
    site.runner.run(seen.person, plan_number(name))
    return _back(name, "running")


@router.post("/plans/{name}/undo", dependencies=FORM)
def undo(site: AtSite, seen: Undoes, name: str, reason: Text) -> Response:
    """Take everything back that it did."""
    site.runner.undo(seen.person, plan_number(name), reason)
    return _back(name, "undoing")


def _back(name: str, done: str) -> Response:
    return RedirectResponse(f"/plans/P-{plan_number(name)}?done={done}", status_code=303)
