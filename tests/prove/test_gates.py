"""Gates G1 to G7 and G9 at reduced size: calibrated on innocents, able on the planted, and breakable on purpose.

G8 is `test_engine_vectors.py`. Sizes are a tenth of a study's; seeds are fixed, thresholds are those of the plan that
was written before the toy was.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

from stillwatch.protect.harden import hardened
from stillwatch.protect.keys import HARDENED
from stillwatch.prove.fuse import conclude
from stillwatch.prove.nulls import random_keys
from stillwatch.prove.power import Effect
from stillwatch.prove.radio import (
    Counted,
    IssuedKey,
    Plan,
    Positions,
    Reading,
    Weighted,
    free_generation,
    hard,
    prefix_probes,
    reading_positions,
    soft,
    top_candidates,
    try_keys,
    weighted,
)
from stillwatch.prove.siblings import Replies, served_ranks, siblings
from stillwatch.prove.tuples import Tuples, generation_tuples
from stillwatch.records import ClaimVerdict, EvidenceClass, Terms
from tests.prove import toy

Array = np.ndarray[Any, Any]
PLAN = Plan(seed=5, effect=Effect(0.2, "assumed in this test"))
ISSUED = [IssuedKey(f"key-{i}", toy.KEYS[i], campaign_id=f"campaign-{i}") for i in range(50)]
TRIED = random_keys(101, 1_000)


def positions(seed: int = 99, texts: int = 100) -> Positions:
    """Where suspects are read: along new texts under the campaign's key, never served to anyone."""
    return reading_positions(toy.marked(toy.GUMBEL, texts, seed).tolist(), 2)


def innocents() -> dict[str, toy.Student]:
    """Students that nobody should be told of: of the unmarked teacher, of another teacher, of another key."""
    return {
        "unmarked-replies": toy.student(toy.GUMBEL, 0.0),
        "another-teacher": toy.train(toy.base_text(), toy.plain(1_000, 31, source=3)),
        "key-not-tried": toy.student(toy.GUMBEL, 1.0, seed=41, key=63),
    }


def never_served() -> dict[str, toy.Student]:
    """Students that never learnt from the replies of the sibling test."""
    return {f"source-{i}": toy.train(toy.base_text(), toy.plain(150, 2_100 + i, source=i)) for i in (1, 2, 3)}


def written(model: toy.Student, seed: int = 7, prompts: int = 100) -> list[tuple[list[int], list[int]]]:
    """Prompts of ours, and what a model writes after them."""
    prompts_used = toy.marked(toy.GUMBEL, prompts, 99)[:, :8]
    answers = toy.continue_from(model, prompts_used, 40, seed)
    return list(zip(prompts_used.tolist(), answers.tolist(), strict=True))


def readings(model: toy.Student) -> dict[str, Reading]:
    """Closed, hard and soft readings of a model."""
    at = positions()
    log_p, log_q = model.log_p(at.contexts), toy.teacher().log_p(at.contexts)
    view = top_candidates(log_p, log_q)
    return {
        "closed": Counted(toy.GUMBEL, generation_tuples(written(model), 2)),
        "hard": Counted(toy.GUMBEL, Tuples(at.contexts, log_p.argmax(axis=1))),
        "soft": weighted(toy.GUMBEL, at.contexts, view.candidates, view.log_p, view.log_q),
    }


@pytest.mark.parametrize("name", ["unmarked-replies", "another-teacher", "key-not-tried"])
@pytest.mark.parametrize("kind", ["closed", "hard", "soft"])
def test_g1_g3_random_keys_are_uniform_on_innocents(name: str, kind: str) -> None:
    """1,000 random keys: false positives at 1% between 0.3% and 2%, uniform p-values, soft deviation near 1."""
    found = readings(innocents()[name])[kind].under(TRIED, None, seed=3, exact=False)
    assert 0.003 <= (found.uniform_p < 0.01).mean() <= 0.02
    assert stats.kstest(found.uniform_p, "uniform").pvalue > 0.001
    assert 0.9 < found.standardised.std(ddof=1) < 1.1


def test_g2_without_removal_of_duplicates_the_gate_breaks() -> None:
    """The same innocent material counted with its duplicates fails what G1 asks: the gate can fail."""
    repetitive = toy.student(toy.GUMBEL, 1.0, seed=41, key=63)
    tuples = generation_tuples(written(repetitive), 2)
    counted = Counted(toy.GUMBEL, tuples).under(TRIED, None, seed=3)
    broken = Counted(toy.GUMBEL, tuples, deduplicate=False).under(TRIED, None, seed=3)
    assert stats.kstest(counted.uniform_p, "uniform").pvalue > 0.001
    assert (broken.uniform_p < 0.01).mean() > 0.02
    assert broken.standardised.std(ddof=1) > 1.1
    assert stats.kstest(broken.uniform_p, "uniform").pvalue < 0.001


def test_a_test_that_is_not_calibrated_is_invalid_not_guilty() -> None:
    """The random-key null notices counted duplicates by itself."""
    tuples = generation_tuples(written(toy.student(toy.GUMBEL, 1.0, seed=41, key=63)), 2)
    claim = try_keys("radio-closed", "m", Counted(toy.GUMBEL, tuples, deduplicate=False), ISSUED, PLAN)
    assert claim.verdict is ClaimVerdict.INVALID and claim.null is not None and not claim.null.agrees
    assert "says nothing" in claim.sentence


def test_filtering_on_the_served_pair_would_convict_an_innocent() -> None:
    """The trap that the exposure's type closes: pairs of window and *served* token are chosen by the mark."""
    served = toy.marked(toy.GUMBEL, 400, 22)
    model = toy.student(toy.GUMBEL, 0.0)
    tuples = generation_tuples(written(model, prompts=400), 2)
    pairs = {
        tuple(p) for p in np.lib.stride_tricks.sliding_window_view(served, 3, axis=1).reshape(-1, 3).tolist()
    }
    mask = np.array(
        [(*c, t) in pairs for c, t in zip(tuples.contexts.tolist(), tuples.tokens.tolist(), strict=True)]
    )
    wrong = Counted(toy.GUMBEL, tuples).under(toy.KEYS[:1], mask, seed=1)
    right = Counted(toy.GUMBEL, tuples).under(
        toy.KEYS[:1], toy.Served(served, 2).holds(tuples.contexts), seed=1
    )
    assert wrong.log_p[0] < np.log(1e-12)
    assert right.log_p[0] > np.log(1e-4)


def sibling_figures(model: toy.Student, served: int = 100, seed: int = 21) -> Replies:
    """Served replies of the set that students of that seed learnt, and six fresh siblings for each prompt."""
    rows, own = lottery(served, seed)
    return Replies(toy.nll(model, rows).reshape(own.shape), own, tuple(map(str, range(served))))


@cache
def lottery(served: int, seed: int) -> tuple[Array, Array]:
    """Replies, seven for each prompt, and our own view of them."""
    first = toy.plain(1_000, seed)[:served]
    rows = np.stack([first, *(_again(first, s) for s in range(6))], axis=1).reshape(-1, toy.LENGTH)
    return rows, toy.nll(toy.teacher(), rows).reshape(served, 7)


def _again(first: Array, seed: int) -> Array:
    """Other replies of the teacher to the same prompts (the first eight tokens)."""
    prompts = first[:, :8]
    return np.concatenate(
        [prompts, toy.continue_from(toy.teacher(), prompts, toy.LENGTH - 8, 1_000 + seed)], axis=1
    )


def test_g4_placebos_are_uniform_and_shared_seeds_are_a_trap() -> None:
    """Ranks of siblings in the served place are uniform; replies drawn with the served set's own seed are not."""
    untrained = toy.train(toy.base_text())
    figures = sibling_figures(untrained, served=500)
    assert figures.own_nll is not None
    scores = figures.suspect_nll - figures.own_nll
    ranks = np.concatenate([served_ranks(scores[:, 1:], column, seed=column)[0] for column in range(6)])
    assert stats.chisquare(np.bincount(served_ranks(scores[:, 1:], 0, 1)[0], minlength=6)).pvalue > 0.001
    assert abs(ranks.mean() - 2.5) < 0.05
    claim = siblings("untrained", figures, 1, PLAN.effect)
    assert claim.verdict is ClaimVerdict.NO_EVIDENCE and len(claim.placebos) == 6
    unlucky = toy.train(toy.base_text(), toy.plain(1_000, 21))  # "another" set, drawn with the same seed
    assert siblings("same seed", sibling_figures(unlucky), 1, PLAN.effect).verdict is ClaimVerdict.EVIDENCE


def test_g5_planted_students_are_found_and_named() -> None:
    """Gumbel at a tenth: soft z of 15 or more; green list at a quarter: 5 or more; siblings below 1e-10 from 100."""
    at = positions()
    log_q = toy.teacher().log_p(at.contexts)
    controls = [
        (name, top_candidates(model.log_p(at.contexts), log_q)) for name, model in innocents().items()
    ]
    tenth = toy.student(toy.GUMBEL, 0.10)
    claim = soft("s", toy.GUMBEL, at, top_candidates(tenth.log_p(at.contexts), log_q), ISSUED, PLAN, controls)
    assert claim.value >= 15.0 and claim.verdict is ClaimVerdict.EVIDENCE
    assert [key.campaign_id for key in claim.keys if key.fired] == ["campaign-0"]
    assert len(claim.keys) == 50 and claim.power is not None and len(claim.controls) == 3
    green = reading_positions(toy.marked(toy.KGW, 100, 99).tolist(), 2)
    quarter = toy.student(toy.KGW, 0.25)
    view = top_candidates(quarter.log_p(green.contexts), toy.teacher().log_p(green.contexts))
    assert soft("s", toy.KGW, green, view, ISSUED, PLAN).value >= 5.0
    known = siblings("s", sibling_figures(toy.student(toy.GUMBEL, 0.0)), 1, PLAN.effect)
    assert known.log10_p_value < -10 and known.evidence is EvidenceClass.KEYED
    together = conclude([claim])
    assert together.campaigns == ("campaign-0",) and "trained on our outputs" in together.sentence


def test_closed_tests_name_the_campaign_with_and_without_a_ledger() -> None:
    """Free generation and one-token probes find a half-marked student; the ledger states how much was touched."""
    model = toy.student(toy.GUMBEL, 0.5)
    ledger = toy.Served(toy.marked(toy.GUMBEL, 1_000, 22)[:500], 2)
    kept = [IssuedKey("key-0", toy.KEYS[0], "campaign-0", ledger), *ISSUED[1:]]
    for issued in (ISSUED, kept):
        claim = free_generation("s", toy.GUMBEL, written(model), issued, PLAN)
        assert claim.verdict is ClaimVerdict.EVIDENCE
        assert [k.key_id for k in claim.keys if k.fired] == ["key-0"]
    assert claim.keys[0].exposure_share is not None and 0 < claim.keys[0].exposure_share <= 1
    texts = toy.marked(toy.GUMBEL, 100, 99)
    prefixes = [row[:cut].tolist() for row in texts for cut in range(4, 46, 2)]
    windows = np.array([p[-2:] for p in prefixes])
    rng = np.random.default_rng(4)
    log_p = model.log_p(windows)
    said = (log_p + rng.gumbel(size=log_p.shape)).argmax(axis=1).tolist()
    probed = prefix_probes("s", toy.GUMBEL, prefixes, said, ISSUED, PLAN)
    assert probed.verdict is ClaimVerdict.EVIDENCE and probed.scored <= 2_100


def test_g6_cleaned_and_edited_students_are_still_seen() -> None:
    """As much clean text again, or half of the tokens replaced by another source's: soft z of 10 or more."""
    at = positions()
    log_q = toy.teacher().log_p(at.contexts)
    bad = toy.marked(toy.GUMBEL, 1_000, 22)
    other = toy.plain(1_000, 71, source=2)
    edited = np.where(np.random.default_rng(6).random(bad.shape) < 0.5, other, bad)
    for name, model in (
        ("cleaned", toy.train(toy.base_text(), bad, toy.plain(1_000, 61, source=2))),
        ("edited", toy.train(toy.base_text(), edited)),
    ):
        view = top_candidates(model.log_p(at.contexts), log_q)
        assert soft(name, toy.GUMBEL, at, view, ISSUED[:1], PLAN).value >= 10.0, name


def test_g7_innocent_audits_never_say_trained_on_our_outputs() -> None:
    """Twenty whole audits of innocents, with three controls each: none reaches KEYED, and few p-values are small."""
    at = positions(texts=40)
    log_q = toy.teacher().log_p(at.contexts)
    models = {name: model.log_p(at.contexts) for name, model in innocents().items()}
    others = [(name, top_candidates(log_p, log_q)) for name, log_p in models.items()]
    likeliest = [(name, log_p.argmax(axis=1)) for name, log_p in models.items()]
    replies = [(name, sibling_figures(model, served=40)) for name, model in never_served().items()]
    said: list[ClaimVerdict] = []
    small: list[bool] = []
    for i in range(20):
        model = toy.train(toy.base_text(), toy.plain(150, 2_000 + i, source=1 + i % 3))
        log_p = model.log_p(at.contexts)
        plan = Plan(seed=i, effect=PLAN.effect)
        issued = [IssuedKey(f"k{j}", key) for j, key in enumerate(random_keys(3_000 + i, 10))]
        claims = [
            hard("m", toy.GUMBEL, at, log_p.argmax(axis=1), issued, plan, likeliest),
            soft("m", toy.GUMBEL, at, top_candidates(log_p, log_q), issued, plan, others),
            siblings("m", sibling_figures(model, served=40), i, plan.effect, replies),
        ]
        assert all(claim.controlled for claim in claims), "without controls nothing could be said anyway"
        said += [claim.verdict for claim in claims]
        small += [key.log10_p_value < np.log10(0.05) for claim in claims[:2] for key in claim.keys]
        small.append(claims[2].log10_p_value < np.log10(0.05))
        assert conclude(claims).evidence is None
    assert ClaimVerdict.EVIDENCE not in said
    assert said.count(ClaimVerdict.INVALID) <= 1
    assert np.mean(small) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(small))


def test_g9_what_harden_strips_hides_the_width_of_the_last_layer() -> None:
    """Stacked log-probabilities have the rank of the hidden layer; behind the stripped fields there is nothing."""
    rng = np.random.default_rng(9)
    hidden, vocabulary = 24, 300
    head = rng.normal(size=(hidden, vocabulary))

    def answer(body: dict[str, Any]) -> Array | None:
        if "logprobs" not in body and "top_logprobs" not in body and "logit_bias" not in body:
            return None
        logits = rng.normal(size=hidden) @ head
        return np.asarray(logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max())

    body = {"model": "m", "prompt": "x", "logprobs": vocabulary, "logit_bias": {"5": 100}}
    rows = [answer(dict(body)) for _ in range(3 * hidden)]
    values = np.linalg.svd(np.stack([r for r in rows if r is not None]), compute_uv=False)
    assert int((values > 1e-8 * values[0]).sum()) == hidden + 1
    stripped, changed = hardened(body, Terms(strip=HARDENED))
    assert set(changed) == {"logprobs", "logit_bias"}
    assert answer(stripped) is None


def test_readings_are_of_the_declared_kinds() -> None:
    """Counted and weighted readings are what the family of tests takes."""
    found = readings(toy.student(toy.GUMBEL, 0.0))
    assert isinstance(found["closed"], Counted) and isinstance(found["soft"], Weighted)
