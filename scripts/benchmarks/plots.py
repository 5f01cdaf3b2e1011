"""Drawings of the benchmarks page: plain SVG, light and dark, no script, no request."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from scripts.benchmarks.words import counts_at
from stillwatch.lab.scoring.rates import rate_of

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 400, 56, 190, 40, 44
RUNGS = range(9)
OWN = "stillwatch"
LEAST = 0.02
"""A detector below this on every rung is drawn thin and not named at its line."""
STYLE = (
    "svg{font:12px system-ui,sans-serif;background:#fff;--ink:#222;--soft:#777;--line:#ddd;--own:#0b6e6e;--other:#b4541a}"
    "@media(prefers-color-scheme:dark){svg{background:#16181b;--ink:#e6e6e6;--soft:#969ca3;--line:#333;--own:#5cc5c0;"
    "--other:#e79a63}}text{fill:var(--ink)}.soft{fill:var(--soft)}.grid{stroke:var(--line)}"
    ".own{stroke:var(--own);fill:none;stroke-width:2.5}.other{stroke:var(--other);fill:none;stroke-width:1.5}"
    ".low{stroke:var(--soft);fill:none;stroke-width:1;opacity:.6}.band{fill:var(--own);opacity:.18}"
)


def ladder_svg(rows: list[dict[str, Any]]) -> str:
    """Recall at one false positive in a thousand by rung, one line per detector; the band is ours at 95 %."""
    mine = [r for r in rows if r["suite"] == "ladder" and "score" in r]
    names = sorted({r["detector"]["id"] for r in mine}, key=lambda n: (n == OWN, n))
    body = [_text(LEFT, 18, "Extractors found at one false positive in a thousand honest accounts", size=14)]
    for tick in range(6):
        y = _y(tick / 5)
        body.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        body.append(_text(LEFT - 8, y + 4, f"{tick / 5:g}", anchor="end", cls="soft"))
    body += [_text(_x(i), HEIGHT - BOTTOM + 18, f"L{i}", anchor="middle", cls="soft") for i in RUNGS]
    body.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "rung of the ladder", anchor="middle"))
    below = 0
    for name in names:
        points = _points([r for r in mine if r["detector"]["id"] == name])
        if not points:
            continue
        best = max(share for _, share, _, _ in points)
        kind = "own" if name == OWN else "other" if best >= LEAST else "low"
        below += kind == "low"
        if kind == "own":
            edge = [(x, high) for x, _, _, high in points] + [(x, low) for x, _, low, _ in reversed(points)]
            body.append(f'<polygon class="band" points="{_path(edge)}"/>')
        line = _path([(x, share) for x, share, _, _ in points])
        title = escape(f"{name}: " + ", ".join(f"L{x} {share:.3f}" for x, share, _, _ in points))
        body.append(f'<polyline class="{kind}" points="{line}"><title>{title}</title></polyline>')
        if kind != "low":
            x, share, _, _ = (
                max(points, key=lambda p: (p[1] >= best / 2, p[0])) if kind == "own" else points[0]
            )
            body.append(_text(_x(x) + 8, _y(share) - 8, name))
    if below:
        body.append(_text(WIDTH - RIGHT + 12, _y(0) + 4, f"{below} more, under {LEAST:g}", cls="soft"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>Recall by rung of the ladder, by detector</title><style>{STYLE}</style>{''.join(body)}</svg>\n"
    )


def write(rows: list[dict[str, Any]], folder: Path) -> list[str]:
    """Write the drawing; gives the lines that show it, none when there is nothing to draw."""
    if not any(r["suite"] == "ladder" and "score" in r for r in rows):
        return []
    (folder / "ladder.svg").write_text(ladder_svg(rows), encoding="utf-8")
    return ["", "![Recall by rung](assets/ladder.svg)"]


def _points(rows: list[dict[str, Any]]) -> list[tuple[int, float, float, float]]:
    """Rung, recall, and its interval, where it was measured."""
    out = []
    for i in RUNGS:
        hit, total = counts_at([r for r in rows if r["scenario"] == f"ladder_L{i}"], 1e-3)
        if total:
            rate = rate_of(hit, total)
            out.append((i, hit / total, rate.low, rate.high))
    return out


def _x(rung: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * rung / (len(RUNGS) - 1)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _path(points: list[tuple[int, float]]) -> str:
    return " ".join(f"{_x(x):.1f},{_y(share):.1f}" for x, share in points)


def _text(x: float, y: float, text: str, *, anchor: str = "start", cls: str = "", size: int = 12) -> str:
    look = f' class="{cls}"' if cls else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{look}>{escape(text)}</text>'
    )
