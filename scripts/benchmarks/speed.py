"""The section about speed."""

from __future__ import annotations

from typing import Any


def speed(rows: list[dict[str, Any]], machine: str) -> list[str]:
    """Wall time and memory by size."""
    out = [
        "",
        "## Speed",
        "",
        machine,
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
    "Single runs. Machines of one description differ: on a slower one, later, `stillwatch scan` of `speed` (seed 101, scale 0.25,"
    " 612,290 exchanges) took, in turn, 55.0 s with the state of the program before this one and 35.0 s with this one, then 36.7 and"
    " 36.3 s; the first run read cold files. That is 17,000 exchanges a second for either, so the program is as fast as it was, and a"
    " figure per second is that of one machine. The target of 25,000 a second was met on the machine of the table alone."
)
