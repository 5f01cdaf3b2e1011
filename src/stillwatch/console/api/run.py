"""The run: campaigns, members, accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from fastapi import APIRouter

from stillwatch.console.api.shapes import (
    FAILURES,
    AccountOut,
    AccountsOut,
    CampaignLine,
    Limit,
    MembersOut,
    Offset,
    RunOut,
    Words,
)
from stillwatch.console.door import AtSite, Reader
from stillwatch.console.lookups import acts_on, cases_by_campaign, gate_says
from stillwatch.records import Campaign
from stillwatch.respond.errors import NotFound
from stillwatch.store.run_tables import Slice

router = APIRouter(prefix="/api/v1", tags=["run"], responses=FAILURES)
Tier = Literal["", "member", "associated", "watch"]
Hint = Literal["", "act", "review", "watch", "none"]


@router.get("/run")
def run(site: AtSite, seen: Reader) -> RunOut:
    """What the console shows now."""
    view = site.run
    f = view.facts
    return RunOut(
        run_digest=view.digest, settings_digest=f.settings_digest, start=f.start, end=f.end, accounts=f.accounts,
        exchanges=f.exchanges, false_discovery_rate=f.false_discovery_rate, campaigns=len(view.campaigns),
        incomplete=list(f.incomplete),
    )  # fmt: skip


@router.get("/campaigns")
def campaigns(site: AtSite, seen: Reader) -> list[CampaignLine]:
    """Campaigns and pools, surest first."""
    held = site.run.campaigns
    with site.desk.look(seen.person) as work:
        filed = cases_by_campaign(work, held)
    return [
        CampaignLine(
            campaign_id=c.campaign_id, kind=c.kind, confidence=c.confidence, granted=c.granted, first_seen=c.first_seen,
            last_seen=c.last_seen, account_count=c.account_count, exchange_count=c.exchange_count,
            output_tokens=c.output_tokens, extraction_share=c.extraction_share,
            case=filed[c.campaign_id].id if c.campaign_id in filed else None,
        )
        for c in held.values()
    ]  # fmt: skip


@router.get("/campaigns/{campaign_id}")
def campaign(site: AtSite, seen: Reader, campaign_id: str) -> Campaign:
    """Everything that the run says of one campaign, but never prompt text."""
    return replace(_campaign(site, campaign_id), exemplars=())


@router.get("/campaigns/{campaign_id}/members")
def members(
    site: AtSite, seen: Reader, campaign_id: str, search: Words = "", tier: Tier = "", sort: Words = "account_id",
    descending: bool = False, offset: Offset = 0, limit: Limit = 100,
) -> MembersOut:  # fmt: skip
    """Members, page by page."""
    held = site.run.tables.members(
        _campaign(site, campaign_id).campaign_id, search=search, tier=tier, sort=sort, down=descending, offset=offset,
        limit=limit,
    )  # fmt: skip
    return MembersOut.model_validate(_told(held))


@router.get("/accounts")
def accounts(
    site: AtSite, seen: Reader, search: Words = "", hint: Hint = "", sort: Words = "account_id",
    descending: bool = False, offset: Offset = 0, limit: Limit = 100,
) -> AccountsOut:  # fmt: skip
    """Every account that the run saw, page by page."""
    held = site.run.tables.accounts(
        search=search, hint=hint, sort=sort, down=descending, offset=offset, limit=limit
    )
    return AccountsOut.model_validate(_told(held))


@router.get("/accounts/{account_id:path}")
def account(site: AtSite, seen: Reader, account_id: str) -> AccountOut:
    """One account: what the run says, what a gate decided of late, and what was done to it."""
    row, held = site.run.tables.account(account_id)
    with site.desk.look(seen.person) as work:
        acted = acts_on(work, account_id)
    said = gate_says(site.gate, account_id)
    if row is None and not held and not said["decisions"] and not any(acted.values()):
        raise NotFound(f"account {account_id[:60]} here")
    return AccountOut.model_validate(
        {"account": row, "memberships": list(held), "decisions": said["decisions"], **acted}
    )


def _campaign(site: AtSite, campaign_id: str) -> Campaign:
    held = site.run.campaigns.get(campaign_id)
    if held is None:
        raise NotFound(f"campaign {campaign_id[:60]} in this run")
    return held


def _told(held: Slice) -> dict[str, object]:
    return {"total": held.total, "offset": held.offset, "rows": list(held.rows)}
