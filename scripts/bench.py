"""``make bench``: wall time and peak memory of a scan by size of input."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from scripts.lab_run import a_key, generate, scan


def main() -> None:
    """Scan the same scenario at rising scales; one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--scenario", default="demo_day")
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 4.0, 16.0])
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / "bench.jsonl").open("w", encoding="utf-8") as file:
        for scale in sorted(given.scales):
            folder = given.out / f"x{scale:g}"
            generate(given.scenario, given.seed, scale, folder / "traffic")
            done = scan(folder / "traffic", folder / "report", a_key(given.out))
            shutil.rmtree(folder / "traffic")
            row = {
                "scenario": given.scenario,
                "scale": scale,
                "wall_s": round(done.wall_s, 2),
                "peak_memory_bytes": done.peak_bytes,
                "counts": done.summary.get("counts", {}),
                "timings": done.summary.get("timings", {}),
            }
            file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
