"""The evasion frontier as a picture: cost per exchange across, exchanges a day upwards, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from stillwatch.lab.evasion_search import Trial

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 460, 70, 50, 70, 24
_UNIT = "undetected extraction exchange"
_STYLE = (
    "svg{font:12px system-ui,sans-serif;background:#fff;--ink:#222;--soft:#8a8a8a;--line:#ddd;--mark:#0b6e6e}"
    "@media(prefers-color-scheme:dark){svg{background:#16181b;--ink:#e6e6e6;--soft:#8f959c;--line:#333;--mark:#5cc5c0}}"
    "text{fill:var(--ink)}.soft{fill:var(--soft)}.grid{stroke:var(--line)}.tried{fill:none;stroke:var(--ink)}.seen{fill:var(--soft);opacity:.35}"
    ".point{fill:var(--mark)}.bar{stroke:var(--mark);fill:none}"
)


def frontier_svg(report: Mapping[str, Any], trials: Sequence[Trial]) -> str:
    """Self-contained SVG: a mark per trial, a dot with its ranges per setting that held on fresh worlds.

    Trials of which a part was seen are faint: what they took went through accounts that nobody hinted at yet.
    """
    least = len(report["search_worlds"])
    tried = [
        (t.values[0], -t.values[1], t.facts["under"] == least)
        for t in trials
        if t.values[1] < 0 < t.values[0]
    ]
    good = [p for p in report["retried"] if p["held"] and p["cost_per_exchange_usd"] is not None]
    best = {p["trial"] for p in report["frontier"]}
    xs = [x for x, _, _ in tried] + [v for p in good for v in p["cost_per_exchange_range"]]
    ys = [y for _, y, _ in tried] + [v for p in good for v in p["taken_per_day_range"] if v > 0]
    across, up = _Axis(xs, LEFT, WIDTH - RIGHT), _Axis(ys, HEIGHT - BOTTOM, TOP)
    found = f"{len(good)} held, {len(best)} unbeaten" if good else f"not found in {report['trials']} trials"
    body = [
        _text(LEFT, 20, f"Evasion frontier against {report['detector']}", size=14),
        _text(
            LEFT, 36, f"{report['trials']} settings tried; {report['trials_under']} unseen in the search's world;"
            f" {len(report['retried'])} tried again, {found}", cls="soft",
        ),
        *_legend(),
    ]  # fmt: skip
    for value in across.ticks():
        body.append(_line(across(value), TOP, across(value), HEIGHT - BOTTOM, "grid"))
        body.append(_text(across(value), HEIGHT - BOTTOM + 16, f"${value:,.2f}", anchor="middle", cls="soft"))
    for value in up.ticks():
        body.append(_line(LEFT, up(value), WIDTH - RIGHT, up(value), "grid"))
        body.append(_text(LEFT - 6, up(value) + 4, f"{value:,.0f}", anchor="end", cls="soft"))
    for x, y, unseen in sorted(tried, key=lambda t: t[2]):
        body.append(_ring(across(x), up(y), "tried" if unseen else "seen"))
    for p in good:
        x, y = across(p["cost_per_exchange_usd"]), up(p["taken_per_day"])
        low, high = p["taken_per_day_range"]
        cheap, dear = p["cost_per_exchange_range"]
        body += [
            _line(x, up(max(low, up.low)), x, up(high), "bar"),
            _line(across(cheap), y, across(dear), y, "bar"),
        ]
        title = f"setting {p['trial']}: unseen in {p['worlds_under']} of {p['worlds']} fresh worlds"
        body.append(
            f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="{5 if p["trial"] in best else 3}">'
            f"<title>{escape(title)}</title></circle>"
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


def _legend() -> list[str]:
    """Marks and what they stand for, above the plot."""
    at, out = LEFT, []
    for cls, words, width in (
        ("tried", "unseen in the search's world", 205), ("seen", "seen in part", 110),
        ("point", "held on fresh worlds, with ranges; large: unbeaten", 300),
    ):  # fmt: skip
        out += [_ring(at + 4, 52, cls, 4 if cls == "point" else 2.5), _text(at + 14, 56, words, cls="soft")]
        at += width
    return out


def _ring(x: float, y: float, cls: str, r: float = 2.5) -> str:
    return f'<circle class="{cls}" cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>'


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
