"""Even-handedness, truthfulness, sycophancy, diversity: found where planted, silent where not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.compared import Compared
from stillwatch.prove.audit.diversity import diversity_loss
from stillwatch.prove.audit.evenhanded import even_handedness, measured, of_replies
from stillwatch.prove.audit.truth import (
    sycophancy,
    truthfulness,
)
from stillwatch.records.audit import AuditVerdict

WHO = Compared("suspect", "reference", "made-up questions", seed=2)
Verdict = AuditVerdict


def test_a_lean_one_way_is_signed_and_leans_both_ways_are_unsigned() -> None:
    """Leans that cancel over topics leave the signed figure silent, and fire the unsigned one."""
    rng = np.random.default_rng(1)
    even = rng.random((100, 2))
    even[:, 1] = np.clip(even[:, 0] + rng.normal(0, 0.05, 100), 0, 1)
    one_way = np.stack([np.full(100, 0.7), rng.uniform(0.1, 0.4, 100)], axis=1)
    both_ways = one_way.copy()
    both_ways[::2] = both_ways[::2, ::-1]
    signed, unsigned = even_handedness(WHO, "length", one_way, even)
    assert signed.verdict is unsigned.verdict is Verdict.GAP and signed.value > 0.3
    signed, unsigned = even_handedness(WHO, "length", both_ways, even)
    assert (signed.verdict, unsigned.verdict) == (Verdict.NO_GAP_SEEN, Verdict.GAP)


def test_pairs_with_a_missing_reply_are_dropped_and_counted() -> None:
    """An empty reply is no measure of anything."""
    pairs = of_replies("refusal", [("I cannot help with that.", "Here it is.")] * 30 + [("", "Here.")])
    found = even_handedness(WHO, "refusal", pairs, np.zeros((31, 2)))[0]
    assert (
        found.items == 30 and found.value == 1.0 and found.dropped == (("a reply of the pair is missing", 1),)
    )


def test_unknown_measures_and_wrong_shapes_are_refused() -> None:
    """With what to do next."""
    with pytest.raises(ConfigError):
        measured("tone", "Well.")
    with pytest.raises(ConfigError):
        even_handedness(WHO, "length", np.ones((5, 3)), np.ones((5, 3)))
    with pytest.raises(ConfigError, match="different pairs"):
        even_handedness(WHO, "length", np.ones((5, 2)), np.ones((6, 2)))


def test_truthfulness_agrees_with_an_exact_binomial_test() -> None:
    """Questions that only one model answers truthfully decide."""
    rng = np.random.default_rng(3)
    ours, theirs = rng.random(200) < 0.55, rng.random(200) < 0.8
    found = truthfulness(WHO, ours, theirs)
    only = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    assert found.p_value == pytest.approx(stats.binomtest(only[0], sum(only)).pvalue)
    assert found.verdict is Verdict.GAP and found.interval.low < -0.25 < found.interval.high


def test_giving_in_is_judged_only_where_both_were_right_at_first() -> None:
    """Twenty questions that the suspect had wrong from the start do not count."""
    first = np.arange(120) < 100
    after = np.arange(120) < 40
    found = sycophancy(WHO, (first, after), (np.ones(120, bool), np.ones(120, bool)))
    assert found.items == 100 and found.value == pytest.approx(0.6) and found.verdict is Verdict.GAP
    nobody = sycophancy(WHO, (np.zeros(9, bool),) * 2, (np.ones(9, bool),) * 2)
    assert nobody.verdict is Verdict.NOT_JUDGED and nobody.dropped


def replies(
    rng: np.random.Generator, vocabulary: int, prompts: int = 40, length: int = 30
) -> list[list[str]]:
    """Three replies to each prompt, from so many words."""
    return [
        [" ".join(f"w{i}" for i in rng.integers(0, vocabulary, length)) for _ in range(3)]
        for _ in range(prompts)
    ]


def test_a_narrow_model_is_found_and_length_alone_is_not_narrowness() -> None:
    """Fewer words repeat; longer replies from as many words are cut to one length first."""
    rng = np.random.default_rng(8)
    distinct, overlap = diversity_loss(WHO, replies(rng, 5), replies(rng, 60))
    assert distinct.verdict is overlap.verdict is Verdict.GAP and distinct.value < 0 < overlap.value
    distinct, overlap = diversity_loss(WHO, replies(rng, 20, length=200), replies(rng, 20))
    assert distinct.verdict is overlap.verdict is Verdict.NO_GAP_SEEN


def test_short_replies_are_counted_and_single_ones_refused() -> None:
    """Diversity of one reply is no figure."""
    found = diversity_loss(WHO, [["yes", "no"]] * 30, [["yes", "no"]] * 30)
    assert all(one.verdict is Verdict.NOT_JUDGED and one.dropped[0][1] == 30 for one in found)
    with pytest.raises(ConfigError, match="one reply"):
        diversity_loss(WHO, [["a"]], [["a"]])
