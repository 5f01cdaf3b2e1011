"""``make searches``: the evasion frontier and the cost of framing against the present detector, into docs/data.

Two searches of the laboratory, side by side, each within a time. A search that was cut short goes on; trials of
another detector, scenario or price list are refused by it, and a fresh folder is used.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.lab_run import stillwatch
from scripts.study import stamp

SEARCHES = {"evasion": (701, "frontier.json"), "framing": (801, "framing.json")}
"""Seed of each search and the report it writes; its worlds take the seeds from there on."""
SCENARIOS = {"evasion": "evasion_days", "framing": "framing_small"}
PLOT = Path("docs/assets/frontier.svg")


def run(kind: str, given: argparse.Namespace) -> Path:
    """One search; gives its folder."""
    seed, _ = SEARCHES[kind]
    out = given.work / stamp() / kind
    trials = ("--random", str(given.random), "--guided", str(given.guided), "--confirm", str(given.confirm))
    world = ("--scenario", SCENARIOS[kind])
    stillwatch(
        "lab", kind, "--out", out, "--seed", str(seed), *world, *trials, "--minutes", str(given.minutes), "-q"
    )
    return Path(out)


def main() -> None:
    """Run both, copy what they report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".cache/searches"))
    parser.add_argument("--out", type=Path, default=Path("docs/data"))
    parser.add_argument("--minutes", type=float, default=12.0, help="for the trials of each search")
    parser.add_argument("--random", type=int, default=40)
    parser.add_argument("--guided", type=int, default=60)
    parser.add_argument("--confirm", type=int, default=8)
    given = parser.parse_args()
    with ThreadPoolExecutor(len(SEARCHES)) as pool:
        folders = dict(zip(SEARCHES, pool.map(lambda kind: run(kind, given), SEARCHES), strict=True))
    for kind, folder in folders.items():
        name = SEARCHES[kind][1]
        report = json.loads((folder / name).read_text("utf-8"))
        (given.out / name).write_text(json.dumps(report, sort_keys=True) + "\n", encoding="utf-8")
        sys.stderr.write(f"{kind}: {report['trials']} trials\n")
    shutil.copy(folders["evasion"] / "frontier.svg", PLOT)


if __name__ == "__main__":
    main()
