"""Voices: how a kind of author turns a payload number into text.

A voice is a pure function of keys. ``seeds`` stand for *what* is asked (same seed, same payload),
``nonces`` for *how it is worded this time* (a paraphrase differs, the payload does not), ``lengths`` for
how many sentences are wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from stillwatch.lab.hashing import I64, U64, mix, pick


class Voice(Protocol):
    """Anything that renders payload keys."""

    def render(self, seeds: U64, nonces: U64, lengths: I64) -> list[str]:
        """One string per key."""
        ...


def _column(pool: Sequence[str], keys: U64, salt: int) -> Iterable[str]:
    return map(pool.__getitem__, pick(keys, salt, len(pool)).tolist())


@dataclass(frozen=True, slots=True)
class Prose:
    """Free prose: an opening request, then as many context sentences as the length asks, then a close.

    Pools are expanded once per world; pieces carry their own spacing so that a row is one ``join``.
    """

    heads: tuple[Sequence[str], ...]
    body: Sequence[str]
    tail: Sequence[str]

    def render(self, seeds: U64, nonces: U64, lengths: I64) -> list[str]:
        """One string per key; wording depends on the seed alone."""
        out: list[str] = [""] * len(seeds)
        order = np.argsort(lengths, kind="stable")
        keys, sizes = seeds[order], lengths[order]
        most = int(sizes[-1]) if len(sizes) else 0
        heads = [list(_column(pool, keys, 11 + i)) for i, pool in enumerate(self.heads)]
        tail = list(_column(self.tail, keys, 7))
        starts = [int(np.searchsorted(sizes, i + 2)) for i in range(most - 1)]
        body = [list(_column(self.body, keys[start:], 100 + i)) for i, start in enumerate(starts)]
        places = order.tolist()
        edges = [0, *(np.flatnonzero(np.diff(sizes)) + 1).tolist(), len(places)]
        for low, high in pairwise(edges):
            if low == high:
                continue
            extra = range(int(sizes[low]) - 1)
            columns = (
                [c[low:high] for c in heads]
                + [body[i][low - starts[i] : high - starts[i]] for i in extra]
                + [tail[low:high]]
            )
            for place, parts in zip(places[low:high], zip(*columns, strict=True), strict=True):
                out[place] = "".join(parts)
        return out


@dataclass(frozen=True, slots=True)
class Fresh:
    """A slot drawn per request instead of per payload: this is what a paraphraser changes."""

    pool: Sequence[str]


@dataclass(frozen=True, slots=True)
class Shifted:
    """A voice read under a derived seed, so that two slots of one pattern differ."""

    voice: Voice
    salt: int
    length: int = 0
    """Sentences to ask for; 0 keeps the caller's length."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer a teacher gave earlier to payload ``seed`` (see :func:`teacher_nonce`)."""

    voice: Voice


Part = str | Sequence[str] | Fresh | Shifted | Answer


def teacher_nonce(seeds: U64) -> U64:
    """Nonce under which a teacher exchange for this payload was run; graders quote its answer."""
    return mix(seeds, 7717)


def answer_key(nonces: U64, turns: object) -> U64:
    """Key of the completion given at ``turn`` of the exchange or conversation ``nonce``."""
    return mix(nonces, turns, 31)


@dataclass(frozen=True, slots=True)
class Slots:
    """Patterned text: one pattern per payload, each a row of slots."""

    patterns: tuple[tuple[Part, ...], ...]

    def render(self, seeds: U64, nonces: U64, lengths: I64) -> list[str]:
        """One string per key."""
        out: list[str] = [""] * len(seeds)
        which = pick(seeds, 5, len(self.patterns))
        for number, pattern in enumerate(self.patterns):
            rows = np.flatnonzero(which == number)
            if not len(rows):
                continue
            keys, fresh, size = seeds[rows], nonces[rows], lengths[rows]
            columns = [_part(part, i, keys, fresh, size) for i, part in enumerate(pattern)]
            for row, parts in zip(rows.tolist(), zip(*columns, strict=True), strict=True):
                out[row] = "".join(parts)
        return out


def _part(part: Part, place: int, seeds: U64, nonces: U64, lengths: I64) -> Iterable[str]:
    if isinstance(part, str):
        return [part] * len(seeds)
    if isinstance(part, Fresh):
        return _column(part.pool, nonces, 300 + place)
    if isinstance(part, Shifted):
        size = lengths if not part.length else np.full(len(seeds), part.length, dtype=np.int64)
        return part.voice.render(mix(seeds, part.salt) if part.salt else seeds, nonces, size)
    if isinstance(part, Answer):
        keys = answer_key(teacher_nonce(seeds), 0)
        return part.voice.render(keys, keys, np.full(len(seeds), 3, dtype=np.int64))
    return _column(part, seeds, 200 + place)


def expand(
    rng: np.random.Generator,
    parts: Sequence[Sequence[str]],
    size: int,
    *,
    sep: str = "",
    numbers: bool = True,
) -> list[str]:
    """``size`` random combinations of the parts; each ``#`` becomes a number.

    >>> expand(np.random.default_rng(0), [["a"], ["b"]], 2, sep=" ")
    ['a b', 'a b']
    """
    columns = [map(list(p).__getitem__, rng.integers(0, len(p), size).tolist()) for p in parts]
    rows = [sep.join(row) for row in zip(*columns, strict=True)]
    if numbers:
        values = iter(np.exp(rng.uniform(0.7, 8.5, size * 2)).astype(np.int64).tolist())
        rows = [_numbered(row, values) if "#" in row else row for row in rows]
    return rows


def _numbered(text: str, values: Iterable[int]) -> str:
    for value in values:
        text = text.replace("#", str(value), 1)
        if "#" not in text:
            break
    return text.replace("#", "7")
