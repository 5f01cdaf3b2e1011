"""One file a page."""

from stillwatch.console.pages import (
    account,
    appeal_door,
    appeals,
    audit,
    campaign,
    cases,
    exemplars,
    grants,
    overview,
    persons,
    plans,
    policy,
    provider,
    signing,
)

_PAGES = (
    signing, provider, overview, campaign, account, cases, plans, appeals, appeal_door, grants, exemplars, audit,
    policy, persons,
)  # fmt: skip
ROUTERS = tuple(page.router for page in _PAGES)

__all__ = ["ROUTERS"]
