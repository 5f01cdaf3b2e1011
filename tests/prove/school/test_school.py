"""The school: an engine that writes what detectors read, and students that really learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.fuse import conclude
from stillwatch.prove.marks import make_mark, score_keys
from stillwatch.prove.nulls import random_keys
from stillwatch.prove.power import Effect
from stillwatch.prove.radio import IssuedKey, Plan
from stillwatch.prove.school import (
    CountingStudent,
    Exam,
    Model,
    NeuralStudent,
    Teacher,
    effect_of,
    let_write,
    nll,
    probe,
    rank_siblings,
    read_likeliest,
    read_weights,
    windows_before,
    write,
)
from stillwatch.prove.tuples import text_tuples
from stillwatch.records import ClaimVerdict

OURS = Teacher.of(1)
KEYS = random_keys(5, 50)
MARK = make_mark("sglang-gumbel", width=2)
PLAN = Plan(seed=9, effect=Effect(0.2, "assumed in this test"))
ISSUED = [IssuedKey(f"k-{i}", key, f"c-{i}") for i, key in enumerate(KEYS)]
CONTROLS = tuple((f"unrelated {n}", Teacher.of(n)) for n in (11, 12, 13))


@pytest.mark.parametrize(
    "scheme", ["sglang-gumbel", "vllm-gumbel", "vllm-sbw", "vllm-sbw-left", "vllm-red-green"]
)
def test_the_engine_writes_what_the_detector_reads(scheme: str) -> None:
    """Under its own key a text stands out, and under no other."""
    mark = make_mark(scheme, width=2)
    read = text_tuples(write(OURS, 60, seed=3, mark=mark, key=KEYS[0]).tolist(), 2)
    found = score_keys(mark, KEYS[:20], read.contexts, read.tokens)
    log_p = [mark.law.log_sf(t, n) for t, n in zip(found.total, found.scored.tolist(), strict=True)]
    assert log_p[0] < np.log(1e-12)
    assert min(log_p[1:]) > np.log(1e-4)


def test_an_engine_that_cannot_write_a_mark_says_so() -> None:
    """Tournaments are read here, never written."""
    with pytest.raises(ConfigError, match="does not write"):
        write(OURS, 2, seed=1, mark=make_mark("vllm-synthid", width=2), key=KEYS[0])


def test_unmarked_answers_follow_the_teacher() -> None:
    """The engine's samples have the likelihood that the teacher gives itself."""
    texts = write(OURS, 400, seed=4)
    windows = windows_before(texts, np.repeat(np.arange(400), 46), np.tile(np.arange(2, 48), 400))
    log_p = OURS.log_p(windows)
    entropy = float(-(np.exp(log_p) * log_p).sum(axis=1).mean())
    assert float(nll(OURS, texts).mean()) / 46 == pytest.approx(entropy, abs=0.03)


def test_the_network_follows_the_slope_of_its_loss() -> None:
    """Each part's slope is that of the cross-entropy, by finite differences."""
    rng = np.random.default_rng(2)
    born = NeuralStudent.born(1)
    parts = (part.astype(np.float64) for part in (born.table, born.bias, born.out, born.out_bias))
    student = NeuralStudent(*cast(Any, parts))
    windows, tokens = rng.integers(0, 129, (40, 4)), rng.integers(0, 128, 40)

    def loss(of: NeuralStudent) -> float:
        return float(-of.log_p(windows)[np.arange(40), tokens].mean())

    slopes = student._slopes(windows + np.arange(4) * 129, tokens)
    for name, slope in zip(("table", "bias", "out", "out_bias"), slopes, strict=True):
        way = rng.normal(size=slope.shape)
        ahead, back = (
            replace(student, **{name: getattr(student, name) + step * way}) for step in (1e-5, -1e-5)
        )
        assert (loss(ahead) - loss(back)) / 2e-5 == pytest.approx(
            float((slope * way).sum()), rel=1e-3, abs=1e-6
        )


def test_learning_gives_a_new_student_and_the_same_one_again() -> None:
    """The old one is left as it is, the loss falls, the seed decides."""
    born, texts = NeuralStudent.born(3), write(OURS, 60, seed=6)
    before = float(nll(born, texts).mean())
    told: list[tuple[int, int]] = []
    learnt = born.learn(texts, seed=7, epochs=2, step=lambda done, of: told.append((done, of)))
    assert float(nll(learnt, texts).mean()) < before == float(nll(born, texts).mean())
    assert told == [(1, 2), (2, 2)]
    again = born.learn(texts, seed=7, epochs=2)
    assert np.array_equal(learnt.table, again.table)


def test_every_way_of_asking_names_the_campaign_and_clears_the_innocent() -> None:
    """A student that counts, for speed: weights, likeliest tokens, probes, writing; controls stay silent."""
    exam = Exam(OURS, MARK, write(OURS, 50, seed=90), ISSUED, CONTROLS)
    public = write(Teacher.of(3), 100, seed=91)
    taught: Model = CountingStudent(public, write(OURS, 400, seed=92, mark=MARK, key=KEYS[7]))
    innocent: Model = CountingStudent(public, write(OURS, 400, seed=93))
    for ask in (read_weights, read_likeliest, probe, let_write):
        claim = ask(exam, "taught", taught, PLAN)
        assert conclude([claim]).campaigns == ("c-7",), ask.__name__
        assert len(claim.keys) == 50 and len(claim.controls) == 3
        assert effect_of(claim, "here").at_full > 0.05
        assert ask(exam, "innocent", innocent, PLAN).verdict is ClaimVerdict.NO_EVIDENCE, ask.__name__


def test_a_network_is_caught_by_what_it_writes_and_by_fifty_logged_replies() -> None:
    """Without a mark the siblings of fifty served replies are enough; a student of other replies is cleared."""
    base = NeuralStudent.born(1).learn(write(Teacher.of(3), 100, seed=91), seed=1, epochs=3)
    exam = Exam(OURS, MARK, write(OURS, 60, seed=90), ISSUED[:10], CONTROLS)
    dyed = base.learn(write(OURS, 300, seed=92, mark=MARK, key=KEYS[7]), seed=2)
    assert conclude([let_write(exam, "dyed", dyed, PLAN)]).campaigns == ("c-7",)
    served = write(OURS, 300, seed=94)
    drawn = [write(OURS, 50, seed=95 + i, prompts=served[:50, :2]) for i in range(6)]
    learnt, other = base.learn(served, seed=3), base.learn(write(OURS, 300, seed=99), seed=3)
    assert (
        rank_siblings(OURS, served[:50], drawn, "s", learnt, PLAN, CONTROLS).verdict is ClaimVerdict.EVIDENCE
    )
    assert rank_siblings(OURS, served[:50], drawn, "s", other, PLAN, CONTROLS).log10_p_value > -3
