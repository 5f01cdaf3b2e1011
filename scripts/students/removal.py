"""How an attacker takes a mark away: stolen rules, neutralised decoding, rewriting. The key is never used here.

Rules are stolen as published: wherever a window occurs in the attacker's data, what a model says after it with the
training and what it says without. The attacker is told the window's width, which the paper has to guess.

References
----------
Pan et al., *Can LLM watermarks robustly prevent unauthorized knowledge distillation?* (ACL 2025): untargeted and
targeted paraphrase before the training, neutralisation when decoding. Wortsman et al., *Robust fine-tuning of zero-shot
models* (CVPR 2022) for weights that are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from scripts.students.world import Texts, World
from stillwatch.prove.laws import Floats
from stillwatch.prove.marks.mark import Tokens
from stillwatch.prove.school import VOCABULARY, Model, NeuralStudent, Teacher, lessons_of, windows_before
from stillwatch.prove.school.teacher import PROMPT

LIKELIEST, RATIO = 50, 2.0
"""Tokens of a window that rules are kept of, and the largest ratio of probabilities that counts: the paper's."""
SYNONYMS = 8
"""Tokens that may stand for a token, itself among them."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a mark seems to prefer after each window, 0..1."""

    width: int
    known: Tokens
    """Windows as numbers, in order."""
    prefers: Floats
    """float32[windows + 1, vocabulary]; the last row is for windows that were never seen."""

    @classmethod
    def stolen(cls, texts: Texts, width: int, after: Model, before: Model, least: int = 3) -> Rules:
        """From windows that occur ``least`` times or more: means over occurrences, with the training and without."""
        windows = lessons_of(texts)[0]
        known, row, count = np.unique(_number(windows, width), return_inverse=True, return_counts=True)
        means = []
        for model in (after, before):
            said, total = np.exp(model.log_p(windows)), np.zeros((known.size, VOCABULARY))
            np.add.at(total, row, said)
            means.append(total / count[:, None])
        with_it, without = means
        least_likely = -np.partition(-with_it, LIKELIEST - 1, axis=1)[:, LIKELIEST - 1 : LIKELIEST]
        prefers = np.minimum(with_it / without, RATIO) / RATIO
        kept = (with_it > without) & (with_it >= least_likely) & (count[:, None] >= least)
        return cls(width, known, np.vstack([prefers * kept, np.zeros((1, VOCABULARY))]).astype(np.float32))

    def after(self, windows: Tokens) -> Floats:
        """float[n, vocabulary] for windows int64[n, 4]."""
        wanted = _number(windows, self.width)
        row = np.minimum(np.searchsorted(self.known, wanted), self.known.size - 1)
        return np.asarray(self.prefers[np.where(self.known[row] == wanted, row, self.known.size)])


@dataclass(frozen=True, slots=True)
class Neutralised:
    """A model that is decoded against stolen rules."""

    model: Model
    rules: Rules
    strength: float

    def log_p(self, windows: Tokens) -> Floats:
        """Log-probabilities float64[n, vocabulary] after windows int64[n, 4]."""
        return _normal(self.model.log_p(windows) - self.strength * self.rules.after(windows))


@dataclass(frozen=True, slots=True)
class Tempered:
    """A model at a temperature."""

    model: Model
    temperature: float

    def log_p(self, windows: Tokens) -> Floats:
        """Log-probabilities float64[n, vocabulary] after windows int64[n, 4]."""
        return _normal(self.model.log_p(windows) / self.temperature)


def averaged(one: NeuralStudent, other: NeuralStudent) -> NeuralStudent:
    """Weights half way between two students of one base."""
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(NeuralStudent)]
    return NeuralStudent(*((a + b) / np.float32(2) for a, b in pairs))


def synonyms(ours: Teacher) -> Tokens:
    """The tokens that our teacher uses most alike to each token, int64[vocabulary, 8]: a thesaurus that is true.

    The attacker is given it. What stands for *meaning* in the school is which tokens follow which.
    """
    use = np.concatenate([ours.out_first.T, ours.out_second.T, ours.first, ours.second], axis=1)
    apart = ((use[:, None, :] - use[None, :, :]) ** 2).sum(axis=2)
    return np.argsort(apart, axis=1, kind="stable")[:, :SYNONYMS]


def rewritten(
    texts: Texts, world: World, seed: int, *, where: Any = None, rules: Rules | None = None, strength: float = 0.0
) -> Texts:  # fmt: skip
    """Answers rewritten token by token: a synonym, by another laboratory's model of what was rewritten so far.

    Args:
        texts: answers; their prompts stay.
        world: whose teachers these are.
        seed: of the sampling.
        where: which places are rewritten, bool of the shape of ``texts``; None rewrites all.
        rules: stolen rules that the writer avoids, with their strength.
    """
    out, near, rng = texts.copy(), synonyms(world.ours), np.random.default_rng(seed)
    every = np.arange(texts.shape[0])
    for at in range(PROMPT, texts.shape[1]):
        windows = windows_before(out, every, np.full(every.size, at))
        likes = world.other.log_p(windows)
        if rules is not None:
            likes = likes - strength * rules.after(windows)
        may = near[texts[:, at]]
        scores = np.take_along_axis(likes, may, axis=1)
        chosen = may[every, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)]
        out[:, at] = chosen if where is None else np.where(where[:, at], chosen, texts[:, at])
    return out


def repeated(texts: Texts, width: int) -> Any:
    """Places whose token came after that same window before: what a fixed key makes of narrow windows."""
    windows, tokens = lessons_of(texts)
    pairs = _number(windows, width) * VOCABULARY + tokens
    again = np.ones(pairs.size, dtype=bool)
    again[np.unique(pairs, return_index=True)[1]] = False
    return np.pad(again.reshape(texts.shape[0], -1), ((0, 0), (PROMPT, 0)))


def _number(windows: Tokens, width: int) -> Tokens:
    out = np.zeros(windows.shape[0], dtype=np.int64)
    for column in range(windows.shape[1] - width, windows.shape[1]):
        out = out * (VOCABULARY + 1) + windows[:, column]
    return out


def _normal(logits: Floats) -> Floats:
    logits = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
