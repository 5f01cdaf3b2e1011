"""The window task of arXiv 2606.05725 for any score: how much of a mixture must be attack before a window is flagged?

Windows are drawn from held-out benign and attacking items, at attacker shares of 5, 10, 25, 50 and 100 %. The
threshold is set on benign windows of its own, never on those that are reported. The items may be texts, vectors or
whatever the score reads.

Limits: windows of one pool overlap, so the intervals are about windows drawn from *this* pool; the false positive rate
is that of one exchangeable corpus and says nothing about customers who differ from each other.

References
----------
Liu, Guo, Dong: arXiv 2606.05725, section 4 (80 % of benign queries as reference, 50 windows per share, window 1,500).
Clopper, Pearson (1934).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from stillwatch.errors import ConfigError
from stillwatch.lab.baselines.mmd import Pool
from stillwatch.lab.baselines.ngrams import embed
from stillwatch.lab.scoring.rates import clopper_pearson

Item = TypeVar("Item")
Score = Callable[[Sequence[Item]], float]
Fit = Callable[[Sequence[Item]], Score[Item]]

SHARES = (0.05, 0.10, 0.25, 0.50, 1.0)
FPR = 0.003
"""The paper's false positive rate."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of windows with its two-sided 95 % Clopper-Pearson interval."""

    hits: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """Hits per window."""
        return self.hits / self.total

    @classmethod
    def of(cls, hits: int, total: int) -> Rate:
        """
        >>> rate = Rate.of(0, 50)
        >>> rate.value, rate.low, round(rate.high, 4)
        (0.0, 0.0, 0.0711)
        """
        low, high = clopper_pearson(hits, total)
        return cls(hits, total, low, high)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What one score does at one threshold."""

    threshold: float
    false_positives: Rate
    """On benign windows that the threshold has not seen."""
    true_positives: dict[float, Rate]
    """By attacker share."""
    target_fpr: float
    size: int


def operating_point(
    benign: Sequence[Item],
    attack: Sequence[Item],
    fit: Fit[Item],
    *,
    seed: int,
    size: int = 1_500,
    shares: Sequence[float] = SHARES,
    windows: int = 50,
    benign_windows: int = 500,
    fpr: float = FPR,
) -> OperatingPoint:
    """Calibrate a score on benign windows and measure it on others.

    Args
    ----
    benign, attack: items, in any order; 60 % of the benign go to ``fit``, 20 % to the threshold, 20 % are held out.
    fit: takes the reference items and returns a score of a window; higher is more suspicious.
    windows: per attacker share. benign_windows: to calibrate, and again to measure.
    fpr: target, at least ``1 / benign_windows``.

    Raises
    ------
    ConfigError
        Too few items for one window, or too few benign windows to set the threshold.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(benign))
    cut, rest = int(0.6 * len(order)), int(0.8 * len(order))
    parts = [order[:cut], order[cut:rest], order[rest:]]
    if min(len(parts[1]), len(parts[2]), len(attack)) < size:
        raise ConfigError(
            f"a window of {size} needs {5 * size} benign and {size} attacking items",
            hint="give more items or a smaller size",
        )
    if fpr * benign_windows < 1:
        raise ConfigError(
            f"{benign_windows} benign windows cannot set a threshold at {fpr}", hint="raise benign_windows"
        )
    score = fit([benign[i] for i in parts[0]])

    def drawn(pool: npt.NDArray[Any], share: float) -> float:
        bad = round(size * share)
        window = [benign[i] for i in rng.choice(pool, size - bad, replace=False)]
        window += [attack[i] for i in rng.choice(len(attack), bad, replace=False)]
        return score([window[i] for i in rng.permutation(size)])

    calibration = np.sort([drawn(parts[1], 0.0) for _ in range(benign_windows)])
    threshold = float(calibration[benign_windows - 1 - int(fpr * benign_windows)])
    wrong = sum(drawn(parts[2], 0.0) > threshold for _ in range(benign_windows))
    found = {s: sum(drawn(parts[2], s) > threshold for _ in range(windows)) for s in shares}
    return OperatingPoint(
        threshold=threshold,
        false_positives=Rate.of(wrong, benign_windows),
        true_positives={s: Rate.of(hits, windows) for s, hits in found.items()},
        target_fpr=fpr,
        size=size,
    )


def mmd_score(reference: Sequence[str]) -> Score[str]:
    """The paper's score for `operating_point`, over hashed n-grams: the squared discrepancy from the reference."""
    pool = Pool.of(embed(list(reference)))
    return lambda window: pool.discrepancy(embed(list(window)))
