"""Plans, appeals, grants, exemplars and filing a run: what is decided, for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field, TypeAdapter

from stillwatch.console.api.cases import told
from stillwatch.console.api.shapes import FAILURES, Limit, Offset, Taken, Version, Words
from stillwatch.console.door import AtSite, Reader, from_a_form, may
from stillwatch.console.names import appeal_number, case_number, plan_number
from stillwatch.console.running import Quiet
from stillwatch.console.signin.sessions import Seen
from stillwatch.records import Appeal, AppealState, Grant, Measure, Outcome, Permission, Plan
from stillwatch.respond import appeals, content, granting, outbox, planning
from stillwatch.respond.content import Unlock
from stillwatch.respond.errors import NotFound, Unfit
from stillwatch.respond.planning import DRY_RUN, Planned, Wanted
from stillwatch.wiring.takedown import import_run, make_plan

router = APIRouter(prefix="/api/v1", tags=["deciding"], responses=FAILURES)
CHANGES = [Depends(from_a_form)]
Sentence = Annotated[str, Field(max_length=1_000)]


def _who(permission: Permission) -> Any:
    return Depends(may(permission))


class Listed(Taken):
    """A part of a longer list."""

    total: int
    offset: int
    rows: list[dict[str, Any]]


class PlanIn(Taken):
    """What a plan should do."""

    case: str = Field(max_length=20, description="Case, as K-12.")
    measure: Measure
    executor: Annotated[str, Field(max_length=40)] = DRY_RUN
    reason: Annotated[str, Field(max_length=60)] = "campaign_member"
    sentence: Sentence = ""
    stages: list[float] = Field(default=[1.0], max_length=20)
    stage_wait_s: float = Field(default=0.0, ge=0.0, le=2_678_400.0)
    notices: bool = True
    accounts: list[Annotated[str, Field(max_length=1_000)]] = Field(default=[], max_length=100_000)
    credentials: dict[str, list[str]] | None = Field(
        default=None, description="Account to digests of keys to revoke."
    )


class DecideIn(Taken):
    """Agree to a plan as it was read, or refuse it."""

    agreed: bool
    digest: str = Field(max_length=64)
    note: Annotated[str, Field(max_length=2_000)] = ""
    version: Version


class WhyIn(Taken):
    """A reason."""

    reason: str = Field(min_length=1, max_length=2_000)


class VersionIn(Taken):
    """The version it was read at."""

    version: Version


class OutcomeIn(Taken):
    """A decision and the answer to the customer."""

    outcome: Outcome
    answer: str = Field(min_length=1, max_length=4_000)
    version: Version


class GrantIn(Taken):
    """A permission."""

    account_id: Annotated[str, Field(max_length=1_000)] | None = None
    org_id: Annotated[str, Field(max_length=1_000)] | None = None
    purpose: str = Field(max_length=40)
    models: list[Annotated[str, Field(max_length=1_000)]] = Field(default=[], max_length=200)
    valid_from: datetime
    valid_until: datetime
    max_exchanges: int | None = Field(default=None, ge=1, le=2**53)
    max_output_tokens: int | None = Field(default=None, ge=1, le=2**53)
    note: Annotated[str, Field(max_length=2_000)] = ""


class RevokeIn(Taken):
    """Why a grant ends."""

    reason: str = Field(min_length=1, max_length=500)
    version: Version


class AgreeIn(Taken):
    """Leave to read, for some hours."""

    hours: float = Field(default=4.0, gt=0.0, le=72.0)
    version: Version


_PLAN, _PLANNED, _APPEAL, _GRANT, _UNLOCK = (
    TypeAdapter(kind) for kind in (Plan, Planned, Appeal, Grant, Unlock)
)


def _rows(adapter: TypeAdapter[Any], page: Any) -> Listed:
    rows = [adapter.dump_python(row, mode="json") for row in page.rows]
    return Listed.model_validate(told(page) | {"rows": rows})


@router.post("/run/file", dependencies=CHANGES)
def file_run(site: AtSite, seen: Annotated[Seen, _who(Permission.RUN_IMPORT)]) -> dict[str, Any]:
    """File the run that the console shows: every campaign and pool goes into its case."""
    done = import_run(site.desk, seen.person, site.run.folder, progress=Quiet())
    return {
        "run_id": done.run_id,
        "already": done.already,
        "campaigns": len(done.filed),
        "refused": done.refused,
    }


@router.get("/plans")
def plans(
    site: AtSite, seen: Annotated[Seen, _who(Permission.PLAN_READ)], offset: Offset = 0, limit: Limit = 50
) -> Listed:
    """Plans, the newest first."""
    with site.desk.look(seen.person) as work:
        return _rows(_PLAN, planning.listing(work, offset=offset, limit=limit))


@router.post("/plans", dependencies=CHANGES, status_code=201)
def make(site: AtSite, seen: Annotated[Seen, _who(Permission.PLAN_MAKE)], body: PlanIn) -> Plan:
    """Make a plan for a case; it waits for the approval of others."""
    wanted = Wanted(
        body.measure, body.executor, body.reason, body.sentence, tuple(body.stages), body.stage_wait_s, body.notices,
        tuple(body.accounts), body.credentials,
    )  # fmt: skip
    return make_plan(site.desk, seen.person, case_number(body.case), wanted, settings=site.settings)


@router.get("/plans/{name}")
def plan(site: AtSite, seen: Annotated[Seen, _who(Permission.PLAN_READ)], name: str) -> dict[str, Any]:
    """One plan, its approvals and how far it is."""
    number = plan_number(name)
    with site.desk.look(seen.person) as work:
        held = planning.read(work, number)
        approvals, steps = planning.approvals(work, number), planning.progress(work, number)
    return {"plan": _PLAN.dump_python(held, mode="json"), "approvals": approvals, "steps": steps,
            "stopped": site.runner.said(number)}  # fmt: skip


@router.get("/plans/{name}/accounts")
def plan_accounts(
    site: AtSite, seen: Annotated[Seen, _who(Permission.PLAN_READ)], name: str, offset: Offset = 0, limit: Limit = 100
) -> Listed:  # fmt: skip
    """What the plan does to whom, the surest accounts first: what an approval is about."""
    with site.desk.look(seen.person) as work:
        found = planning.plan_accounts(work, plan_number(name), offset=offset, limit=limit)
    return _rows(_PLANNED, found)


@router.post("/plans/{name}/decide", dependencies=CHANGES)
def decide_plan(
    site: AtSite, seen: Annotated[Seen, _who(Permission.PLAN_APPROVE)], name: str, body: DecideIn
) -> Plan:
    """Agree to exactly what was read, or refuse it."""
    with site.work(seen.person) as work:
        return planning.approve(
            work,
            plan_number(name),
            agreed=body.agreed,
            digest=body.digest,
            note=body.note,
            version=body.version,
        )


@router.post("/plans/{name}/drop", dependencies=CHANGES)
def drop(site: AtSite, seen: Annotated[Seen, _who(Permission.PLAN_MAKE)], name: str, body: VersionIn) -> Plan:
    """Withdraw a plan that was not run."""
    with site.work(seen.person) as work:
        return planning.drop(work, plan_number(name), version=body.version)


@router.post("/plans/{name}/run", dependencies=CHANGES, status_code=202)
def run_it(site: AtSite, seen: Annotated[Seen, _who(Permission.PLAN_RUN)], name: str) -> dict[str, Any]:
    """Carry a plan out, or on from where it stands; look at it again to see how far it is."""
    with site.desk.look(seen.person) as work:
        planning.read(work, plan_number(name))
    site.runner.run(seen.person, plan_number(name))
    return {"accepted": True}


@router.post("/plans/{name}/undo", dependencies=CHANGES, status_code=202)
def undo(
    site: AtSite, seen: Annotated[Seen, _who(Permission.PLAN_UNDO)], name: str, body: WhyIn
) -> dict[str, Any]:
    """Take back everything that a plan did."""
    site.runner.undo(seen.person, plan_number(name), body.reason)
    return {"accepted": True}


@router.get("/appeals")
def appeal_list(
    site: AtSite, seen: Annotated[Seen, _who(Permission.APPEAL_READ)],
    state: Annotated[list[AppealState] | None, Query()] = None, offset: Offset = 0, limit: Limit = 50,
) -> Listed:  # fmt: skip
    """Appeals, the most pressing first, without statements."""
    with site.desk.look(seen.person) as work:
        return _rows(_APPEAL, appeals.listing(work, states=tuple(state or ()), offset=offset, limit=limit))


@router.get("/appeals/{name}")
def appeal(site: AtSite, seen: Annotated[Seen, _who(Permission.APPEAL_READ)], name: str) -> Appeal:
    """One appeal with its statement; that it was read is on record."""
    with site.work(seen.person) as work:
        return appeals.get(work, appeal_number(name))


@router.post("/appeals/{name}/decide", dependencies=CHANGES)
def decide_appeal(
    site: AtSite, seen: Annotated[Seen, _who(Permission.APPEAL_DECIDE)], name: str, body: OutcomeIn
) -> Appeal:
    """Decide; what is to be taken back is carried out at once."""
    with site.work(seen.person) as work:
        done = appeals.decide(work, appeal_number(name), body.outcome, body.answer, version=body.version)
        plans = outbox.taking_back(work, done.account_id)
    if seen.may(Permission.PLAN_RUN):
        for plan in plans:
            site.runner.run(seen.person, plan)
    return done


@router.get("/grants")
def grants(
    site: AtSite, seen: Annotated[Seen, _who(Permission.GRANT_READ)], account_id: Words = "", in_force: bool = False,
    offset: Offset = 0, limit: Limit = 100,
) -> Listed:  # fmt: skip
    """Grants, those that end first in front."""
    with site.desk.look(seen.person) as work:
        found = granting.listing(work, account_id=account_id, in_force=in_force, offset=offset, limit=limit)
    return _rows(_GRANT, found)


@router.post("/grants", dependencies=CHANGES, status_code=201)
def grant(site: AtSite, seen: Annotated[Seen, _who(Permission.GRANT_EDIT)], body: GrantIn) -> Grant:
    """Record a permission."""
    if body.valid_from.tzinfo is None or body.valid_until.tzinfo is None:
        raise Unfit("a time without its zone", hint="for example 2026-01-01T00:00:00Z")
    with site.work(seen.person) as work:
        return granting.add(work, **body.model_dump(exclude={"models"}), models=tuple(body.models))


@router.post("/grants/{grant_id}/revoke", dependencies=CHANGES)
def revoke(
    site: AtSite, seen: Annotated[Seen, _who(Permission.GRANT_EDIT)], grant_id: str, body: RevokeIn
) -> Grant:
    """End a grant now."""
    with site.work(seen.person) as work:
        return granting.revoke(work, grant_id, body.reason, version=body.version)


@router.get("/unlocks")
def unlocks(site: AtSite, seen: Reader) -> list[Unlock]:
    """Who asked to read prompts, and who agreed."""
    with site.desk.look(seen.person) as work:
        return content.unlocks(work)


@router.post("/cases/{name}/unlock", dependencies=CHANGES, status_code=201)
def ask(site: AtSite, seen: Annotated[Seen, _who(Permission.CONTENT_ASK)], name: str, body: WhyIn) -> Unlock:
    """Ask to read the prompts of a case."""
    with site.work(seen.person) as work:
        return content.ask(work, case_number(name), body.reason)


@router.post("/unlocks/{unlock_id}/agree", dependencies=CHANGES)
def agree(
    site: AtSite, seen: Annotated[Seen, _who(Permission.CONTENT_APPROVE)], unlock_id: int,
    body: AgreeIn,
) -> Unlock:  # fmt: skip
    """Agree to what somebody else asked for."""
    with site.work(seen.person) as work:
        return content.agree(work, _small(unlock_id), hours=body.hours, version=body.version)


@router.post("/unlocks/{unlock_id}/end", dependencies=CHANGES)
def end(site: AtSite, seen: Reader, unlock_id: int, body: VersionIn) -> Unlock:
    """End it before its time, or refuse it."""
    with site.work(seen.person) as work:
        return content.end(work, _small(unlock_id), version=body.version)


@router.post("/cases/{name}/exemplars", dependencies=CHANGES)
def exemplars(
    site: AtSite, seen: Annotated[Seen, _who(Permission.CONTENT_READ)], name: str, whole: bool = False
) -> list[str]:
    """The prompts of a case while the leave stands, redacted unless asked for whole. Each reading is on record."""
    with site.work(seen.person) as work:
        return content.exemplars(work, case_number(name), whole=whole)


def _small(number: int) -> int:
    """A number that the database can hold."""
    if not 0 <= number < 2**31:
        raise NotFound(f"unlock {str(number)[:20]}")
    return number
