"""The trust root: a dated honest population that frequencies and shape calibration are taken from.

Judging never learns: a scan only reads a baseline. `stillwatch.detect.fit` makes one. A baseline fitted on an
installation's own traffic holds keyed digests and works only with the key it was made with; the one that
ships holds closed-vocabulary values of the lab's honest population and is named as such in every report.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from stillwatch.errors import ConfigError, SourceError

FORMAT = 2
HANDFUL = 8
"""Units from which a group is no handful."""
SHIPPED = "lab-honest.json.gz"


@dataclass(frozen=True, slots=True)
class Shares:
    """How common each value of one trait is among the reference units."""

    values: np.ndarray
    """int64, sorted."""
    shares: np.ndarray
    """float64: mean share of a unit's draws, 0..1."""
    units: int
    """Reference units that show anything."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Honest linked groups that pass the controller test, and the weights of the shape score."""

    weights: dict[str, float]
    """Non-negative weight of each shape feature."""
    features: dict[str, np.ndarray]
    """Feature values of the calibration groups, float64[groups]."""
    scores: np.ndarray
    """Shape score of each calibration group, sorted."""
    classes: dict[str, int]
    """Calibration groups by class."""
    units: np.ndarray
    """int64: independent units of each calibration group, in the order of ``scores``."""

    def peers(self, units: int) -> np.ndarray:
        """Sorted scores of the honest groups that a group of so many units is ranked among.

        A handful (below `HANDFUL` units) is one person or a small firm, whose agents and scripts look like any
        campaign's; a larger group is not ranked among those.
        """
        got: np.ndarray = self.scores[(self.units < HANDFUL) == (units < HANDFUL)]
        return got


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline as loaded."""

    name: str
    as_of: str
    kind: str
    """``shipped`` or ``fitted``."""
    units: int
    key_id: str | None
    shares: dict[str, Shares]
    calibration: Calibration
    digest: str
    source: str
    """Command and population it was made from."""

    def about(self) -> dict[str, Any]:
        """What reports say of the baseline."""
        return {
            "name": self.name, "as_of": self.as_of, "kind": self.kind, "units": self.units, "digest": self.digest,
            "calibration_groups": len(self.calibration.scores), "calibration_classes": self.calibration.classes,
            "traits": sorted(self.shares), "source": self.source,
        }  # fmt: skip


def load_baseline(path: str | Path | None, key_id: str) -> Baseline:
    """Load a baseline file, or the shipped one for None.

    Raises `SourceError` for a file that is not a baseline and `ConfigError` for one made with another key.
    """
    if path is None:
        raw = resources.files("stillwatch.detect").joinpath("data", SHIPPED).read_bytes()
        where = SHIPPED
    else:
        where = str(path)
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            raise SourceError(where, "cannot read the baseline", hint=str(error.strerror)) from error
    try:
        data = orjson.loads(gzip.decompress(raw))
        if data["format"] != FORMAT:
            raise SourceError(where, f"baseline format {data['format']} is not {FORMAT}", hint="fit it again")
        baseline = _parse(data, hashlib.sha256(raw).hexdigest())
    except (OSError, EOFError, KeyError, TypeError, ValueError) as error:
        raise SourceError(
            where, "not a stillwatch baseline", hint="make one: stillwatch baseline fit"
        ) from error
    if baseline.key_id is not None and baseline.key_id != key_id:
        raise ConfigError(
            f"baseline {baseline.name!r} was fitted with key {baseline.key_id}, this scan uses {key_id}",
            hint="use the same digest key, or fit the baseline again",
        )
    return baseline


def _parse(data: dict[str, Any], digest: str) -> Baseline:
    shares = {
        trait: Shares(np.array(s["values"], np.int64), np.array(s["shares"], float), int(s["units"]))
        for trait, s in data["shares"].items()
    }
    c = data["calibration"]
    if any(a > b for a, b in pairwise(c["scores"])):
        raise ValueError("calibration scores out of order")
    calibration = Calibration(
        {k: float(v) for k, v in c["weights"].items()},
        {k: np.array(v, float) for k, v in c["features"].items()},
        np.array(c["scores"], float),
        {k: int(v) for k, v in c["classes"].items()},
        np.array(c["units"], np.int64),
    )
    if len(calibration.units) != len(calibration.scores):
        raise ValueError("calibration groups without a size")
    return Baseline(
        data["name"], data["as_of"], data["kind"], int(data["units"]), data["key_id"], shares, calibration,
        digest, data["source"],
    )  # fmt: skip


def dump_baseline(baseline: Baseline) -> bytes:
    """Serialise; equal baselines give equal bytes."""
    c = baseline.calibration
    data = {
        "format": FORMAT, "name": baseline.name, "as_of": baseline.as_of, "kind": baseline.kind,
        "units": baseline.units, "key_id": baseline.key_id, "source": baseline.source,
        "shares": {
            trait: {"values": s.values.tolist(), "shares": [round(v, 9) for v in s.shares.tolist()], "units": s.units}
            for trait, s in sorted(baseline.shares.items())
        },
        "calibration": {
            "weights": {k: round(v, 6) for k, v in sorted(c.weights.items())},
            "features": {k: [round(x, 6) for x in v.tolist()] for k, v in sorted(c.features.items())},
            "scores": [round(x, 6) for x in c.scores.tolist()],
            "classes": dict(sorted(c.classes.items())), "units": c.units.tolist(),
        },
    }  # fmt: skip
    return gzip.compress(orjson.dumps(data), mtime=0)
