"""What needs a person now, what was found, and whether the pipeline can be trusted today."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.door import AtSite, Reader, from_a_form, may
from stillwatch.console.lookups import cases_by_campaign, waiting
from stillwatch.console.render import page
from stillwatch.console.running import Quiet
from stillwatch.console.signin.sessions import Seen
from stillwatch.console.site import Site
from stillwatch.records import Campaign, Kind, Permission, Person
from stillwatch.report.numbers import plural
from stillwatch.respond import correcting
from stillwatch.wiring.takedown import import_run

router = APIRouter(include_in_schema=False)
_SHOWN, _QUEUE, _COLUMNS = 200, 8, 96


@router.get("/")
def overview(request: Request, site: AtSite, seen: Reader) -> Response:
    """The first page."""
    return page(request, "overview.html.j2", **shown(site, seen.person))


def shown(site: Site, person: Person) -> dict[str, Any]:
    """What it shows to somebody."""
    run = site.run
    found = list(run.campaigns.values())
    with site.desk.look(person) as work:
        cases = cases_by_campaign(work, run.campaigns)
        queue, turned = waiting(work, found, cases), correcting.overturned(work)
    return {
        "facts": run.facts, "run_digest": run.digest, "queue": queue[:_QUEUE],
        "queue_more": max(0, len(queue) - _QUEUE), "numbers": _numbers(found), "overturned": turned,
        "hints": run.tables.hints(), "filed": all(c in cases for c in run.campaigns),
        "rows": [(c, cases.get(c.campaign_id)) for c in found[:_SHOWN]], "traffic": _traffic(found),
        "refused": sum(n for _, n in run.facts.rejected),
    }  # fmt: skip


@router.post("/file", dependencies=[Depends(from_a_form)])
def file_run(site: AtSite, seen: Annotated[Seen, Depends(may(Permission.RUN_IMPORT))]) -> Response:
    """File the run: every campaign and pool goes into its case, old or new."""
    import_run(site.desk, seen.person, site.run.folder, progress=Quiet())
    return RedirectResponse("/?done=run", status_code=303)


def _numbers(found: list[Campaign]) -> dict[str, Any]:
    campaigns = [c for c in found if c.kind is Kind.CAMPAIGN]
    open_ones = [c for c in campaigns if not c.granted]
    return {
        "campaigns": len(campaigns), "pools": len(found) - len(campaigns),
        "budget": sum(c.false_discovery_rate for c in campaigns),
        "taken_low": sum(c.exchange_count * max(0.0, c.extraction_share_low) for c in open_ones),
        "taken_high": sum(c.exchange_count * min(1.0, c.extraction_share_high) for c in open_ones),
    }  # fmt: skip


def _traffic(found: list[Campaign]) -> list[tuple[str, float]]:
    """Exchanges of all campaigns over time, pools aside, in at most ninety-six columns."""
    points = [
        (int(h.timestamp()) // 3600, n) for c in found if c.kind is Kind.CAMPAIGN for h, n in c.timeline
    ]
    if not points:
        return []
    first, last = min(h for h, _ in points), max(h for h, _ in points)
    width = -(-(last - first + 1) // _COLUMNS)
    counted: Counter[int] = Counter()
    for hour, n in points:
        counted[(hour - first) // width] += n
    return [
        (f"{datetime.fromtimestamp((first + i * width) * 3600, UTC):%Y-%m-%d %H:%M}: {plural(counted[i], 'exchange')}",
         float(counted[i]))
        for i in range((last - first) // width + 1)
    ]  # fmt: skip
