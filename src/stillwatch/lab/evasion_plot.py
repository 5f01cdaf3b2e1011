"""The evasion frontier as a picture: cost per exchange across, exchanges a day upwards, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from stillwatch.lab.evasion_search import Trial

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 440, 70, 50, 44, 24
_UNIT = "undetected extraction exchange"
_STYLE = (
    "svg{font:12px system-ui,sans-serif;background:#fff;--ink:#222;--soft:#8a8a8a;--line:#ddd;--mark:#0b6e6e}"
    "@media(prefers-color-scheme:dark){svg{background:#16181b;--ink:#e6e6e6;--soft:#8f959c;--line:#333;--mark:#5cc5c0}}"
    "text{fill:var(--ink)}.soft{fill:var(--soft)}.grid{stroke:var(--line)}.tried{fill:none;stroke:var(--soft)}"
    ".point{fill:var(--mark)}.bar{stroke:var(--mark);fill:none}"
)


def frontier_svg(report: Mapping[str, Any], trials: Sequence[Trial]) -> str:
    """Self-contained SVG: a ring per trial, a dot with its range per confirmed point of the frontier."""
    tried = [(t.values[0], -t.values[1]) for t in trials if t.values[1] < 0 and t.values[0] > 0]
    good = [p for p in report["frontier"] if p["cost_per_exchange_usd"] and p["taken_per_day"] > 0]
    xs = [x for x, _ in tried] + [p["cost_per_exchange_usd"] for p in good]
    ys = [y for _, y in tried] + [p["taken_per_day"] for p in good]
    across, up = _Axis(xs, LEFT, WIDTH - RIGHT), _Axis(ys, HEIGHT - BOTTOM, TOP)
    subtitle = f"{report['trials']} settings tried, {report['trials_under']} stayed under; dots: fresh worlds"
    body = [_text(LEFT, 20, f"Evasion frontier against {report['detector']}", size=14)]
    body.append(
        _text(LEFT, 36, subtitle, cls="soft")
    )  # fmt: skip
    for value in across.ticks():
        body.append(_line(across(value), TOP, across(value), HEIGHT - BOTTOM, "grid"))
        body.append(_text(across(value), HEIGHT - BOTTOM + 16, f"${value:g}", anchor="middle", cls="soft"))
    for value in up.ticks():
        body.append(_line(LEFT, up(value), WIDTH - RIGHT, up(value), "grid"))
        body.append(_text(LEFT - 6, up(value) + 4, f"{value:g}", anchor="end", cls="soft"))
    body += [f'<circle class="tried" cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5"/>' for x, y in tried]
    for p in good:
        x, y = across(p["cost_per_exchange_usd"]), up(p["taken_per_day"])
        low, high = p["taken_per_day_range"]
        body.append(_line(x, up(max(low, up.low)), x, up(high), "bar"))
        title = f"trial {p['trial']}: under in {p['share_under']:.0%} of fresh worlds"
        body.append(
            f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(title)}</title></circle>'
        )
    body.append(
        _text(
            (LEFT + WIDTH) / 2, HEIGHT - 12, "US dollars per undetected extraction exchange", anchor="middle"
        )
    )
    body.append(
        f'<text transform="translate(16 {HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">{_UNIT}s a day</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape('Evasion frontier against ' + str(report['detector']))}</title><style>{_STYLE}</style>"
        + "".join(body)
        + "</svg>\n"
    )


class _Axis:
    """A logarithmic axis between two pixels."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self.low = 10 ** math.floor(math.log10(min(values, default=1.0)))
        self.high = 10 ** math.ceil(math.log10(max([*values, self.low * 10])))
        self.begin, self.end = begin, end

    def __call__(self, value: float) -> float:
        share = math.log10(max(value, self.low) / self.low) / math.log10(self.high / self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[float]:
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return [10.0**k for k in range(first, last + 1)]


def _text(x: float, y: float, text: str, *, anchor: str = "start", cls: str = "", size: int = 12) -> str:
    look = f" class={quoteattr(cls)}" if cls else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{look}>{escape(text)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, cls: str) -> str:
    return f'<line class="{cls}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


__all__ = ["frontier_svg"]
