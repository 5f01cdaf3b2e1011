"""What to do with a campaign, in a few plain sentences: the program's advice, a person's decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from stillwatch.records import Campaign, Case, Confidence, Kind
from stillwatch.report.numbers import count, plural
from stillwatch.report.safe import Shown

Step: TypeAlias = tuple[Shown, str, str]
"""What to do, and the name and address of a link to where; empty where it is not done here."""


def next_steps(
    campaign: Campaign, tiers: Mapping[str, int], case: Case | None, *, may_plan: bool
) -> list[Step]:
    """Steps in order; never a verdict."""
    if campaign.granted:
        said = "Nothing against use inside its grant. Check the grant's scope and end on the grants page."
        return [(Shown(said), "Grants", "/grants")]
    steps: list[tuple[str, str, str]] = []
    if case is None:
        steps.append(("Open a case, so that what is found out is kept and nobody works on it twice.", "", ""))
    steps.append((
        "Go through the innocent explanations with what you know about these customers; ask the owner where one fits.",
        "Read them", "#innocent",
    ))  # fmt: skip
    steps.append(_act(campaign, tiers, f"/cases/{case.id}/plan" if case is not None and may_plan else ""))
    faint = tiers.get("associated", 0) + tiers.get("watch", 0)
    if faint:
        said = f"Leave the {count(faint)} associated and watched accounts out: they may be customers of a reseller."
        steps.append((said, "", ""))
    return [(Shown(said), name, href) for said, name, href in steps]


def _act(campaign: Campaign, tiers: Mapping[str, int], plan: str) -> tuple[str, str, str]:
    """What the evidence is good for."""
    families = sum(bits > 0.5 for bits in campaign.bits.values())
    if campaign.kind is Kind.POOL:
        return (
            "One controller, use unknown: ask, do not block. A product with many keys looks like this.",
            "",
            "",
        )
    if families < 2 or campaign.confidence is Confidence.LOW:
        return (
            "Evidence of one family, or low confidence, is not enough to act on: watch, and scan again.",
            "",
            "",
        )
    firm = plural(tiers.get("member", 0), "firm member")
    return (
        f"Plan the takedown for the {firm} as a whole and at once. The plan says how many of them may be innocent; "
        "somebody else agrees to it before anything happens.", "Make the plan", plan,
    )  # fmt: skip
