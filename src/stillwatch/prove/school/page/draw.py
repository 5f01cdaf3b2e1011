"""One drawing for each claim: every issued key on the scale of standard deviations, over the random keys' own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup, escape

from stillwatch.prove.pages.words import shown
from stillwatch.records.claim import Claim, KeyResult

LEFT, PLOT, HEIGHT, BARS = 16, 728, 132, 24
BASE, DOTS = 92, 108
LEAST, MOST = -5.0, 6.0
Scale = Callable[[float], float]


def strip(claim: Claim) -> Markup:
    """Random keys as bars, issued keys as dots below; a key that fired is named at its dot."""
    null = claim.null.standardised if claim.null is not None else ()
    low = min([LEAST, *null, *(key.standardised for key in claim.keys)])
    high = max([MOST, *null, *(key.standardised for key in claim.keys)]) * 1.04

    def x(value: float) -> float:
        return LEFT + PLOT * (value - low) / (high - low)

    parts = [*_axis(low, high, x), *_bars(null, x), *(_dot(key, x) for key in claim.keys)]
    what = f"{claim.test} of {claim.suspect}: {len(claim.keys)} issued keys over {len(null)} random keys"
    head = (
        f'<svg class="plot" viewBox="0 0 {LEFT * 2 + PLOT} {HEIGHT}" role="img" aria-label="{_text(what)}">'
    )
    return Markup("".join([head, *parts, "</svg>"]))  # noqa: S704  its texts are escaped


def _bars(null: Sequence[float], x: Scale) -> list[str]:
    if not null:
        return []
    counts, edges = np.histogram(np.array(null), bins=BARS)
    tallest = max(1, int(counts.max()))
    return [
        f'<rect class="null" x="{x(left):.1f}" y="{BASE - 66 * count / tallest:.1f}" '
        f'width="{max(0.5, x(right) - x(left) - 0.5):.1f}" height="{66 * count / tallest:.1f}"/>'
        for count, left, right in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]


def _dot(key: KeyResult, x: Scale) -> str:
    at = x(key.standardised)
    name = _text(key.key_id)
    told = f"<title>{name}: {key.standardised:.1f} standard deviations</title>"
    mark = (
        f'<circle class="key{" fired" if key.fired else ""}" cx="{at:.1f}" cy="{DOTS}" r="4">{told}</circle>'
    )
    if not key.fired:
        return mark
    return f'{mark}<text x="{at:.1f}" y="{DOTS - 22}" text-anchor="end" class="named">{name}</text>'


def _axis(low: float, high: float, x: Scale) -> list[str]:
    span = high - low
    step = next(
        s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000) if span / s <= 14 or s == 10_000
    )
    ticks = range(int(np.ceil(low / step)) * step, int(high) + 1, step)
    line = f'<path class="grid" d="M{LEFT} {BASE}H{LEFT + PLOT}"/>'
    words = [f'x="{x(tick):.1f}" y="{HEIGHT - 4}" text-anchor="middle">{tick}' for tick in ticks]
    return [line, *(f'<text class="tick" {word}</text>' for word in words)]


def _text(text: str) -> str:
    return str(escape(shown(text)))
