"""A teacher and students small enough for a test: no torch, real training, real marks.

The *teacher* is a log-bilinear model of the two preceding tokens. A *student* counts what it is trained on and
interpolates three, two and one token, so it learns a preference of a window exactly when the window was in its
data often enough: what a large model does over many windows, this one does over 16,384. Absolute sizes of effects
are the toy's own; that innocents stay innocent is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from stillwatch.prove.marks import Gumbel, Mark, RedGreen, make_mark
from stillwatch.prove.marks.mark import digest_rows
from stillwatch.prove.nulls import random_keys

VOCABULARY = 128
Array = np.ndarray[Any, Any]


class Model(Protocol):
    """Log-probabilities of every token after windows of two."""

    def log_p(self, windows: Array) -> Array: ...


@dataclass(frozen=True)
class Bilinear:
    """Teacher: log p(v | a, b) = x_a . y_v + z_b . w_v + bias_v, normalised."""

    first: Array
    second: Array
    out_first: Array
    out_second: Array
    bias: Array

    def log_p(self, windows: Array) -> Array:
        logits = (
            self.first[windows[:, 0]] @ self.out_first
            + self.second[windows[:, 1]] @ self.out_second
            + self.bias
        )
        logits -= logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@cache
def teacher(seed: int = 1) -> Bilinear:
    """A teacher by its seed."""
    rng = np.random.default_rng(seed)
    shapes = ((VOCABULARY, 12), (VOCABULARY, 12), (12, VOCABULARY), (12, VOCABULARY))
    a, b, c, d = (rng.normal(size=shape) * 0.55 for shape in shapes)
    return Bilinear(a, b, c, d, rng.normal(size=VOCABULARY) * 0.8)


def write(
    model: Model, count: int, length: int, seed: int, mark: Mark | None = None, key: Array | None = None
) -> Array:
    """Sequences int64[count, length] at temperature 1; marked where a mark and its key are given.

    As engines do by default, a window that comes again in a sequence is sampled without the mark.
    """
    rng = np.random.default_rng(seed)
    out = np.zeros((count, length), dtype=np.int64)
    out[:, :2] = rng.integers(0, VOCABULARY, (count, 2))
    vocabulary = np.arange(VOCABULARY)
    seen: list[set[bytes]] = [set() for _ in range(count)]
    for at in range(2, length):
        windows = out[:, at - 2 : at]
        log_p = model.log_p(windows)
        noise = np.asarray(rng.gumbel(size=log_p.shape))
        if mark is not None and key is not None:
            contexts = np.ascontiguousarray(out[:, max(0, at - mark.width) : at])
            if contexts.shape[1] == mark.width:
                fresh = np.array(
                    [row.tobytes() not in known for row, known in zip(contexts, seen, strict=True)]
                )
                for row, known in zip(contexts, seen, strict=True):
                    known.add(row.tobytes())
                scores = mark.scores(key, np.repeat(contexts, VOCABULARY, axis=0), np.tile(vocabulary, count))
                scores = scores.reshape(count, VOCABULARY)
                if isinstance(mark, RedGreen):
                    log_p = log_p + 3.0 * scores * fresh[:, None]
                else:
                    marked = -np.log(-np.log1p(-np.exp(-scores)))
                    noise = np.where(fresh[:, None], marked, noise)
        out[:, at] = (log_p + noise).argmax(axis=1)
    return out


@dataclass(frozen=True)
class Student:
    """Interpolated counts of one, two and three tokens."""

    three: sparse.csr_matrix
    two: Array
    one: Array

    def log_p(self, windows: Array) -> Array:
        counts = self.three[windows[:, 0] * VOCABULARY + windows[:, 1]].toarray()
        total = counts.sum(axis=1, keepdims=True)
        kinds = (counts > 0).sum(axis=1, keepdims=True) + 1.0
        own = self.two[windows[:, 1]]
        own_total = own.sum(axis=1, keepdims=True)
        own_kinds = (own > 0).sum(axis=1, keepdims=True) + 1.0
        shorter = (own + own_kinds * self.one) / (own_total + own_kinds)
        return np.log((counts + kinds * shorter) / (total + kinds))


def train(*texts: Array) -> Student:
    """A student that has seen these sequences once."""
    a, b, c = (np.concatenate([t[:, i : t.shape[1] - 2 + i].ravel() for t in texts]) for i in range(3))
    size = VOCABULARY * VOCABULARY
    three = sparse.csr_matrix((np.ones(c.size), (a * VOCABULARY + b, c)), shape=(size, VOCABULARY))
    two = np.zeros((VOCABULARY, VOCABULARY))
    np.add.at(two, (b, c), 1.0)
    one = np.bincount(c, minlength=VOCABULARY) + 1.0
    return Student(three, two, one / one.sum())


GUMBEL, KGW = Gumbel(width=2), make_mark("vllm-red-green", width=2)
KEYS = random_keys(77, 64)
"""Keys that the toy's operator has issued; the first is the campaign's."""
LENGTH = 48


@cache
def marked(mark: Mark, count: int, seed: int, key: int = 0, source: int = 1) -> Array:
    """Sequences of a teacher under an issued key."""
    return write(teacher(source), count, LENGTH, seed, mark, KEYS[key])


@cache
def plain(count: int, seed: int, source: int = 1) -> Array:
    """Unmarked sequences of a teacher."""
    return write(teacher(source), count, LENGTH, seed)


@cache
def base_text() -> Array:
    """What every student starts from: another source."""
    return plain(400, 11, source=2)


@cache
def student(mark: Mark, share: float, seed: int = 21, sequences: int = 1_000, key: int = 0) -> Student:
    """A student of the teacher's replies, ``share`` of them marked, the rest the same teacher's unmarked ones."""
    cut = round(sequences * share)
    parts = [base_text(), plain(sequences, seed)[cut:]]
    return train(*parts, marked(mark, sequences, seed + 1, key)[:cut]) if cut else train(*parts)


def continue_from(model: Model, prompts: Array, length: int, seed: int) -> Array:
    """What a model writes after prompts, at temperature 1."""
    rng = np.random.default_rng(seed)
    out = np.concatenate([prompts, np.zeros((prompts.shape[0], length), dtype=np.int64)], axis=1)
    for at in range(prompts.shape[1], out.shape[1]):
        log_p = model.log_p(out[:, at - 2 : at])
        out[:, at] = (log_p + rng.gumbel(size=log_p.shape)).argmax(axis=1)
    return out[:, prompts.shape[1] :]


def nll(model: Model, sequences: Array) -> Array:
    """-log p of each sequence after its first two tokens."""
    windows = np.lib.stride_tricks.sliding_window_view(sequences, 2, axis=1)[:, :-1].reshape(-1, 2)
    log_p = model.log_p(windows)
    own = log_p[np.arange(windows.shape[0]), sequences[:, 2:].ravel()]
    return -own.reshape(sequences.shape[0], -1).sum(axis=1)


class Served:
    """Exposure from texts: which windows were served under a key."""

    def __init__(self, texts: Array, width: int) -> None:
        rows = np.lib.stride_tricks.sliding_window_view(texts, width, axis=1)[:, :-1].reshape(-1, width)
        self.known = np.unique(
            digest_rows(np.ascontiguousarray(rows), np.zeros(rows.shape[0], dtype=np.int64))
        )

    @property
    def windows(self) -> int:
        return int(self.known.size)

    def holds(self, contexts: Array) -> Array:
        return np.isin(digest_rows(contexts, np.zeros(contexts.shape[0], dtype=np.int64)), self.known)
