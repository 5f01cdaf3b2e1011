"""The policy: its rules, simulations, how far it is in force, kill switches."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from stillwatch.console.api.shapes import FAILURES, Taken
from stillwatch.console.door import AtSite, from_a_form, may
from stillwatch.console.policy_acts import begin_simulation, change_mode, switch
from stillwatch.console.signin.sessions import Seen
from stillwatch.records import Mode, Permission
from stillwatch.wiring import check_policy
from stillwatch.wiring.gate_folder import read_switches

router = APIRouter(prefix="/api/v1", tags=["deciding"], responses=FAILURES)
CHANGES = [Depends(from_a_form)]


class SwitchIn(Taken):
    """A rule, off or on."""

    rule: str = Field(max_length=100)
    off: bool


class ModeIn(Taken):
    """How far the policy is to be in force, made from the policy of a digest."""

    mode: Mode
    version: Annotated[str, Field(min_length=1, max_length=60)]
    digest: Annotated[str, Field(min_length=64, max_length=64)]
    reason: Annotated[str, Field(min_length=1, max_length=2_000)]
    rule: Annotated[str, Field(max_length=100)] = ""
    canary_share: Annotated[float | None, Field(gt=0.0, le=1.0)] = None


@router.get("/policy")
def policy(site: AtSite, seen: Annotated[Seen, Depends(may(Permission.POLICY_READ))]) -> dict[str, Any]:
    """The policy in force and what is switched off."""
    return check_policy(site.policy) | {"off": sorted(read_switches(site.gate)) if site.gate else []}


@router.post("/policy/simulate", dependencies=CHANGES, status_code=202)
def simulate(site: AtSite, seen: Annotated[Seen, Depends(may(Permission.POLICY_READ))]) -> dict[str, Any]:
    """Begin a simulation: whom the policy would touch on this run if every rule were enforced."""
    begin_simulation(site, seen)
    return simulation(site, seen)


@router.get("/policy/simulation")
def simulation(site: AtSite, seen: Annotated[Seen, Depends(may(Permission.POLICY_READ))]) -> dict[str, Any]:
    """What the newest simulation of the policy and the run as they stand has found; ``under_way`` until then."""
    of = (str(check_policy(site.policy)["digest"]), site.run.digest)
    return {"under_way": site.simulations.under_way(of), "found": site.simulations.found(of)}


@router.post("/policy/mode", dependencies=CHANGES)
def mode(
    site: AtSite, seen: Annotated[Seen, Depends(may(Permission.POLICY_MODE))], body: ModeIn
) -> dict[str, Any]:
    """Put the policy, or one rule, into shadow, canary or enforce: a new version of its file."""
    return change_mode(site, seen, body.mode, version=body.version, digest=body.digest, reason=body.reason,
                       rule=body.rule, canary_share=body.canary_share)  # fmt: skip


@router.post("/policy/switch", dependencies=CHANGES)
def switch_one(
    site: AtSite, seen: Annotated[Seen, Depends(may(Permission.POLICY_SWITCH))], body: SwitchIn
) -> dict[str, Any]:
    """Take a rule out of force at every gate on the folder, or put it back."""
    return switch(site, seen, body.rule, off=body.off)
