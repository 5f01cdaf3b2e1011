"""What a detector costs those who use it, and what a campaign costs those who run it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from stillwatch.lab.scoring.rates import poisson_interval
from stillwatch.lab.scoring.run import Run
from stillwatch.lab.scoring.truth import Truth

PER = 1_000_000
"""Load is stated per this many accounts."""


def analyst_load(truth: Truth, run: Run) -> dict[str, Any]:
    """Cases that a person would have to open, per million accounts seen.

    A case is a group that lists an account hinted ``review`` or ``act``, at any tier, or such an account that no group
    lists; for a detector that gives no hints, a group that is called a campaign. The interval is the exact Poisson one:
    cases are counted, not drawn.
    """
    hinted = run.hinted("review", "act")
    given = any(h != "none" for h in run.hint.values())
    groups = {g for g, accounts in run.listed.items() if accounts & hinted} if given else run.claimed
    inside = frozenset[str]().union(*(run.listed[g] for g in groups))
    alone = hinted - inside
    cases = len(groups) + len(alone)
    low, high = poisson_interval(cases)
    seen = len(truth.ids)
    scale = PER / seen if seen else 0.0
    return {
        "cases": cases,
        "cases_per_million_accounts": cases * scale,
        "low": low * scale,
        "high": high * scale,
        "accounts_in_cases": len(inside) + len(alone),
        "counted": "groups and lone accounts at review or act" if given else "groups called campaigns",
    }


def attacker_cost(truth: Truth) -> dict[str, Any] | None:
    """What the world says its campaigns cost per exchange, in the world's own unit; None when it says nothing.

    Read from the field ``cost_per_exchange_usd`` or ``cost_per_exchange`` of a campaign, the bill per extraction
    exchange. The mean is weighted by extraction exchanges, so that it is the bill of all campaigns per extraction
    exchange of all.
    """
    sent: Counter[str | None] = Counter()
    for campaign, taken in zip(truth.campaign, truth.extraction.tolist(), strict=True):
        sent[campaign] += taken
    stated = {
        str(c["campaign_id"]): float(price)
        for c in truth.campaigns
        if (price := c.get("cost_per_exchange_usd", c.get("cost_per_exchange"))) is not None
    }
    if not stated:
        return None
    weight = sum(sent[name] for name in stated)
    return {
        "per_exchange": dict(sorted(stated.items())),
        "mean_per_exchange": sum(p * sent[n] for n, p in stated.items()) / weight if weight else None,
    }


def volume(truth: Truth, run: Run) -> dict[str, Any]:
    """Extraction exchanges sent by extractors that were not found: what the operating point lets through.

    Exchanges of one account stand or fall together; the share therefore carries no interval of its own, the
    recall of accounts does.
    """
    members = run.members
    total = missed = 0
    for account, extractor, sent in zip(
        truth.ids, truth.extractor.tolist(), truth.extraction.tolist(), strict=True
    ):
        if extractor:
            total += sent
            missed += 0 if account in members else sent
    return {
        "extraction_exchanges": total,
        "missed": missed,
        "missed_share": missed / total if total else None,
    }


__all__ = ["PER", "analyst_load", "attacker_cost", "volume"]
