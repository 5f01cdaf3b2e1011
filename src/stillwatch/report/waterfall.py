"""The ledger of a campaign as a waterfall: every channel's bits, what a family does not count twice, the sum.

Bits add across families only. Where the channels of one family sum to more than the family was credited
with, the difference is drawn as a step back, so that the picture always ends where the stated weight ends.

References: Splink's match-weight waterfall; Good, Probability and the Weighing of Evidence (1950).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from stillwatch.records import Campaign, Evidence
from stillwatch.report.numbers import BITS_PER_DECADE
from stillwatch.report.svg import el

_WIDE = 1000.0
_TALL = 24.0
_MOST = 1e6
_SAME = 0.05
"""Bits below which two sums are called equal."""


NOTHING = Markup("")


@dataclass(frozen=True, slots=True)
class Step:
    """One row. ``evidence`` is None for steps back and for the sum."""

    kind: str
    """``channel``, ``family``, ``back``, ``combine`` or ``sum``."""
    family: str
    label: str
    bits: float
    running: float
    evidence: Evidence | None = None
    bar: Markup = NOTHING


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Rows and the axis they share; ticks are (per cent from the left, bits)."""

    steps: tuple[Step, ...]
    ticks: tuple[tuple[float, str], ...]
    weakest_without: Evidence | None
    """The channel whose absence would cost most."""


def nice_step(span: float, most: int = 5) -> float:
    """Distance between ticks: 1, 2 or 5 times a power of ten.

    Example:
        >>> nice_step(83.0), nice_step(7.0)
        (20.0, 2.0)
    """
    step = 1e-3
    while True:
        for factor in (1, 2, 5):
            if span / (step * factor) <= most:
                return round(step * factor, 6)
        step *= 10


def _bits(log10_value: float) -> float:
    """Bits that can be drawn: what is not a number counts nothing, what is infinite counts as very much."""
    if math.isnan(log10_value):
        return 0.0
    return max(-_MOST, min(_MOST, log10_value * BITS_PER_DECADE))


def _raw_steps(campaign: Campaign) -> Iterator[Step]:
    running = 0.0
    credited = {str(family): value for family, value in campaign.bits.items()}
    by_family: dict[str, list[Evidence]] = {
        family: [] for family, value in credited.items() if abs(value) > _SAME
    }
    for line in campaign.evidence:
        by_family.setdefault(str(line.family), []).append(line)
    for family in sorted(by_family, key=lambda name: (-credited.get(name, 0.0), name)):
        before = running
        for line in sorted(by_family[family], key=lambda e: (-e.log10_e_value, e.trait, e.value)):
            bits = _bits(line.log10_e_value)
            running += bits
            yield Step("channel", family, line.trait, bits, running, line)
        gap = credited.get(family, 0.0) - (running - before)
        if abs(gap) > _SAME:
            running += gap
            yield Step("back" if by_family[family] else "family", family, family, gap, running)
    total = _bits(campaign.log10_e_value)
    if abs(total - running) > _SAME:
        yield Step("combine", "", "", total - running, total)
    yield Step("sum", "", "", total, total)


def waterfall(campaign: Campaign) -> Waterfall:
    """Lay out the ledger of ``campaign``; deterministic, linear in the number of channels."""
    steps = list(_raw_steps(campaign))
    low = min(0.0, *(s.running for s in steps))
    high = max(1.0, *(s.running for s in steps))
    unit = nice_step(high - low)

    def at(bits: float) -> float:
        return (bits - low) / (high - low) * _WIDE

    first = -int(-low // unit)
    marks = [i * unit for i in range(first, int(high // unit) + 1)]
    drawn: list[Step] = []
    previous = 0.0
    for step in steps:
        start = 0.0 if step.kind == "sum" else previous
        bar = _bar(step, at(start), at(step.running), [at(m) for m in marks], first=not drawn)
        drawn.append(Step(step.kind, step.family, step.label, step.bits, step.running, step.evidence, bar))
        previous = step.running
    weakest = min(campaign.evidence, key=lambda e: (e.without_log10_e_value, e.trait), default=None)
    return Waterfall(tuple(drawn), tuple((at(m) / 10, f"{m:g}") for m in marks), weakest)


def _bar(step: Step, start: float, end: float, grid: list[float], *, first: bool) -> Markup:
    lines = [el("path", d="".join(f"M{x:.0f} 0V{_TALL:.0f}" for x in grid), class_="grid")]
    left, width = min(start, end), max(abs(end - start), 1.5)
    fill = f"f-{step.family}" if step.kind in {"channel", "family"} and step.bits >= 0 else f"f-{step.kind}"
    lines.append(el("rect", x=left, y=4, width=width, height=_TALL - 8, class_=fill))
    if not first and step.kind != "sum":
        lines.append(el("path", d=f"M{start:.0f} 0V4", class_="join"))
    if step.kind != "sum":
        lines.append(el("path", d=f"M{end:.0f} {_TALL - 4:.0f}V{_TALL:.0f}", class_="join"))
    inner = Markup("").join(lines)
    return el(
        "svg", inner, viewBox="0 0 1000 24", preserveAspectRatio="none", class_="wf", aria_hidden="true"
    )
