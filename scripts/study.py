"""``make study``: what is found and who is wronged, over scenarios and seeds, scored against the truth."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from scripts.lab_run import STILLWATCH, a_key, generate, scan, score


def scenarios() -> list[str]:
    """Every scenario of the lab."""
    text = subprocess.run([STILLWATCH, "lab", "scenarios", "--json"], check=True, capture_output=True).stdout
    return [str(row["id"]) for row in json.loads(text)]


def one(scenario: str, seed: int, scale: float, out: Path, keep: bool) -> dict[str, Any]:
    """One cell of the study; its traffic is removed afterwards unless it is to be kept."""
    folder = out / f"{scenario}-{seed}"
    generate(scenario, seed, scale, folder / "traffic")
    scanned = scan(folder / "traffic", folder / "report", a_key(out))
    scored = score(folder / "report", folder / "traffic")
    if not keep:
        shutil.rmtree(folder / "traffic")
    return {"scenario": scenario, "seed": seed, "scale": scale, "wall_s": round(scanned.wall_s, 2), **scored}


def main() -> None:
    """Run every cell and write one line of JSON for each as it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/study"))
    parser.add_argument("--scenario", action="append", help="only this one; may be given more than once")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, from 1 upwards")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--keep", action="store_true", help="keep the traffic")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / "study.jsonl").open("w", encoding="utf-8") as file:
        for scenario in given.scenario or scenarios():
            for seed in range(1, given.seeds + 1):
                row = one(scenario, seed, given.scale, given.out, given.keep)
                file.write(json.dumps(row) + "\n")
                file.flush()
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
