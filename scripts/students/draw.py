"""The study's drawing: what each test shows by share of dyed answers, one panel for each window."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

WIDTH, HEIGHT, TOP, BOTTOM, LEFT, GAP, PANEL = 760, 330, 46, 46, 48, 50, 270
TESTS = ("soft", "hard", "probes", "writing")
STYLE = (
    "svg{font:12px system-ui,sans-serif;background:#fff;--ink:#222;--soft:#777;--line:#ddd;--a:#0b6e6e;--b:#b4541a;"
    "--c:#4a4fa3;--d:#8f1f45}@media(prefers-color-scheme:dark){svg{background:#16181b;--ink:#e6e6e6;--soft:#969ca3;"
    "--line:#333;--a:#5cc5c0;--b:#e79a63;--c:#a5a9f0;--d:#e2839f}}text{fill:var(--ink)}.tick{fill:var(--soft)}"
    ".grid{stroke:var(--line)}.line{fill:none;stroke-width:2}.band{opacity:.14;stroke:none}"
)
INKS = dict(zip(TESTS, ("--a", "--b", "--c", "--d"), strict=True))


def curves_svg(rows: list[dict[str, Any]]) -> str:
    """Mean over seeds as a line, least to most as a band; shares on a logarithmic axis."""
    shares = sorted({r["share"] for r in rows if r["share"]})
    top = 10 * math.ceil(max(r["z"] for r in rows) / 10)
    parts = []
    for number, width in enumerate((2, 4)):
        left = LEFT + number * (PANEL + GAP)
        mine = [r for r in rows if r["width"] == width]
        parts += [_panel(f"window {width}", left, shares, top), *_lines(mine, left, shares, top)]
    for number, test in enumerate(TESTS):
        y, x = TOP + 20 + 22 * number, LEFT + 2 * PANEL + GAP + 24
        parts.append(f'<path d="M{x} {y - 4}h18" class="line" style="stroke:var({INKS[test]})"/>')
        parts.append(f'<text x="{x + 24}" y="{y}">{test}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>Standard deviations at the true key by share of dyed answers</title><style>{STYLE}</style>"
        f'<text x="{LEFT}" y="18" font-size="14">Standard deviations at the true key, by share of dyed answers</text>'
        f"{''.join(parts)}</svg>\n"
    )  # fmt: skip


def _panel(title: str, left: float, shares: list[float], top: float) -> str:
    parts = [f'<text x="{left + PANEL / 2:.0f}" y="{TOP - 8}" text-anchor="middle">{title}</text>']
    step = next(s for s in (5, 10, 20, 50, 100, 1_000) if top / s <= 8 or s == 1_000)
    for tick in range(0, int(top) + 1, step):
        y = _y(tick, top)
        parts.append(f'<path class="grid" d="M{left} {y:.1f}h{PANEL}"/>')
        parts.append(f'<text class="tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>')
    for share in shares:
        x = _x(share, left, shares)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 26}" text-anchor="middle">{share:.0%}</text>'
        )
    return "".join(parts)


def _lines(rows: list[dict[str, Any]], left: float, shares: list[float], top: float) -> Iterable[str]:
    for test in TESTS:
        found = [[r["z"] for r in rows if r["test"] == test and r["share"] == share] for share in shares]
        xs = [_x(share, left, shares) for share in shares]
        edge = [(x, max(v)) for x, v in zip(xs, found, strict=True)]
        edge += [(x, min(v)) for x, v in reversed(list(zip(xs, found, strict=True)))]
        line = [(x, sum(v) / len(v)) for x, v in zip(xs, found, strict=True)]
        ink = f"var({INKS[test]})"
        yield f'<polygon class="band" style="fill:{ink}" points="{_path(edge, top)}"/>'
        yield f'<polyline class="line" style="stroke:{ink}" points="{_path(line, top)}"/>'


def _path(points: list[tuple[float, float]], top: float) -> str:
    return " ".join(f"{x:.1f},{_y(value, top):.1f}" for x, value in points)


def _x(share: float, left: float, shares: list[float]) -> float:
    low, high = math.log(min(shares)), math.log(max(shares))
    return left + 12 + (PANEL - 24) * (math.log(share) - low) / (high - low)


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(top, max(-2.0, value)) / top)
