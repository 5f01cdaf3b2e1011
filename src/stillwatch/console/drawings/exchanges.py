"""Exchanges over time by model, beside the hours at which models were released."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from stillwatch.records import Campaign
from stillwatch.report.safe import shown
from stillwatch.report.timeline import timeline

_BINS, _LAYERS = 400, 5


@dataclass(frozen=True, slots=True)
class Exchanges:
    """The drawing without script, the same as data for the browser, and its words."""

    svg: Markup
    data: dict[str, Any]
    layers: tuple[tuple[str, int], ...]
    releases: tuple[tuple[str, datetime], ...]
    busiest: datetime
    peak: int
    hours: int


def exchanges(campaign: Campaign, releases: tuple[tuple[str, datetime], ...]) -> Exchanges | None:
    """Lay out the timeline; None when the campaign has none."""
    plain = timeline(campaign, releases)
    if plain is None:
        return None
    points = campaign.model_timeline or tuple(("all models", hour, n) for hour, n in campaign.timeline)
    start, last = min(p[1] for p in points), max(p[1] for p in points)
    width = max(3600, int((last - start).total_seconds() / _BINS / 3600 + 1) * 3600)
    zero = int(start.timestamp()) // 3600 * 3600
    bins = int((last.timestamp() - zero) // width) + 1
    columns: dict[str, list[int]] = defaultdict(lambda: [0] * bins)
    known = {name for name, _ in plain.layers[:_LAYERS]}
    rest = next(
        (name for name, _ in plain.layers if name not in {m for m, _, _ in points}), plain.layers[0][0]
    )
    for model, hour, n in points:
        columns[model if model in known else rest][int((hour.timestamp() - zero) // width)] += n
    layers = [name for name, _ in plain.layers]
    inside = [(when.timestamp(), str(shown(model, 32))) for model, when in releases if start <= when <= last]
    data = {
        "x": [zero + i * width for i in range(bins)],
        "layers": [str(shown(name, 40)) for name in layers],
        "y": [columns[name] for name in layers],
        "releases": [list(pair) for pair in inside[:12]],
    }
    near = tuple((m, w) for m, w in releases if start <= w <= last)
    return Exchanges(plain.drawing, data, plain.layers, near, plain.busiest, plain.peak, plain.hours)
