"""What to do with a campaign, in a few plain sentences: the program's advice, a person's decision."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.records import Campaign, Confidence, Kind
from stillwatch.report.numbers import count, plural
from stillwatch.report.safe import Shown


def next_steps(campaign: Campaign, tiers: Mapping[str, int], case: object | None) -> list[Shown]:
    """Steps in order; never a verdict."""
    families = sum(bits > 0.5 for bits in campaign.bits.values())
    steps: list[str] = []
    if campaign.granted:
        steps.append(
            "Nothing against use inside its grant. Check the grant's scope and end on the grants page."
        )
        return [Shown(s) for s in steps]
    if case is None:
        steps.append("Open a case, so that what is found out is kept and nobody works on it twice.")
    steps.append(
        "Go through the innocent explanations with what you know about these customers; ask the owner where one fits."
    )
    if campaign.kind is Kind.POOL:
        steps.append(
            "One controller, use unknown: ask, do not block. A product with many keys looks like this."
        )
    elif families < 2 or campaign.confidence is Confidence.LOW:
        steps.append(
            "Evidence of one family, or low confidence, is not enough to act on: watch, and scan again."
        )
    else:
        firm = tiers.get("member", 0)
        steps.append(
            f"Plan the takedown for the {plural(firm, 'firm member')} as a whole and at once; look at its collateral "
            "estimate before you ask for approval."
        )
    faint = tiers.get("associated", 0) + tiers.get("watch", 0)
    if faint:
        steps.append(
            f"Leave the {count(faint)} associated and watched accounts out: they may be customers of a reseller."
        )
    return [Shown(s) for s in steps]
