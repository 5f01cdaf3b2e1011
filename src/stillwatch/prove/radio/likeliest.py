"""A model's likeliest tokens instead of its whole distribution: what is kept of a reading, so that others can judge it.

A token that is not among a model's likeliest is taken as likely as the least of them. That understates how much two
models differ, which costs power; weights are still fixed without the key, so an innocent model is as safe as before.
"""

from __future__ import annotations

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove.laws import Floats
from stillwatch.prove.marks.mark import Tokens
from stillwatch.prove.radio.opened import CANDIDATES, Distributions


def from_likeliest(
    tokens: Tokens, log_p: Floats, reference: Tokens, reference_log_p: Floats, count: int = CANDIDATES
) -> Distributions:
    """The candidates likeliest under the mean of both models, from each model's own likeliest.

    Args:
        tokens: int64[n, k], distinct in a row, of the model; below 0 where its token is none of ours.
        log_p: float64[n, k].
        reference: int64[n, m], distinct in a row, of the reference at the same positions.
        reference_log_p: float64[n, m].
        count: candidates to keep; fewer where there are not so many, and none (-1) in place of those that lack.

    >>> both = from_likeliest(
    ...     np.array([[4, 7]]), np.log([[0.6, 0.3]]), np.array([[7, 9]]), np.log([[0.5, 0.4]]), 2
    ... )
    >>> both.candidates.tolist(), np.exp(both.log_p).round(2).tolist(), np.exp(both.log_q).round(2).tolist()
    ([[4, 7]], [[0.6, 0.3]], [[0.4, 0.5]])
    """
    if tokens.shape[0] != reference.shape[0]:
        raise ConfigError(
            f"{tokens.shape[0]} positions of a model, {reference.shape[0]} of the reference",
            hint="read both at the same positions",
        )
    same = (tokens[:, :, None] == reference[:, None, :]) & (tokens >= 0)[:, :, None]
    q_of_its = np.where(same.any(2), (same * reference_log_p[:, None, :]).sum(2), reference_log_p[:, -1:])
    fresh = ~same.any(1)
    candidates = np.concatenate([tokens, reference], axis=1)
    p = np.concatenate([log_p, np.broadcast_to(log_p[:, -1:], reference.shape)], axis=1)
    q = np.concatenate([q_of_its, reference_log_p], axis=1)
    even = np.where(candidates < 0, -np.inf, np.logaddexp(p, q))
    even[:, tokens.shape[1] :][~fresh] = -np.inf  # it stands among the model's own
    candidates = np.where(np.isinf(even), -1, candidates)
    best = np.argsort(-even, axis=1, kind="stable")[:, : min(count, tokens.shape[1])]
    taken = [np.take_along_axis(values, best, axis=1) for values in (candidates, p, q)]
    return Distributions(taken[0].astype(np.int64), taken[1], taken[2])
