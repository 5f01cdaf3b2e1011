"""The page: complete, self-contained, harmless, and the same every time."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from stillwatch.records import Confidence, Kind, ScanResult
from stillwatch.report import render_html
from tests.report.factory import (
    HOSTILE,
    SUMMARY,
    make_accounts,
    make_campaign,
    make_empty,
    make_members,
    make_result,
)


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._raw = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._raw = tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._raw = False

    def handle_data(self, data: str) -> None:
        if not self._raw:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def html() -> str:
    return render_html(make_result())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_outcome_comes_first(page: Page) -> None:
    """What was found, how sure, against which baseline and what could not be seen."""
    words = page.words
    assert "3 campaigns and 1 pool found among 5,214 accounts." in words
    assert "Stated false discovery rate 1 %" in words
    assert "Compared with baseline reference-2026-09, dated 2026-09-15." in words
    assert "No device ids in this source." in words[: words.index("How to read this")]


def test_what_is_beyond_the_stated_rate_is_told_with_it() -> None:
    """A campaign put forward at the looser rate is not covered by the sentence on the strict one."""
    result = make_result()
    pool, first, *others = result.campaigns
    weak = replace(first, confidence=Confidence.LOW, false_discovery_rate=0.034)
    told = Page(render_html(replace(result, campaigns=(pool, weak, *others)))).words
    assert "that share of the firm campaigns and the pools is expected to be wrong" in told
    assert (
        "1 campaign of low confidence, put forward for a person's review alone, stands outside that rate"
        in told
    )
    assert "at up to 3.4 %." in told
    firm = replace(weak, false_discovery_rate=0.009)
    told = Page(render_html(replace(result, campaigns=(pool, firm, *others)))).words
    assert "that share of what is reported is expected" in told and "outside that rate" not in told


@pytest.mark.parametrize(
    "heading",
    ["What was found", "Why one controller: evidence, channel by channel", "When: exchanges over time",
     "What was taken", "Shape of the traffic beside honest groups", "Innocent explanations considered",
     "What would change this verdict", "ATLAS techniques", "Who shares what", "What could not be judged",
     "Quality of the input", "About this run", "Groups that passed the first test and not the second"],
)  # fmt: skip
def test_every_part_is_there(page: Page, heading: str) -> None:
    """Each promised part has its heading."""
    assert heading in page.words


def test_facts_of_the_run_are_there(page: Page) -> None:
    """Digests, seed, baseline, rejected records, timings and memory are all on the page."""
    for fact in (SUMMARY["settings_digest"], SUMMARY["inputs"][0]["digest"], SUMMARY["baseline"]["digest"],
                 "started_at is not a time", "15 records could not be read", "11.90 s", "1.41 GB"):  # fmt: skip
        assert fact in page.words


def test_verdict_words(page: Page) -> None:
    """The page never calls anybody malicious, guilty or an attacker."""
    assert not re.search(r"malicious|guilty|attacker|stolen|fraud|abuse", page.words, re.IGNORECASE)


def test_no_element_comes_from_outside(html: str) -> None:
    """Hostile strings add no element and no event handler: only our two scripts and one style exist."""
    page = Page(html)
    tags = [tag for tag, _ in page.tags]
    assert (tags.count("script"), tags.count("style")) == (2, 1)
    assert not {"iframe", "img", "link", "object", "embed", "form", "base"} & set(tags)
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]
    assert not [v for _, attrs in page.tags for v in attrs.values() if v and "<script>alert" in v]


def test_hostile_strings_are_shown(page: Page) -> None:
    """What an attacker wrote can be read, as text; templates are not evaluated."""
    words = page.words
    assert "<script>alert(1)</script>" in words
    assert "{{7*7}}" in words
    assert "\u27e8U+202E\u27e9" in words
    assert "\u27e8U+0000\u27e9" in words


def test_no_control_or_bidi_character_in_the_file(html: str) -> None:
    """Nothing in the file can turn a line around or hide."""
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", html)


def test_links_lead_nowhere_unasked(page: Page) -> None:
    """Only anchors on the page and ATLAS pages are linked; nothing is fetched."""
    for tag, attrs in page.tags:
        assert "src" not in attrs
        if (href := attrs.get("href")) and not href.startswith("#"):
            assert tag == "a"
            assert href.startswith("https://atlas.mitre.org/")
            assert "noreferrer" in (attrs["rel"] or "")


def test_content_policy(page: Page) -> None:
    """The page forbids itself every request."""
    (policy,) = [a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    for part in (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "script-src 'unsafe-inline'",
        "img-src data:",
    ):
        assert part in policy


def test_headings_do_not_jump(page: Page) -> None:
    """Heading levels go down one at a time, and ids are unique."""
    levels = [int(t[1]) for t, _ in page.tags if re.fullmatch("h[1-6]", t)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    labelled = {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a}
    assert labelled <= set(ids)


def test_empty_result_reads_well() -> None:
    """Nothing found is said plainly, is not called proof, and the gaps still come first."""
    words = Page(render_html(make_empty())).words
    assert "No campaign and no pool found among 5,214 accounts." in words
    assert "not proof of absence" in words
    assert "No device ids in this source." in words
    assert "What was found" not in words


def test_bare_result_renders() -> None:
    """A result without summary, accounts, evidence or timeline still gives a page."""
    bare = make_campaign(
        "C-1", 3, p_value=None, calibration_count=4, bits={}, evidence=(), shape=(), innocent=(), would_change=(),
        timeline=(), model_timeline=(), models=(), edges=(), taken=(), capabilities=(), techniques=(),
        log10_e_value=0.0, extraction_share=float("nan"),
    )  # fmt: skip
    result = ScanResult((bare,), (), (), (), make_accounts((), 0), {})
    words = Page(render_html(result)).words
    assert "could not be judged: 4 honest linked groups for comparison are too few" in words
    assert "The run names no baseline." in words


@pytest.mark.parametrize(
    "summary",
    [
        {"counts": 3, "time_range": "x", "baseline": [1], "releases": {"a": 1}, "rejected": [1], "inputs": "f.jsonl",
         "versions": None, "timings": {"a": "b"}, "seed": True, "not_judged": "all of it", "incomplete": "template",
         "null_check": [{"found": 0}]},
        {"time_range": ["2026-10-01", "2026-10-02"], "inputs": {"a.jsonl": {"sha256": "00", "rows": 4}, "b": "11"},
         "baseline": {"name": "lab-honest", "as_of": "2026-11-01", "kind": "shipped"}},
    ],
)  # fmt: skip
def test_any_summary_is_survived(summary: dict[str, object]) -> None:
    """The summary's shape is not trusted."""
    assert "About this run" in Page(render_html(replace(make_empty(), summary=summary))).words


def test_shipped_baseline_is_named_as_such() -> None:
    """A reader learns that the comparison was with simulated traffic."""
    summary = {"baseline": {"name": "lab-honest", "as_of": "2026-11-01", "kind": "shipped"}}
    words = Page(render_html(replace(make_empty(), summary=summary))).words
    assert "lab-honest, dated 2026-11-01. That baseline came with stillwatch and describes simulated" in words


def test_equal_input_gives_equal_bytes_in_any_order(html: str) -> None:
    """The page does not depend on the order of campaigns and members."""
    result = make_result()
    turned = replace(
        result, campaigns=result.campaigns[::-1], members=result.members[::-1], findings=result.findings[::-1]
    )
    assert render_html(turned) == html


def test_member_list_is_cut_aloud() -> None:
    """Two hundred rows are shown and the rest is named by number and file."""
    campaign = make_campaign("C-1", 450, days=2)
    members = make_members(campaign)
    words = Page(render_html(ScanResult((campaign,), members, (), (), make_accounts(members), SUMMARY))).words
    assert "First 200 of 450; the full list is in members.parquet" in words


def test_what_ends_every_reason_is_said_once() -> None:
    """Weights of belonging stand in a row by their figures alone, so that a row holds all of them."""
    campaign = make_campaign("C-1", 20, days=2)
    members = tuple(
        replace(m, reasons=(f"control: 10^{i / 10} for belonging", f"payment: 10^{i / 7:.2f} for belonging"))
        for i, m in enumerate(make_members(campaign))
    )
    words = Page(render_html(ScanResult((campaign,), members, (), (), make_accounts(members), SUMMARY))).words
    assert "control: 10^1.9; payment: 10^2.71" in words
    assert words.count("for belonging") == 1


def test_large_result_stays_small() -> None:
    """Sixty campaigns with ten thousand members stay below six megabytes."""
    base = [
        make_campaign(f"C-{i:03d}", 167, Kind.POOL if i % 5 == 0 else Kind.CAMPAIGN, i, 45) for i in range(3)
    ]
    campaigns = tuple(replace(base[i % 3], campaign_id=f"C-{i:03d}") for i in range(60))
    names = make_members(base[0])
    members = tuple(replace(m, campaign_id=c.campaign_id) for c in campaigns for m in names)
    assert len(members) > 10_000
    html = render_html(ScanResult(campaigns, members, (), (), make_accounts(()), SUMMARY))
    assert len(html.encode()) < 6_000_000


def test_hostile_list_covers_the_dangerous() -> None:
    """The sample strings hold markup, a template, an override, a NUL and an escape."""
    joined = "".join(HOSTILE)
    assert all(part in joined for part in ("<script>", '"onload=', "{{7*7}}", "\u202e", "\x00", "\x1b["))
