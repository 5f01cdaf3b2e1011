"""The section about the decision in process, and what swaps do to it; made of ``docs/data/decide.json``."""

from __future__ import annotations

from collections import Counter
from typing import Any

from stillwatch.respond.correcting import interval

STALE = "The figures at hand are of an earlier form of this bench: `make bench-protect` takes them anew."
ARMS = (
    ("control", "a loop that looks nothing up"),
    ("without", "gate, with counters and log"),
    ("with", "gate, while files are swapped"),
)


def decide(row: dict[str, Any]) -> list[str]:
    """The decision in process, the risk table, and swaps."""
    gate = row["gate"]
    if "control" not in gate:
        return ["", "### Deciding in process", "", STALE]
    lines = [
        "", "### Deciding in process", "", row["machine"], "",
        f"A risk table of {row['accounts']:,} accounts ({row['table_bytes'] / 1e6:.0f} MB), {row['rules']} rules,"
        f" {row['requests']:,} requests: the decision alone takes {row['decide_us']['p50']:.1f} µs (p50),"
        f" {row['decide_us']['p90']:.1f} µs (p90), {row['decide_us']['p99']:.1f} µs (p99).", "",
        f"Policy, table and switches were put in place by another process every {gate['swap_every_s']:g} s and taken over"
        f" {gate['with']['reloads']} times ({gate['refused']} refused). {gate['runs']} runs of each kind took turns, in an order"
        f" drawn with seed {gate['seed']}.", "",
        "| | calls | p50 µs | p90 µs | p99 µs | longest ms | over 5 ms | of its own over 5 ms | longest of its own ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, said in ARMS:
        one = gate[name]
        cells = [said, f"{one['decisions']:,}", *(f"{one['us'][p]:.1f}" for p in ("p50", "p90", "p99")),
                 f"{one['us']['max'] / 1000:.1f}", f"{one['over_5_ms']:,}",
                 f"{one['over_5_ms_own']:,} ({per_million(one['over_5_ms_own'], one['decisions'])})",
                 f"{one['longest_own_us'] / 1000:.1f}"]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return [
        *lines,
        "",
        "In brackets calls in a million, with the 95 % interval (Clopper-Pearson). " + _causes(gate),
    ]


def per_million(found: int, of: int) -> str:
    """A rate with its interval.

    >>> per_million(1, 1_000_000)
    '1.0; 0.0 to 5.6'
    """
    low, high = interval(found, of)
    return f"{found / of * 1e6:.1f}; {low * 1e6:.1f} to {high * 1e6:.1f}"


def _causes(gate: dict[str, Any]) -> str:
    """What pauses were, and how that is known."""
    found: Counter[str] = sum((Counter(gate[name]["causes"]) for name, _ in ARMS), Counter())
    said = ", ".join(f"{cause} {number}" for cause, number in found.most_common()) or "none"
    stolen, wall = (sum(gate[name][part] for name, _ in ARMS) for part in ("stolen_s", "wall_s"))
    return (
        "*Of its own* is what is left of a call when waits for a core that others had are taken off, as Linux counts"
        " them: those of the thread that decides and, while it sleeps, those of the thread that takes over what is"
        " published. What that thread ran while the other stood ready is in it, as are the disk and a core that runs"
        f" slowly. Pauses of more than 5 ms by their largest part, all rows: {said}. Meanwhile a process that only sleeps"
        f" a millisecond at a time was kept waiting over two more {gate['hiccups']:,} times, at most"
        f" {gate['longest_hiccup_ms']:.1f} ms, and the hypervisor kept {stolen:.2f} s of {wall:.0f} s."
    )
