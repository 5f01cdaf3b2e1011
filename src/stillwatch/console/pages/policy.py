"""The policy: its rules and how far each is in force, kill switches, and whom it would touch."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.door import AtSite, from_a_form, may
from stillwatch.console.policy_acts import begin_simulation, change_mode, switch
from stillwatch.console.render import page
from stillwatch.console.signin.sessions import Seen
from stillwatch.console.site import Site
from stillwatch.errors import StillwatchError
from stillwatch.records import Mode, Permission
from stillwatch.wiring import check_policy
from stillwatch.wiring.gate_folder import read_switches
from stillwatch.wiring.policy_mode import loaded_by_a_gate

router = APIRouter(include_in_schema=False)
Reads = Annotated[Seen, Depends(may(Permission.POLICY_READ))]
Switches = Annotated[Seen, Depends(may(Permission.POLICY_SWITCH))]
Modes = Annotated[Seen, Depends(may(Permission.POLICY_MODE))]
FORM = [Depends(from_a_form)]


@router.get("/policy")
def policy(request: Request, site: AtSite, seen: Reads) -> Response:
    """The rules as they stand."""
    return _policy(request, site)


def _policy(request: Request, site: Site) -> Response:
    told, off, wrong, simulated, busy, loaded = None, frozenset[str](), None, None, False, False
    try:
        told = check_policy(site.policy)
        off = read_switches(site.gate) if site.gate else off
        of = (str(told["digest"]), site.run.digest)
        simulated, busy = site.simulations.found(of), site.simulations.under_way(of)
        loaded = site.gate is not None and loaded_by_a_gate(site.gate, of[0])
    except StillwatchError as error:
        wrong = error
    return page(
        request, "policy.html.j2", told=told, off=off, wrong=wrong, gate=site.gate, own=site.policy is not None,
        simulated=simulated, busy=busy, loaded=loaded, modes=list(Mode), today=f"{site.now():%Y-%m-%d}",
    )  # fmt: skip


@router.post("/policy/simulate", dependencies=FORM)
def simulate(site: AtSite, seen: Reads) -> Response:
    """Whom the policy would touch if every rule were enforced: each account of the run sends one plain request."""
    begin_simulation(site, seen)
    return RedirectResponse("/policy?done=simulating", status_code=303)


@router.post("/policy/mode", dependencies=FORM)
def mode(
    site: AtSite, seen: Modes, mode: Annotated[Mode, Form()], version: Annotated[str, Form(max_length=60)],
    digest: Annotated[str, Form(max_length=64)], reason: Annotated[str, Form(max_length=2_000)],
    rule: Annotated[str, Form(max_length=100)] = "",
    canary_percent: Annotated[float | None, Form(gt=0.0, le=100.0)] = None,
) -> Response:  # fmt: skip
    """Put the policy, or one rule, into shadow, canary or enforce: a new version of its file."""
    share = canary_percent / 100.0 if canary_percent is not None and mode is Mode.CANARY else None
    change_mode(
        site, seen, mode, version=version, digest=digest, reason=reason, rule=rule, canary_share=share
    )
    return RedirectResponse("/policy?done=mode", status_code=303)


@router.post("/policy/switch", dependencies=FORM)
def switch_one(
    site: AtSite, seen: Switches, rule: Annotated[str, Form(max_length=100)], off: Annotated[bool, Form()]
) -> Response:
    """Take a rule out of force at every gate on this folder, or put it back; gates follow within a second."""
    switch(site, seen, rule, off=off)
    return RedirectResponse("/policy?done=switched", status_code=303)
