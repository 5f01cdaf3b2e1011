"""Drawings of the page: points with intervals, in plain SVG.

Text in them is escaped, shown without characters that hide or reorder, and shortened where it stands beside the plot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from stillwatch.lab.leaderboard.words import short, shown

LABEL, PLOT, LINE, GAP, TOP = 190, 560, 17, 12, 26
COLUMNS = 26
"""Columns of a name beside the plot. Names end there, so that one set in the widest letters is cut at its beginning."""
INKS = 6
"""Inks of the style sheet; detectors beyond them start again, with another shape."""
SHAPES = {
    "circle": "",
    "square": "M-3.5 -3.5h7v7h-7z",
    "diamond": "M0 -5L5 0L0 5L-5 0z",
    "triangle": "M0 -5L4.8 4H-4.8z",
}
"""Shapes in their order, as paths around the point; with `INKS` they tell 24 detectors apart."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value with its interval; None is shown as not measured."""

    group: str
    series: str
    value: float | None
    low: float = 0.0
    high: float = 0.0
    note: str = ""


def num(value: float) -> str:
    """Coordinate with at most one decimal.

    >>> num(3.0), num(2.25)
    ('3', '2.2')
    """
    return f"{value:.1f}".removesuffix(".0")


def el(name: str, *children: object, **attributes: object) -> Markup:
    """One element; ``class_`` becomes ``class``, other underscores hyphens.

    >>> print(el("text", "<b>\\u202e", class_="tick", x=1.0))
    <text class="tick" x="1">&lt;b&gt;\ufffd</text>
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        text = num(value) if isinstance(value, float) else escape(shown(str(value)))
        parts.append(f' {key.rstrip("_").replace("_", "-")}="{text}"')
    inner = "".join(str(c) if isinstance(c, Markup) else str(escape(shown(str(c)))) for c in children)
    return Markup("".join(parts) + (f">{inner}</{name}>" if children else "/>"))  # noqa: S704


def intervals(points: Sequence[Point], series: Sequence[str], label: str, *, decades: int = 0) -> Markup:
    """Points by group, one line per series.

    Args
    ----
    points: values in [0, 1].
    series: names in the order of inks.
    label: what the drawing shows, for those who hear it read.
    decades: with 0 the axis is linear; else logarithmic from 10 ** -decades to 1, and zero stands at the left.
    """
    groups = list(dict.fromkeys(p.group for p in points))
    parts: list[Markup] = []
    y = float(TOP)
    for group in groups:
        mine = [p for p in points if p.group == group]
        parts.append(
            el(
                "text", short(group, COLUMNS), el("title", group), x=float(LABEL - 12), y=y + LINE * 0.75,
                text_anchor="end", class_="name",
            )
        )  # fmt: skip
        for point in sorted(mine, key=lambda p: series.index(p.series)):
            parts.append(_one(point, series.index(point.series), y + LINE / 2, decades))
            y += LINE
        y += GAP
    height = y + 4
    return el(
        "svg", _axis(decades, height), *parts, viewBox=f"0 0 {LABEL + PLOT + 60} {num(height)}", class_="plot",
        role="img", aria_label=label,
    )  # fmt: skip


def _one(point: Point, index: int, y: float, decades: int) -> Markup:
    ink = swatch(index)["ink"]
    if point.value is None:
        told = el("title", f"{point.series}: {point.note or 'not measured'}")
        return el("text", "not measured", told, x=float(LABEL + 4), y=y + 4, class_="none")
    left, right, at = (_x(v, decades) for v in (point.low, point.high, point.value))
    words = f"{point.series}: {point.value:.4g} ({point.low:.3g} to {point.high:.3g})"
    bar = el("path", d=f"M{num(left)} {num(y)}H{num(right)}", class_=f"bar {ink}")
    path = SHAPES[swatch(index)["shape"]]
    shape = (
        el("path", d=path, transform=f"translate({num(at)} {num(y)})", class_=f"dot {ink}")
        if path
        else el("circle", cx=at, cy=y, r=4.0, class_=f"dot {ink}")
    )
    return el("g", el("title", f"{words}{'; ' + point.note if point.note else ''}"), bar, shape)


def _x(value: float, decades: int) -> float:
    if not decades:
        return LABEL + PLOT * min(1.0, max(0.0, value))
    least = 10.0**-decades
    return LABEL + PLOT * (1 + math.log10(max(value, least)) / decades)


def _axis(decades: int, height: float) -> Markup:
    ticks = [i / 5 for i in range(6)] if not decades else [10.0 ** (i - decades) for i in range(decades + 1)]
    parts = []
    for tick in ticks:
        x = _x(tick, decades)
        text = f"{tick:g}" if not decades else (f"{tick:g}" if tick > ticks[0] else f"{tick:g} or less")
        parts.append(el("path", d=f"M{num(x)} {TOP - 6}V{num(height)}", class_="grid"))
        parts.append(el("text", text, x=x, y=float(TOP - 11), text_anchor="middle", class_="tick"))
    return el("g", *parts)


def swatch(index: int) -> dict[str, str]:
    """Ink and shape of a series, for the drawing and its legend."""
    return {"ink": f"i{index % INKS}", "shape": list(SHAPES)[index // INKS % len(SHAPES)]}


__all__ = ["Point", "el", "intervals", "num", "swatch"]
