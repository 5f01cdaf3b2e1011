"""Explaining in a terminal: complete, harmless, and honest about what was not seen."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from stillwatch.errors import StillwatchError
from stillwatch.records import ScanResult
from stillwatch.report import explain_plain, explain_text
from tests.report.factory import HOSTILE, make_result


@pytest.fixture(scope="module")
def result() -> ScanResult:
    return make_result()


def test_campaign_is_explained_in_full(result: ScanResult) -> None:
    """Evidence, shape, innocent explanations, what would change the verdict, and gaps are all said."""
    text = explain_plain(result, "C-2026-001")
    for part in ("96 accounts of 31 declared", "Why one controller", "payment digest (identity, control)",
                 "once in identity", "weight of evidence", "When: exchanges over time", "What was taken",
                 "Shape of the traffic", "A reseller with many customers", "What would change this verdict",
                 "A grant that covers these accounts", "AML.T0024.002", "What could not be judged",
                 "missing: device_id", "looks alike"):  # fmt: skip
        assert part in " ".join(text.split())


def test_member_is_explained(result: ScanResult) -> None:
    """A member learns its tier, its reasons, the values it shares, and what would clear it."""
    member = next(m for m in result.members if m.campaign_id == "C-2026-001")
    text = explain_plain(result, member.account_id)
    assert f"{member.tier} of campaign C-2026-001" in text
    assert member.reasons[0] in text
    assert "Values it shares with other members" in text
    assert "What would change this verdict" in text
    assert "a person decides" in text


def test_account_outside_is_told_so(result: ScanResult) -> None:
    """An account in nothing learns what was looked at, that nothing was found, and what could not be judged."""
    text = " ".join(explain_plain(result, "honest_00003").split())
    assert "6 exchanges between 2026-10-01 and 2026-10-15 were looked at" in text
    assert "in no pool and no campaign" in text
    assert "not a certificate" in text
    assert "for this account: payment_digest: no account table was given" in text


@pytest.mark.parametrize("subject", [*HOSTILE, f"C-2026-003 {HOSTILE[3]}"])
def test_no_control_character_reaches_the_terminal(result: ScanResult, subject: str) -> None:
    """Escapes, overrides and markup in ids and texts come out as visible text."""
    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system="truecolor", width=120).print(
        explain_text(result, subject)
    )
    plain = explain_plain(result, subject)
    assert not any(
        (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2028\u200b" for c in plain
    )
    assert "\x1b]" not in out.getvalue()
    assert "\x07" not in out.getvalue()


def test_console_markup_is_not_obeyed(result: ScanResult) -> None:
    """Square brackets and emoji codes in outside text stay as they are."""
    first = next(c for c in result.campaigns if c.campaign_id == "C-2026-001")
    odd = replace(
        first, explanation="[bold red]hi[/] [link=https://x]y[/link] :smile:", would_change=("[/]",)
    )
    text = explain_plain(replace(result, campaigns=(odd,)), "C-2026-001")
    assert "[bold red]hi[/] [link=https://x]y[/link] :smile:" in text
    assert "- [/]" in text


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("C-2026-01", "C-2026-001"), ("c-2026-002", "C-2026-002"), ("honest_0019", "honest_00190")],
)
def test_unknown_id_names_near_ones(result: ScanResult, wrong: str, near: str) -> None:
    """A mistyped id is answered with ids that exist."""
    with pytest.raises(StillwatchError, match="no campaign and no account") as caught:
        explain_text(result, wrong)
    assert near in caught.value.hint


@pytest.mark.parametrize("wrong", ["", "\x1b[2J", "%", "(", "\ud800", "zzzzzzzzzz"])
def test_odd_subjects_are_refused_safely(result: ScanResult, wrong: str) -> None:
    """Whatever is asked for, the error is ours and can be printed."""
    with pytest.raises(StillwatchError) as caught:
        explain_text(result, wrong)
    assert caught.value.hint
    assert "\x1b" not in caught.value.message + caught.value.hint


def test_narrow_terminal(result: ScanResult) -> None:
    """Sixty columns are enough: no line is longer."""
    assert max(map(len, explain_plain(result, "C-2026-002", width=60).splitlines())) <= 60
