"""The section about speed."""

from __future__ import annotations

from typing import Any

from scripts.benchmarks.words import of_another_program


def speed(data: dict[str, Any]) -> list[str]:
    """Wall time and memory by size, and of which program."""
    rows = data["rows"]
    out = [
        "",
        "## Speed",
        "",
        data["machine"],
        *of_another_program(data.get("code")),
        "",
        "| exchanges | accounts | wall s | exchanges/s | peak memory |",
        "|---|---|---|---|---|",
    ]
    for r in rows:
        n = r["counts"]["exchanges"]
        out.append(
            f"| {n:,} | {r['counts']['accounts']:,} | {r['wall_s']:.1f} | {n / r['wall_s']:,.0f}"
            f" | {r['peak_memory_bytes'] / 2**30:.2f} GiB |"
        )
    last = rows[-1]["timings"]
    out += [
        "",
        f"Where the time of the largest run goes ({rows[-1]['scenario']}):",
        "",
        "| phase | s |",
        "|---|---|",
    ]
    out += [f"| {k} | {v} |" for k, v in last.items() if k != "peak_memory_bytes"]
    return [*out, "", APART]


APART = (
    "Single runs, one after the other on an otherwise idle machine. Machines of one description differ: the state of the program before reading and"
    " scoring were compiled took 36.7 s for scale 0.25 on a slow one (17,000 exchanges a second) and 79 s for scale 1 on a fast one"
    " (28,000 a second), so a figure per second is that of one machine."
)
