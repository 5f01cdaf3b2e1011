"""One file a page."""

from stillwatch.console.pages import (
    account,
    audit,
    campaign,
    cases,
    overview,
    persons,
    policy,
    provider,
    signing,
)

ROUTERS = tuple(
    page.router for page in (signing, provider, overview, campaign, account, cases, audit, policy, persons)
)

__all__ = ["ROUTERS"]
