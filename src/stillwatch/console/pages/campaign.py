"""One campaign: what happened, how sure, who might be innocent, what to do; then everything behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from stillwatch.console.asked import PAGE, AsAsked
from stillwatch.console.door import AtSite, Reader
from stillwatch.console.drawings import account_graph, exchanges
from stillwatch.console.exposure import exposure
from stillwatch.console.lookups import cases_by_campaign
from stillwatch.console.next_steps import next_steps
from stillwatch.console.plainly import happened, maybe_innocent, often_wrong
from stillwatch.console.render import page
from stillwatch.console.tables_out import csv_text, file_name
from stillwatch.records import Campaign, Permission
from stillwatch.report.outcome import controller_sentence, shape_sentence
from stillwatch.report.waterfall import waterfall
from stillwatch.respond.errors import NotFound

router = APIRouter(include_in_schema=False)
COLUMNS = ("campaign_id", "account_id", "tier", "membership_bits", "extraction_share", "exchange_count", "first_seen",
           "last_seen", "reasons")  # fmt: skip


def found(site: AtSite, campaign_id: str) -> Campaign:
    """The campaign of the address."""
    held = site.run.campaigns.get(campaign_id)
    if held is None:
        raise NotFound(f"campaign {campaign_id[:60]} in this run", hint="the overview lists all of them")
    return held


OfAddress = Annotated[Campaign, Depends(found)]


@router.get("/campaigns/{campaign_id}")
def campaign(request: Request, site: AtSite, seen: Reader, c: OfAddress, asked: AsAsked) -> Response:
    """The page."""
    run, s = site.run, site.settings.console
    tiers = run.tables.tiers(c.campaign_id)
    linked = run.tables.tiers_of(c.campaign_id, sorted({a for a, _, _ in c.edges}))
    with site.desk.look(seen.person) as work:
        case = cases_by_campaign(work, [c.campaign_id]).get(c.campaign_id)
    beside, unread = site.leads.of(run.folder)
    taken = exposure(c, s.list_price_usd_per_mtok, s.avoided_usd_per_exchange)
    return page(
        request, "campaign.html.j2", c=c, case=case, beside=beside, unread=unread, now=site.now(),
        leads=beside.of_campaign(c.campaign_id) if beside else [], tiers=tiers, waterfall=waterfall(c),
        controller=controller_sentence(c), shape_said=shape_sentence(c),
        todo=next_steps(c, tiers, case, may_plan=seen.may(Permission.PLAN_MAKE)),
        graph=account_graph(c, linked), clock=exchanges(c, run.facts.releases),
        exposure=taken, plainly=happened(c, taken), often_wrong=often_wrong(c),
        maybe_innocent=maybe_innocent(c, run.tables.firm_bits(c.campaign_id), run.facts.accounts, len(run.campaigns)),
        prices={"list": s.list_price_usd_per_mtok, "avoided": s.avoided_usd_per_exchange}, **_rows(site, c, asked),
    )  # fmt: skip


@router.get("/campaigns/{campaign_id}/members")
def members(request: Request, site: AtSite, seen: Reader, c: OfAddress, asked: AsAsked) -> Response:
    """The table of members alone, for a page that is there already."""
    return page(
        request,
        "members_only.html.j2",
        c=c,
        tiers=site.run.tables.tiers(c.campaign_id),
        **_rows(site, c, asked),
    )


def _rows(site: AtSite, c: Campaign, asked: AsAsked) -> dict[str, Any]:
    from dataclasses import replace
    from urllib.parse import quote

    table = site.run.tables.members(
        c.campaign_id, search=asked.q, tier=asked.tier, sort=asked.sort or "tier", down=asked.down,
        offset=asked.offset, limit=PAGE,
    )  # fmt: skip
    where = f"/campaigns/{quote(c.campaign_id, safe='')}/members"
    return {"slice": table, "asked": replace(asked, path=where)}


@router.get("/campaigns/{campaign_id}/members.csv")
def members_csv(site: AtSite, seen: Reader, c: OfAddress) -> Response:
    """All members as CSV, cells made harmless."""
    site.record(seen.person, "members.export", c.campaign_id, format="csv")
    rows = site.run.tables.each_member(c.campaign_id)
    return StreamingResponse(csv_text(COLUMNS, rows), media_type="text/csv; charset=utf-8",
                             headers=_named(c.campaign_id, "csv"))  # fmt: skip


@router.get("/campaigns/{campaign_id}/members.json")
def members_json(site: AtSite, seen: Reader, c: OfAddress) -> Response:
    """All members as JSON lines, as they are."""
    site.record(seen.person, "members.export", c.campaign_id, format="json")

    def lines() -> Iterator[str]:
        for row in site.run.tables.each_member(c.campaign_id):
            yield json.dumps(row, default=lambda moment: moment.isoformat()) + "\n"

    return StreamingResponse(
        lines(), media_type="application/x-ndjson", headers=_named(c.campaign_id, "ndjson")
    )


def _named(campaign_id: str, kind: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{file_name(campaign_id, "members")}.{kind}"'}
