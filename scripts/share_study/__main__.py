"""``make study-share``: the cells, then the attacks, into docs/data/share_study.json and docs/join.md.

    python -m scripts.share_study --seeds 31,32,33,34

Attacks and cells that were made by the program as it is are kept, so that it goes on where it was stopped. Seeds that
were looked at while the join's values and rule were chosen are refused here.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.share_study import page
from scripts.share_study.attack import attacks
from scripts.share_study.cell import run_cell
from stillwatch.lab.suite.code import ROOT, code_digest, digest_of

DATA = Path("docs/data/share_study.json")
LEVELS, LABS = (1, 3, 4), (2, 3, 5)
DEVELOPMENT = frozenset([*range(13, 31), *range(41, 65)])
JOIN = (
    "share/join/clusters", "share/join/contribution", "share/join/evidence", "share/join/rule", "wiring/join_clusters",
)  # fmt: skip
Row = dict[str, Any]


def stamp() -> str:
    """The programs behind a figure."""
    join = digest_of(ROOT, JOIN, ())
    here = digest_of(Path(__file__).parent, ("cell", "deal", "world"), ())
    return "-".join((code_digest("own"), code_digest("generator"), join, here))


def attack_stamp() -> str:
    """The programs behind the attacks."""
    return f"{digest_of(ROOT, ('share/join',), ())}-{digest_of(Path(__file__).parent, ('attack',), ())}"


def main() -> None:
    """Measures, writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="31,32,33,34", help="worlds, by comma")
    parser.add_argument("--work", type=Path, help="folder of the worlds; else a temporary one")
    given = parser.parse_args()
    seeds = [int(each) for each in given.seeds.split(",")]
    if seen := DEVELOPMENT & set(seeds):
        parser.error(f"seed {min(seen)} was used for development and is not reported on")
    filed: Row = json.loads(DATA.read_text("utf-8")) if DATA.exists() else {}
    cells = [c for c in filed.get("cells", []) if c["stamp"] == stamp() and c["seed"] in seeds]
    result: Row = {
        "command": f"python -m scripts.share_study --seeds {given.seeds}",
        "code": stamp(),
        "attack_code": attack_stamp(),
        "cells": cells,
        "attacks": filed.get("attacks", []),
    }
    if filed.get("attack_code") != attack_stamp():
        sys.stderr.write("attacks\n")
        result["attacks"] = attacks(range(1, 6))
    _write(result)
    with tempfile.TemporaryDirectory() as place:
        for seed in seeds:
            for level in LEVELS:
                for labs in LABS:
                    if any((c["level"], c["labs"], c["seed"]) == (level, labs, seed) for c in cells):
                        continue
                    sys.stderr.write(f"rung {level}, {labs} laboratories, seed {seed}\n")
                    cells.append(run_cell(level, labs, seed, given.work or Path(place)) | {"stamp": stamp()})
                    _write(result)
    page.write(result)


def _write(result: Row) -> None:
    result["cells"].sort(key=lambda c: (c["seed"], c["level"], c["labs"]))
    DATA.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
