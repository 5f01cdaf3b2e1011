"""One account: why it is in or out, what would change that, what was done to it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from stillwatch.console.asked import PAGE, AsAsked
from stillwatch.console.door import AtSite, Reader
from stillwatch.console.lookups import acts_on, gate_says
from stillwatch.console.render import page
from stillwatch.records import Campaign
from stillwatch.respond.errors import NotFound

router = APIRouter(include_in_schema=False)


@router.get("/accounts")
def accounts(request: Request, site: AtSite, seen: Reader, asked: AsAsked) -> Response:
    """All accounts of the run, page by page."""
    tables = site.run.tables
    table = tables.accounts(
        search=asked.q, hint=asked.tier, sort=asked.sort or "disposition_hint", down=asked.down, offset=asked.offset,
        limit=PAGE,
    )  # fmt: skip
    return page(request, "accounts.html.j2", slice=table, asked=asked, hints=tables.hints())


@router.get("/accounts/{account_id:path}")
def account(request: Request, site: AtSite, seen: Reader, account_id: str) -> Response:
    """The page of one account."""
    row, held = site.run.tables.account(account_id)
    with site.desk.look(seen.person) as work:
        acted = acts_on(work, account_id)
    said = gate_says(site.gate, account_id)
    if row is None and not held and not said["decisions"] and not any(acted.values()):
        raise NotFound(f"account {account_id[:60]} here", hint="the page of accounts can be searched")
    beside, _ = site.leads.of(site.run.folder)
    memberships = [(m, site.run.campaigns.get(m["campaign_id"])) for m in held]
    return page(
        request, "account.html.j2", account_id=account_id, row=row, memberships=memberships,
        would_change=_would_change(memberships), gate=site.gate, beside=beside, now=site.now(),
        leads=[m for m in beside.of_account(account_id) if not m.ended(site.now())] if beside else [], **said, **acted,
    )  # fmt: skip


def _would_change(memberships: list[tuple[dict[str, Any], Campaign | None]]) -> list[str]:
    """What would put it in, or out."""
    if not memberships:
        return [
            "It would be reported if it came to share traits with other accounts that honest customers seldom share, "
            "in at least two independent families.",
            "Traits that could not be judged for want of fields (below) may say more once the logs hold them.",
        ]
    said = [
        "A grant that names the account or its organisation, from the time it is recorded.",
        "A verdict of false positive on its case: it then counts as honest when the next baseline is fitted.",
    ]
    for member, campaign in memberships:
        if member["tier"] == "member":
            said.append(
                "With one of its links explained by a shared service, it would fall to associated or watch."
            )
        if campaign:
            said += list(campaign.would_change[:4])
    return list(dict.fromkeys(said))
