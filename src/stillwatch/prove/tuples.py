"""From token sequences to what a test looks at: pairs of a context and the token that followed it.

What was dropped is counted with its reason. Two rules keep an innocent model innocent:

* windows that touch the prompt are dropped: the prompt may be ours, and marked;
* windows that already stood in front of the model in the same sequence are dropped: a model that copies from its
  own context copies marks with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.marks.mark import Tokens, digest_rows

PADDING = -1
"""What engines put before the first token of an answer."""


@dataclass(frozen=True, slots=True)
class Tuples:
    """Contexts and the tokens that followed, in order."""

    contexts: Tokens
    """int64[n, width]."""
    tokens: Tokens
    """int64[n]."""
    dropped: tuple[tuple[str, int], ...] = ()
    """(reason, how many)."""

    def __len__(self) -> int:
        return int(self.tokens.shape[0])

    def keep(self, mask: np.ndarray[tuple[int], np.dtype[np.bool_]], reason: str) -> Tuples:
        """Those where ``mask`` holds; the others are counted under ``reason``."""
        lost = int((~mask).sum())
        told = (*self.dropped, (reason, lost)) if lost else self.dropped
        return Tuples(self.contexts[mask], self.tokens[mask], told)


def _windows(answer: Tokens, width: int, padded: bool) -> tuple[Tokens, Tokens]:
    if padded:
        answer = np.concatenate([np.full(width, PADDING, dtype=np.int64), answer])
    if answer.size <= width:
        return np.empty((0, width), dtype=np.int64), np.empty(0, dtype=np.int64)
    rows = np.lib.stride_tricks.sliding_window_view(answer, width)[:-1]
    return np.ascontiguousarray(rows), np.ascontiguousarray(answer[width:])


def text_tuples(sequences: Iterable[Sequence[int]], width: int, *, padded: bool = False) -> Tuples:
    """Every position of texts, for the question *is this text ours*.

    ``padded`` scores the first tokens too, after the padding that vLLM gives them.

    >>> t = text_tuples([[1, 2, 3, 4]], 2)
    >>> t.contexts.tolist(), t.tokens.tolist()
    ([[1, 2], [2, 3]], [3, 4])
    """
    parts = [_windows(_as_tokens(s), width, padded) for s in sequences]
    if not parts:
        return Tuples(np.empty((0, width), dtype=np.int64), np.empty(0, dtype=np.int64))
    return Tuples(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def generation_tuples(answers: Iterable[tuple[Sequence[int], Sequence[int]]], width: int) -> Tuples:
    """Positions of a suspect's own words, from pairs of prompt and answer.

    >>> generation_tuples([([9], [1, 2, 1, 2, 1, 2])], 1).dropped
    (('window touches the prompt', 1), ('window stood in the context before', 3))
    """
    contexts, tokens = [], []
    touched = seen_before = 0
    for prompt, answer in answers:
        whole = np.concatenate([_as_tokens(prompt), _as_tokens(answer)])
        rows, following = _windows(whole, width, padded=False)
        first = len(prompt)
        position = np.arange(width, whole.size)[: following.size]
        touches = (position - width < first) & (position >= first)
        digests = digest_rows(rows, np.zeros(following.size, dtype=np.int64))
        fresh = np.zeros(following.size, dtype=bool)
        fresh[np.unique(digests, return_index=True)[1]] = True
        own = (position >= first) & ~touches
        touched += int(touches.sum())
        seen_before += int((own & ~fresh).sum())
        contexts.append(rows[own & fresh])
        tokens.append(following[own & fresh])
    told = [("window touches the prompt", touched), ("window stood in the context before", seen_before)]
    if not contexts:
        return Tuples(np.empty((0, width), dtype=np.int64), np.empty(0, dtype=np.int64))
    return Tuples(np.concatenate(contexts), np.concatenate(tokens), tuple(t for t in told if t[1]))


def probe_tuples(prefixes: Iterable[Sequence[int]], answers: Sequence[int], width: int) -> Tuples:
    """One token read after each prefix; the prefixes end in the windows that are asked about."""
    contexts, tokens = [], []
    short = seen_before = 0
    answered = _as_tokens(answers)
    listed = list(prefixes)
    if len(listed) != answered.size:
        raise ConfigError(
            f"{len(listed)} prefixes and {answered.size} answers", hint="read one token after each prefix"
        )
    for prefix, token in zip(listed, answered.tolist(), strict=True):
        tail = _as_tokens(prefix)
        if tail.size < width:
            short += 1
            continue
        rows = np.lib.stride_tricks.sliding_window_view(tail, width)
        if (rows[:-1] == rows[-1]).all(axis=1).any():
            seen_before += 1
            continue
        contexts.append(rows[-1])
        tokens.append(token)
    told = [("prefix shorter than the window", short), ("window stood in the context before", seen_before)]
    if not contexts:
        return Tuples(
            np.empty((0, width), dtype=np.int64), np.empty(0, dtype=np.int64), tuple(t for t in told if t[1])
        )
    return Tuples(np.array(contexts), np.array(tokens, dtype=np.int64), tuple(t for t in told if t[1]))


def _as_tokens(values: Sequence[int]) -> Tokens:
    tokens = np.asarray(values, dtype=np.int64).ravel()
    if tokens.size and (tokens.min() < PADDING or tokens.max() >= 2**32):
        raise ConfigError("a token id lies outside 0 to 2^32 - 1", hint="hand in token ids of our tokeniser")
    return tokens
