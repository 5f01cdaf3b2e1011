"""The first sentences of a report: what was found, how sure, against what, and what could not be seen."""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.records import Campaign, Kind, ScanResult
from stillwatch.report.abstained import Abstained
from stillwatch.report.facts import Facts
from stillwatch.report.numbers import count, day, decades, p_value, plural, share
from stillwatch.report.safe import Shown, shown
from stillwatch.report.words import label


@dataclass(frozen=True, slots=True)
class Outcome:
    """Headline, then single sentences."""

    headline: Shown
    sentences: tuple[Shown, ...]
    unseen: tuple[Shown, ...]


def outcome(result: ScanResult, facts: Facts, abstained: Abstained) -> Outcome:
    """Say in plain words how the run ended."""
    campaigns = sum(c.kind is Kind.CAMPAIGN for c in result.campaigns)
    pools = len(result.campaigns) - campaigns
    among = f"among {plural(facts.accounts, 'account')}"
    if not result.campaigns:
        headline = f"No campaign and no pool found {among}."
    else:
        parts = [plural(n, noun) for n, noun in ((campaigns, "campaign"), (pools, "pool")) if n]
        headline = f"{' and '.join(parts)} found {among}."
    return Outcome(Shown(headline), tuple(map(Shown, _sentences(result, facts))), _unseen(facts, abstained))


def _sentences(result: ScanResult, facts: Facts) -> list[str]:
    span = f" between {day(facts.start)} and {day(facts.end)} (UTC)" if facts.start and facts.end else ""
    seen = f"{plural(facts.exchanges, 'exchange')}{span}"
    if result.campaigns:
        inside = sum(c.exchange_count for c in result.campaigns)
        held = sum(c.account_count for c in result.campaigns)
        said = [f"They hold {plural(held, 'account')} and {count(inside)} of {seen}."]
    else:
        said = [
            f"{seen} were looked at. No group of accounts carried enough weight of evidence to be called one "
            "operator's. That is not proof of absence: small, slow or well separated groups stay below what "
            "these data can show."
        ]
    granted = sum(c.granted for c in result.campaigns)
    if granted:
        said.append(
            "One works under a recorded grant."
            if granted == 1
            else f"{count(granted)} work under recorded grants."
        )
    if facts.false_discovery_rate is not None:
        stated = facts.false_discovery_rate
        beyond = [
            c.false_discovery_rate
            for c in result.campaigns
            if c.kind is Kind.CAMPAIGN and c.confidence == "low" and c.false_discovery_rate > stated
        ]
        what = "what is reported" if not beyond else "the firm campaigns and the pools"
        said.append(
            f"Stated false discovery rate {share(stated)}: on average over runs, at most that share of {what} is "
            "expected to be wrong, as long as the baseline stands for honest traffic."
        )
        if beyond:
            said.append(
                f"{plural(len(beyond), 'campaign')} of low confidence, put forward for a person's review alone, "
                f"{'stands' if len(beyond) == 1 else 'stand'} outside that rate, at up to {share(max(beyond))}."
            )
    if facts.baseline_name or facts.baseline_dated:
        dated = f", dated {shown(facts.baseline_dated, 40)}" if facts.baseline_dated else ", undated"
        said.append(f"Compared with baseline {shown(facts.baseline_name or 'without a name', 80)}{dated}.")
        if facts.baseline_kind == "shipped":
            said.append(
                "That baseline came with stillwatch and describes simulated traffic, not this service's own."
            )
    else:
        said.append("The run names no baseline.")
    return said


def _unseen(facts: Facts, abstained: Abstained) -> tuple[Shown, ...]:
    lines = [f"{shown(label(row.trait), 60)}: {shown(row.reason)}" for row in abstained.run[:4]]
    if len(abstained.run) > 4:
        lines.append(f"and {plural(len(abstained.run) - 4, 'more line')}, all listed below")
    lines += [f"detector {shown(name, 60)} failed; this run is incomplete" for name in facts.incomplete]
    lines += [shown(text) for text in facts.not_judged[:3]]
    if abstained.accounts:
        lines.append(f"{plural(abstained.accounts, 'account')} could be judged only in part")
    return tuple(map(Shown, lines))


def controller_sentence(campaign: Campaign) -> Shown:
    """What the weight of evidence says, without more than it says."""
    if campaign.log10_e_value < 1:
        return Shown("The weight of evidence for one controller is slight.")
    return Shown(
        f"What these {plural(campaign.account_count, 'account')} share speaks for one controller with a weight of "
        f"{decades(campaign.log10_e_value)} decades. The weight is measured on the group as found; the stated "
        "false discovery rate rests on the test of the hub it grew from."
    )


def shape_sentence(campaign: Campaign) -> Shown:
    """What the extraction-shape test says, or why it could not be made."""
    groups = plural(campaign.calibration_count, "honest linked group")
    if campaign.p_value is None:
        return Shown(
            f"Whether the traffic is shaped like dataset production could not be judged: {groups} for "
            "comparison are too few."
        )
    if campaign.kind is Kind.POOL:
        return Shown(f"Beside {groups} the traffic is not unusual enough to be called extraction "
                     f"(p = {p_value(campaign.p_value)}).")  # fmt: skip
    return Shown(
        f"Beside {groups}, traffic as dataset-shaped as this is expected with probability at most "
        f"{p_value(campaign.p_value)}."
    )
