"""Small drawings of one number or one row of numbers."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from stillwatch.report.svg import el


def span(low: float, high: float, point: float) -> Markup:
    """A share 0..1 with its interval."""
    a, b, c = (max(0.0, min(1.0, v)) * 100 for v in (low, high, point))
    parts = [
        el("rect", x=0, y=4, width=100, height=2, class_="track"),
        el("rect", x=a, y=3, width=max(b - a, 1.0), height=4, class_="range"),
        el("rect", x=max(0.0, c - 1), y=0, width=2, height=10, class_="point"),
    ]
    return el("svg", Markup("").join(parts), viewBox="0 0 100 10", preserveAspectRatio="none", class_="iv",
              aria_hidden="true")  # fmt: skip


def bars(values: Sequence[tuple[str, float]]) -> Markup:
    """A row of columns, each with its words on hover."""
    most = max((v for _, v in values), default=0) or 1
    parts = []
    for i, (said, value) in enumerate(values):
        high = value / most * 96
        parts.append(el("rect", el("title", said), x=float(i), y=100 - high, width=0.8, height=high))
    return el("svg", Markup("").join(parts), viewBox=f"0 0 {max(1, len(values))} 100", preserveAspectRatio="none",
              class_="bars", role="img", aria_label="; ".join(said for said, _ in values)[:2000])  # fmt: skip
