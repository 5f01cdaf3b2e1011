"""How honest traffic of a world compares with public traces: distances with intervals, and a page of plots.

Both sides go through the same measures. Services differ from each other, so next to each distance stands the
yardstick: how far the traces of the same kind are from one another. A world that is nearer to a trace than
traces are among themselves cannot be told from one more service by that measure.

Example
-------
``python -m stillwatch.lab.fit WORLD --traces TRACES --out FIT`` writes ``FIT/fit.json``, ``FIT/fit.svg`` and
``FIT/fit.html``.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from stillwatch.errors import SourceError
from stillwatch.lab.fit_page import page, plots
from stillwatch.lab.fit_samples import (
    Sample,
    active_of,
    alone,
    bursts_of,
    distance,
    hours_of,
    interval,
    volumes_of,
)
from stillwatch.lab.fit_traces import (
    AZURE,
    MOONCAKE,
    SERVEGEN,
    Samples,
    read_azure,
    read_mooncake,
    read_servegen,
)
from stillwatch.lab.hashing import F64, I64

_MOST = 4000
_BUSY = 200
"""Fewest requests of an account whose active share is measured: fewer cannot fill a third of a day's bins."""

MEASURES = {
    "volume": "Requests per account, in units of the mean",
    "burst": "Burstiness: CV of inter-arrival times within ten minutes",
    "active": "Share of ten-minute bins with any request, busy accounts",
    "input": "Input tokens, chat",
    "output": "Output tokens, chat",
    "input_code": "Input tokens, programs",
    "output_code": "Output tokens, programs",
    "cached": "Share of input that an earlier request had brought",
}
"""What is compared, in words."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure against one trace."""

    measure: str
    trace: str
    distance: float
    """Kolmogorov-Smirnov, 0 to 1."""
    low: float
    high: float
    """95 % interval, resampled by tenant."""
    yardstick: float | None
    """Median distance between traces of this kind; None with a single trace."""
    world_median: float
    trace_median: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much a world's measures rest on; traces are measured on as much."""

    bins: I64
    """Requests of each bin whose burstiness is measured."""
    weekly: I64
    """Requests per week of each account whose active share is measured."""


def measure_world(folder: Path, rng: np.random.Generator) -> tuple[Samples, F64, Sizes]:
    """Samples of a world's ordinary accounts, load by hour of day, and how many requests stand behind them.

    Raises
    ------
    SourceError
        No world there.
    """
    if not (folder / "truth" / "accounts.parquet").exists():
        raise SourceError(str(folder), "no world there", hint="stillwatch lab generate fit_week --out ...")
    truth = pq.read_table(folder / "truth" / "accounts.parquet", columns=["account_id", "class"])
    wanted = [
        i
        for i, c in zip(*(truth[n].to_pylist() for n in ("account_id", "class")), strict=True)
        if c == "ordinary"
    ]
    number = {name: k for k, name in enumerate(sorted(wanted))}
    rows = pq.read_table(
        folder / "exchanges",
        columns=[
            "account_id",
            "started_at",
            "channel",
            "status",
            "input_tokens",
            "output_tokens",
            "cached_tokens",
        ],
    )
    who = np.array([number.get(a, -1) for a in rows["account_id"].to_pylist()])
    t = rows["started_at"].cast("int64").to_numpy().astype(np.float64) / 1e6
    first = np.floor(t.min() / 86400) * 86400
    bins = int(np.ceil((t.max() - first) / 86400)) * 144
    own, answered = who >= 0, rows["status"].to_numpy() == 200
    t, chat = t - first, np.array([c == "chat" for c in rows["channel"].to_pylist()])
    burst, sizes = bursts_of(t[own], who[own])
    counts = np.bincount(who[own], minlength=len(number))
    samples = {
        "volume": volumes_of(counts.astype(np.float64)),
        "burst": burst,
        "active": active_of(t[own], who[own], bins, _BUSY),
    }
    tokens = {
        n: rows[f"{n}_tokens"].to_numpy(zero_copy_only=False).astype(np.float64) for n in ("input", "output")
    }
    cached = np.nan_to_num(rows["cached_tokens"].to_numpy(zero_copy_only=False).astype(np.float64))
    for kind, mask in (("", chat), ("_code", ~chat)):
        mask = mask & own & answered
        for name, column in tokens.items():
            samples[f"{name}{kind}"] = Sample(column[mask], who[mask]).thinned(rng, _MOST)
    mask = own & answered
    samples["cached"] = Sample((cached / np.maximum(tokens["input"], 1))[mask], who[mask]).thinned(rng, _MOST)
    weekly = np.maximum(counts[counts >= _BUSY] * 7 * 144 // bins, 1)
    return samples, hours_of(t[own]), Sizes(sizes, weekly)


def read_traces(
    folder: Path, sizes: Sizes, rng: np.random.Generator
) -> tuple[dict[str, Samples], dict[str, F64]]:
    """Samples and daily load of every trace that is there."""
    found: dict[str, Samples] = {}
    hours: dict[str, F64] = {}
    most = min(len(sizes.bins), _MOST)
    some = rng.choice(sizes.bins, most, replace=False) if most else sizes.bins
    for name, file in SERVEGEN.items():
        if (folder / file).exists():
            found[name], hours[name] = read_servegen(folder / file, some, sizes.weekly, rng)
    for name, file in AZURE.items():
        if (folder / file).exists():
            kind = "_code" if "code" in name else ""
            found[name] = {f"{m}{kind}": s for m, s in read_azure(folder / file).items()}
    for name, file in MOONCAKE.items():
        if (folder / file).exists():
            found[name] = read_mooncake(folder / file)
    return found, hours


def compare(world: Samples, traces: dict[str, Samples], rng: np.random.Generator) -> list[Compared]:
    """Every measure of the world with every trace that has it."""
    out = []
    for measure in MEASURES:
        having = {name: s[measure].thinned(rng, _MOST) for name, s in traces.items() if measure in s}
        apart = [distance(a.values, b.values) for a, b in combinations(having.values(), 2)]
        own = world.get(measure, alone(np.zeros(0))).thinned(rng, _MOST)
        for name, other in having.items() if len(own) else ():
            low, high = interval(rng, own, other)
            out.append(
                Compared(
                    measure,
                    name,
                    distance(own.values, other.values),
                    low,
                    high,
                    float(np.median(apart)) if apart else None,
                    float(np.median(own.values)),
                    float(np.median(other.values)),
                )
            )
    return out


def fit(world: Path, traces: Path, out: Path, *, seed: int = 0) -> list[Compared]:
    """Compare a world with the traces of a folder; write ``fit.json``, ``fit.svg`` and ``fit.html`` into ``out``."""
    rng = np.random.default_rng(seed)
    own, hours, sizes = measure_world(world, rng)
    others, daily = read_traces(traces, sizes, rng)
    found = compare(own, others, rng)
    out.mkdir(parents=True, exist_ok=True)
    about = json.loads((world / "world.json").read_text(encoding="utf-8"))
    missing = sorted((SERVEGEN | AZURE | MOONCAKE).keys() - others.keys())
    loads = {name: load.round(3).tolist() for name, load in {"world": hours, **daily}.items()}
    report = {
        "world": about,
        "missing_traces": missing,
        "compared": [asdict(c) for c in found],
        "load_by_hour": loads,
    }
    (out / "fit.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    svg = plots({m: t for m, t in MEASURES.items() if m in own}, own, others, hours, daily)
    (out / "fit.svg").write_text(svg, encoding="utf-8")
    (out / "fit.html").write_text(page(about, found, MEASURES, missing, svg), encoding="utf-8")
    return found


def main(arguments: list[str] | None = None) -> int:
    """``python -m stillwatch.lab.fit WORLD --traces DIR --out DIR``."""
    parser = argparse.ArgumentParser(prog="python -m stillwatch.lab.fit", description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    for c in fit(options.world, options.traces, options.out):
        yard = "" if c.yardstick is None else f"  among traces {c.yardstick:.2f}"
        sys.stdout.write(f"{c.measure:12} {c.trace:18} {c.distance:.2f} [{c.low:.2f}, {c.high:.2f}]{yard}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
