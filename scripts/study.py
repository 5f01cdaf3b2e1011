"""``make study``: what is found and who is wronged on held-out seeds, scored against the sealed truth.

Every cell generates a world, scans it through the command line as a user would, and scores the run. Cells are
kept in a file as they end, so an interrupted study goes on where it stopped. Development seeds (11 to 22, see
``scripts/fit_shipped.py``) are refused here, and every opening of truth stands in the study's ledger.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from scripts.lab_run import a_key, generate, scan, scan_arguments, score, stillwatch
from stillwatch.lab.discipline import DEVELOPMENT_SEEDS, LEDGER

NULL_RUNS = 200
CELLS: list[tuple[str, int, float]] = (
    [(f"ladder_L{level}", seed, 0.5) for seed in (101, 102) for level in range(7)]
    + [("extremes", 101, 1.0)]
    + [("lookalikes", seed, 1.0) for seed in (101, 102)]
    + [("benign", seed, 0.5) for seed in (101, 102)]
)


def one(scenario: str, seed: int, scale: float, work: Path) -> dict[str, Any]:
    """One cell; its traffic and run are removed afterwards."""
    folder = work / f"{scenario}-{seed}"
    generate(scenario, seed, scale, folder / "traffic")
    scanned = scan(folder / "traffic", folder / "report", a_key(work))
    scored = score(folder / "report", folder / "traffic", work / LEDGER)
    shutil.rmtree(folder)
    return {
        "scenario": scenario, "seed": seed, "scale": scale, "wall_s": round(scanned.wall_s, 1),
        "counts": scanned.summary["counts"], "baseline": scanned.summary["baseline"]["digest"][:12], "score": scored,
    }  # fmt: skip


def null_check(work: Path) -> dict[str, Any]:
    """The shuffled-label check on one held-out day."""
    folder = work / "null"
    generate("demo_day", 101, 1.0, folder / "traffic")
    arguments = [*scan_arguments(folder / "traffic", folder / "report", a_key(work)), "--json", "-q"]
    _, text = stillwatch(*arguments, "--check-null", str(NULL_RUNS), fine=(0, 10), capture=True)
    shutil.rmtree(folder)
    return {"scenario": "null", "seed": 101, "scale": 1.0, "null_check": json.loads(text)["null_check"]}


def main() -> None:
    """Run what has not been run, then write one JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".cache/study"))
    parser.add_argument("--out", type=Path, default=Path("docs/data/study.json"))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / "cells.jsonl"
    rows = [json.loads(x) for x in kept.read_text("utf-8").splitlines()] if kept.exists() else []
    done = {(r["scenario"], r["seed"], r["scale"]) for r in rows}
    todo = [c for c in [*CELLS, ("null", 101, 1.0)] if c not in done]
    for number, (scenario, seed, scale) in enumerate(todo, start=1):
        if seed in DEVELOPMENT_SEEDS:
            raise SystemExit(f"seed {seed} was used for development; no figure is reported on it")
        sys.stderr.write(f"{number}/{len(todo)} {scenario} seed {seed} scale {scale:g}\n")
        row = null_check(given.work) if scenario == "null" else one(scenario, seed, scale, given.work)
        rows.append(row)
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    rows.sort(key=lambda r: (r["scenario"], r["seed"]))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
