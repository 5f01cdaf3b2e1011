"""Reports for government: every line has a source, nobody is named by a program, and what is confidential stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.evidence import government as forms
from stillwatch.evidence.attribution import checked
from stillwatch.evidence.documents import method
from stillwatch.evidence.government_pages import html, markdown
from stillwatch.records.evidence import CaseFile, Circumvention, Evasion
from stillwatch.wiring import government as wired
from stillwatch.wiring.evidence_case import HINTS
from tests.report.factory import make_campaign

AS_OF = datetime(2026, 11, 29, tzinfo=UTC)
FILE = {part: forms.Source(f"{part}.parquet", "ab" * 32, "") for part in
        ("campaigns", "members", "findings", "summary", "told")}  # fmt: skip
ATTRIBUTION = {
    "level": "organisation", "party": "Example Trading Ltd", "statement": "it bought the accounts",
    "likelihood": "likely", "confidence": "moderate", "signed_by": "B. Okafor",
    "facts": [{"kind": "payment_record", "fact": "it paid", "source": "processor"},
              {"kind": "corporate_record", "fact": "it is registered", "source": "register"}],
    "hypotheses": [{"claim": "it did", "for": "payments", "against": "no statement"},
                   {"claim": "a reseller did", "for": "sold in lots", "against": "own instrument"}],
}  # fmt: skip


def a_case(**more: Any) -> CaseFile:
    """A case on one campaign, scanned over three days of March 2026."""
    run = {"time_range": {"start": "2026-03-02T00:00:00", "end": "2026-03-04T00:00:00"}, "false_discovery_rate": 0.01,
           "abstentions": [{"trait": "payment", "reason": "no account table", "subject": "run"}]}  # fmt: skip
    return CaseFile("K-1", "t", (make_campaign(),), (), (), run, **more)


def told(*statements: forms.Line, **more: Any) -> forms.Told:
    """What a person adds."""
    return forms.Told("Example Laboratory", "the Bureau", "A. Rossi", AS_OF, statements, **more)


def a_report(case: CaseFile, form: str = "assessment", added: forms.Told | None = None) -> dict[str, Any]:
    """One form."""
    return forms.report(case, added or told(), form, {}, HINTS, FILE)


def lines(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Lines by id."""
    return {line["id"]: line for section in document["sections"] for line in section["lines"]}


def stated(section: str) -> forms.Line:
    """A person's statement."""
    return forms.Line(
        f"{section}.stated1", section, "so it is", (forms.Source("a letter", "", ""),), True, "A. Rossi"
    )


def test_the_assessment_has_every_field_and_says_what_is_not_known() -> None:
    """Sections of the bill in its order; who, where and with whose help stay empty without a person."""
    document = a_report(a_case())
    assert [s["id"] for s in document["sections"]] == list(forms.SECTIONS)
    unknown = {s["id"] for s in document["sections"] if s["unknown"]}
    assert unknown >= forms.WHO and "methods" not in unknown and "attempts" not in unknown


def test_the_stated_rate_is_the_loosest_of_the_groups_told_of() -> None:
    """A group put forward at a looser rate than the run's never hides behind that of the run."""
    for own, said in ((0.001, "0.01"), (0.04, "0.04")):
        weak = replace(a_case(), campaigns=(make_campaign(false_discovery_rate=own),))
        assert f"reported: {said}," in lines(a_report(weak))["detection.rate"]["text"]
        assert method(weak)["error rates"]["false_discovery_rate"] == float(said)


@pytest.mark.parametrize("form", sorted(forms.FORMS))
def test_whom_a_person_has_cleared_or_a_grant_covers_is_never_reported(form: str) -> None:
    """Not in any form: a verdict of innocence ends it, and so does a permission to distil."""
    named = {"attribution": checked(ATTRIBUTION)}
    for verdict in ("false_positive", "benign_positive"):
        with pytest.raises(ConfigError, match=f"closed as {verdict}"):
            a_report(a_case(verdict=verdict, verdict_by="B. Okafor", **named), form)
    with pytest.raises(ConfigError, match="has a grant"):
        a_report(replace(a_case(**named), campaigns=(make_campaign(granted=True),)), form)


def test_what_speaks_for_the_accounts_is_told_too() -> None:
    """Innocent explanations stand in the letter as well, and an open case is not told as a crime."""
    told_of = lines(a_report(a_case(), "letter"))
    campaign = make_campaign()
    for n, (explanation, said) in enumerate(campaign.innocent, 1):
        assert f"{explanation}. In this case: {said}" in told_of[f"detection.c1.innocent{n}"]["text"]
    assert campaign.innocent
    assert "act as if run by one controller, whose traffic is shaped like" in told_of["methods.c1"]["text"]


def test_a_person_cannot_state_a_thing_as_seen_by_the_scan() -> None:
    """Whatever the source is called: only what the scan saw carries the digest of its findings."""
    row = Circumvention(Evasion.GEOGRAPHY, None, None, "it hid", "finding of trait geography")
    case = a_case(circumventions=(row,))
    assert lines(a_report(case))["methods.way1"]["by"] == "a person, in the case"
    scanned = forms.report(case, told(), "assessment", {}, HINTS, FILE, frozenset({row}))
    assert lines(scanned)["methods.way1"]["by"] == "stillwatch"


def test_a_source_that_a_person_names_is_held_to_the_rules_of_what_leaves() -> None:
    """Personal data and private names stop the report wherever they stand."""
    for source in ("mail of bob@corp.test", "minutes of Example Customer Ltd"):
        case = a_case(circumventions=(Circumvention(Evasion.GEOGRAPHY, None, None, "it hid", source),))
        with pytest.raises(StillwatchError, match=r"methods\.way1: source"):
            wired._lint(a_report(case), case, {"private": ["Example Customer Ltd"]})


@pytest.mark.parametrize("form", ["assessment", "letter"])
def test_every_line_has_a_source_with_a_query_or_a_document(form: str) -> None:
    """What the program says names a file with its digest; what a person says names their document."""
    for line in lines(a_report(a_case(), form, told(stated("consequences")))).values():
        assert line["sources"] and line["by"]
        if line["by"] == "stillwatch":
            assert all(len(s["sha256"]) == 64 and s["query"] for s in line["sources"])


def test_years_that_no_log_covers_are_not_counted_as_none() -> None:
    """Two calendar years and the one under way; of a year without logs nothing is known."""
    text = lines(a_report(a_case()))["attempts.c1"]["text"]
    assert "2024: no logs were read, 2025: no logs were read, 2026:" in text


def test_nothing_is_confirmed_until_a_person_has_closed_the_case() -> None:
    """Attempts and what is confirmed are apart."""
    open_one = lines(a_report(a_case()))["attempts.c1.confirmed"]["text"]
    assert "nothing is confirmed" in open_one
    closed = a_case(verdict="true_positive", verdict_by="B. Okafor")
    assert "closed as true_positive by B. Okafor" in lines(a_report(closed))["attempts.c1.confirmed"]["text"]


def test_nobody_is_named_without_a_persons_attribution() -> None:
    """Neither a fact sheet nor a statement on who, origin, help or places; with one both stand, with alternatives."""
    with pytest.raises(ConfigError, match="no person has attributed"):
        a_report(a_case(), "entity-list")
    for section in sorted(forms.WHO):
        with pytest.raises(ConfigError, match=f"statement on {section} without an attribution"):
            a_report(a_case(), added=told(stated(section)))
    named = a_case(attribution=checked(ATTRIBUTION))
    sheet = lines(a_report(named, "entity-list", told(stated("origin"))))
    assert (
        sheet["attribution.judgement"]["by"] == "B. Okafor"
        and "55 to 80 %" in sheet["attribution.judgement"]["text"]
    )
    assert "Against it" in sheet["attribution.hypothesis2"]["text"] and "origin.stated1" in sheet


def test_a_letter_leaves_out_what_is_confidential_until_the_owner_lifts_it() -> None:
    """Volumes, channels and blind spots are marked; a mark is lifted or set line by line, and a slip is said."""
    full, letter = lines(a_report(a_case())), a_report(a_case(), "letter")
    marked = {name for name, line in full.items() if line["confidential"]}
    assert {"attempts.c1", "detection.blind1"} <= marked
    assert not marked & set(lines(letter)) and letter["left_out"] == len(marked)
    lifted = a_report(
        a_case(), "letter", told(lifted=frozenset({"attempts.c1"}), held=frozenset({"methods.c1"}))
    )
    assert "attempts.c1" in lines(lifted) and "methods.c1" not in lines(lifted)
    with pytest.raises(ConfigError, match=r"attempts\.c9"):
        a_report(a_case(), added=told(lifted=frozenset({"attempts.c9"})))


def test_origin_from_language_is_found_in_any_line() -> None:
    """A person's statement is held to the words that an attribution may use."""
    wrong = forms.Line("methods.stated1", "methods", "Prompts in Mandarin show Chinese users.",
                       (forms.Source("x", "", ""),), True, "A. Rossi")  # fmt: skip
    assert [p.where for p in forms.problems(a_report(a_case(), added=told(wrong)))] == ["methods.stated1"]
    assert forms.problems(a_report(a_case())) == []


def test_text_from_outside_stays_text_on_every_page() -> None:
    """Markup in what people write, or attackers put into names, is neither HTML nor Markdown."""
    hostile = forms.Line("methods.stated1", "methods", "<script>x</script> [a](http://b) **c**\u202e",
                         (forms.Source("<img>", "", "q"),), False, "A. Rossi")  # fmt: skip
    document = a_report(a_case(), added=told(hostile))
    page, text = html(document), markdown(document)
    assert "<script>" not in page and "<img>" not in page and "\u202e" not in page + text
    assert r"\[a\]\(http://b\)" in text and r"\<script\>" in text
