"""What a budget could have seen, so that *no evidence* is not read as *clean*.

The effect of marked training text is taken to grow in proportion to its share; how large it is at a share of one
must come from somewhere: our own student, trained on marked text alone, or the marked text itself as an upper
bound. Whoever asks for a test has to say which.

Examples
--------
>>> effect = Effect(0.2, "our own student at a share of one")
>>> round(detectable(effect, scored=10_000, alpha=1e-6).detectable_share, 3)
0.28
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy import special

from stillwatch.errors import ConfigError
from stillwatch.records.claim import Power


@dataclass(frozen=True, slots=True)
class Effect:
    """Mean shift of one score at a share of one, in standard deviations, and where the figure comes from."""

    at_full: float
    source: str

    def __post_init__(self) -> None:
        if not self.at_full > 0.0 or not math.isfinite(self.at_full):
            raise ConfigError(
                f"an effect of {self.at_full}", hint="measure it on a student trained on marked text alone"
            )


def exact(level: float) -> float:
    """Standard deviations at which an exact tail falls below ``level``, by the normal law."""
    return float(-special.ndtri(level))


def chernoff(level: float) -> float:
    """Standard deviations at which a Chernoff bound falls below ``level``: more than an exact tail needs.

    >>> round(exact(1e-6), 2), round(chernoff(1e-6), 2)
    (4.75, 5.26)
    """
    return math.sqrt(-2.0 * math.log(level))


def detectable(
    effect: Effect, scored: int, alpha: float, tests: int = 1, power: float = 0.8,
    needed: Callable[[float], float] = exact,
) -> Power:  # fmt: skip
    """Smallest share of marked training data that ``scored`` scores see with the given power.

    ``tests`` keys were tried together, so each has to pass ``alpha / tests``; ``needed`` says how many standard
    deviations that takes, `exact` or `chernoff` as the p-value is.
    """
    least = needed(alpha / max(1, tests)) + float(special.ndtri(power))
    share = least / (effect.at_full * math.sqrt(scored)) if scored else math.inf
    return Power(
        scored=scored,
        effect_at_full=effect.at_full,
        detectable_share=share,
        alpha=alpha,
        power=power,
        assumption=f"effect proportional to the share of marked data; at a share of one: {effect.source}",
    )


def needed_scores(
    effect: Effect, share: float, alpha: float, tests: int = 1, power: float = 0.8,
    needed: Callable[[float], float] = exact,
) -> int:  # fmt: skip
    """Scores that a test needs to see ``share`` with the given power.

    >>> needed_scores(Effect(0.2, "..."), share=0.28, alpha=1e-6)
    9983
    """
    least = needed(alpha / max(1, tests)) + float(special.ndtri(power))
    return math.ceil((least / (effect.at_full * share)) ** 2)
