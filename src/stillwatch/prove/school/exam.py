"""Examining a student of the school as one would a suspect: weights read softly, one-token probes, siblings.

The material is ours and new: texts that were never served. Every student of one examination is read on the same
material, under the same keys, beside the same controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

import numpy as np

from stillwatch.prove.laws import Floats
from stillwatch.prove.marks.mark import Mark, Tokens
from stillwatch.prove.power import Effect
from stillwatch.prove.radio import (
    Distributions,
    IssuedKey,
    Plan,
    Positions,
    free_generation,
    hard,
    prefix_probes,
    reading_positions,
    soft,
    top_candidates,
)
from stillwatch.prove.school.teacher import LENGTH, PROMPT, Model, lessons_of, windows_before, write
from stillwatch.prove.siblings import Replies, siblings
from stillwatch.records.claim import Claim

STEP = 2
"""A probe is put after every second token of a text."""
OPENING = 8
"""Tokens of a text that a suspect is given when it writes freely."""


@dataclass(frozen=True)
class Exam:
    """What students are examined on."""

    ours: Model
    """Our own model, the reference: no student's base is needed."""
    mark: Mark
    texts: Tokens
    """New texts of ours, never served, int64[n, 48]."""
    issued: Sequence[IssuedKey] = field(repr=False)
    """Every key ever issued under the mark."""
    controls: Sequence[tuple[str, Model]] = ()
    """Unrelated models under their names."""

    @cached_property
    def positions(self) -> Positions:
        return reading_positions(self.texts.tolist(), self.mark.width)

    @cached_property
    def windows(self) -> Tokens:
        return windows_before(self.texts, self.positions.text, self.positions.place)

    @cached_property
    def reference(self) -> Floats:
        return self.ours.log_p(self.windows)

    @cached_property
    def places(self) -> tuple[Tokens, Tokens]:
        """Text and place of each probe."""
        cuts = np.arange(max(PROMPT, self.mark.width), LENGTH, STEP)
        return np.repeat(np.arange(self.texts.shape[0]), cuts.size), np.tile(cuts, self.texts.shape[0])

    def seen(self, model: Model) -> Distributions:
        """What a model would say at each position, beside what ours would."""
        return top_candidates(model.log_p(self.windows), self.reference)

    def said(self, model: Model, seed: int) -> list[int]:
        """One token of a model after each prefix, at temperature 1."""
        log_p = model.log_p(windows_before(self.texts, *self.places))
        noise = np.random.default_rng(seed).gumbel(size=log_p.shape)
        return [int(token) for token in (log_p + noise).argmax(axis=1)]

    def written(self, model: Model, seed: int) -> list[tuple[list[int], list[int]]]:
        """What a model writes after the openings of our texts."""
        openings = self.texts[:, :OPENING]
        whole = write(model, openings.shape[0], seed=seed, prompts=openings)
        return list(zip(openings.tolist(), whole[:, OPENING:].tolist(), strict=True))


def read_weights(exam: Exam, name: str, model: Model, plan: Plan) -> Claim:
    """The soft test: a student's whole distributions along our texts."""
    controls = [(other, exam.seen(its)) for other, its in exam.controls]
    return soft(name, exam.mark, exam.positions, exam.seen(model), exam.issued, plan, controls)


def read_likeliest(exam: Exam, name: str, model: Model, plan: Plan) -> Claim:
    """The hard test: a student's likeliest tokens along our texts."""

    def best(its: Model) -> Tokens:
        return np.asarray(its.log_p(exam.windows).argmax(axis=1), dtype=np.int64)

    controls = [(other, best(its)) for other, its in exam.controls]
    return hard(name, exam.mark, exam.positions, best(model), exam.issued, plan, controls)


def probe(exam: Exam, name: str, model: Model, plan: Plan) -> Claim:
    """One token after each prefix of our texts: what an API without likelihoods allows."""
    text, place = exam.places
    prefixes = [exam.texts[i, :cut].tolist() for i, cut in zip(text.tolist(), place.tolist(), strict=True)]
    controls = [(other, exam.said(its, plan.seed + 1 + n)) for n, (other, its) in enumerate(exam.controls)]
    said = exam.said(model, plan.seed)
    return prefix_probes(name, exam.mark, prefixes, said, exam.issued, plan, controls)


def let_write(exam: Exam, name: str, model: Model, plan: Plan) -> Claim:
    """What a student writes freely after our openings."""
    controls = [(other, exam.written(its, plan.seed + 1 + n)) for n, (other, its) in enumerate(exam.controls)]
    return free_generation(name, exam.mark, exam.written(model, plan.seed), exam.issued, plan, controls)


def rank_siblings(
    ours: Model, served: Tokens, drawn: Sequence[Tokens], name: str, model: Model, plan: Plan,
    controls: Sequence[tuple[str, Model]] = (),
) -> Claim:  # fmt: skip
    """Served answers among siblings, which answer the same prompts with other seeds."""
    rows = np.stack([served, *drawn], axis=1).reshape(-1, served.shape[1])
    shape = (served.shape[0], 1 + len(drawn))
    own = nll(ours, rows).reshape(shape)
    digests = tuple(sha256(row[:PROMPT].tobytes()).hexdigest() for row in served)

    def ranked(its: Model) -> Replies:
        return Replies(nll(its, rows).reshape(shape), own, digests)

    others = [(other, ranked(its)) for other, its in controls]
    return siblings(name, ranked(model), plan.seed, plan.effect, others, plan.alpha)


def nll(model: Model, texts: Tokens) -> Floats:
    """-log p of each text after its prompt, float64[n]."""
    windows, tokens = lessons_of(texts)
    own = model.log_p(windows)[np.arange(tokens.size), tokens]
    return np.asarray(-own.reshape(texts.shape[0], -1).sum(axis=1))


def effect_of(claim: Claim, source: str) -> Effect:
    """Mean shift of one score that a claim's leading key shows, in standard deviations.

    For a student of ours that was trained on marked text alone: what a test's power is stated from.
    """
    lead = min(claim.keys, key=lambda key: key.log10_p_value)
    return Effect(max(1e-6, lead.standardised) / max(1, lead.scored) ** 0.5, source)


__all__ = [
    "Exam",
    "effect_of",
    "let_write",
    "nll",
    "probe",
    "rank_siblings",
    "read_likeliest",
    "read_weights",
]
