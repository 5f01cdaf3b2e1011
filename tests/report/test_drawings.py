"""Waterfall, timeline and graph say what the records say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.records import Family
from stillwatch.report.graph import graph
from stillwatch.report.numbers import BITS_PER_DECADE
from stillwatch.report.timeline import timeline
from stillwatch.report.waterfall import waterfall
from tests.report.factory import START, make_campaign

SMALL = make_campaign("C-1", 12, days=2)


@given(
    st.lists(st.floats(-3, 40), max_size=7),
    st.dictionaries(st.sampled_from(list(Family)), st.floats(-5, 90)),
    st.floats(-2, 300),
)
def test_waterfall_ends_at_the_stated_weight(
    weights: list[float], bits: dict[Family, float], total: float
) -> None:
    """Steps add up to the campaign's weight whatever the channels, family credits and total are."""
    evidence = tuple(replace(e, log10_e_value=w) for e, w in zip(SMALL.evidence, weights, strict=False))
    drawn = waterfall(replace(SMALL, evidence=evidence, bits=bits, log10_e_value=total))
    *steps, last = drawn.steps
    assert last.bits == pytest.approx(total * BITS_PER_DECADE)
    assert sum(s.bits for s in steps) == pytest.approx(last.bits, abs=0.06)
    assert {s.evidence for s in steps if s.evidence} == set(evidence)
    assert all(-0.01 <= left <= 100.01 for left, _ in drawn.ticks)


def test_family_is_not_counted_twice() -> None:
    """Where the channels of a family sum to more than its credit, a step back shows it."""
    drawn = waterfall(make_campaign())
    back = [s for s in drawn.steps if s.kind == "back" and s.bits < 0]
    assert {s.family for s in back} == {"identity", "infrastructure"}


def test_timeline_keeps_every_exchange() -> None:
    """Binning and folding rare models together loses nothing."""
    points = tuple((f"m{i % 9}", START + timedelta(hours=i * 7), 1 + i % 4) for i in range(400))
    drawn = timeline(replace(SMALL, model_timeline=points))
    assert drawn is not None
    assert sum(n for _, n in drawn.layers) == sum(n for *_, n in points)
    assert len(drawn.layers) == 5
    assert drawn.hours == 12


def test_timeline_without_models_uses_the_plain_one() -> None:
    """Without a count per model the timeline is one layer."""
    drawn = timeline(replace(SMALL, model_timeline=()))
    assert drawn is not None
    assert [name for name, _ in drawn.layers] == ["all models"]
    assert timeline(replace(SMALL, model_timeline=(), timeline=())) is None


def test_releases_are_marked_only_inside() -> None:
    """A release outside the campaign's time is left off; a used model's release stands out; labels keep apart."""
    releases = (
        ("aurora-5", START + timedelta(hours=5)),
        ("other", START + timedelta(hours=6)),
        ("late", START + timedelta(days=90)),
    )
    drawn = timeline(SMALL, releases)
    assert drawn is not None
    assert [(m.text, m.strong) for m in drawn.releases] == [("aurora-5", True), ("other", False)]
    assert drawn.releases[0].row != drawn.releases[1].row


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)), max_size=120))
def test_graph_draws_or_names_every_shared_value(pairs: list[tuple[int, int]]) -> None:
    """Each value shared by two accounts is drawn, named as common, or counted as hidden; order does not matter."""
    edges = tuple((f"a{a}", "address_block", f"v{v}") for a, v in pairs)
    campaign = replace(SMALL, edges=edges, account_count=41)
    drawn = graph(campaign, {})
    shared = {v for *_, v in edges if len({a for a, _, w in edges if w == v}) > 1}
    if drawn is None:
        assert not shared
        return
    assert drawn.values + len(drawn.common) + drawn.hidden_values == len(shared)
    turned = graph(replace(campaign, edges=edges[::-1]), {})
    assert turned is not None
    assert turned.drawing == drawn.drawing


def test_graph_is_bounded() -> None:
    """Thousands of accounts that all differ still give at most 150 nodes, and the rest is counted."""
    edges = tuple((f"a{i}", f"trait_{j}", str((i * (j + 3)) % 97)) for i in range(3_000) for j in range(4))
    drawn = graph(replace(SMALL, edges=edges, account_count=3_000), {})
    assert drawn is not None
    assert drawn.drawing.count("<circle") + drawn.drawing.count("<rect") <= 150
    assert drawn.hidden_accounts > 0
    assert drawn.hidden_values > 0
