"""The policy: its rules and how far each is in force, kill switches, and whom it would touch."""

from __future__ import annotations

import threading
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.door import AtSite, from_a_form, may
from stillwatch.console.render import page
from stillwatch.console.running import Quiet
from stillwatch.console.signin.sessions import Seen
from stillwatch.console.site import Site
from stillwatch.errors import StillwatchError
from stillwatch.records import Permission
from stillwatch.respond.errors import NotFound, NotNow
from stillwatch.wiring import check_policy, simulate_policy, switch_rule
from stillwatch.wiring.gate_folder import read_switches

router = APIRouter(include_in_schema=False)
Reads = Annotated[Seen, Depends(may(Permission.POLICY_READ))]
Switches = Annotated[Seen, Depends(may(Permission.POLICY_SWITCH))]
FORM = [Depends(from_a_form)]
MOST_ACCOUNTS = 50_000
"""Above this a simulation takes longer than a page may; the command line does it."""
_ONE = threading.Lock()


@router.get("/policy")
def policy(request: Request, site: AtSite, seen: Reads) -> Response:
    """The rules as they stand."""
    return _policy(request, site)


def _policy(request: Request, site: Site, simulated: dict[str, Any] | None = None) -> Response:
    told, off, wrong = None, frozenset[str](), None
    try:
        told = check_policy(site.policy)
        off = read_switches(site.gate) if site.gate else off
    except StillwatchError as error:
        wrong = error
    return page(
        request, "policy.html.j2", told=told, off=off, wrong=wrong, gate=site.gate, own=site.policy is not None,
        simulated=simulated, small=site.run.facts.accounts <= MOST_ACCOUNTS, most=MOST_ACCOUNTS,
    )  # fmt: skip


@router.post("/policy/simulate", dependencies=FORM)
def simulate(request: Request, site: AtSite, seen: Reads) -> Response:
    """Whom the policy would touch if every rule were enforced: each account of the run sends one plain request."""
    if site.run.facts.accounts > MOST_ACCOUNTS:
        raise NotNow("this run is too large for a page", hint="run `stillwatch policy simulate` instead")
    if not _ONE.acquire(blocking=False):
        raise NotNow("a simulation is under way", hint="try again in a moment")
    try:
        found = simulate_policy(
            site.policy, site.run.folder, in_force=site.policy, settings=site.settings, progress=Quiet()
        )
    finally:
        _ONE.release()
    site.record(
        seen.person, "policy.simulate", str(found["candidate"]["policy"]), digest=found["candidate"]["digest"]
    )
    return _policy(request, site, found)


@router.post("/policy/switch", dependencies=FORM)
def switch(
    site: AtSite, seen: Switches, rule: Annotated[str, Form(max_length=100)], off: Annotated[bool, Form()]
) -> Response:
    """Take a rule out of force at every gate on this folder, or put it back; gates follow within a second."""
    if site.gate is None:
        raise NotFound("gate to switch at", hint="start the console with --gate FOLDER")
    done = switch_rule(rule, into=site.gate, off=off, policy=site.policy, settings=site.settings)
    site.record(seen.person, "policy.switch", rule, off=off, not_logged=done["not_logged"])
    return RedirectResponse("/policy?done=switched", status_code=303)
