"""What a person reads at the end of a scan: one screen, worst news first, and what it does not mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stillwatch.cli.terminal import console, safe

if TYPE_CHECKING:
    from stillwatch.records import Abstention, Campaign, ScanResult

MAX_CAMPAIGNS = 12
MAX_CAVEATS = 6

MEANING = {
    0: "nothing at review or above. That is not proof of absence.",
    10: "something to review (exit status 10); a person decides.",
}


def print_summary(result: ScanResult, out: Path | None, status: int) -> None:
    """Print the whole summary to standard output."""
    screen = console()
    for block in (
        counts(result.summary),
        campaigns_table(result.campaigns),
        null_table(result.summary.get("null_check")),
        caveats(result.abstentions),
        ending(out, status),
    ):
        if block is not None:
            screen.print(block)
            screen.print()


def counts(summary: Mapping[str, Any]) -> RenderableType | None:
    """What was read, what it was recognised as, what was refused.

    Reads the same keys of the summary as the report does; each of them may be missing.
    """
    rows: dict[str, Any] = {}
    if summary.get("formats"):
        rows["recognised"] = summary["formats"]
    given = summary.get("counts")
    if isinstance(given, Mapping):
        rows.update(given)
    reasons = summary.get("rejected")
    if isinstance(reasons, Mapping) and reasons:
        rows.setdefault("rejected", sum(reasons.values()))
        rows["rejected because"] = reasons
    span = summary.get("time_range")
    if isinstance(span, Mapping) and span.get("start"):
        rows["time range"] = f"{span['start']} to {span.get('end')}"
    rows |= _left_out(summary.get("window"))
    if summary.get("incomplete"):
        rows["failed"] = summary["incomplete"]
    return facts(rows) if rows else None


def _left_out(window: Any) -> dict[str, int]:
    """What `--since` and `--until` left out: an empty result is then no empty log."""
    if not isinstance(window, Mapping):
        return {}
    told = {
        "outside the window": window.get("outside"),
        "files of other days": window.get("files_not_opened"),
    }
    return {name: count for name, count in told.items() if count}


def campaigns_table(campaigns: Sequence[Campaign]) -> RenderableType:
    """One line per pool or campaign, strongest first as the scan ordered them."""
    if not campaigns:
        return Text("No pools or campaigns.")
    table = _table()
    table.add_column("id", overflow="fold", min_width=8)
    table.add_column("kind", min_width=9)
    for heading in ("accounts", "exchanges"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("sure", no_wrap=True)
    for heading in ("decades", "p", "extraction"):
        table.add_column(heading, justify="right", no_wrap=True)
    for found in campaigns[:MAX_CAMPAIGNS]:
        low, high = found.extraction_share_low * 100, found.extraction_share_high * 100
        table.add_row(
            Text(safe(found.campaign_id)),
            Text(
                f"{found.kind} (granted)" if found.granted else str(found.kind),
                style="bold" if found.kind == "campaign" and not found.granted else "",
            ),
            number(found.account_count),
            number(found.exchange_count),
            str(found.confidence),
            f"{found.log10_e_value:.1f}",
            "too few" if found.p_value is None else f"{found.p_value:.2g}",
            f"{found.extraction_share:.0%} ({low:.0f}-{high:.0f})",
        )
    hidden = len(campaigns) - MAX_CAMPAIGNS
    more = [Text(f"and {hidden} more; see the report", style="dim")] if hidden > 0 else []
    note = Text(
        "decades: evidence of one controller, in powers of ten.\n"
        "p: how often honest groups with one controller look this much like extraction.",
        style="dim",
    )
    return Group(table, *more, note)


def null_table(check: Any) -> RenderableType | None:
    """What shuffled copies of the same data gave; it should be nothing."""
    if not check:
        return None
    title = Text("Null check: the same data, shuffled so that nothing is there", style="bold")
    if isinstance(check, Mapping):
        rows = check.get("runs") if isinstance(check.get("runs"), list) else None
        rest = {key: value for key, value in check.items() if not (rows and key == "runs")}
        parts: list[RenderableType] = [title, facts(rest)]
        if rows:
            parts.append(listing(rows, ()))
        return Group(*parts)
    return Group(title, listing(check, ()))


def caveats(abstentions: Sequence[Abstention]) -> RenderableType | None:
    """What could not be judged in this run, and the field that would have helped."""
    run_wide = [one for one in abstentions if one.subject == "run"]
    if not run_wide:
        return None
    lines = [Text("could not see:", style="bold yellow")]
    for one in run_wide[:MAX_CAVEATS]:
        missing = f" (missing: {', '.join(one.missing)})" if one.missing else ""
        lines.append(Text(f"  {safe(one.trait)}: {safe(one.reason)}{safe(missing)}"))
    if len(run_wide) > MAX_CAVEATS:
        lines.append(Text(f"  and {len(run_wide) - MAX_CAVEATS} more; see the report", style="dim"))
    return Group(*lines)


def ending(out: Path | None, status: int) -> RenderableType:
    """Where the report is, and what the exit status means."""
    lines = [Text(f"result: {MEANING.get(status, '')}")]
    if out is not None:
        lines.insert(0, Text(f"report: {safe(out / 'report.html')}"))
    return Text("\n").join(lines)


def facts(values: Mapping[str, Any]) -> RenderableType:
    """Names and values, one a line; nested mappings are indented. Text is made harmless."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    nested: list[RenderableType] = []
    for name, value in values.items():
        label = safe(str(name).replace("_", " "))
        if isinstance(value, Mapping) and value and not _is_flat(value):
            nested += [Text(label), Padding(facts(value), (0, 0, 0, 2))]
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            nested += [Text(label), Padding(listing(value, ()), (0, 0, 0, 2))]
        else:
            grid.add_row(Text(label), Text(_words(value)))
    return Group(grid, *nested) if nested else grid


def listing(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> RenderableType:
    """Rows as a table; every column of the first row when none are named."""
    names = [name for name in columns if rows and name in rows[0]] or (list(rows[0]) if rows else [])
    table = _table()
    for name in names:
        figures = all(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(
            safe(name.replace("_", " ")), justify="right" if figures else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(_words(row.get(name))) for name in names))
    return table


def number(value: Any) -> str:
    """A figure with thin grouping, as text.

    >>> number(1234567), number(0.03), number("x")
    ('1,234,567', '0.03', 'x')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return safe(value)


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{safe(name)} {number(one)}" for name, one in value.items()) or "-"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(_words(one) for one in value) or "-"
    return number(value)


def _is_flat(value: Mapping[str, Any]) -> bool:
    return len(value) <= 8 and not any(isinstance(one, Mapping | list | tuple) for one in value.values())


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
