"""``stillwatch profile``: what a run cost, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch.cli.commands import VerbCommand, debug_option, json_option
from stillwatch.cli.terminal import console, print_json, safe

if TYPE_CHECKING:
    from rich.console import RenderableType


@click.command(
    cls=VerbCommand,
    short_help="Show what a run cost, step by step.",
    examples=(
        ("stillwatch profile report", "rows, bytes, seconds and peak memory of each step"),
        ("stillwatch profile report --json | jq .total", "for a program"),
    ),
)
@click.argument("run_dir", metavar="FOLDER", type=click.Path(exists=True, file_okay=False))
@json_option("Print profile.json to standard output.")
@debug_option()
def profile(run_dir: str, as_json: bool) -> None:
    """Show what a run cost: each step with rows, bytes, seconds and peak memory.

    FOLDER is what `stillwatch scan --out` wrote.
    """
    from stillwatch import wiring

    found = wiring.show_profile(Path(run_dir))
    if as_json:
        print_json(found)
    else:
        console().print(plan_table(found))


def plan_table(costs: Mapping[str, Any]) -> RenderableType:
    """The steps of a run and their sum. A peak in brackets was reached before the step."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("step")
    for name in ("rows", "read", "seconds", "cpu s", "rows/s", "peak", "engine", "spilled"):
        table.add_column(name, justify="right", no_wrap=True)
    for step in costs["steps"]:
        rows, seconds = step["rows"], step["seconds"]
        peak = _size(step["peak_memory_bytes"])
        table.add_row(
            safe(step["name"]),
            _number(rows),
            _size(step["bytes"]),
            f"{seconds:.2f}",
            f"{step['cpu_s']:.2f}",
            _number(rows / seconds) if rows and seconds else "",
            peak if step["raised_peak"] else f"({peak})",
            _size(step["engine_bytes"]),
            _size(step["spilled_bytes"]),
        )
    total = costs["total"]
    table.add_row(
        "in all", "", "", f"{total['seconds']:.2f}", f"{total['cpu_s']:.2f}", "",
        _size(total["peak_memory_bytes"]), "", _size(total["spilled_bytes"]), style="bold",
    )  # fmt: skip
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _size(value: int | None) -> str:
    return "" if not value else f"{value / 1e6:,.0f} MB"
