"""Radioactivity of open weights: what the suspect would say next, read along texts of ours.

*Hard*: its likeliest token at each position, as the literature does. *Soft*: its whole distribution against a
reference model, which may be our own: no knowledge of the suspect's base is needed, and far less marked data is seen.

The texts give contexts only. Their own next tokens are never scored: they were chosen by the mark, and would
convict an innocent.

*Looks alike*: induction. A model that sees a window a second time repeats what followed it the first time;
`reading_positions` leaves such positions out.

References
----------
Sander et al., *Watermarking makes language models radioactive* (NeurIPS 2024), section 4 (hard). The soft statistic
is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.laws import Floats
from stillwatch.prove.marks.mark import Mark, Tokens, digest_rows
from stillwatch.prove.radio.counted import Counted
from stillwatch.prove.radio.family import IssuedKey, Plan, try_keys
from stillwatch.prove.radio.weighted import weighted
from stillwatch.prove.tuples import Tuples
from stillwatch.records.claim import Claim

CANDIDATES = 8
"""Tokens of each position that a soft reading weighs."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Where a suspect is read: text and place of the token that it shall predict."""

    text: Tokens
    """int64[n]: which text."""
    place: Tokens
    """int64[n]: index of the predicted token in that text."""
    contexts: Tokens
    """int64[n, width]: the window before it."""
    seen_before: int
    """Positions left out because their window stood in the same text before."""


def reading_positions(texts: Sequence[Sequence[int]], width: int) -> Positions:
    """Positions of texts whose window is new to whoever reads them from the start.

    >>> reading_positions([[1, 2, 3, 1, 2, 3]], 2).place.tolist()
    [2, 3, 4]
    """
    text, place, contexts = [], [], []
    seen = 0
    for i, tokens in enumerate(texts):
        whole = np.asarray(tokens, dtype=np.int64)
        if whole.size <= width:
            continue
        rows = np.lib.stride_tricks.sliding_window_view(whole, width)[:-1]
        digests = digest_rows(np.ascontiguousarray(rows), np.zeros(rows.shape[0], dtype=np.int64))
        fresh = np.sort(np.unique(digests, return_index=True)[1])
        seen += rows.shape[0] - fresh.size
        text.append(np.full(fresh.size, i))
        place.append(fresh + width)
        contexts.append(rows[fresh])
    if not text:
        empty = np.empty(0, dtype=np.int64)
        return Positions(empty, empty, np.empty((0, width), dtype=np.int64), seen)
    return Positions(np.concatenate(text), np.concatenate(place), np.concatenate(contexts), seen)


def _dropped(positions: Positions) -> tuple[tuple[str, int], ...]:
    return (("window stood in the context before", positions.seen_before),) if positions.seen_before else ()


def hard(
    suspect: str,
    mark: Mark,
    positions: Positions,
    likeliest: Tokens,
    issued: Sequence[IssuedKey],
    plan: Plan,
    controls: Sequence[tuple[str, Tokens]] = (),
) -> Claim:
    """Test the likeliest token int64[n] of a suspect at each position; controls are read at the same ones.

    A token below 0 is none of ours: what a model held likeliest is then not known, and its place is dropped. That hangs
    on what stands before the place alone, never on the key.
    """

    def reading(tokens: Tokens) -> Counted:
        if tokens.shape != positions.place.shape:
            raise ConfigError(
                f"{tokens.size} tokens for {positions.place.size} positions", hint="read one token at each"
            )
        whole = Tuples(positions.contexts, tokens, _dropped(positions))
        return Counted(mark, whole.keep(tokens >= 0, "the likeliest token is none of ours"))

    others = [(name, reading(tokens)) for name, tokens in controls]
    return try_keys("radio-hard", suspect, reading(likeliest), issued, plan, others)


@dataclass(frozen=True, slots=True)
class Distributions:
    """A model's likeliest candidates at each position, beside the reference's view of the same candidates.

    Candidates are chosen from suspect and reference alone, never from the text that was read.
    """

    candidates: Tokens
    """int64[n, c]; below 0 for none, which weighs nothing."""
    log_p: Floats
    """float64[n, c], the model's log-probabilities."""
    log_q: Floats | None
    """float64[n, c], the reference's; None = no reference, with less power."""


def top_candidates(log_p: Floats, log_q: Floats | None, count: int = CANDIDATES) -> Distributions:
    """The likeliest candidates under the mean of both models, from full distributions float64[n, vocabulary]."""
    even = log_p if log_q is None else np.logaddexp(log_p, log_q)
    best = np.argpartition(-even, count - 1, axis=1)[:, :count].astype(np.int64)
    return Distributions(
        best,
        np.take_along_axis(log_p, best, axis=1),
        None if log_q is None else np.take_along_axis(log_q, best, axis=1),
    )


def soft(
    suspect: str,
    mark: Mark,
    positions: Positions,
    distributions: Distributions,
    issued: Sequence[IssuedKey],
    plan: Plan,
    controls: Sequence[tuple[str, Distributions]] = (),
) -> Claim:
    """Test a suspect's distributions at each position; controls are read at the same ones."""
    readings = [
        weighted(mark, positions.contexts, d.candidates, d.log_p, d.log_q)
        for d in (distributions, *(d for _, d in controls))
    ]
    named = list(zip((name for name, _ in controls), readings[1:], strict=True))
    return try_keys("radio-soft", suspect, readings[0], issued, plan, named)
