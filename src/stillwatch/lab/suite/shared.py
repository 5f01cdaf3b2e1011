"""What several detectors read alike in one world, read once: the log of the baselines, the features of our own scan.

The seconds of the shared reading are added to each detector that used it, so that times stay comparable.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.lab.suite.detectors import BASELINES, Detector, Runner, run_detector


@dataclass(slots=True)
class Shared:
    """One world's traffic and the detectors that will judge it."""

    traffic: Path
    work: Path
    """An existing folder, not inside the traffic."""
    detectors: Sequence[Detector]
    _frame: Any = None
    _seconds: dict[str, float] = field(default_factory=dict)

    def run(self, detector: Detector, runner: Runner | None, out: Path) -> float:
        """Run a detector; gives its seconds with the whole of the reading. Raises what `run_detector` raises."""
        begun = time.perf_counter()
        extra = 0.0
        if detector.kind == "baseline" and self._many("baseline"):
            extra = self._once("frame", self._read)
            _baselines().run_baseline(detector.id, self.traffic, out, frame=self._frame)
        elif self._featured(detector) and runner is not None:
            features = self.work / "features"
            extra = self._once("features", lambda: runner.prepare(self.traffic, features))
            runner(self.traffic, out, detector.settings, detector.drop_traits, features=features)
        else:
            run_detector(detector, runner, self.traffic, out)
        return time.perf_counter() - begun + extra

    def _once(self, name: str, make: Any) -> float:
        """Seconds that a detector must be given for what was read before it; none for the one that reads."""
        if name in self._seconds:
            return self._seconds[name]
        begun = time.perf_counter()
        make()
        self._seconds[name] = time.perf_counter() - begun
        return 0.0

    def _read(self) -> None:
        self._frame = _baselines().read_traffic(self.traffic)

    def _many(self, kind: str) -> bool:
        return sum(d.kind == kind for d in self.detectors) > 1

    def _featured(self, detector: Detector) -> bool:
        """Settings outside ``detect`` may change how a log is read."""
        return (
            detector.kind == "own"
            and self._many("own")
            and all(s.startswith("detect.") for s in detector.settings)
        )


def _baselines() -> Any:
    try:
        return importlib.import_module(BASELINES)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the baselines need the package {error.name}", hint="pip install 'stillwatch[lab]'"
        ) from error


__all__ = ["Shared"]
