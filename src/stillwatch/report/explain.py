"""The answer to "why this campaign?" and "why this account?", for a terminal.

Says the same as the page: what was found, channel by channel; which innocent explanations were considered;
what would change the verdict; what could not be judged. Text from outside is shown with its control
characters spelled out and is never read as console markup.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from stillwatch.records import Campaign, Finding, Member, ScanResult
from stillwatch.report import numbers
from stillwatch.report.abstained import abstained
from stillwatch.report.facts import read_facts
from stillwatch.report.ledger import columns, ledger, sparkline
from stillwatch.report.outcome import controller_sentence, shape_sentence
from stillwatch.report.safe import shown
from stillwatch.report.subject import AccountView, find_subject
from stillwatch.report.words import (
    CONFIDENCE_WORDS,
    FAMILY_WORDS,
    KIND_WORDS,
    TECHNIQUE_NAMES,
    TIER_WORDS,
    label,
)

_GAPS = 12


def explain_text(result: ScanResult, subject: str) -> RenderableType:
    """Explain a campaign, pool or account of ``result``, which may come from a scan or from ``load_result``.

    Args:
        result: what a scan found.
        subject: a campaign id or an account id; a campaign id wins when both exist.

    Returns:
        Something ``rich`` can print.

    Raises:
        StillwatchError: no such id; the hint names near ones.
    """
    found = find_subject(result, subject)
    if isinstance(found, Campaign):
        return Group(*_campaign(result, found), *_gaps(result, ()))
    return Group(*_account(result, found), *_gaps(result, found.abstentions))


def explain_plain(result: ScanResult, subject: str, width: int = 100) -> str:
    """The same as plain text without colours or control sequences.

    Args:
        result: what a scan found.
        subject: a campaign id or an account id.
        width: columns.
    """
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, force_terminal=False, legacy_windows=False)
    console.print(explain_text(result, subject))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _heading(text: str) -> RenderableType:
    return Padding(Text(text, style="bold"), (1, 0, 0, 0))


def _line(text: str, limit: int = 2000) -> RenderableType:
    return Padding(Text(shown(text, limit)), (0, 0, 0, 2))


def _pairs(*pairs: tuple[str, str]) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), Text(shown(value, 600)))
    return Padding(table, (0, 0, 0, 2))


def _campaign(result: ScanResult, campaign: Campaign) -> Iterator[RenderableType]:
    yield Rule(
        Text(f"{campaign.kind} {shown(campaign.campaign_id, 80)}", style="bold"), align="left", characters="─"
    )
    yield _line(campaign.explanation, 2500)
    yield _line(f"{controller_sentence(campaign)} {shape_sentence(campaign)}")
    yield _heading("In figures")
    share = f"{numbers.share(campaign.extraction_share)}, {numbers.share(campaign.extraction_share_low)} to "
    weight = f"{numbers.decades(campaign.log10_e_value)} decades, {numbers.bits(campaign.log10_e_value)} bits"
    yield _pairs(
        (
            "kind",
            f"{campaign.kind}: {KIND_WORDS[campaign.kind]}" + ("; under a grant" if campaign.granted else ""),
        ),
        ("confidence", f"{campaign.confidence}: {CONFIDENCE_WORDS[campaign.confidence]}"),
        ("accounts", numbers.count(campaign.account_count)),
        ("exchanges", numbers.count(campaign.exchange_count)),
        ("output tokens", numbers.short(campaign.output_tokens)),
        ("seen, UTC", f"{numbers.moment(campaign.first_seen)} to {numbers.moment(campaign.last_seen)}"),
        ("weight of evidence", weight),
        (
            "p, extraction shape",
            f"{numbers.p_value(campaign.p_value)}; {campaign.calibration_count} honest groups",
        ),
        ("false discovery rate", numbers.share(campaign.false_discovery_rate)),
        ("extraction share", share + numbers.share(campaign.extraction_share_high)),
    )
    yield _heading("Why one controller: evidence in bits")
    yield Padding(ledger(campaign), (0, 0, 0, 2))
    if line := sparkline(campaign.timeline):
        yield _heading("When: exchanges over time")
        yield _line(f"{numbers.day(campaign.first_seen)} {line} {numbers.day(campaign.last_seen)}")
        models = ", ".join(f"{shown(model, 60)} {numbers.count(n)}" for model, n in campaign.models[:8])
        yield _line(models or "models not recorded", 700)
    if campaign.taken:
        yield _heading("What was taken")
        table = columns(("capability", False), ("exchanges", True), ("output tokens", True))
        for name, n, tokens in campaign.taken[:20]:
            table.add_row(Text(shown(label(name), 60)), Text(numbers.count(n)), Text(numbers.short(tokens)))
        yield Padding(table, (0, 0, 0, 2))
    if campaign.shape:
        yield _heading("Shape of the traffic beside honest groups")
        table = columns(
            ("feature", False), ("value", True), ("honest median", True), ("above", True), ("meaning", False)
        )
        for s in campaign.shape:
            figures = (numbers.amount(s.value), numbers.amount(s.honest_median), numbers.share(s.percentile))
            table.add_row(Text(shown(label(s.feature), 60)), *map(Text, figures), Text(shown(s.meaning)))
        yield Padding(table, (0, 0, 0, 2))
    yield from _verdict(campaign)
    if campaign.techniques:
        yield _heading("ATLAS techniques")
        for technique in campaign.techniques:
            yield _line(f"{shown(technique, 60)}  {TECHNIQUE_NAMES.get(technique, '')}")
    yield from _findings(result.findings, campaign.campaign_id)


def _verdict(campaign: Campaign) -> Iterator[RenderableType]:
    yield _heading("Innocent explanations considered")
    if campaign.innocent:
        yield _pairs(*((shown(what, 60), speaks) for what, speaks in campaign.innocent))
    else:
        yield _line("None recorded.")
    yield _heading("What would change this verdict")
    for line in campaign.would_change or ("Nothing recorded.",):
        yield _line(f"- {shown(line, 500)}")


def _findings(findings: tuple[Finding, ...], subject: str) -> Iterator[RenderableType]:
    mine = [f for f in findings if f.subject == subject]
    if mine:
        yield _heading("Findings")
    for f in mine[:20]:
        head = f"{shown(label(f.trait), 60)} ({f.family}): {numbers.amount(f.effect)} {shown(f.unit, 40)}"
        yield _line(f"- {head}; baseline {shown(f.baseline, 60)}; {shown('; '.join(f.reasons), 400)}")
        if f.looks_alike:
            yield _line(f"  looks alike: {shown('; '.join(f.looks_alike), 300)}")


def _account(result: ScanResult, view: AccountView) -> Iterator[RenderableType]:
    yield Rule(Text(f"account {shown(view.account_id, 80)}", style="bold"), align="left", characters="─")
    facts = read_facts(result)
    span = (
        f" between {numbers.day(facts.start)} and {numbers.day(facts.end)}"
        if facts.start and facts.end
        else ""
    )
    seen = numbers.plural(view.exchange_count, "exchange")
    if not view.memberships:
        yield _line(
            f"{seen}{span} were looked at, as far as the fields allow: {'; '.join(FAMILY_WORDS.values())}."
        )
        yield _line("This account is in no pool and no campaign: nothing links it to others firmly enough.")
        yield _line("That is not a certificate: what could not be judged is listed below.")
    else:
        yield _line(f"{seen}{span}. Disposition hint: {view.disposition_hint}; a person decides.")
    for member, campaign in view.memberships:
        yield from _membership(member, campaign)
    yield from _findings(result.findings, view.account_id)
    for _, campaign in view.memberships[:1]:
        yield from _verdict(campaign)
    if not view.memberships:
        yield _heading("What would change this")
        yield _line("- New traffic that shares rare values with other accounts, or acts on their work.")
        yield _line("- The missing fields, if the source can be made to give them.")


def _membership(member: Member, campaign: Campaign) -> Iterator[RenderableType]:
    yield _heading(f"{member.tier} of {campaign.kind} {shown(campaign.campaign_id, 80)}")
    yield _pairs(
        ("tier", f"{member.tier}: {TIER_WORDS[member.tier]}"),
        ("membership", f"{member.membership_bits:.1f} bits"),
        ("extraction share", numbers.share(member.extraction_share)),
        ("exchanges", numbers.count(member.exchange_count)),
        ("seen, UTC", f"{numbers.moment(member.first_seen)} to {numbers.moment(member.last_seen)}"),
        ("reasons", "; ".join(member.reasons) or "none recorded"),
    )
    values = sorted({(t, v) for a, t, v in campaign.edges if a == member.account_id})
    if values:
        yield _heading("Values it shares with other members")
        for trait, value in values[:20]:
            others = len({a for a, t, v in campaign.edges if (t, v) == (trait, value)}) - 1
            yield _line(
                f"- {shown(label(trait), 60)} {shown(value, 60)}: {numbers.plural(others, 'other account')}"
            )
    yield _heading(f"The {campaign.kind}")
    yield _line(campaign.explanation, 1200)
    yield _line(f"{controller_sentence(campaign)} {shape_sentence(campaign)}")


def _gaps(result: ScanResult, own: tuple[str, ...]) -> Iterator[RenderableType]:
    yield _heading("What could not be judged")
    run = abstained(result).run
    for text in own[:_GAPS]:
        yield _line(f"- for this account: {shown(text, 400)}")
    for gap in run[:_GAPS]:
        missing = f" (missing: {', '.join(gap.missing)})" if gap.missing else ""
        yield _line(f"- {shown(label(gap.trait), 60)}: {shown(gap.reason + missing, 400)}")
    more = max(0, len(run) - _GAPS) + max(0, len(own) - _GAPS)
    if more:
        yield _line(f"- and {more} more; the report lists them")
    if not run and not own:
        yield _line("Nothing was recorded as impossible to judge.")
