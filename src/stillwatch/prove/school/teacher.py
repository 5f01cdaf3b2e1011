"""A teacher, and how an engine samples from it under a mark.

The teacher is a log-bilinear model of the two tokens before. What an engine does to it is the real thing: the same
keyed functions that the detectors read (`stillwatch.prove.marks`), at temperature 1, and a window that comes again
in an answer is sampled without the mark.

Examples
--------
>>> texts = write(Teacher.of(1), 2, seed=3)
>>> texts.shape, bool((write(Teacher.of(1), 2, seed=3) == texts).all())
((2, 48), True)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.laws import Coins, Exponential, Floats
from stillwatch.prove.marks.mark import Keys, Mark, Tokens, digest_rows

VOCABULARY, LENGTH, PROMPT, CONTEXT = 128, 48, 2, 4
START = VOCABULARY
"""What stands before the first token of a text."""
BOOST = 2.0
"""Added to the logit of a green token: the engine's default."""
_FEATURES, _SHARPNESS, _SKEW = 12, 0.55, 0.8
_PART = 4_000


class Model(Protocol):
    """Whatever says the next token."""

    def log_p(self, windows: Tokens) -> Floats:
        """Log-probabilities float64[n, vocabulary] after windows int64[n, 4]."""
        ...


@dataclass(frozen=True, slots=True)
class Teacher:
    """log p(v | a, b) = x_a . y_v + z_b . w_v + bias_v, normalised."""

    first: Floats
    second: Floats
    out_first: Floats
    out_second: Floats
    bias: Floats

    @classmethod
    def of(cls, seed: int) -> Teacher:
        """A teacher by its seed; two seeds are two unrelated teachers."""
        rng = np.random.default_rng(seed)
        shapes = ((VOCABULARY, _FEATURES),) * 2 + ((_FEATURES, VOCABULARY),) * 2
        a, b, c, d = (rng.normal(size=shape) * _SHARPNESS for shape in shapes)
        return cls(a, b, c, d, rng.normal(size=VOCABULARY) * _SKEW)

    def log_p(self, windows: Tokens) -> Floats:
        """Log-probabilities float64[n, vocabulary]; only the last two tokens of a window count."""
        logits = (
            self.first[windows[:, -2]] @ self.out_first
            + self.second[windows[:, -1]] @ self.out_second
            + self.bias
        )
        logits -= logits.max(axis=1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def windows_before(texts: Tokens, text: Tokens, place: Tokens) -> Tokens:
    """The four tokens before each place of a text, int64[n, 4].

    >>> windows_before(np.array([[5, 6, 7]]), np.array([0, 0]), np.array([2, 1])).tolist()
    [[128, 128, 5, 6], [128, 128, 128, 5]]
    """
    padded = np.pad(texts, ((0, 0), (CONTEXT, 0)), constant_values=START)
    return np.asarray(padded[text[:, None], place[:, None] + np.arange(CONTEXT)])


def lessons_of(texts: Tokens) -> tuple[Tokens, Tokens]:
    """Every window of texts and the token that followed; the two tokens that a text begins with are its prompt."""
    count, length = texts.shape
    text = np.repeat(np.arange(count), length - PROMPT)
    place = np.tile(np.arange(PROMPT, length), count)
    return windows_before(texts, text, place), texts[text, place]


def write(
    model: Model, count: int, *, seed: int, mark: Mark | None = None, key: Keys | None = None,
    prompts: Tokens | None = None,
) -> Tokens:  # fmt: skip
    """Answers int64[count, 48] at temperature 1, under a mark where one is given with its key uint64[key_words].

    Args:
        model: who writes.
        count: how many answers; each begins with two random tokens, or with its row of ``prompts``.
        seed: of prompts and of all sampling that is not keyed.
    """
    rng = np.random.default_rng(seed)
    if prompts is None:
        prompts = rng.integers(0, VOCABULARY, (count, PROMPT))
    parts = [
        _written(model, prompts[at : at + _PART], rng, mark, key) for at in range(0, prompts.shape[0], _PART)
    ]
    return np.concatenate(parts) if parts else np.empty((0, LENGTH), dtype=np.int64)


def _written(
    model: Model, prompts: Tokens, rng: np.random.Generator, mark: Mark | None, key: Keys | None
) -> Tokens:
    count, first = prompts.shape
    out = np.full((count, LENGTH), START, dtype=np.int64)
    out[:, :first] = prompts
    seen = np.zeros((count, LENGTH), dtype=np.uint64)
    every = np.arange(count)
    for at in range(first, LENGTH):
        scores = model.log_p(windows_before(out, every, np.full(count, at)))
        noise = np.asarray(rng.gumbel(size=scores.shape))
        if mark is not None and key is not None and at >= mark.width:
            contexts = np.ascontiguousarray(out[:, at - mark.width : at])
            seen[:, at] = digest_rows(contexts, np.zeros(count, dtype=np.int64))
            fresh = (seen[:, :at] != seen[:, at : at + 1]).all(axis=1)[:, None]
            scores, noise = _marked(mark, key, contexts, fresh, scores, noise)
        out[:, at] = (scores + noise).argmax(axis=1)
    return out


def _marked(
    mark: Mark, key: Keys, contexts: Tokens, fresh: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
    scores: Floats, noise: Floats,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Logits and noise as the engine has them: keyed noise for Gumbel marks, greener logits for lists."""
    count = contexts.shape[0]
    tokens = np.tile(np.arange(VOCABULARY), count)
    said = mark.scores(key, np.repeat(contexts, VOCABULARY, axis=0), tokens).reshape(count, VOCABULARY)
    if isinstance(mark.law, Exponential):
        return scores, np.where(fresh, -np.log(-np.log1p(-np.exp(-said))), noise)
    if isinstance(mark.law, Coins) and mark.law.trials == 1:
        return scores + BOOST * said * fresh, noise
    raise ConfigError(
        f"the school's engine does not write {mark.id}", hint="take a Gumbel mark or a green list"
    )
