"""A reading of whole distributions: where the suspect prefers a token more than a reference model does.

Each candidate token of each context weighs sqrt((p + q) / 2) * (log p - log q), with p the suspect's and q the
reference's probability: near p = q that is the difference in units of its own sampling error, twice sqrt(p) - sqrt(q).
Inputs that occur several times are one input with the sum of their weights, and none carries much of the whole: few
heavy ones would make the tail far wider than a normal one. All of that is fixed without looking at scores, so under the
null the sum of weight * (score - mean) has mean 0 and variance known exactly; its p-value is a Chernoff bound, which is
rigorous.

*Looks alike*: nothing under a secret key. A reference unlike the suspect costs power, not validity. A suspect that is
the reference itself leaves nothing to weigh, and nothing is scored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from stillwatch.errors import ConfigError
from stillwatch.prove import power
from stillwatch.prove.laws import Floats, chernoff_needed, log_chernoff
from stillwatch.prove.marks.mark import Keys, Mark, Tokens, as_keys
from stillwatch.prove.radio.family import Mask, Statistics

CLIP = 1.0
"""Largest difference of log-probabilities that counts: a token that one model calls impossible must not carry all."""
HEAVIEST, FEW = 0.05, 4.0
"""Most that one input weighs, in standard deviations of the whole; among few inputs, as many times the even share."""
SOME_KEY = as_keys([1])[0]
"""Power is stated before keys are looked at; what inputs repeat depends on the key for few marks, and little."""


def weights_of(log_p: Floats, log_q: Floats | None) -> Floats:
    """Weight of each candidate; without a reference, against the mean of the candidates themselves."""
    if log_q is None:
        log_q = np.broadcast_to(log_p.mean(axis=-1, keepdims=True), log_p.shape)
        even = np.exp(log_p)
    else:
        even = (np.exp(log_p) + np.exp(log_q)) / 2.0
    return np.asarray(np.sqrt(even) * np.clip(log_p - log_q, -CLIP, CLIP))


def evened(weights: Floats) -> Floats:
    """Weights of distinct inputs float64[n], of which none carries much of the whole.

    >>> round(float(evened(np.array([1.0] * 9_999 + [100.0])).max()), 2)
    7.07
    """
    most = max(HEAVIEST, FEW / np.sqrt(max(1, weights.size))) * np.sqrt((weights**2).sum())
    return np.asarray(np.clip(weights, -most, most))


@dataclass(frozen=True, slots=True)
class Weighted:
    """Candidates of a suspect under a mark, one row for each context and candidate."""

    mark: Mark
    contexts: Tokens
    """int64[n, width]."""
    tokens: Tokens
    """int64[n]."""
    weights: Floats
    """float64[n]."""
    dropped: tuple[tuple[str, int], ...] = ()

    @property
    def statistic(self) -> str:
        return f"weighted sum of {self.mark.id} scores, in standard deviations"

    def needed(self, level: float) -> float:
        grouped = np.unique(self.mark.preimages(SOME_KEY, self.contexts, self.tokens), return_inverse=True)[1]
        weights = evened(np.bincount(grouped.ravel(), weights=self.weights).astype(np.float64))
        return chernoff_needed(self.mark.law, weights, level) if weights.any() else power.chernoff(level)

    def under(self, keys: Keys, kept: Mask | None, seed: int, exact: bool = True) -> Statistics:
        contexts, tokens, weights = self.contexts, self.tokens, self.weights
        if kept is not None:
            contexts, tokens, weights = contexts[kept], tokens[kept], weights[kept]
        k = keys.shape[0]
        z, log_p, scored = np.zeros(k), np.zeros(k), np.zeros(k, dtype=np.int64)
        # The suspect is the reference itself: nothing is scored, rather than all of it at 0.
        if not weights.any():
            return Statistics(z, scored, z, log_p, np.full(k, 0.5))
        law = self.mark.law
        grouped = None
        for i, key in enumerate(keys):
            if grouped is None or self.mark.keyed_preimages:
                digests = self.mark.preimages(key, contexts, tokens)
                _, first, group = np.unique(digests, return_index=True, return_inverse=True)
                grouped = first, evened(np.bincount(group.ravel(), weights=weights).astype(np.float64))
                rows, row_tokens = contexts[first], tokens[first]
            first, each = grouped
            value = float((each * (self.mark.scores(key, rows, row_tokens) - law.mean)).sum())
            spread = float(np.sqrt(law.variance * (each**2).sum()))
            scored[i] = first.size
            z[i] = value / spread if spread else 0.0
            log_p[i] = log_chernoff(law, each, value) if exact else 0.0
        return Statistics(z, scored, z, log_p, np.asarray(special.ndtr(-z)))


def weighted(
    mark: Mark, contexts: Tokens, candidates: Tokens, log_p: Floats, log_q: Floats | None
) -> Weighted:
    """Candidates int64[n, c] with log-probabilities float64[n, c] as one reading; those below 0 are none."""
    if candidates.shape != log_p.shape or (log_q is not None and log_q.shape != log_p.shape):
        raise ConfigError(
            f"candidates {candidates.shape} and log-probabilities {log_p.shape} differ",
            hint="give one log-probability for each candidate, of suspect and reference",
        )
    if not np.isfinite(log_p).all() or (log_q is not None and not np.isfinite(log_q).all()):
        raise ConfigError("a log-probability is not finite", hint="leave out tokens that a model cannot say")
    per, tokens = candidates.shape[1], candidates.reshape(-1)
    kept = tokens >= 0
    return Weighted(
        mark=mark,
        contexts=np.ascontiguousarray(np.repeat(contexts, per, axis=0)[kept]),
        tokens=np.ascontiguousarray(tokens[kept]),
        weights=weights_of(log_p, log_q).reshape(-1)[kept],
    )
