"""Which controls hold in a deployment, from its files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from stillwatch import __version__
from stillwatch.practice.assessment import to_results
from stillwatch.practice.controls import control
from stillwatch.practice.posture import Judged, judge
from stillwatch.settings import Settings
from stillwatch.wiring.posture_seen import Places, see
from stillwatch.wiring.progress import Progress


def judge_posture(
    places: Places, *, settings: Settings, only: Sequence[str], max_age_days: float, progress: Progress,
    now: datetime | None = None, env: Mapping[str, str] = os.environ,
) -> tuple[Judged, ...]:  # fmt: skip
    """Every control, or those named, as far as it can be said.

    Raises:
        ConfigError: there is no such control.
    """
    wanted = {control(id).id for id in only}
    moment = now or datetime.now(UTC)
    seen = see(places, settings, progress=progress, env=env)
    judged = judge(seen, now=moment.timestamp(), max_age_days=max_age_days)
    return tuple(one for one in judged if not wanted or one.control.id in wanted)


def posture_results(judged: Sequence[Judged], now: datetime | None = None) -> dict[str, Any]:
    """A posture as OSCAL assessment results."""
    at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    seed = json.dumps([at, *(asdict(one) for one in judged)], default=str, sort_keys=True)
    return to_results(judged, at=at, seed=seed, program=f"stillwatch {__version__}")


__all__ = ["Places", "judge_posture", "posture_results"]
