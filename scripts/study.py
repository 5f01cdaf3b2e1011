"""``make study``: what is found and who is wronged on held-out seeds, scored against the sealed truth.

Runs the suites of the laboratory that carry figures, two worlds at a time, and one check of the null. Every cell is
kept as it ends, so an interrupted study goes on where it stopped; every opening of truth stands in a ledger. Seeds that
were used for development (11 to 22) are refused by the suites themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from scripts.lab_run import a_key, generate, scan_arguments, stillwatch
from stillwatch.lab.suite.cells import read_cells

SUITES = ("honest", "ladder", "load", "compare", "mixtures")
"""In the order of what is missed most when it is missing."""
NULL_RUNS = 200
KEPT = (
    "campaigns", "campaign_level", "classes", "discovery", "fragments_mean", "load", "operating_points", "purity",
    "ranking", "standing", "volume", "world",
)  # fmt: skip
"""Of a score, what the page reads."""
COUNTS = ("accounts", "member", "orgs", "orgs_member", "orgs_review_or_act", "orgs_act")
WORDY = ("cost", "delay_days", "dials", "groups", "imitation")
"""Of a campaign, what can be made again from scenario and seed."""


def cells_of(suite: str, work: Path, jobs: int) -> list[dict[str, Any]]:
    """A suite's cells, run where they are missing."""
    folder = work / suite
    stillwatch("lab", "run", suite, "--out", folder, "--jobs", str(jobs), fine=(0, 1))
    rows = []
    for cell in read_cells(folder).values():
        kept = {k: v for k, v in cell.items() if k not in ("score", "key", "ledger")}
        if "score" in cell:
            kept["score"] = slim(cell["score"])
        rows.append({"suite": suite, **kept})
    return sorted(rows, key=lambda r: (r["scenario"], r["seed"], r["detector"]["id"]))


def slim(score: dict[str, Any]) -> dict[str, Any]:
    """What the page reads of a score: counts, from which every rate and interval can be formed again."""
    out = {k: score[k] for k in KEPT if k in score}
    out["classes"] = {name: {k: row[k] for k in COUNTS} for name, row in score["classes"].items()}
    out["campaigns"] = [{k: v for k, v in c.items() if k not in WORDY} for c in score["campaigns"]]
    return out


def null_check(work: Path) -> dict[str, Any]:
    """The shuffled-label check on one held-out day."""
    kept = work / "null.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text("utf-8"))
        return found
    folder = work / "null"
    generate("demo_day", 101, 1.0, folder / "traffic")
    arguments = [*scan_arguments(folder / "traffic", folder / "report", a_key(work)), "--json", "-q"]
    _, text = stillwatch(*arguments, "--check-null", str(NULL_RUNS), fine=(0, 10), capture=True)
    shutil.rmtree(folder)
    row = {"suite": "null", "scenario": "null", "seed": 101, "null_check": json.loads(text)["null_check"]}
    kept.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return row


def main() -> None:
    """Run what has not been run, then write one JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".cache/study"))
    parser.add_argument("--out", type=Path, default=Path("docs/data/study.json"))
    parser.add_argument("--jobs", type=int, default=2, help="worlds at a time; each needs about 3 GB")
    parser.add_argument(
        "--suite", choices=SUITES, action="append", help="only this; may be given several times"
    )
    given = parser.parse_args()
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # worlds run side by side; small products only lose by threads
    given.work.mkdir(parents=True, exist_ok=True)
    rows = [null_check(given.work)]
    for suite in given.suite or SUITES:
        sys.stderr.write(f"suite {suite}\n")
        rows += cells_of(suite, given.work, given.jobs)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(rows, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
