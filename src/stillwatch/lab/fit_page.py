"""The page of a fit: one small plot per measure, drawn as SVG by hand, and the table of distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from stillwatch.lab.fit_samples import Sample
from stillwatch.lab.hashing import F64

if TYPE_CHECKING:
    from stillwatch.lab.fit import Compared

_WORLD = "#b3261e"
_TRACES = ("#1f4e79", "#3b7a57", "#7a5195", "#a05a00", "#4a6572", "#006d77")
_W, _H, _PAD = 330, 210, 38
_LOG = ("volume", "burst", "input", "output", "input_code", "output_code")
_STYLE = (
    "text{font:11px sans-serif;fill:#333}.t{font-weight:bold}path{fill:none;stroke-width:1.6}.a{stroke:#999}"
)


def plots(
    titles: Mapping[str, str],
    world: Mapping[str, Sample],
    traces: Mapping[str, Mapping[str, Sample]],
    hours: F64,
    daily: Mapping[str, F64],
) -> str:
    """All measures as cumulative curves, and the load by hour of day, as one SVG."""
    colour = {name: _TRACES[k % len(_TRACES)] for k, name in enumerate(sorted(traces))}
    cells = [
        _cumulative(
            titles[m],
            {
                **{n: (s[m].values, colour[n]) for n, s in sorted(traces.items()) if m in s},
                "world": (world[m].values, _WORLD),
            },
            log=m in _LOG,
        )
        for m in titles
    ]
    cells.append(_hours({**{n: (h, colour[n]) for n, h in sorted(daily.items())}, "world": (hours, _WORLD)}))
    per_row = 3
    rows = -(-len(cells) // per_row)
    body = "".join(
        f'<g transform="translate({k % per_row * _W},{k // per_row * _H + 24})">{cell}</g>'
        for k, cell in enumerate(cells)
    )
    key = "".join(
        f'<text x="{8 + k * 135}" y="15" style="fill:{c}">■ {escape(n)}</text>'
        for k, (n, c) in enumerate([("world", _WORLD), *colour.items()])
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {per_row * _W} {rows * _H + 30}" role="img"'
        f' aria-label="Cumulative distributions of a world and of public traces"><style>{_STYLE}</style>'
        f"{key}{body}</svg>\n"
    )


def _cumulative(title: str, curves: Mapping[str, tuple[F64, str]], *, log: bool) -> str:
    shares = np.linspace(0.01, 0.99, 99)
    points = {name: (np.quantile(values, shares), colour) for name, (values, colour) in curves.items()}
    floor = 1e-4 if log else 0.0
    low = max(min(float(q[0]) for q, _ in points.values()), floor)
    high = max(float(q[-1]) for q, _ in points.values())
    scale = _log_scale(low, high) if log else (lambda v: (v - low) / max(high - low, 1e-9))
    drawn = "".join(
        _path(
            [
                (_x(float(np.clip(scale(max(float(v), floor)), 0, 1))), _y(float(s)))
                for v, s in zip(q, shares, strict=True)
            ],
            colour,
        )
        for q, colour in points.values()
    )
    ends = f'<text x="{_PAD}" y="{_H - 14}">{low:.3g}</text>'
    ends += f'<text x="{_W - 12}" y="{_H - 14}" text-anchor="end">{high:.3g}{" (log)" if log else ""}</text>'
    return _frame(title, "0", "1") + ends + drawn


def _log_scale(low: float, high: float) -> Any:
    a, b = np.log(max(low, 1e-9)), np.log(max(high, 1e-9))
    return lambda v: (np.log(max(v, 1e-9)) - a) / max(b - a, 1e-9)


def _hours(curves: Mapping[str, tuple[F64, str]]) -> str:
    top = max(float(h.max()) for h, _ in curves.values())
    drawn = "".join(
        _path([(_x(k / 23), _y(float(v) / top)) for k, v in enumerate(h.tolist())], colour)
        for h, colour in curves.values()
    )
    ends = f'<text x="{_PAD}" y="{_H - 14}">0 h</text><text x="{_W - 12}" y="{_H - 14}" text-anchor="end">23 h</text>'
    return _frame("Load by hour of day, mean 1 (trace clocks unknown)", "0", f"{top:.1f}") + ends + drawn


def _x(share: float) -> float:
    return _PAD + share * (_W - _PAD - 12)


def _y(share: float) -> float:
    return _H - 30 - share * (_H - 56)


def _frame(title: str, low: str, high: str) -> str:
    return (
        f'<text class="t" x="6" y="14">{escape(title)}</text>'
        f'<path class="a" d="M{_PAD},{_y(1):.0f}V{_y(0):.0f}H{_W - 12}"/>'
        f'<text x="{_PAD - 5}" y="{_y(0):.0f}" text-anchor="end">{low}</text>'
        f'<text x="{_PAD - 5}" y="{_y(1) + 8:.0f}" text-anchor="end">{high}</text>'
    )


def _path(points: Sequence[tuple[float, float]], colour: str) -> str:
    return f'<path stroke="{colour}" d="M{"L".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def page(
    about: Mapping[str, Any],
    found: Sequence[Compared],
    titles: Mapping[str, str],
    missing: Sequence[str],
    svg: str,
) -> str:
    """A self-contained HTML page."""
    rows = "".join(
        f"<tr><td>{escape(titles[c.measure])}<td>{escape(c.trace)}<td>{c.distance:.2f}<td>{c.low:.2f} to {c.high:.2f}"
        f"<td>{'' if c.yardstick is None else f'{c.yardstick:.2f}'}<td>{c.world_median:.3g}<td>{c.trace_median:.3g}"
        for c in found
    )
    absent = f"<p>Not there, so not compared: {escape(', '.join(missing))}.</p>" if missing else ""
    made = escape(
        f"{about['scenario']}, seed {about['seed']}, scale {about['scale']}, generator {about['generator']}"
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Fit of a world to public traces</title>'
        "<style>body{font:15px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em}"
        "td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd}</style>"
        f"<h1>Fit of a world to public traces</h1><p>World: {made}. Distance: Kolmogorov-Smirnov, with a 95 % interval,"
        " resampled by tenant. Among traces: the median distance between traces of the same kind.</p>"
        f"{absent}{svg}<table><tr><th>measure<th>trace<th>distance<th>interval<th>among traces<th>median, world"
        f"<th>median, trace</tr>{rows}</table></html>\n"
    )
