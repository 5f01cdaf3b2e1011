"""Exchanges over time, stacked by model, with the hours at which models were released.

Hours are summed into wider bins until a picture of at most ``_BINS`` columns remains; the caption names the
width. Text stands beside the drawing, not in it, so that it keeps its size on a narrow screen.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from stillwatch.records import Campaign
from stillwatch.report.svg import el

_BINS = 240
_LAYERS = 5
_TALL = 100
_WIDTHS_H = (1, 2, 3, 4, 6, 12, 24, 48, 96, 168)
_OTHER = "other models"


@dataclass(frozen=True, slots=True)
class Mark:
    """A label at ``left`` per cent; ``row`` keeps neighbours apart."""

    left: float
    text: str
    row: int = 0
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """Drawing and what stands around it."""

    drawing: Markup
    layers: tuple[tuple[str, int], ...]
    """(model, exchanges), largest first; the drawing's classes are ``m0``, ``m1``, ..."""
    ticks: tuple[Mark, ...]
    releases: tuple[Mark, ...]
    release_rows: int
    peak: int
    hours: int
    """Width of one column in hours."""
    busiest: datetime


def timeline(campaign: Campaign, releases: tuple[tuple[str, datetime], ...] = ()) -> Timeline | None:
    """Lay out the timeline of ``campaign``; None when it has none."""
    points = campaign.model_timeline or tuple(("all models", hour, n) for hour, n in campaign.timeline)
    if not points:
        return None
    start, last = min(p[1] for p in points), max(p[1] for p in points)
    start = start.replace(minute=0, second=0, microsecond=0)
    hours = _column_width((last - start) / timedelta(hours=1) + 1)
    bins = int((last - start) / timedelta(hours=hours)) + 1
    layers, columns = _stack(points, start, hours, bins)
    totals = [sum(column[i] for column in columns) for i in range(bins)]
    peak = max(1, *totals)
    span = timedelta(hours=hours * bins)

    def at(when: datetime) -> float:
        return round((when - start) / span * 100, 2)

    marks = _releases(campaign, releases, start, span)
    return Timeline(
        drawing=_draw(columns, bins, peak),
        layers=layers,
        ticks=tuple(Mark(at(when), text) for when, text in _days(start, start + span)),
        releases=marks,
        release_rows=max((m.row for m in marks), default=-1) + 1,
        peak=peak,
        hours=hours,
        busiest=start + timedelta(hours=hours * totals.index(max(totals))),
    )


def _column_width(hours: float) -> int:
    for width in _WIDTHS_H:
        if hours / width <= _BINS:
            return width
    return int(hours / _BINS / 168 + 1) * 168


def _stack(
    points: tuple[tuple[str, datetime, int], ...], start: datetime, hours: int, bins: int
) -> tuple[tuple[tuple[str, int], ...], list[list[int]]]:
    totals: dict[str, int] = defaultdict(int)
    for model, _, n in points:
        totals[model] += n
    ranked = sorted(totals, key=lambda m: (-totals[m], m))
    kept = ranked if len(ranked) <= _LAYERS else ranked[: _LAYERS - 1]
    names = [*kept, _OTHER] if len(kept) < len(ranked) else kept
    place = {model: i for i, model in enumerate(kept)}
    columns = [[0] * bins for _ in names]
    for model, hour, n in points:
        columns[place.get(model, len(names) - 1)][int((hour - start) / timedelta(hours=hours))] += n
    return tuple((name, sum(column)) for name, column in zip(names, columns, strict=True)), columns


def _draw(columns: list[list[int]], bins: int, peak: int) -> Markup:
    floor = [0] * bins
    shapes = [el("path", d=f"M0 0H{bins}M0 50H{bins}", class_="grid")]
    for index, column in enumerate(columns):
        top = [a + b for a, b in zip(floor, column, strict=True)]
        shapes.append(el("path", d=_runs(floor, top, peak), class_=f"m{index}"))
        floor = top
    return el(
        "svg", Markup("").join(shapes), viewBox=f"0 0 {bins} {_TALL}", preserveAspectRatio="none",
        class_="tl", aria_hidden="true",
    )  # fmt: skip


def _runs(floor: list[int], top: list[int], peak: int) -> str:
    """One rectangle per run of columns with equal height; empty columns draw nothing."""
    path, i = [], 0
    while i < len(top):
        j = i + 1
        while j < len(top) and (floor[j], top[j]) == (floor[i], top[i]):
            j += 1
        if top[i] > floor[i]:
            low, high = (_TALL - value / peak * _TALL for value in (floor[i], top[i]))
            path.append(f"M{i} {low:.1f}V{high:.1f}H{j}V{low:.1f}z")
        i = j
    return "".join(path)


def _days(start: datetime, end: datetime) -> list[tuple[datetime, str]]:
    first = (start + timedelta(hours=23, minutes=59, seconds=59)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    days = int((end - first) / timedelta(days=1)) + 1
    step = next((s for s in (1, 2, 5, 7, 14, 30, 61, 91, 182) if days / s <= 7), max(365, days // 6))
    found = []
    for i in range(0, max(days, 1), step):
        when = first + timedelta(days=i)
        if start <= when <= end - (end - start) * 0.03:
            found.append((when, when.strftime("%d %b").lstrip("0")))
    return found or [(start, start.strftime("%d %b %H:%M").lstrip("0"))]


def _releases(
    campaign: Campaign,
    releases: tuple[tuple[str, datetime], ...],
    start: datetime,
    span: timedelta,
) -> tuple[Mark, ...]:
    used = {model for model, _ in campaign.models} | {model for model, _, _ in campaign.model_timeline}
    inside = sorted((when, model) for model, when in releases if start <= when < start + span)
    chosen = sorted(inside, key=lambda pair: pair[1] not in used)[:8]
    marks: list[Mark] = []
    for when, model in sorted(chosen):
        left = round((when - start) / span * 100, 2)
        busy = {m.row for m in marks if abs(m.left - left) < 34}
        row = next(r for r in range(len(marks) + 1) if r not in busy)
        marks.append(Mark(left, model, row, model in used))
    return tuple(marks)
