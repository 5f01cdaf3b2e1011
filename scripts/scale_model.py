"""The cost model of docs/scaling.md: fitted to measured runs, extrapolated in plain sight, checked by a test.

A power law per step, by least squares on logarithms; memory as a line. ``python -m scripts.scale_model`` rewrites the
page between its marks from docs/data/bench.json and, when it is there, docs/data/scale.json.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmarks.words import of_another_program

DATA = Path("docs/data")
PAGE = Path("docs/scaling.md")
BEGIN, END = "<!-- begin: scripts.scale_model -->", "<!-- end: scripts.scale_model -->"
STEPS = ("reading", "accounts and units", "families", "traits", "hubs", "controller test", "groups", "shape")
VOLUMES = ((10_000_000, "10 million"), (1_000_000_000, "1 billion"), (100_000_000_000, "100 billion"))
_T = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447}
"""97.5% points of Student's t, by degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Law:
    """``at(n) = scale * n ** power``, with the half width of a 95% interval of the power."""

    scale: float
    power: float
    half_width: float

    def at(self, n: float) -> float:
        """Its value."""
        return float(self.scale * n**self.power)


def power_law(xs: Sequence[float], ys: Sequence[float]) -> Law:
    """Least squares on logarithms.

    >>> law = power_law([1, 2, 4, 8], [3, 6, 12, 24])
    >>> round(law.scale, 6), round(law.power, 6), round(law.half_width, 6)
    (3.0, 1.0, 0.0)
    """
    slope, start, half = line([math.log(x) for x in xs], [math.log(y) for y in ys])
    return Law(math.exp(start), slope, half)


def line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float, float]:
    """Slope, value at zero and half width of the slope's 95% interval, by least squares.

    >>> line([0, 1, 2], [1, 3, 5])
    (2.0, 1.0, 0.0)
    """
    n, mx, my = len(xs), sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mx) ** 2 for x in xs)
    slope = sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True)) / spread
    start = my - slope * mx
    left = sum((y - start - slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    half = (
        math.inf if n < 4 and left > 1e-12 else _T.get(n - 2, 2.3) * math.sqrt(left / max(n - 2, 1) / spread)
    )
    return slope, start, half


def rows_of(name: str) -> list[dict[str, Any]]:
    """Measured runs of a file; none when it is not there."""
    path = DATA / name
    return list(json.loads(path.read_text("utf-8"))["rows"]) if path.exists() else []


def render() -> str:
    """The part of the page that rests on data."""
    rows = rows_of("bench.json")
    sizes = [float(row["counts"]["exchanges"]) for row in rows]
    total = power_law(sizes, [row["timings"]["total"] for row in rows])
    every, everything, slope, start = _all_runs(rows)
    bench = json.loads((DATA / "bench.json").read_text("utf-8"))
    return "\n".join(
        [
            f"Measured: {len(rows)} sizes, {sizes[0]:,.0f} to {sizes[-1]:,.0f} exchanges, one run each (`make bench`).",
            bench["machine"],
            *of_another_program(bench.get("code")),
            "",
            *_steps(rows, sizes, total),
            "",
            f"Over all runs from text, to {every[-1]:,.0f} exchanges: exponent {_power(everything)}; memory is "
            f"{start / 1e9:.2f} GB and {slope:,.0f} bytes an exchange (a line).",
            "",
            *_volumes(everything, slope, start, every[-1]),
            *_large(),
        ]
    )


def _all_runs(rows: list[dict[str, Any]]) -> tuple[list[float], Law, float, float]:
    """Sizes of all runs from text, of both files; the power law of their seconds, and the line of their memory."""
    large = [row for row in rows_of("scale.json") if row["input"] == "text"]
    runs = sorted(
        [
            (float(r["counts"]["exchanges"]), r["timings"]["total"], float(r["peak_memory_bytes"]))
            for r in rows
        ]
        + [
            (float(r["exchanges"]), sum(s["seconds"] for s in r["steps"]), float(r["peak_memory_bytes"]))
            for r in large
        ]
    )
    sizes, seconds, memory = (list(column) for column in zip(*runs, strict=True))
    slope, start, _ = line(sizes, memory)
    return sizes, power_law(sizes, seconds), slope, start


def _steps(rows: list[dict[str, Any]], sizes: list[float], total: Law) -> list[str]:
    out = ["| step | s per million exchanges, largest run | exponent (95%) |", "|---|---|---|"]
    for step in STEPS:
        seconds = [row["timings"][step] for row in rows]
        law = power_law(sizes, seconds)
        out.append(f"| {step} | {seconds[-1] / sizes[-1] * 1e6:.2f} | {_power(law)} |")
    last = rows[-1]["timings"]["total"] / sizes[-1] * 1e6
    out.append(f"| **whole scan** | **{last:.2f}** | **{_power(total)}** |")
    return out


def _power(law: Law) -> str:
    return f"{law.power:.2f} ± {law.half_width:.2f}"


def _volumes(total: Law, slope: float, start: float, largest: float) -> list[str]:
    out = ["| exchanges a day | times the largest run | one scan of a day | memory |", "|---|---|---|---|"]
    for n, name in VOLUMES:
        low, high = sorted(
            total.at(largest) * (n / largest) ** (total.power + d * total.half_width) for d in (-1, 1)
        )
        out.append(
            f"| {name} | {n / largest:,.0f} | {_time(low)} to {_time(high)} | {(start + slope * n) / 1e9:,.0f} GB |"
        )
    return out


def _time(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


def _large() -> list[str]:
    """Runs of scripts.bench_scale, if they were made."""
    rows = rows_of("scale.json")
    if not rows:
        return ["", "Larger runs (`make bench-scale`, up to 64 million exchanges) are not in the data yet."]
    out = [
        "",
        "| exchanges | input | memory limit | wall s | CPU s | peak memory | spilled |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        out.append(
            f"| {row['exchanges']:,} | {row['input']} | {row['memory_limit']} | {row['wall_s']:,.0f} | "
            f"{row['cpu_s']:,.0f} | {row['peak_memory_bytes'] / 1e9:.2f} GB | {row['spilled_bytes'] / 1e9:.2f} GB |"
        )
    for code in sorted({row["code"] for row in rows}):
        if told := of_another_program(code, "bench-scale"):
            sizes = ", ".join(f"{row['exchanges']:,}" for row in rows if row["code"] == code)
            out += ["", f"Of {sizes} exchanges: {told[1]}"]
    powers = json.loads((DATA / "scale.json").read_text("utf-8"))["exponents"]
    largest = max(
        (row for row in rows if row["input"] == "text"), key=lambda row: row["exchanges"], default=None
    )
    out += _against_the_machine(largest, powers) if largest and powers else []
    return out + _checked(rows)


def _checked(rows: list[dict[str, Any]]) -> list[str]:
    """The laws of the runs from text beside the largest run from features, which no law was fitted to."""
    text = [row for row in rows if row["input"] == "text"]
    other = max(
        (row for row in rows if row["input"] != "text"), key=lambda row: row["exchanges"], default=None
    )
    if other is None or len(text) < 3:
        return []
    sizes, n = [float(row["exchanges"]) for row in text], other["exchanges"]
    out = [
        "",
        f"The model held against a run that it was not fitted to: {n:,} exchanges, from features, of "
        f"{other['accounts']:,} accounts. Reading is left out, since features are read for less than text.",
        "",
        "| step | law of the runs from text says | measured | measured over law |",
        "|---|---|---|---|",
    ]
    told = [
        (step, power_law(sizes, [_seconds(row, step) for row in text]).at(n), _seconds(other, step))
        for step in STEPS[1:]
    ]
    told.append(("**these steps**", sum(said for _, said, _ in told), sum(took for _, _, took in told)))
    out += [f"| {step} | {said:,.0f} s | {took:,.0f} s | {took / said:.2f} |" for step, said, took in told]
    slope, start, _ = line(sizes, [float(row["peak_memory_bytes"]) for row in text])
    return [
        *out,
        "",
        f"A line through the memory of the runs from text says {(start + slope * n) / 1e9:.0f} GB; with "
        f"{other['memory_limit']} for the engine it took {other['peak_memory_bytes'] / 1e9:.1f} GB, "
        f"and {other['spilled_bytes'] / 1e9:.1f} GB lay on disk.",
    ]


def _seconds(row: dict[str, Any], step: str) -> float:
    return sum(float(s["seconds"]) for s in row["steps"] if s["name"] == step)


def _against_the_machine(row: dict[str, Any], powers: dict[str, Any]) -> list[str]:
    """The steps of one run beside what they could not do without, and how they grew over all runs from text."""
    out = [
        "",
        f"Steps of the run of {row['exchanges']:,} exchanges. The least is hashing and decoding the input for the step "
        "that reads it, and one copy of the rows that the engine holds for any other.",
        "",
        "| step | seconds | CPU s | least | times the least | exponent |",
        "|---|---|---|---|---|---|",
    ]
    for step in row["steps"]:
        if step["seconds"] >= 1.0:
            out.append(
                f"| {step['name']} | {step['seconds']:,.0f} | {step['cpu_s']:,.0f} | {step['least_s']:.1f} s | "
                f"{step['times_least'] or '-'} | {_grown(powers, step['name'])} |"
            )
    whole = f"**{row['wall_s']:,.0f}** | {row['cpu_s']:,.0f} | | | **{_grown(powers, 'whole')}**"
    return [
        *out,
        f"| **whole scan** | {whole} |",
        "",
        f"Peak memory grows with exponent {_grown(powers, 'peak memory')}.",
    ]


def _grown(powers: dict[str, Any], name: str) -> str:
    law = powers.get(name)
    if law is None:
        return ""
    return f"{law['power']:.2f}" + (f" ± {law['half_width']:.2f}" if law["half_width"] is not None else "")


def main() -> None:
    """Put the model into the page."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{render()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
