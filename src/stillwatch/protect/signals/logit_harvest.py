"""Logit harvesting: log-probabilities asked for under one bias after another.

The attack of Carlini et al. recovers the output layer from logits, which an API that gives log-probabilities
reveals a few tokens at a time when their logits are biased upwards. It needs thousands of different biases. An
application that constrains its outputs sends the same bias again and again, so *different* biases are counted.
"""

from __future__ import annotations

from hashlib import blake2b

from stillwatch.protect.signals.signal import LiveSignal, View
from stillwatch.records import Request, SignalHit

WINDOW_S = 3600.0
FULL = 256
"""Different biases an hour at which the score is 1."""
LEAST = 8
"""Below this nothing is said."""


def score(different: int) -> float:
    """Score of a number of different biases within the window.

    >>> score(7), score(64), score(1000)
    (0.0, 0.25, 1.0)
    """
    return 0.0 if different < LEAST else min(1.0, different / FULL)


def look(request: Request, view: View) -> SignalHit | None:
    """Counts different biases sent together with a wish for log-probabilities, per account and model."""
    if not (request.logprobs and request.logit_bias):
        return None
    bias = "\0".join(sorted(request.logit_bias)).encode("utf-8", "surrogatepass")
    member = blake2b(bias, digest_size=8).hexdigest()
    key = f"bias:{request.account_id}:{request.model}"
    different = view.state.distinct(key, member, WINDOW_S, view.now)
    found = score(different)
    return (
        SignalHit("logit_harvest", found, f"{different} different biases with log-probabilities")
        if found
        else None
    )


SIGNAL = LiveSignal(
    id="logit_harvest",
    title="Logit harvesting",
    what="`logit_bias` together with `logprobs`, under ever different biases, by one account on one model within an "
    "hour.",
    scale=f"Different biases divided by {FULL}, at most 1; nothing below {LEAST}.",
    looks_alike=("calibration research", "classification over labels that change from call to call"),
    look=look,
    source="Carlini et al., Stealing part of a production language model (2024).",
)
