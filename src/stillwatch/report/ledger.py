"""The drawings of a campaign in a terminal: the ledger with its bars, and exchanges over time as one line."""

from __future__ import annotations

from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from stillwatch.records import Campaign
from stillwatch.report import numbers
from stillwatch.report.safe import shown
from stillwatch.report.waterfall import Step, waterfall
from stillwatch.report.words import label

_BAR = 12
_LINE = 60
_LEVELS = " ▁▂▃▄▅▆▇█"


def columns(*names: tuple[str, bool]) -> Table:
    """An empty table without lines; each name says whether its column is set to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, right in names:
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=right)
    return table


def ledger(campaign: Campaign) -> Table:
    """Every channel's bits, what a family does not count twice, and the sum."""
    steps = waterfall(campaign).steps
    table = columns(
        ("channel", False), ("members", True), ("in baseline", True), ("bits", True), ("cumulative", False),
        ("without it", True),
    )  # fmt: skip
    top = max(1.0, *(step.running for step in steps))
    for step in steps:
        line, last = step.evidence, step.kind == "sum"
        filled = max(0, round(step.running / top * _BAR))
        reach = f"{numbers.bits(step.running / numbers.BITS_PER_DECADE):>6} {'█' * filled}"
        table.add_row(
            Text(shown(_name(step), 80), style="bold" if last else ""),
            Text(numbers.count(line.members) if line else ""),
            Text(f"{numbers.share(line.reference_share)} x{numbers.amount(line.kappa)}" if line else ""),
            Text(numbers.bits(step.bits / numbers.BITS_PER_DECADE, sign=not last)),
            Text(reach, style="bold" if last else ""),
            Text(numbers.bits(line.without_log10_e_value) if line else ""),
        )
    return table


def _name(step: Step) -> str:
    if step.evidence:
        control = ", control" if step.evidence.control else ""
        return f"{label(step.evidence.trait)} ({step.family}{control})"
    if step.kind == "back":
        return f"once in {step.family}" if step.bits < 0 else f"{step.family} together"
    return {"combine": "families combined", "sum": "weight of evidence"}.get(step.kind, step.family)


def sparkline(points: tuple[tuple[datetime, int], ...]) -> str:
    """Exchanges over time in at most sixty characters, from first to last hour; empty when nothing is known.

    Example:
        >>> from datetime import UTC
        >>> start = datetime(2026, 10, 1, tzinfo=UTC)
        >>> sparkline(tuple((start + timedelta(hours=h), h) for h in range(9)))
        ' ▁▂▃▄▅▆▇█'
    """
    if not points:
        return ""
    start, last = min(p[0] for p in points), max(p[0] for p in points)
    hours = int((last - start) / timedelta(hours=1)) + 1
    wide = -(-hours // _LINE)
    sums = [0] * (-(-hours // wide))
    for hour, n in points:
        sums[int((hour - start) / timedelta(hours=1)) // wide] += n
    top = max(1, *sums)
    return "".join(_LEVELS[-(-n * (len(_LEVELS) - 1) // top)] for n in sums)
