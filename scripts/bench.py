"""``make bench``: wall time and peak memory of a scan by size of input, largest last, into docs/data/bench.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

from scripts.lab_run import a_key, generate, scan
from stillwatch.lab.suite.code import code_digest


def machine() -> str:
    """What it ran on, in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "numpy", "numba"))
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}, {packages}."


def main() -> None:
    """Scan the same scenario at rising scales. The first, small run fills the compile cache and is not counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".cache/bench"))
    parser.add_argument("--out", type=Path, default=Path("docs/data/bench.json"))
    parser.add_argument("--scenario", default="speed")
    parser.add_argument("--scales", type=float, nargs="+", default=[0.125, 0.25, 0.5, 1.0])
    parser.add_argument("--seed", type=int, default=101)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, scale in enumerate([0.02, *sorted(given.scales)]):
        folder = given.work / f"x{scale:g}"
        generate(given.scenario, given.seed, scale, folder / "traffic")
        done = scan(folder / "traffic", folder / "report", a_key(given.work))
        shutil.rmtree(folder)
        timings = done.summary["timings"]
        row = {
            "scenario": f"{given.scenario}, seed {given.seed}, scale {scale:g}",
            "wall_s": round(done.wall_s, 2),
            "peak_memory_bytes": timings["peak_memory_bytes"],
            "counts": done.summary["counts"],
            "timings": timings,
        }
        if number:
            rows.append(row)
            print(json.dumps(row), flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(
        json.dumps({"machine": machine(), "code": code_digest("own"), "rows": rows}, indent=1) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
