"""DuckDB against Spark in one process on the same log: time, memory, and whether the files are the same.

    python -m scripts.bench_engines --scale 1 --out docs/data/engines.json

Makes the log with the lab (kept under ``--work``), scans it on each engine in a process of its own, and compares
everything that a scan writes, timings apart. Spark runs as anybody's does who has set nothing but the master.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from scripts.bench import machine
from scripts.lab_run import FINE, a_key, generate, scan_arguments
from stillwatch.lab.suite.code import code_digest

SCENARIO, SEED = "speed", 101
ENGINES = ("duckdb", "spark")
LOOKS_EVERY_S = 0.5
_TIMED = re.compile(r"<dt>(Time, |Peak memory)[^<]*</dt><dd>[^<]*</dd>")


def main() -> None:
    """Scan on both engines; the exit status is 1 when any file differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 2.2 million exchanges")
    parser.add_argument("--master", default=f"local[{os.cpu_count() or 1}]")
    parser.add_argument(
        "--memory-limit", default="8GB", help="of the embedded engine, and of Spark's process"
    )
    parser.add_argument("--work", type=Path, default=Path(".cache/bench_engines"))
    parser.add_argument("--out", type=Path, help="where the result is written; it is always printed")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    world = given.work / f"x{given.scale:g}"
    if not (world / "world.json").exists():
        shutil.rmtree(world, ignore_errors=True)
        generate(SCENARIO, SEED, given.scale, world)
    load = os.getloadavg()[0]
    rows = [timed(engine, world, given) for engine in ENGINES]
    result = {
        "machine": machine(), "scenario": SCENARIO, "seed": SEED, "scale": given.scale, "master": given.master,
        "memory_limit": given.memory_limit, "files": len(list((world / "exchanges").rglob("*.parquet"))),
        "code": code_digest("own"), "load_before": load, "rows": rows,
        "differ": differences(*(given.work / f"report-{engine}" for engine in ENGINES)),
    }  # fmt: skip
    text = json.dumps(result, indent=1) + "\n"
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    sys.exit(bool(result["differ"]))


def timed(engine: str, world: Path, given: argparse.Namespace) -> dict[str, Any]:
    """One scan in a process of its own, with all that it starts."""
    out = given.work / f"report-{engine}"
    more = ["--engine", engine, *(["--master", given.master] if engine == "spark" else [])]
    arguments = [
        *scan_arguments(world, out, a_key(given.work)),
        *more,
        "--memory-limit",
        given.memory_limit,
        "-q",
    ]
    command = [sys.executable, "-c", "from stillwatch.cli import main; main()", *map(str, arguments)]
    begun, peak = time.perf_counter(), 0
    ticks: dict[int, int] = {}
    process = subprocess.Popen(command)
    while process.poll() is None:
        peak = max(peak, _looked_at(process.pid, ticks))
        time.sleep(LOOKS_EVERY_S)  # between looks at what it holds; a look reads all of /proc
    wall = time.perf_counter() - begun
    if process.returncode not in FINE:
        raise SystemExit(f"{engine}: the scan ended with {process.returncode}")
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    return {
        "engine": engine, "exchanges": summary["counts"]["exchanges"], "accounts": summary["counts"]["accounts"],
        "wall_s": round(wall, 1), "cpu_s": round(sum(ticks.values()) / os.sysconf("SC_CLK_TCK"), 1),
        "peak_bytes": peak, "timings": summary["timings"],
    }  # fmt: skip


def _looked_at(root: int, ticks: dict[int, int]) -> int:
    """Bytes that a process and its descendants hold now (Linux), and into ``ticks`` the processor time of each so far.

    Memory that processes share is counted for each.
    """
    parents: dict[int, int] = {}
    words: dict[int, list[str]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid = int(entry.parent.name)
            words[pid] = entry.read_text("utf-8", errors="replace").rpartition(")")[2].split()
            parents[pid] = int(words[pid][1])
    ours = {root}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    seen = [pid for pid in ours if pid in words]
    ticks.update({pid: int(words[pid][11]) + int(words[pid][12]) for pid in seen})
    return sum(int(words[pid][21]) for pid in seen) * os.sysconf("SC_PAGE_SIZE")


def differences(one: Path, other: Path) -> list[str]:
    """Names of files that two scans did not write alike; timings are left out, and so is the profile, which is one."""
    names = {path.name for folder in (one, other) for path in folder.iterdir()} - {"profile.json"}
    return sorted(name for name in names if _told(one / name) != _told(other / name))


def _told(file: Path) -> Any:
    """What a file says, without the figures that differ from run to run; None when there is no file."""
    if not file.exists():
        return None
    if file.name == "summary.json":
        return json.loads(file.read_text("utf-8")) | {"timings": None}
    if file.name == "report.html":
        return _TIMED.sub("", file.read_text("utf-8"))
    return file.read_bytes()


if __name__ == "__main__":
    main()
