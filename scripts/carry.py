"""``python -m scripts.carry COMMIT``: keep the study's figures over a change that changes no result.

A figure is keyed by a digest of every file that makes it, so a change of speed or structure throws all of them away.
This scans the same worlds with the program of COMMIT and with the present one. Only when every file of every pair
of runs says the same, byte for byte, are the rows of the one renamed to the other; who did so, over which worlds, is
written into ``docs/data/carried.json``. What is compared: tables cell by cell, findings and rejections line by line,
the summary without its clock, its versions, the digest of the settings and those of the inputs (both read the same
files). On one small world also the check of the null, a scan with a step left out as the ablations are made, and a
baseline that is fitted. The worlds are development seeds. Only rows of our own detector are renamed, and none when the
generator of the worlds or the scorer changed.

What is not compared: pages and profiles of a run, which no figure reads; the detectors that stand beside ours; what the
steps of a study do to a world before it is scanned (delays, poison, what is left out); and whatever shows only in
worlds that are not among those compared. That is not nothing: figures carried over several changes of speed differed by
a few accounts in some cells when the study was made anew (``ladder_L0`` 401: 111 accounts told, 106 found by either
program). After a change of who joins a group, or of which hubs are read, make it anew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from scripts.lab_run import a_key, generate, scan_arguments

STUDY, RECORD = Path("docs/data/study.json"), Path("docs/data/carried.json")
SHARED = Path("docs/data/share_study.json")
"""Its laboratories' scans come from the same program; how they are joined has a digest of its own."""
WORLDS = (
    ("demo_day", 11, 1.0),
    ("demo_day", 12, 0.3),
    ("lookalikes", 13, 0.3),
    ("ladder_L0", 14, 1.0),
    ("ladder_L4", 15, 1.0),
    ("ladder_L8", 16, 1.0),
)
"""Scenario, development seed, scale."""
SMALL = ("demo_day", 12, 0.3)
"""Of the worlds, the one that is scanned in other ways too."""
WITHOUT = """[detect]
without = ["controller"]
"""
"""Settings of an ablation."""
CLOCK = ("timings", "versions", "settings_digest")
"""Of a summary, what may differ between two programs that find the same."""
VERB = "from stillwatch.cli import main; main()"
KEYS = """
import json, sys
from scripts import study
from stillwatch.lab.scenario import load_scenario
from stillwatch.lab.suite import choose, load_suite
from stillwatch.lab.suite.cells import key_of
from stillwatch.wiring.lab import LabRunner
rows = [["stamp", study.stamp()]]
for name in study.SUITES:
    suite = load_suite(name)
    for d in choose(suite, LabRunner()):
        if d.kind != "own":
            continue
        for w in suite.worlds:
            for s in w.seeds:
                key = key_of(load_scenario(w.scenario), s, w.scale, w.delay, d.id, d.digest, "report")
                rows.append([[name, d.id, w.scenario, s, w.scale, list(w.delay)], key])
json.dump(rows, sys.stdout)
"""

STAMP = json.dumps("stamp")
Row = dict[str, Any]


def said(run: Path) -> Row:
    """What a run says, without its clock; ready to be compared."""
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    mark = str(summary["settings_digest"])
    lines = {p.name: p.read_text("utf-8").replace(mark, "-") for p in sorted(run.glob("*.jsonl"))}
    tables = {p.name: pq.read_table(p).replace_schema_metadata() for p in sorted(run.glob("*.parquet"))}
    told = {k: v for k, v in summary.items() if k not in CLOCK}
    told["inputs"] = [{k: v for k, v in one.items() if k != "digest"} for one in told.get("inputs", [])]
    return {"summary": told, **lines, **tables}


def differences(one: Path, other: Path) -> list[str]:
    """Names of what two runs do not say alike; empty when they agree."""
    a, b = said(one), said(other)
    return sorted(
        name for name in a.keys() | b.keys() if name not in a or name not in b or not same(a[name], b[name])
    )


def same(a: Any, b: Any) -> bool:
    """Equal, with tables compared by their columns, names and types."""
    return bool(a.equals(b)) if hasattr(a, "equals") else bool(a == b)


def carried(rows: Sequence[Row], before: Row, after: Row) -> tuple[list[Row], int]:
    """Rows with the keys and stamps of the one program renamed to those of the other, and how many were.

    >>> carried([{"key": "a"}, {"stamp": "s"}, {"key": "x"}], {"1": "a", "stamp": "s"}, {"1": "b", "stamp": "t"})
    ([{'key': 'b'}, {'stamp': 't'}, {'key': 'x'}], 2)
    """
    keys = {old: after[name] for name, old in before.items() if name in after and old != after[name]}
    made = [{k: keys.get(v, v) if k in ("key", "stamp") else v for k, v in row.items()} for row in rows]
    return made, sum(a != b for a, b in zip(rows, made, strict=True))


def python(root: Path, *arguments: str) -> str:
    """Run Python with the program under a folder."""
    paths = os.pathsep.join([str(root / "src"), str(root)])
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, check=False, text=True, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    if done.returncode not in (0, 10):
        raise SystemExit(done.returncode)
    return done.stdout


def names(root: Path) -> Row:
    """Every key that the study of a program asks for, by what it is of."""
    return {json.dumps(name): key for name, key in json.loads(python(root, "-c", KEYS))}


def main() -> None:
    """Compare, then rename."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit", help="the program that made the figures")
    parser.add_argument("--study", type=Path, default=STUDY)
    given = parser.parse_args()
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as work:
        old = Path(work) / "old"
        git = ["git", "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(old), given.commit], check=True)
        try:
            before, after = names(old), names(here)
            same_lab(before, after)
            compare(old, here, Path(work))
        finally:
            subprocess.run([*git, "remove", "--force", str(old)], check=True)
    rows, count = carried(json.loads(given.study.read_text("utf-8")), before, after)
    lines = ",\n".join(json.dumps(row, sort_keys=True, separators=(",", ":")) for row in rows)
    given.study.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    kept = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else []
    kept.append(
        {"from": before[STAMP], "to": after[STAMP], "rows": count, "worlds": [list(w) for w in WORLDS]}
    )
    RECORD.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    sys.stderr.write(f"{count} rows of {given.study} carried over\n")
    if SHARED.exists():
        SHARED.write_text(
            renamed(SHARED.read_text("utf-8"), own(before[STAMP]), own(after[STAMP])), encoding="utf-8"
        )


def own(stamp: str) -> str:
    """Of a stamp, the part that is of our own detector."""
    return stamp.partition("-")[0]


def renamed(text: str, before: str, after: str) -> str:
    """A study of what laboratories share, with the stamps of the one program renamed to those of the other.

    >>> text = '{"code": "aa-b-c", "cells": [{"stamp": "aa-b-c"}, {"stamp": "dd-b-c"}]}'
    >>> json.loads(renamed(text, "aa", "ee"))
    {'code': 'ee-b-c', 'cells': [{'stamp': 'ee-b-c'}, {'stamp': 'dd-b-c'}]}
    """

    def new(stamp: str) -> str:
        return after + stamp.removeprefix(before) if own(stamp) == before else stamp

    found = json.loads(text)
    found["code"] = new(found["code"])
    for cell in found["cells"]:
        cell["stamp"] = new(cell["stamp"])
    return json.dumps(found, indent=1) + "\n"


def same_lab(before: Row, after: Row) -> None:
    """Stop when the worlds, or how runs on them are scored, may differ: scans of equal bytes show nothing of that."""
    parts = (one.split("-")[1:] for one in (before[STAMP], after[STAMP]))
    for name, old, new in zip(("generator", "scorer"), *parts, strict=True):
        if old != new:
            raise SystemExit(
                f"the {name} is another ({old}, {new}): its figures are made again, not carried over"
            )


def compare(old: Path, here: Path, work: Path) -> None:
    """Run every world through both programs; stops at the first that differs."""
    (work / "without.toml").write_text(WITHOUT, "utf-8")
    for number, (scenario, seed, scale) in enumerate(WORLDS, 1):
        sys.stderr.write(f"{number} of {len(WORLDS)}: {scenario}, seed {seed}, scale {scale}\n")
        traffic = work / f"world-{number}"
        generate(scenario, seed, scale, traffic)
        ways: tuple[tuple[str, ...], ...] = ((),)
        if (scenario, seed, scale) == SMALL:
            ways += (("--check-null", "20"), ("--settings", str(work / "without.toml")))
            fits = [fit(root, traffic, work, side) for root, side in ((old, "before"), (here, "after"))]
            if fits[0] != fits[1]:
                raise SystemExit("not the same: the baseline that is fitted; nothing was carried over")
        for way, more in enumerate(ways):
            runs = [work / f"run-{number}-{way}-{side}" for side in ("before", "after")]
            for root, run in zip((old, here), runs, strict=True):
                python(root, "-c", VERB, *scan_arguments(traffic, run, a_key(work)), *more, "-q")
            if found := differences(*runs):
                told = f" with {' '.join(more)}" if more else ""
                raise SystemExit(f"not the same{told}: {', '.join(found)}; nothing was carried over")


def fit(root: Path, traffic: Path, work: Path, side: str) -> bytes:
    """A baseline that a program learns from a world; equal ones have equal bytes."""
    out = work / f"baseline-{side}"
    inputs = [str(traffic / "exchanges"), "--accounts", str(traffic / "accounts.parquet")]
    python(root, "-c", VERB, "baseline", "fit", *inputs, "--name", "carry", "--key-file", str(a_key(work)),
           "--out", str(out), "-q")  # fmt: skip
    return out.read_bytes()


if __name__ == "__main__":
    main()
