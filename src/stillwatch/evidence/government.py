"""Reports for government, filled from the file on a case: every line with its source, nothing that nothing carries.

Three forms from the same lines: what H.R. 8283 section 4 (as introduced) asks an assessment to cover, a fact sheet of
"specific and articulable facts" for an Entity List proposal, and a short letter to a committee. A line comes from the
case, with the file, digest and query behind it, or from a person, with the source that they name. Who is behind the
accounts, where they are and who helps them is said only where a person wrote an attribution that stands
(`attribution.checked`): detection says nothing of it. What is not known is said to be not known.

Confidential is what shows the owner's business or where detection is blind; the owner lifts the mark line by line, and
the letter leaves marked lines out. Nothing here is legal advice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.evidence.attribution import Problem, words_of
from stillwatch.evidence.documents import circumvention, counts, stated_rate
from stillwatch.evidence.exposure import exposure
from stillwatch.records.evidence import CaseFile, Circumvention, Evasion
from stillwatch.records.finding import Campaign, Kind

SECTIONS = {
    "entities": "Entities that carry out extraction attacks",
    "providers": "Fraudulent account network providers",
    "origin": "Countries of origin",
    "assistance": "Assistance by a government",
    "methods": "Methods, and the role of account network providers",
    "locations": "Physical location of offices and data centres",
    "attempts": "Attempted attacks in the two calendar years before, and since",
    "detection": "Strengths and weaknesses of detection",
    "consequences": "Consequences for the economy and national security",
}
"""Section 4(b), in its order. Its text as introduced; check it against what is in force."""
WHO = frozenset({"entities", "providers", "origin", "assistance", "locations"})
"""What detection cannot say: there must be an attribution by a person before any of it is filled."""
FORMS = {
    "assessment": "Voluntary report on model extraction attacks (fields of H.R. 8283, section 4)",
    "entity-list": "Fact sheet for the Entity List: specific and articulable facts",
    "letter": "Letter to the committee",
}
CLEARED = ("benign_positive", "false_positive")
"""Verdicts by which a person found the accounts innocent."""
_BIT_FLOOR = 3.0
"""Decades of evidence from which on a channel is named."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a line comes from."""

    what: str
    """A file of the run or of the case, or the document that a person names."""
    sha256: str
    """Of the file; empty where a person names a document that is not here."""
    query: str
    """How the line is read from it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One statement."""

    id: str
    section: str
    text: str
    sources: tuple[Source, ...]
    confidential: bool
    by: str
    """``stillwatch``, or the person who states it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a person adds."""

    owner: str
    recipient: str
    signed_by: str
    as_of: datetime
    statements: tuple[Line, ...]
    lifted: frozenset[str] = frozenset()
    """Ids of lines whose mark the owner takes off."""
    held: frozenset[str] = frozenset()
    """Ids of lines that the owner marks."""


def report(
    case: CaseFile, told: Told, form: str, prices: Mapping[str, Any], hints: Mapping[Evasion, str],
    file: Mapping[str, Source], seen: Set[Circumvention] = frozenset(),
) -> dict[str, Any]:  # fmt: skip
    """One form, as a document.

    Args:
        file: Sources of the case's parts by name: ``campaigns``, ``members``, ``findings``, ``summary``, ``told``.
        seen: Ways round a control that the scan itself saw; a person states the case's others.

    Raises:
        ConfigError: a person has cleared the case, or a grant covers it; the form needs an attribution, a statement is
            in a section that does, or a mark names no line.
    """
    _may(case)
    if form == "entity-list" and (case.attribution or {}).get("level") not in (
        "organisation",
        "named_persons",
    ):
        raise ConfigError(
            "an Entity List fact sheet names an entity, and no person has attributed this case to an organisation",
            hint="write [attribution] of level organisation, with its facts, into the case file; or use another form",
        )
    for line in told.statements:
        if line.section in WHO and case.attribution is None:
            raise ConfigError(
                f"a statement on {line.section} without an attribution",
                hint="detection does not say who or where: write [attribution] with facts and alternatives first",
            )
    lines = [*_of_case(case, told.as_of, prices, hints, file, seen), *told.statements]
    unknown = sorted((told.lifted | told.held) - {line.id for line in lines})
    if unknown:
        raise ConfigError(f"no line is called {unknown[0]}", hint="ids stand before the lines of the report")
    lines = [
        replace(one, confidential=one.id in told.held or (one.confidential and one.id not in told.lifted))
        for one in lines
    ]
    held = [one for one in lines if form == "letter" and one.confidential]
    shown = [one for one in lines if one not in held]
    return {
        "format": "stillwatch-government-report-1", "form": form, "title": FORMS[form], "case_id": case.case_id,
        "owner": told.owner, "recipient": told.recipient, "signed_by": told.signed_by, "as_of": told.as_of,
        "verdict": case.verdict, "verdict_by": case.verdict_by, "left_out": len(held),
        "sections": [
            {"id": name, "title": title, "lines": mine, "unknown": "" if mine else _unknown(name)}
            for name, title in SECTIONS.items()
            for mine in [[_row(one) for one in shown if one.section == name]]
            if form == "assessment" or mine
        ],
        "caution": [
            "Attempts are what was seen; what a person has confirmed is said apart.",
            "Evidence of one controller and of the shape of extraction is no proof of intent.",
            "Not all accounts of a group need belong to one actor, and authorised distillation is no attack.",
            "Who is behind it is a person's judgement, where it is said at all.",
        ],
    }  # fmt: skip


def problems(document: Mapping[str, Any]) -> list[Problem]:
    """Origin that is inferred from language or VPN use, and words that no judgement may use, in any line."""
    return [
        Problem(line["id"], problem.reason)
        for section in document["sections"]
        for line in section["lines"]
        for problem in words_of(line["id"], line["text"])
    ]


def _may(case: CaseFile) -> None:
    """Nobody innocent is reported: not whom a person has cleared, nor what a grant allows."""
    if case.verdict in CLEARED:
        raise ConfigError(
            f"{case.case_id} was closed as {case.verdict}: its accounts are honest",
            hint="there is nothing to report on it",
        )
    for campaign in case.campaigns:
        if campaign.granted:
            raise ConfigError(
                f"{campaign.campaign_id} has a grant: authorised distillation is no attack",
                hint="name the other groups with --campaign",
            )


def _of_case(
    case: CaseFile, as_of: datetime, prices: Mapping[str, Any], hints: Mapping[Evasion, str],
    file: Mapping[str, Source], seen: Set[Circumvention],
) -> Iterator[Line]:  # fmt: skip
    if case.attribution is not None:
        yield from _attributed(case.attribution, file["told"])
    for number, campaign in enumerate(case.campaigns, 1):
        yield from _methods(number, campaign, file)
    for number, row in enumerate(circumvention(case, hints)["timeline"], 1):
        when = f"{row['at']:%Y-%m-%d}: " if row["at"] else ""
        scan = Circumvention(**row) in seen
        where = _query(file["findings" if scan else "told"], row["source"])
        by = "stillwatch" if scan else "a person, in the case"
        text = f"{when}{row['kind'].replace('_', ' ')}: {row['fact']}."
        yield Line(f"methods.way{number}", "methods", text, (where,), False, by)
    yield from _attempts(case, as_of, file)
    yield from _detection(case, file)
    for number, campaign in enumerate(case.campaigns, 1):
        columns = "exchange_count, output_tokens, extraction_share, models, taken"
        basis = (_of(file["campaigns"], campaign, columns),)
        figures = exposure(campaign, prices, case.work)
        for n, figure in enumerate((f for f in figures if f.low is not None), 1):
            amount = _range(figure.low, figure.high, figure.unit)
            text = f"{figure.name.replace('_', ' ')}: {amount}. Formula: {figure.formula}."
            yield Line(f"consequences.c{number}.{n}", "consequences", text, basis, True, "stillwatch")  # fmt: skip
        lacking = "; ".join(f"{f.name}, which needs {f.missing}" for f in figures if f.low is None)
        if lacking:
            yield Line(f"consequences.c{number}.unknown", "consequences", f"Not known: {lacking}.", basis, True,
                       "stillwatch")  # fmt: skip


def _attributed(given: Mapping[str, Any], source: Source) -> Iterator[Line]:
    level = given["level"]
    section = "providers" if level == "account_network_provider" else "entities"
    party = str(given.get("party") or "the operator")
    percent = given.get("likelihood_percent")
    said = f"{given.get('likelihood')} ({percent[0]} to {percent[1]} %)" if percent else "not stated"
    text = (
        f"{party}: {given.get('statement') or level.replace('_', ' ')}. Likelihood {said}; confidence in the "
        f"judgement {given.get('confidence') or 'not stated'}."
    )
    by = str(given["signed_by"])
    yield Line("attribution.judgement", section, text, (_query(source, "[attribution]"),), False, by)
    for n, fact in enumerate(given.get("facts") or (), 1):
        where = (
            _query(source, f"[[attribution.facts]] {n}"),
            Source(str(fact["source"]), "", "named by the person"),
        )
        text = f"{fact['kind'].replace('_', ' ')}: {fact['fact']}."
        yield Line(f"attribution.fact{n}", section, text, where, False, by)
    for n, row in enumerate(given.get("hypotheses") or (), 1):
        text = f"Hypothesis {n}: {row['claim']}. For it: {row['for']}. Against it: {row['against']}."
        yield Line(f"attribution.hypothesis{n}", section, text, (_query(source, f"[[attribution.hypotheses]] {n}"),),
                   False, by)  # fmt: skip


def _methods(number: int, c: Campaign, file: Mapping[str, Source]) -> Iterator[Line]:
    what = "whose traffic is shaped like extraction" if c.kind is Kind.CAMPAIGN else "whose use is not known"
    yield Line(
        f"methods.c{number}", "methods",
        f"Group {c.campaign_id}: {c.account_count:,} accounts that act as if run by one controller, {what}, from "
        f"{c.first_seen:%Y-%m-%d} to {c.last_seen:%Y-%m-%d}. Techniques (MITRE ATLAS): "
        f"{', '.join(c.techniques) or 'none'}. Capabilities asked for: "
        f"{', '.join(c.capabilities) or 'none stands out'}.",
        (_of(file["campaigns"], c, "kind, account_count, first_seen, last_seen, techniques, capabilities"),), False,
        "stillwatch",
    )  # fmt: skip
    for n, e in enumerate((e for e in c.evidence if e.log10_e_value >= _BIT_FLOOR), 1):
        yield Line(
            f"methods.c{number}.channel{n}", "methods",
            f"Group {c.campaign_id}: {e.members:,} accounts share {e.trait.replace('_', ' ')}, which "
            f"{_rare(e.reference_share)} of the reference cohort show; weight 10^{e.log10_e_value:.1f}, and without it "
            f"10^{e.without_log10_e_value:.1f} is left.",
            (_of(file["campaigns"], c, f"evidence where trait = {e.trait!r}"),), True, "stillwatch",
        )  # fmt: skip


def _attempts(case: CaseFile, as_of: datetime, file: Mapping[str, Source]) -> Iterator[Line]:
    span = case.run.get("time_range") or {}
    covered = {str(span.get(end))[:4] for end in ("start", "end")}
    known = (
        f"from {str(span.get('start'))[:10]} to {str(span.get('end'))[:10]}"
        if span
        else "of a span not on record"
    )
    yield Line(
        "attempts.covered", "attempts",
        f"Logs {known} were read. Nothing is known here of the rest of the two years: no count below is a total.",
        (_query(file["summary"], "time_range"),), False, "stillwatch",
    )  # fmt: skip
    years = range(as_of.year - 2, as_of.year + 1)
    for number, c in enumerate(case.campaigns, 1):
        seen = {y: sum(n for hour, n in c.timeline if hour.year == y and hour < as_of) for y in years}
        by_year = {
            y: f"{n:,}" if n or min(covered) <= str(y) <= max(covered) else "no logs were read"
            for y, n in seen.items()
        }
        tried = counts(case, c)
        low, best, high = tried["attempts"]["exchanges in the extraction"]
        yield Line(
            f"attempts.c{number}", "attempts",
            f"Group {c.campaign_id}, exchanges by calendar year: "
            + ", ".join(f"{y}: {said}" for y, said in by_year.items())
            + f". Of its {c.exchange_count:,} exchanges, {best:,} ({low:,} to {high:,}) belong to the extraction.",
            (_of(file["campaigns"], c, "timeline by year; exchange_count x extraction_share (low, best, high)"),),
            True, "stillwatch",
        )  # fmt: skip
        sure = tried["confirmed"]
        said = (
            f"confirmed {sure['accounts']:,} accounts, at least {sure['exchanges, at least']:,} exchanges"
            if sure["accounts"] is not None
            else "nothing is confirmed"
        )
        yield Line(f"attempts.c{number}.confirmed", "attempts", f"Group {c.campaign_id}: {said}; {sure['why']}.",
                   (_of(file["members"], c, "count where tier = 'member'"), _query(file["told"], "verdict")), True,
                   "stillwatch")  # fmt: skip


def _detection(case: CaseFile, file: Mapping[str, Source]) -> Iterator[Line]:
    rate = stated_rate(case)
    baseline = case.run.get("baseline") or {}
    yield Line(
        "detection.rate", "detection",
        f"Expected share of wrong groups among those reported: {rate if rate is not None else 'not on record'}, "
        f"against the honest population {baseline.get('name', 'not on record')} of {baseline.get('as_of', 'no date')}. "
        "It holds as far as honest groups here resemble those.",
        (_query(file["summary"], "false_discovery_rate (or the weakest group's); baseline"),), False, "stillwatch",
    )  # fmt: skip
    for number, c in enumerate(case.campaigns, 1):
        families = sorted(str(f) for f, bits in c.bits.items() if bits > 0)
        yield Line(f"detection.c{number}.strength", "detection",
                   f"Group {c.campaign_id} rests on {len(families)} families of evidence: {', '.join(families)}.",
                   (_of(file["campaigns"], c, "bits"),), False, "stillwatch")  # fmt: skip
        for n, said in enumerate(c.would_change, 1):
            yield Line(f"detection.c{number}.weakness{n}", "detection", f"Group {c.campaign_id}: {said}",
                       (_of(file["campaigns"], c, "would_change"),), True, "stillwatch")  # fmt: skip
        for n, (explanation, said) in enumerate(c.innocent, 1):
            yield Line(f"detection.c{number}.innocent{n}", "detection",
                       f"Group {c.campaign_id}, innocent explanation: {explanation}. In this case: {said}",
                       (_of(file["campaigns"], c, "innocent"),), False, "stillwatch")  # fmt: skip
    for n, row in enumerate(case.run.get("abstentions") or (), 1):
        if row.get("subject") == "run":
            yield Line(f"detection.blind{n}", "detection", f"Not judged: {row['trait']}: {row['reason']}.",
                       (_query(file["summary"], f"abstentions[{n - 1}]"),), True, "stillwatch")  # fmt: skip


def _unknown(section: str) -> str:
    if section in WHO:
        return "Not known. Detection does not say this, and no person has stated it."
    return "Not known: nothing on record."


def _of(source: Source, campaign: Campaign, columns: str) -> Source:
    return _query(source, f"campaign_id = {campaign.campaign_id!r}: {columns}")


def _query(source: Source, query: str) -> Source:
    return Source(source.what, source.sha256, query)


def _row(line: Line) -> dict[str, Any]:
    sources = [{"what": s.what, "sha256": s.sha256, "query": s.query} for s in line.sources]
    return {
        "id": line.id,
        "text": line.text,
        "confidential": line.confidential,
        "by": line.by,
        "sources": sources,
    }


def _range(low: float | None, high: float | None, unit: str) -> str:
    """As said of a figure.

    >>> _range(5.0, None, "output_tokens"), _range(5.0, 7.0, "usd")
    ('at least 5 output tokens', '5 to 7 usd')
    """
    ends = f"at least {low:,.0f}" if high is None else f"{low:,.0f} to {high:,.0f}"
    return f"{ends} {unit.replace('_', ' ')}"


def _rare(share: float) -> str:
    """A share, never told smaller than it is.

    >>> _rare(0.0007), _rare(1e-6)
    ('0.070%', 'less than 0.001%')
    """
    return f"{share:.3%}" if share >= 1e-5 else "less than 0.001%"


__all__: Sequence[str] = [
    "CLEARED", "FORMS", "SECTIONS", "WHO", "Line", "Source", "Told", "problems", "report",
]  # fmt: skip
