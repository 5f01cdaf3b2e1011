"""``python -m scripts.bench_watch``: what a watch costs beside a scan, and how long a campaign stays unseen under it.

One world of the lab is made, by default the 24,000 accounts that were reported, scaled down. *Cost*: the first days go
into the state of a watch, then quarters of an hour follow one by one, with no look due; then one look; then one scan of
the same logs by itself. Groups, kinds and hints of the look and of the scan are compared. *Delay*: the log passes in
steps of a look; for each campaign the minutes from its first exchange to the look that showed it are taken, by the
lab's own measure.

Figures are of one run on one machine. A state of 30 days of the whole scenario has eight million exchanges.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scripts.bench import machine
from scripts.lab_run import a_key, generate
from stillwatch.lab.discipline import open_truth
from stillwatch.lab.suite import detection_delay
from stillwatch.settings import Settings, load_settings
from stillwatch.wiring import Context, WatchOptions, scan
from stillwatch.wiring.watching import Watch

QUARTER = timedelta(minutes=15)
DAY_LOOKS = 96
"""Quarters of an hour in a day."""


class Silent:
    """Progress that nobody hears."""

    def step(self, name: str, total: float | None = None) -> None: ...
    def advance(self, amount: float) -> None: ...
    def note(self, text: str) -> None: ...


class Timed:
    """Wall and processor seconds of what is done inside."""

    def __enter__(self) -> Timed:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *nothing: object) -> None:
        self.wall_s = round(time.perf_counter() - self._wall, 3)
        self.cpu_s = round(time.process_time() - self._cpu, 3)

    def row(self) -> dict[str, float]:
        """For the result."""
        return {"wall_s": self.wall_s, "cpu_s": self.cpu_s}


class Bench:
    """One world, one state."""

    def __init__(self, traffic: Path, work: Path, settings: Settings, looks: int, keep_days: int) -> None:
        self.traffic, self.settings, self.looks = traffic, settings, looks
        self.logs = work / "logs"
        self.logs.mkdir(parents=True)
        self.options = WatchOptions(
            [str(self.logs)], work / "report", work / "state", looks=looks, keep_days=keep_days, settle_s=-1e12,
            context=_context(traffic),
        )  # fmt: skip
        self.parts = 0

    def take(self, table: pa.Table) -> int:
        """New exchanges as one more log."""
        if len(table):
            pq.write_table(table, self.logs / f"part-{self.parts:06d}.parquet", compression="zstd")
            self.parts += 1
        return len(table)

    def visit(self, now: datetime, context: Context | None = None) -> Any:
        """One visit by a process of its own, as far as the state is concerned."""
        options = replace(self.options, context=context) if context else self.options
        with Watch(options, settings=self.settings, progress=Silent(), now=lambda: now) as watch:
            return watch.visit()


def main() -> None:
    """Measure, and write one JSON file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path(".cache/bench-watch"))
    parser.add_argument("--out", type=Path, default=Path("docs/data/bench_watch.json"))
    parser.add_argument("--scenario", default="observed_hydra_24k")
    parser.add_argument("--scale", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--days", type=int, default=30, help="days in the state before the increments")
    parser.add_argument("--increments", type=int, default=8)
    parser.add_argument("--looks", type=int, default=3)
    parser.add_argument(
        "--delay-days", type=int, default=10, help="days that pass for the delay; 0 leaves it out"
    )
    given = parser.parse_args()
    shutil.rmtree(given.work, ignore_errors=True)
    given.work.mkdir(parents=True)
    os.environ["STILLWATCH_KEY"] = a_key(given.work).read_text("utf-8").strip()
    settings = load_settings(None)
    traffic = given.work / "traffic"
    generate(given.scenario, given.seed, given.scale, traffic)
    result: dict[str, Any] = {
        "machine": machine(), "scenario": given.scenario, "seed": given.seed, "scale": given.scale,
        "looks_a_day": given.looks,
    }  # fmt: skip
    result["cost"] = cost(traffic, given.work / "cost", settings, given.looks, given.days, given.increments)
    print(json.dumps(result["cost"]), flush=True)
    if given.delay_days:
        result["delay"] = delay(traffic, given.work / "delay", settings, given.looks, given.delay_days)
        print(json.dumps(result["delay"]), flush=True)
    result["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def cost(
    traffic: Path, work: Path, settings: Settings, looks: int, days: int, increments: int
) -> dict[str, Any]:  # fmt: skip
    """Seconds of a quarter of an hour, of a look and of a scan, on a state of so many days."""
    table = pq.read_table(traffic / "exchanges").sort_by("started_at")
    times = table.column("started_at")
    begun = pc.min(times).as_py()
    edge = datetime(begun.year, begun.month, begun.day, tzinfo=UTC) + timedelta(days=days, hours=-12)
    bench = Bench(traffic, work, settings, looks, days)
    for day in range(days + 1):
        bench.take(_between(table, edge - timedelta(days=day + 1), edge - timedelta(days=day)))
    with Timed() as first:
        bench.visit(edge)
    steps, rows = [], []
    for number in range(increments):
        rows.append(bench.take(_between(table, edge + number * QUARTER, edge + (number + 1) * QUARTER)))
        with Timed() as step:
            visit = bench.visit(edge + (number + 1) * QUARTER)
        assert visit.looked is None  # noqa: S101
        steps.append(step)
    rows.append(bench.take(_between(table, edge + increments * QUARTER, edge + (increments + 1) * QUARTER)))
    with Timed() as look:
        visit = bench.visit(edge + timedelta(hours=24))
    assert visit.looked is not None  # noqa: S101
    with Timed() as whole:
        context = bench.options.context
        scanned = scan(
            [str(bench.logs)], settings=settings, out=work / "scan", accounts=context.accounts, grants=context.grants,
            releases=context.releases, client_releases=context.client_releases, baseline=context.baseline,
            progress=Silent(),
        )  # fmt: skip
    visits = sum(s.cpu_s for s in steps) / len(steps)
    size = sum(p.stat().st_size for p in (work / "state").rglob("*") if p.is_file())
    return {
        "state": {"exchanges": visit.looked.result.summary["watch"]["state"]["rows"], "days": days, "bytes": size},
        "first_visit_with_look": first.row(),
        "increments": [{"exchanges": n} | s.row() for n, s in zip(rows, steps, strict=False)],
        "look": look.row(), "look_timings": visit.looked.result.summary["timings"],
        "scan": whole.row() | {"exchanges": scanned.summary["counts"]["exchanges"]},
        "share_of_a_scan": {
            "increment": visits / whole.cpu_s, "look": look.cpu_s / whole.cpu_s,
            "increment_with_its_part_of_the_looks": (visits + look.cpu_s * looks / DAY_LOOKS) / whole.cpu_s,
        },
        "compared": compared(visit.looked.result, scanned),
    }  # fmt: skip


def compared(look: Any, scanned: Any) -> dict[str, Any]:
    """Groups, kinds and hints of a look beside those of a scan of the same exchanges."""
    groups, hints = [], []
    for result in (look, scanned):
        of: dict[str, set[str]] = {c.campaign_id: set() for c in result.campaigns}
        for member in result.members:
            of[member.campaign_id].add(member.account_id)
        groups.append({frozenset(of[c.campaign_id]): c.kind.value for c in result.campaigns})
        names, told = (result.accounts.column(n).to_pylist() for n in ("account_id", "disposition_hint"))
        hints.append(dict(zip(names, told, strict=True)))
    same = groups[0].keys() & groups[1].keys()
    return {
        "groups_of_the_look": len(groups[0]), "groups_of_the_scan": len(groups[1]), "same_accounts": len(same),
        "same_kind": sum(groups[0][g] == groups[1][g] for g in same),
        "hints_that_differ": sum(hints[0].get(a) != hint for a, hint in hints[1].items()),
    }  # fmt: skip


def delay(traffic: Path, work: Path, settings: Settings, looks: int, days: int) -> dict[str, Any]:
    """Minutes from each campaign's first exchange to the look that showed it, by verdict."""
    bench = Bench(traffic, work, settings, looks, keep_days=60)
    begun = pc.min(pq.read_table(traffic / "exchanges", columns=["started_at"]).column("started_at")).as_py()
    midnight = datetime(begun.year, begun.month, begun.day, tzinfo=UTC)
    hours = [n * 24 / looks - (begun - midnight).total_seconds() / 3600 for n in range(1, days * looks + 1)]
    seen = begun

    def detect(prefix: Path, out: Path) -> None:
        nonlocal seen
        table = pq.read_table(prefix / "exchanges").sort_by("started_at")
        until = pc.max(table.column("started_at")).as_py()
        bench.take(_between(table, seen, until + timedelta(microseconds=1)))
        seen = until + timedelta(microseconds=1)
        passed = int((until - midnight).total_seconds() * looks / 86_400) + 1
        bench.visit(midnight + timedelta(hours=passed * 24 / looks), _context(prefix))
        shutil.copytree(bench.options.out, out)

    opened = open_truth(
        traffic,
        purpose="report",
        ledgers=(),
        by="bench_watch",
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with_work = work / "prefixes"
    with_work.mkdir()
    found = detection_delay(traffic, opened, detect, with_work, shares=(), hours=[h for h in hours if h > 0])
    minutes: Callable[[Any], Any] = lambda moment: None if moment is None else round(moment["hours"] * 60, 1)  # noqa: E731
    return {
        "days": days, "looks": len(found["looks"]), "standing": opened.standing.row(),
        "campaigns": [
            {
                "campaign_id": c["campaign_id"], "exchanges": c["exchanges"],
                "minutes_to_member": minutes(c["member"]), "minutes_to_review": minutes(c["review"]),
                "share_taken_before_review": c["review"]["share_at_most"] if c["review"] else None,
            }
            for c in found["campaigns"]
        ],
        "honest_members": [look["honest_members"] for look in found["looks"]][-1:],
    }  # fmt: skip


def _between(table: pa.Table, low: datetime, high: datetime) -> pa.Table:
    at = table.column("started_at")
    kind = at.type
    inside = pc.and_(pc.greater_equal(at, pa.scalar(low, kind)), pc.less(at, pa.scalar(high, kind)))
    return table.filter(inside)


def _context(traffic: Path) -> Context:
    def there(name: str) -> str | None:
        return str(traffic / name) if (traffic / name).exists() else None

    accounts = there("accounts.parquet")
    return Context(
        accounts=(accounts,) if accounts else (), grants=there("grants.jsonl"), releases=there("releases.jsonl"),
        client_releases=there("client_releases.jsonl"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
