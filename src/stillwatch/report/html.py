"""The page a person reads first: one file, no network, light and dark, on paper as well.

Everything on it that came from outside is shown through :mod:`stillwatch.report.safe` and escaped; the
page's own content policy forbids any request, form or frame.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from importlib.resources import files

import jinja2
from markupsafe import Markup

from stillwatch.records import Campaign, Finding, Kind, Member, ScanResult
from stillwatch.report import numbers, words
from stillwatch.report.abstained import abstained
from stillwatch.report.facts import Facts, read_facts
from stillwatch.report.graph import Graph, graph
from stillwatch.report.members import MemberList, member_list
from stillwatch.report.outcome import controller_sentence, outcome, shape_sentence
from stillwatch.report.safe import Shown, finalize, shown
from stillwatch.report.timeline import Timeline, timeline
from stillwatch.report.waterfall import Waterfall, waterfall

_ROWS_IN_ALL = 9_000
_CONFIDENCE = {"high": 0, "medium": 1, "low": 2}


@dataclass(frozen=True, slots=True)
class Section:
    """One campaign or pool with its drawings."""

    anchor: str
    campaign: Campaign
    waterfall: Waterfall
    graph: Graph | None
    timeline: Timeline | None
    members: MemberList
    controller: Shown
    shape: Shown
    most_taken: tuple[int, int]
    """Largest exchanges and largest output tokens among capabilities, the bars' full lengths."""


@dataclass(frozen=True, slots=True)
class Double:
    """Honest doubles of one trait, from the findings."""

    trait: str
    findings: int
    looks_alike: tuple[str, ...]


def in_order(campaigns: tuple[Campaign, ...]) -> list[Campaign]:
    """Campaigns before pools, surest first, heaviest first; ties by id."""
    return sorted(
        campaigns,
        key=lambda c: (c.kind is Kind.POOL, _CONFIDENCE[c.confidence], -c.log10_e_value, c.campaign_id),
    )


def render_html(result: ScanResult) -> str:
    """Return the report of ``result`` as one self-contained HTML page; equal input gives equal bytes.

    Limits: at most 200 members a campaign, fewer when there are very many campaigns; 40 shared values and
    110 dots a graph; the full lists are in the Parquet files beside it.
    """
    facts = read_facts(result)
    by_campaign: dict[str, list[Member]] = defaultdict(list)
    for member in result.members:
        by_campaign[member.campaign_id].append(member)
    ordered = in_order(result.campaigns)
    most = max(20, min(200, _ROWS_IN_ALL // max(1, len(ordered))))
    sections = [_section(i, c, by_campaign[c.campaign_id], facts, most) for i, c in enumerate(ordered, 1)]
    gaps = abstained(result)
    page = _environment().get_template("page.html.j2")
    return page.render(
        facts=facts,
        outcome=outcome(result, facts, gaps),
        sections=sections,
        pools=[s for s in sections if s.campaign.kind is Kind.POOL],
        gaps=gaps,
        doubles=_doubles(result.findings),
        dispositions=_dispositions(result),
        css=_asset("report.css"),
        js=_asset("report.js"),
    )


def _section(index: int, campaign: Campaign, members: list[Member], facts: Facts, most: int) -> Section:
    tiers = {m.account_id: str(m.tier) for m in members}
    return Section(
        anchor=f"g{index}",
        campaign=campaign,
        waterfall=waterfall(campaign),
        graph=graph(campaign, tiers),
        timeline=timeline(campaign, facts.releases),
        members=member_list(members, most),
        controller=controller_sentence(campaign),
        shape=shape_sentence(campaign),
        most_taken=(
            max((n for _, n, _ in campaign.taken), default=1) or 1,
            max((n for _, _, n in campaign.taken), default=1) or 1,
        ),
    )


def _doubles(findings: tuple[Finding, ...]) -> list[Double]:
    found: dict[str, tuple[int, set[str]]] = {}
    for finding in findings:
        n, alike = found.get(finding.trait, (0, set()))
        found[finding.trait] = (n + 1, alike | set(finding.looks_alike))
    return [Double(trait, n, tuple(sorted(alike))) for trait, (n, alike) in sorted(found.items()) if alike]


def _dispositions(result: ScanResult) -> dict[str, int]:
    import pyarrow.compute as pc

    if "disposition_hint" not in result.accounts.column_names:
        return {}
    return {
        v["values"]: v["counts"] for v in pc.value_counts(result.accounts["disposition_hint"]).to_pylist()
    }


def _asset(name: str) -> Markup:
    return Markup(files("stillwatch.report").joinpath("templates", name).read_text("utf-8"))  # noqa: S704


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stillwatch.report", "templates"),
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        amount=numbers.amount, bits=numbers.bits, count=numbers.count, day=numbers.day,
        decades=numbers.decades, moment=numbers.moment, p_value=numbers.p_value,
        share=numbers.share,
        short=numbers.short, shown=shown, label=words.label, technique_link=words.technique_link,
    )  # fmt: skip
    environment.globals.update(
        plural=numbers.plural, FAMILY=words.FAMILY_WORDS, TIER=words.TIER_WORDS, KIND=words.KIND_WORDS,
        CONFIDENCE=words.CONFIDENCE_WORDS, TECHNIQUE=words.TECHNIQUE_NAMES, BPD=numbers.BITS_PER_DECADE,
    )  # fmt: skip
    return environment
