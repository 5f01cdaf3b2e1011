"""Learning, kept apart from judging: makes a baseline from a population that is known to be honest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from stillwatch.detect.baseline import Baseline, Calibration, Shares
from stillwatch.detect.run import Detection
from stillwatch.detect.shape import FEATURES, score
from stillwatch.detect.traffic import Traffic

MAX_VALUES = 200_000
MIN_UNITS = 2


def fit_shares(
    traffic: Traffic, detection: Detection, units: np.ndarray, *, public_only: bool
) -> dict[str, Shares]:
    """How common each value is among reference units (bool[units]); values of one unit alone are left out."""
    out = {}
    for name, matrix in sorted(detection.matrices.items()):
        if public_only and not matrix.trait.public:
            continue
        codes = matrix.codes[units]
        k = (codes >= 0).sum(1)
        rows, cols = np.nonzero(codes >= 0)
        if not len(rows):
            continue
        weight = np.bincount(codes[rows, cols], weights=1.0 / k[rows], minlength=len(matrix.values))
        having = np.bincount(codes[rows, cols], minlength=len(matrix.values))
        keep = np.flatnonzero(having >= MIN_UNITS)
        keep = keep[np.argsort(-having[keep], kind="stable")][:MAX_VALUES]
        keep = np.sort(keep)
        present = int((k > 0).sum())
        out[name] = Shares(matrix.values[keep], weight[keep] / present, present)
    return out


ASKS = ("reasoning", "grading", "generation", "format", "ask")
"""Features read from the lexicon: shrunk towards 1 instead of 0."""
ASK_PRIOR = 1.0


def fit_weights(
    features: Sequence[dict[str, float]], campaign: Sequence[bool], *, ridge: float = 0.05, most: float = 4.0
) -> dict[str, float]:
    """Non-negative logistic weights that tell campaign streams from honest ones.

    Weights cannot be negative, so more of a feature never clears anyone, and none may exceed ``most``, so that
    no single habit of the simulator decides. What prompts ask for is shrunk towards a positive weight, because
    a simulator's text speaks the lexicon less than real text does and must not teach the score to ignore it.
    Classes are balanced. Fitted on simulated worlds only, never on worlds that figures are reported on.
    """
    x = np.array([[f[name] for name in FEATURES] for f in features])
    y = np.array(campaign, float)
    w = np.where(y == 1, 0.5 / max(y.sum(), 1), 0.5 / max((1 - y).sum(), 1))
    prior = np.array([ASK_PRIOR if name in ASKS else 0.0 for name in FEATURES])

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ theta[1:] + theta[0]
        fit = float((w * (np.logaddexp(0.0, z) - y * z)).sum())
        value = fit + float(ridge * ((theta[1:] - prior) ** 2).sum() / len(FEATURES))
        slope = w * (1.0 / (1.0 + np.exp(-z)) - y)
        shrink = 2.0 * ridge * (theta[1:] - prior) / len(FEATURES)
        return value, np.concatenate([[slope.sum()], x.T @ slope + shrink])

    start = np.concatenate([[-1.0], np.full(len(FEATURES), 0.5)])
    bounds = [(None, None)] + [(0.0, most)] * len(FEATURES)
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
    return {name: round(float(v), 4) for name, v in zip(FEATURES, found.x[1:], strict=True)}


def calibrate(
    features: Sequence[dict[str, float]],
    classes: Sequence[str],
    units: Sequence[int],
    weights: dict[str, float],
) -> Calibration:
    """Scores of honest linked groups, with their sizes in units, under given weights."""
    blank = Calibration(weights, {}, np.zeros(0), {}, np.zeros(0, np.int64))
    scores = np.array([score(f, blank) for f in features], float)
    order = np.argsort(scores, kind="stable")
    names, counts = np.unique(np.array(classes, dtype=str), return_counts=True)
    return Calibration(
        weights,
        {name: np.sort(np.array([f[name] for f in features])) for name in FEATURES},
        scores[order],
        {str(n): int(c) for n, c in zip(names, counts, strict=True)},
        np.array(units, np.int64)[order],
    )


def fitted_baseline(
    traffic: Traffic,
    detection: Detection,
    trusted: np.ndarray,
    shipped: Baseline,
    *,
    name: str,
    as_of: str,
    source: str,
) -> Baseline:
    """A baseline of an installation's own traffic: frequencies from trusted units, calibration from its groups.

    Groups of which at least half the units are trusted count as honest linked groups. Where they are fewer
    than a hundred, the shipped calibration is kept and the report says so.
    """
    shares = fit_shares(traffic, detection, trusted, public_only=False)
    honest = [
        (s.features, len(g.units))
        for g, s in zip(detection.groups, detection.streams, strict=True)
        if float(trusted[g.units].mean()) >= 0.5
    ]
    weights = shipped.calibration.weights
    calibration = (
        calibrate([f for f, _ in honest], ["own"] * len(honest), [n for _, n in honest], weights)
        if len(honest) >= 100
        else shipped.calibration
    )
    return Baseline(
        name, as_of, "fitted", int(trusted.sum()), traffic.key.key_id, shares, calibration, "", source
    )
