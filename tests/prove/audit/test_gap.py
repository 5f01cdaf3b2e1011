"""Published against held-out: found where it was planted, silent where it was not, and never a word on theft."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.compared import Compared, corrected
from stillwatch.prove.audit.gap import benchmark_gap
from stillwatch.prove.fuse import conclude
from stillwatch.records.audit import AuditVerdict
from stillwatch.records.claim import EvidenceClass

WHO = Compared("suspect", "reference", "200 made-up items with two twins each", seed=5)


def world(rng: np.random.Generator, published: float, held_out: float, items: int = 200) -> np.ndarray:
    """Right or wrong on items of which some are harder, and on two twins of each."""
    hard = rng.normal(0, 0.15, (items, 1))
    return (rng.random((items, 3)) < np.array([published, held_out, held_out]) + hard).astype(float)


def test_a_model_that_knows_the_published_items_is_found() -> None:
    """A planted advantage of 0.3 lies in the interval; the sentence is one of consistency."""
    rng = np.random.default_rng(1)
    found = benchmark_gap(WHO, world(rng, 0.85, 0.5), world(rng, 0.7, 0.65))
    assert found.verdict is AuditVerdict.GAP
    assert found.interval.low < 0.3 < found.interval.high
    assert "no evidence of theft" in found.sentence


def test_harder_twins_alone_make_no_gap() -> None:
    """Both models fall alike: over 200 such worlds, at most 1% plus four standard errors fire, and 93% cover zero."""
    rng, fired, covered = np.random.default_rng(2), 0, 0
    for _ in range(200):
        found = benchmark_gap(WHO, world(rng, 0.8, 0.6, 60), world(rng, 0.7, 0.5, 60))
        fired += found.verdict is AuditVerdict.GAP
        covered += found.interval.low <= 0.0 <= found.interval.high
    assert fired <= 200 * 0.01 + 4 * np.sqrt(200 * 0.01)
    assert covered >= 186


def test_a_reference_without_room_is_named() -> None:
    """At the top of the scale it cannot fall, and the reader is told."""
    rng = np.random.default_rng(3)
    found = benchmark_gap(WHO, world(rng, 0.9, 0.5), np.ones((200, 3)))
    assert "no room" in found.notes[0]


def test_few_items_are_not_judged() -> None:
    """However large the gap; and correction over tests leaves it so."""
    found = benchmark_gap(WHO, np.array([[1.0, 0.0]] * 10), np.zeros((10, 2)))
    assert corrected([found])[0].verdict is AuditVerdict.NOT_JUDGED


def test_tests_of_one_audit_are_corrected_together() -> None:
    """Holm by hand: the smallest of three times three."""
    rng = np.random.default_rng(4)
    results = [benchmark_gap(WHO, world(rng, p, 0.6), world(rng, 0.6, 0.6)) for p in (0.6, 0.78, 0.6)]
    after = corrected(results)
    least = min(range(3), key=lambda i: results[i].p_value)
    assert after[least].p_adjusted == pytest.approx(min(1.0, 3 * results[least].p_value))
    assert all(b.p_adjusted >= a.p_value - 1e-12 for a, b in zip(results, after, strict=True))


def test_an_audit_result_is_no_claim_and_a_conclusion_refuses_it() -> None:
    """The halves stay apart: no evidence class, no word of training on our outputs."""
    rng = np.random.default_rng(1)
    found = benchmark_gap(WHO, world(rng, 0.95, 0.3), world(rng, 0.6, 0.6))
    assert not hasattr(found, "evidence")
    assert not any(kind.may_say in found.sentence for kind in EvidenceClass)
    with pytest.raises(ConfigError, match="consistency"):
        conclude([found])  # type: ignore[list-item]  # the wrong kind is what is tested


@pytest.mark.parametrize("bad", [np.ones((5, 1)), np.full((5, 2), 2.0), np.full((5, 2), np.nan), np.ones(5)])
def test_bad_scores_are_refused(bad: np.ndarray) -> None:
    """No twins, scores beyond 1, missing scores."""
    with pytest.raises(ConfigError) as caught:
        benchmark_gap(WHO, bad, bad)
    assert caught.value.hint


def test_different_items_are_refused() -> None:
    """A comparison is paired or none."""
    with pytest.raises(ConfigError, match="different items"):
        benchmark_gap(WHO, np.ones((30, 2)), np.ones((31, 2)))


@pytest.mark.parametrize("words", [{"alpha": 0.0}, {"population": ""}])
def test_a_comparison_without_level_or_population_is_refused(words: dict) -> None:
    """Every figure names what it is of."""
    with pytest.raises(ConfigError):
        Compared(**{"suspect": "s", "reference": "r", "population": "p", "seed": 1, **words})
