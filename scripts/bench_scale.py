"""``make bench-scale``: scans of 1, 4, 16 and 64 million exchanges, each step against what the machine can do.

One to sixteen million come as text, in Parquet from the lab; 64 million as features, made part by part by ``store add``
(four worlds of other seeds, so their accounts differ), because the text would not fit on a small disk. Each run is
written down when it is done and is not made again, so an interrupted bench goes on; ``--again`` starts over.

What a step is held against: reading must at least hash every byte of the input and decode its Parquet; any other step
must at least pass once over the rows that the engine holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from scripts.bench import machine
from scripts.lab_run import FINE, a_key, context_options, generate, stillwatch
from scripts.scale_model import power_law
from stillwatch.lab.suite.code import code_digest

PER_SCALE = 2_164_079
"""Exchanges of the scenario at scale 1 (docs/data/bench.json); how many a run really had is in its row."""
PART = 16
"""Million exchanges that are made as text at a time."""


def main() -> None:
    """Every size that is not in the result yet, smallest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".cache/bench_scale"))
    parser.add_argument("--out", type=Path, default=Path("docs/data/scale.json"))
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--scenario", default="speed")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--memory-limit", default="8GB")
    parser.add_argument("--again", action="store_true", help="forget earlier runs")
    parser.add_argument("--keep", action="store_true", help="keep the traffic, to run once more")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    found = {} if given.again or not given.out.exists() else json.loads(given.out.read_text("utf-8"))
    rows: list[dict[str, Any]] = list(found.get("rows", []))
    code = code_digest("own")
    for millions in sorted(given.millions):
        asked = {
            "millions": millions, "scenario": given.scenario, "seed": given.seed,
            "memory_limit": given.memory_limit, "code": code,
        }  # fmt: skip
        if any(asked.items() <= row.items() for row in rows):
            print(f"{millions:g} million: done before")
            continue
        row = asked | one(given, millions)
        rows = [r for r in rows if not (asked | {"code": r["code"]}).items() <= r.items()] + [row]
        rows.sort(key=lambda r: r["exchanges"])
        written = {
            "machine": machine(),
            "limits": limits(given.work),
            "exponents": exponents(rows),
            "rows": rows,
        }
        partial = given.out.with_suffix(".partial")
        partial.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
        partial.replace(given.out)
        print(json.dumps({k: v for k, v in row.items() if k != "steps"}), flush=True)


def one(given: argparse.Namespace, millions: float) -> dict[str, Any]:
    """Make the traffic, scan it, and say what it cost."""
    folder: Path = given.work / f"m{millions:g}"
    folder.mkdir(exist_ok=True)
    inputs, options = traffic(given, folder, millions)
    out, key = folder / "report", a_key(given.work)
    arguments = ["scan", *map(str, inputs), *options, "--key-file", str(key), "--memory-limit", given.memory_limit,
                 "--out", str(out), "--overwrite", "-q"]  # fmt: skip
    wall_s, cpu_s, peak = measured(arguments)
    profile = json.loads((out / "profile.json").read_text("utf-8"))
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    size = sum(path.stat().st_size for each in inputs for path in each.rglob("*.parquet"))
    if not given.keep:
        shutil.rmtree(folder)
    return {
        "exchanges": summary["counts"]["exchanges"], "accounts": summary["counts"]["accounts"],
        "input": "features" if millions > PART else "text", "input_bytes": size,
        "wall_s": round(wall_s, 2), "cpu_s": round(cpu_s, 2), "peak_memory_bytes": peak,
        "spilled_bytes": profile["total"]["spilled_bytes"], "campaigns": summary["counts"].get("campaigns"),
        "steps": held_against(profile["steps"], limits(given.work)),
    }  # fmt: skip


def traffic(given: argparse.Namespace, folder: Path, millions: float) -> tuple[list[Path], list[str]]:
    """What is scanned, made unless it lies there whole, and the options that name what belongs to it."""
    if millions <= PART:
        world = folder / "traffic"
        if not (world / "world.json").exists():
            shutil.rmtree(world, ignore_errors=True)
            generate(given.scenario, given.seed, millions * 1e6 / PER_SCALE, world)
        return [world / "exchanges"], context_options(world)
    stores = []
    for part in range(round(millions / PART)):
        store, done = folder / f"features-{part}", folder / f"features-{part}.done"
        if not done.exists():
            world = folder / "text"
            shutil.rmtree(world, ignore_errors=True)
            generate(given.scenario, given.seed + part, PART * 1e6 / PER_SCALE, world)
            stillwatch(
                "store", "add", str(store), str(world / "exchanges"), "--key-file", a_key(given.work), "-q"
            )
            shutil.rmtree(world)
            done.touch()
        stores.append(store)
    return stores, []


def measured(arguments: list[str]) -> tuple[float, float, int]:
    """Wall and processor seconds and the high-water mark of one run in a process of its own."""
    program = "from stillwatch.cli import main; main()"
    start = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", program, *arguments], os.environ)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    if code not in FINE:
        raise SystemExit(f"the scan ended with {code}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def limits(work: Path) -> dict[str, float]:
    """What this machine can do at most, in bytes a second: hashing, copying memory, decoding Parquet on one core."""
    path = work / "limits.json"
    if path.exists():
        return dict(json.loads(path.read_text("utf-8")))
    block = np.random.default_rng(1).integers(0, 64, 64 << 20, dtype=np.uint8)
    target = np.empty_like(block)
    sample = work / "limits" / "traffic"
    generate("speed", 1, 0.02, sample)
    files = sorted((sample / "exchanges").rglob("*.parquet"))
    size = sum(file.stat().st_size for file in files)
    found = {
        "sha256": len(block) / best(lambda: hashlib.sha256(block.data).digest()),
        "copy": len(block) / best(lambda: np.copyto(target, block)),
        "parquet": size / best(lambda: [pq.read_table(file, use_threads=False) for file in files])
        if files
        else 0.0,
    }
    shutil.rmtree(work / "limits")
    path.write_text(json.dumps(found), encoding="utf-8")
    return found


def best(work: Callable[[], Any]) -> float:
    """Seconds of the fastest of five."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def held_against(steps: list[dict[str, Any]], machine_limits: dict[str, float]) -> list[dict[str, Any]]:
    """The steps, each with the seconds it could not do without and how many times that it took."""
    held, out = 0, []
    for step in steps:
        least = held / machine_limits["copy"]
        if step["name"] == "reading":
            read = step["bytes"] or 0
            least = read / machine_limits["sha256"] + (
                read / machine_limits["parquet"] if machine_limits["parquet"] else 0
            )
        held = step["engine_bytes"] + step["spilled_bytes"] or held
        times = round(step["seconds"] / least, 1) if least else None
        out.append(step | {"least_s": round(least, 3), "times_least": times})
    return out


def exponents(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Power of the number of exchanges, of the whole and of each step, over rows that read text."""
    text = [row for row in rows if row["input"] == "text"]
    if len(text) < 3:
        return {}
    sizes = [float(row["exchanges"]) for row in text]
    series = {
        "whole": [row["wall_s"] for row in text],
        "peak memory": [row["peak_memory_bytes"] for row in text],
    }
    for name in (step["name"] for step in text[0]["steps"]):
        series[name] = [sum(s["seconds"] for s in row["steps"] if s["name"] == name) for row in text]
    laws = {name: power_law(sizes, values) for name, values in series.items() if min(values) > 0}
    return {
        name: {"power": round(law.power, 3), "half_width": _finite(law.half_width)}
        for name, law in laws.items()
    }


def _finite(number: float) -> float | None:
    return round(number, 3) if number < 1e9 else None


if __name__ == "__main__":
    main()
