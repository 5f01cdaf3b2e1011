"""``make study-torch``: real networks taught by a marked teacher, under every test; into docs/data/torch_study.json.

A cell is one student of one world. Cells that are there already are kept, so a stopped study goes on where it stopped;
teachers, bases and answers are kept in the folder ``--work``. Two processes may run at once, each with its ``--seeds``.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import time
from pathlib import Path
from typing import Any

import torch

from scripts.torchlab import foreign, page
from scripts.torchlab.cells import run
from scripts.torchlab.plan import SCALES, SEEDS, SHOWN, cells
from scripts.torchlab.world import World

DATA, WORK = Path("docs/data/torch_study.json"), Path(".cache/torchlab")


def main() -> None:
    """Teach and examine what is missing, then write the page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--scale", choices=list(SCALES), default=SHOWN)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--only", action="append", default=[], help="a cell by its name; again for more")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    wanted = [cell for cell in cells() if not options.only or cell.name in options.only]
    for seed in options.seeds:
        folder = options.work / f"{options.scale}-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        world = World(SCALES[options.scale], seed, folder)
        for cell in wanted:
            if (seed, options.scale, cell.name) in made(options.data):
                continue
            start = time.process_time()
            row = (foreign.run if cell.foreign else run)(world, cell)
            row["cpu_s"] = round(time.process_time() - start)
            add(options.data, row)
            print(f"world {seed}, {cell.name}: {row['cpu_s']} s of CPU", flush=True)
    if options.data == DATA:
        page.main()


def read(path: Path) -> dict[str, Any]:
    """What has been found so far."""
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {"cells": []}


def made(path: Path) -> set[tuple[int, str, str]]:
    """Cells that are there already."""
    return {(row["seed"], row["scale"], row["cell"]) for row in read(path)["cells"]}


def add(path: Path, row: dict[str, Any]) -> None:
    """Write a cell down beside those that other processes have made meanwhile, one world each."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = read(path)
        found["cells"].append(row)
        partial = path.with_suffix(".partial")
        partial.write_text(written(found), encoding="utf-8")
        partial.replace(path)


def written(found: dict[str, Any]) -> str:
    """One test a line, so that a change can be read."""
    rows = []
    for cell in found["cells"]:
        head = json.dumps({k: v for k, v in cell.items() if k != "tests"})
        tests = ",\n  ".join(json.dumps(test) for test in cell["tests"])
        rows.append(f'{head[:-1]}, "tests": [\n  {tests}]}}')
    others = {k: v for k, v in found.items() if k != "cells"}
    told = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in others.items()]
    return "{\n" + ",\n".join([*told, '"cells": [\n' + ",\n".join(rows) + "\n]"]) + "\n}\n"


if __name__ == "__main__":
    main()
