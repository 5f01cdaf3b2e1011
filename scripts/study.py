"""``make study``: what is found and who is wronged on held-out seeds, scored against the sealed truth.

Runs the suites of the laboratory that carry figures, two worlds at a time; then verdicts under a poisoned reference
and with an organisation left out, and the check of the null. Every figure is kept as it is made, so an interrupted
study goes on where it stopped, and what stands in ``docs/data/study.json`` is kept as long as the programs behind it
are the same: a new detector leaves the figures of every baseline. Every opening of truth stands in a ledger. Seeds
that were used for development (11 to 22) are refused by the laboratory.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts import stability, successors
from scripts.lab_run import a_key, generate, scan_arguments, stillwatch
from stillwatch.lab.scenario import load_scenario
from stillwatch.lab.suite import Moment, Suite, choose, load_suite, run_suite
from stillwatch.lab.suite.cells import key_of, read_cells
from stillwatch.lab.suite.code import code_digest
from stillwatch.lab.suite.detectors import Detector
from stillwatch.wiring.lab import LabRunner

SUITES = ("honest", "ladder", "observed", "load", "mixtures", "compare", "sealed")
"""In the order of what is missed most when it is missing."""
NULL_RUNS, NULL_SEED = 200, 401
KEPT = (
    "campaigns", "campaign_level", "classes", "discovery", "fragments_mean", "load", "operating_points", "purity",
    "ranking", "standing", "successors", "volume", "world",
)  # fmt: skip
"""Of a score, what the page reads."""
COUNTS = (
    "accounts", "member", "orgs", "orgs_claimed", "orgs_member", "orgs_review_or_act", "orgs_act",
)  # fmt: skip
RANKED = ("classes", "discovery", "ranking", "standing")
"""Of the score of a detector that is not ours."""
DERIVED = ("high", "low", "share", "upper")
WORDY = ("cost", "delay_days", "dials", "groups", "imitation")
"""Of a campaign, what can be made again from scenario and seed."""

Row = dict[str, Any]


def stamp() -> str:
    """The programs behind a figure of our own detector."""
    return "-".join(code_digest(part) for part in ("own", "generator", "scorer"))


def keys_of(suite: Suite, detectors: tuple[Detector, ...]) -> set[str]:
    """Every cell that the suite asks for, with the programs as they are."""
    return {
        key_of(load_scenario(w.scenario), seed, w.scale, w.delay, d.id, d.digest, "report")
        for w in suite.worlds for seed in w.seeds for d in detectors
    }  # fmt: skip


def cells_of(name: str, filed: dict[str, Row], folder: Path) -> list[Row]:
    """The suite's cells that were made, from the file and from this machine; cells of another plan are left out."""
    suite = load_suite(name)
    wanted = keys_of(suite, choose(suite, LabRunner()))
    here = {key: slim(name, cell) for key, cell in read_cells(folder).items()} if folder.exists() else {}
    found = {k: row for k, row in (filed | here).items() if k in wanted}
    return sorted(found.values(), key=lambda r: (r["scenario"], r["seed"], r["detector"]["id"]))


def run(name: str, filed: dict[str, Row], folder: Path, jobs: int, worlds: int | None = None) -> None:
    """Run what neither the file nor this machine has."""
    suite = load_suite(name)
    if worlds is not None:
        suite = replace(suite, worlds=tuple(replace(w, seeds=w.seeds[:worlds]) for w in suite.worlds))
    runner = LabRunner()
    fine = {k for k, row in filed.items() if "error" not in row}
    run_suite(
        suite, choose(suite, runner), folder, runner=runner, jobs=jobs, elsewhere=fine, told=say, now=now
    )  # fmt: skip


def now() -> str:
    """The time for the ledger."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


def say(moment: Moment) -> None:
    """One line on standard error; overwritten on a terminal."""
    sys.stderr.write(f"\r\x1b[K{moment.words}" if sys.stderr.isatty() else f"{moment.words}\n")
    sys.stderr.flush()


def slim(suite: str, cell: Row) -> Row:
    """What the page reads of a cell: counts, from which every rate and interval can be formed again.

    Of a detector that is not ours neither single campaigns nor the looks at its groups are kept.
    """
    row = {"suite": suite, **{k: v for k, v in cell.items() if k not in ("score", "ledger")}}
    if "score" in cell:
        score = counts(cell["score"])
        own = cell.get("detector", {}).get("kind", "own") == "own"
        out = {k: score[k] for k in (KEPT if own else RANKED) if k in score}
        out["classes"] = {
            name: {k: row[k] for k in COUNTS if k in row} for name, row in score["classes"].items()
        }
        if own:
            out["campaigns"] = [{k: v for k, v in c.items() if k not in WORDY} for c in score["campaigns"]]
        row["score"] = out
    return row


def counts(value: Any) -> Any:
    """Without intervals, bounds and shares of rates, which their counts give again."""
    if isinstance(value, dict):
        rate = {"hits", "total"} <= value.keys()
        return {k: counts(v) for k, v in value.items() if not (rate and k in DERIVED)}
    return [counts(v) for v in value] if isinstance(value, list) else value


def null_check(work: Path, filed: list[Row]) -> list[Row]:
    """The shuffled-label check on one held-out day."""
    kept = work / "null.json"
    known = filed + ([json.loads(kept.read_text("utf-8"))] if kept.exists() else [])
    for row in known:
        if row["suite"] == "null" and row.get("stamp") == stamp():
            return [row]
    folder = work / "null"
    generate("demo_day", NULL_SEED, 1.0, folder / "traffic")
    arguments = [*scan_arguments(folder / "traffic", folder / "report", a_key(work)), "--json", "-q"]
    _, text = stillwatch(*arguments, "--check-null", str(NULL_RUNS), fine=(0, 10), capture=True)
    shutil.rmtree(folder)
    row = {
        "suite": "null", "scenario": "null", "seed": NULL_SEED, "stamp": stamp(),
        "null_check": json.loads(text)["null_check"],
    }  # fmt: skip
    kept.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return [row]


def stable(work: Path, jobs: int, filed: list[Row]) -> list[Row]:
    """Poisoned references and organisations left out."""
    mine = [r for r in filed if r["suite"] in stability.SUITES and r.get("stamp") == stamp()]
    if stability.complete(mine):
        return mine
    made = stability.rows(work / "stability", jobs, stamp())
    return [
        {**(slim(r["suite"], r) if "score" in r else r), "stamp": stamp()} for r in made
    ]  # fmt: skip


def parts(given: argparse.Namespace, before: list[Row]) -> Iterator[list[Row]]:
    """One part of the study after the other, each run as far as it is missing."""
    filed = {r["key"]: r for r in before if "key" in r}
    for suite in SUITES:
        folder = given.work / suite
        if suite in (given.suite or SUITES):
            sys.stderr.write(f"suite {suite}\n")
            run(suite, filed, folder, given.jobs, given.worlds)
            yield cells_of(suite, filed, folder)
        else:
            yield of(before, suite)
    asked = given.suite or ("null", "successors", "stability")
    # Each of the first two keeps one core busy and no more, so they share the machine.
    alone: dict[str, Callable[[], list[Row]]] = {
        "null": lambda: null_check(given.work, before),
        "successors": lambda: linked(given.work, before),
    }
    sys.stderr.write("".join(f"{name}\n" for name in alone if name in asked))
    with ThreadPoolExecutor(max(1, min(given.jobs, len(alone)))) as pool:
        made = {name: pool.submit(make) for name, make in alone.items() if name in asked}
        for name in alone:
            yield made[name].result() if name in made else of(before, name)
    if "stability" in asked:
        sys.stderr.write("stability\n")
        yield stable(given.work, given.jobs, before)
    else:
        yield of(before, *stability.SUITES)


def of(rows: list[Row], *suites: str) -> list[Row]:
    """Rows as they stand in the file, of whatever state of the program: nobody asked to run these again."""
    return [r for r in rows if r["suite"] in suites]


def linked(work: Path, filed: list[Row]) -> list[Row]:
    """How soon successors of banned accounts are linked."""
    mine = [r for r in of(filed, "successors") if r.get("stamp") == stamp()]
    return mine or successors.rows(work / "successors", stamp())


def write(out: Path, rows: list[Row]) -> None:
    """One line a row, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    lines = ",\n".join(json.dumps(row, sort_keys=True, separators=(",", ":")) for row in rows)
    partial.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    partial.replace(out)


def main() -> None:
    """Run what has not been run, then write one JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".cache/study"))
    parser.add_argument("--out", type=Path, default=Path("docs/data/study.json"))
    parser.add_argument("--jobs", type=int, default=2, help="worlds at a time; each needs about 3 GB")
    parser.add_argument("--worlds", type=int, help="only the first so many seeds of every family")
    parser.add_argument(
        "--suite", choices=(*SUITES, "null", "successors", "stability"), action="append",
        help="run only this and keep what there is of the others; may be given several times",
    )  # fmt: skip
    given = parser.parse_args()
    # Worlds run side by side; small matrix products only lose by threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    given.work.mkdir(parents=True, exist_ok=True)
    before: list[Row] = json.loads(given.out.read_text("utf-8")) if given.out.exists() else []
    rows: list[Row] = []
    for part in parts(given, before):
        rows += part
    write(given.out, rows)
    short = [r for r in rows if "error" in r]
    for row in short:
        sys.stderr.write(
            f"failed: {row['detector']['id']} on {row['scenario']} seed {row['seed']}: {row['error']}\n"
        )
    sys.stderr.write(f"{len(rows)} rows in {given.out}\n")


if __name__ == "__main__":
    main()
