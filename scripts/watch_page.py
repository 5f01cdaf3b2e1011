"""Figures of ``make bench-watch`` in words, between the marks of docs/watch.md; a test holds the page to the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.benchmarks.words import of_another_program, wilson

PAGE = Path("docs/watch.md")
BEGIN, END = "<!-- begin: scripts.bench_watch -->", "<!-- end: scripts.bench_watch -->"
TARGET, DAYS = 0.03, 30
"""Share of a scan that a quarter of an hour may cost, on a state of so many days."""

BUSY = " Other work ran on the machine: hold processor times against each other, not wall times."
Row = dict[str, Any]


def write(result: Row) -> None:
    """Put the figures into the page."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{render(result)}\n{END}{after}", encoding="utf-8")


def render(result: Row) -> str:
    """What stands between the marks."""
    lines: list[str] = []
    for name, told in (("cost", cost), ("delay", delay)):
        if row := result.get(name):
            lines += ["", f"Measured once ({_about(row)}", "", *told(row)]
    return "\n".join(lines[1:])


def _about(row: Row) -> str:
    return f"`{row['scenario']}` at scale {row['scale']:g}, seed {row['seed']}): {row['machine']}"


def cost(row: Row) -> list[str]:
    """Visits, looks and scans beside each other; speed is that of one state of the program."""
    steps, scan, look = row["increments"], row["scan"], row["look"]
    state, shares, same = row["state"], row["share_of_a_scan"], row["compared"]
    cpu = [step["cpu_s"] for step in steps]
    rows = [step["exchanges"] for step in steps]
    share = shares["increment"]
    with_looks = shares["increment_with_its_part_of_the_looks"]
    return [
        f"State: {state['exchanges']:,} exchanges of {state['days']} days, {state['bytes'] / 2**20:,.0f} MiB."
        + (BUSY if row["busy"] else ""),
        *of_another_program(row.get("code"), "bench-watch"),
        "",
        "| step | exchanges read | wall s | CPU s | share of a scan (CPU) |",
        "|---|---|---|---|---|",
        f"| a quarter of an hour, mean of {len(steps)} | {min(rows):,} to {max(rows):,}"
        f" | {sum(step['wall_s'] for step in steps) / len(steps):.2f}"
        f" | {sum(cpu) / len(cpu):.2f} ({min(cpu):.2f} to {max(cpu):.2f}) | {share:.2%} |",
        f"| one look | - | {look['wall_s']:.1f} | {look['cpu_s']:.1f} | {shares['look']:.0%} |",
        f"| a quarter of an hour with its part of the looks | - | - | - | {with_looks:.1%} |",
        f"| one scan of the logs | {scan['exchanges']:,} | {scan['wall_s']:.1f} | {scan['cpu_s']:.1f} | 100% |",
        "",
        f"A quarter of an hour is to cost less than {TARGET:.0%} of a scan on a state of {DAYS} days: by itself it is"
        f" {_held(share)} that, with its part of the looks {_held(with_looks)} it"
        + (
            f" here, on {state['days']} days; **{DAYS} days have not been measured**."
            if state["days"] < DAYS
            else "."
        ),
        f"The look has {same['groups_of_the_look']} groups, the scan {same['groups_of_the_scan']}; of"
        f" {same['same_accounts']} with the same accounts {same['same_kind']} are of the same kind;"
        f" {same['hints_that_differ']} accounts have another hint.",
    ]


def _held(share: float) -> str:
    return "within" if share < TARGET else "**above**"


def delay(row: Row) -> list[str]:
    """How long each campaign stayed unseen, in time of the log."""
    out = [
        f"Time from a campaign's first exchange to the look that showed it, {row['looks_a_day']} looks a day, over at"
        f" most {row['days']} days ({row['looks']} looks were made):",
        "",
        "| campaign | exchanges in all | a member was shown after | review was asked for after | share taken by then |",
        "|---|---|---|---|---|",
    ]
    for number, each in enumerate(sorted(row["campaigns"], key=lambda c: c["exchanges"]), 1):
        taken = each["share_taken_before_review"]
        out.append(
            f"| {number} | {each['exchanges']:,} | {_minutes(each['minutes_to_member'])}"
            f" | {_minutes(each['minutes_to_review'])} | {'-' if taken is None else f'{taken:.1%}'} |"
        )
    honest = row["honest_members"][-1]
    told = f"Honest accounts that the last look called a member: {wilson(honest['hits'], honest['total'])}."
    return [*out, "", told]


def _minutes(value: float | None) -> str:
    return "not seen" if value is None else f"{value:,.0f} min"
