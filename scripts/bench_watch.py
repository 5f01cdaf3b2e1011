"""``python -m scripts.bench_watch``: what a watch costs beside a scan, and how long a campaign stays unseen under it.

Worlds of the lab are made (kept in ``--work`` and used again), by default of the 24,000 accounts that were reported,
scaled down. *Cost*: the first days go into the state of a watch, then quarters of an hour follow one by one, with no
look due; then one look; then one scan of the same logs by itself. Groups, kinds and hints of the look and of the scan
are compared. *Delay*: the log passes in steps of a look; for each campaign the minutes from its first exchange to the
look that showed it are taken, by the lab's own measure, in a world of a size of its own (``--delay-scale``).

Figures are of one run on one machine. A state of 30 days of the whole scenario has eight million exchanges. Processor
time is what shares are taken of. The delay is time of the log, not of the machine. ``--page`` alone puts the figures
into docs/watch.md, where a test holds them to docs/data/bench_watch.json.
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
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from scripts import watch_page as page
from scripts.bench import machine
from scripts.lab_run import a_key, generate
from stillwatch.lab.discipline import open_truth
from stillwatch.lab.suite import detection_delay
from stillwatch.lab.suite.code import code_digest
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
    """Measure, and write one JSON file; parts that are not measured stay as they stand there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path(".cache/bench-watch"))
    parser.add_argument("--out", type=Path, default=Path("docs/data/bench_watch.json"))
    parser.add_argument("--scenario", default="observed_hydra_24k")
    parser.add_argument("--scale", type=float, default=0.05)
    parser.add_argument("--delay-scale", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=102)
    parser.add_argument("--days", type=int, default=30, help="days in the state before the increments")
    parser.add_argument("--increments", type=int, default=8)
    parser.add_argument("--looks", type=int, default=3)
    parser.add_argument("--delay-days", type=int, default=10, help="days that pass at most for the delay")
    parser.add_argument("--parts", nargs="+", choices=["cost", "delay"], default=["cost", "delay"])
    parser.add_argument(
        "--busy", action="store_true", help="say that other work ran on the machine meanwhile"
    )
    parser.add_argument("--make-only", action="store_true", help="make the worlds, and measure nothing")
    parser.add_argument("--page", action="store_true", help="only put what was measured into docs/watch.md")
    given = parser.parse_args()
    result = json.loads(given.out.read_text("utf-8")) if given.out.exists() else {}
    if given.page:
        page.write(result)
        return
    os.environ["STILLWATCH_KEY"] = a_key(_folder(given.work)).read_text("utf-8").strip()
    scales = {"cost": given.scale, "delay": given.delay_scale}
    worlds = {part: _world(given, scales[part]) for part in given.parts}
    if given.make_only:
        return
    for part, traffic in worlds.items():
        work = _folder(given.work / "run", empty=True)
        about = {
            "machine": machine(), "code": code_digest("own"), "scenario": given.scenario, "seed": given.seed,
            "scale": scales[part], "looks_a_day": given.looks, "busy": given.busy,
        }  # fmt: skip
        settings = load_settings(None)
        found = (
            cost(traffic, work, settings, given.looks, given.days, given.increments) if part == "cost"
            else delay(traffic, work, settings, given.looks, given.delay_days)
        )  # fmt: skip
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        result[part] = about | found | {"peak_memory_bytes": peak}
        print(json.dumps(result[part]), flush=True)
        shutil.rmtree(work)
    _folder(given.out.parent)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    page.write(result)


def _folder(path: Path, *, empty: bool = False) -> Path:
    if empty:
        shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True, exist_ok=True)
    return path


def _world(given: argparse.Namespace, scale: float) -> Path:
    """Traffic of the scenario; what an earlier run made is used again."""
    traffic: Path = given.work / f"{given.scenario}-{given.seed}-{scale:g}"
    if not (traffic / "world.json").exists():
        generate(given.scenario, given.seed, scale, traffic)
    return traffic


def cost(
    traffic: Path, work: Path, settings: Settings, looks: int, days: int, increments: int
) -> dict[str, Any]:  # fmt: skip
    """Seconds of a quarter of an hour, of a look and of a scan, on a state of so many days."""
    begun = _begun(traffic)
    edge = datetime(begun.year, begun.month, begun.day, tzinfo=UTC) + timedelta(days=days, hours=-12)
    bench = Bench(traffic, work, settings, looks, days)
    first_day = edge.replace(hour=0) - timedelta(days=days - 1)
    for day in range(days):
        end = min(first_day + timedelta(days=day + 1), edge)
        bench.take(_between(traffic, first_day + timedelta(days=day), end))
    with Timed() as first:
        bench.visit(edge)
    steps, rows = [], []
    for number in range(increments):
        rows.append(bench.take(_between(traffic, edge + number * QUARTER, edge + (number + 1) * QUARTER)))
        with Timed() as step:
            visit = bench.visit(edge + (number + 1) * QUARTER)
        assert visit.looked is None  # noqa: S101
        steps.append(step)
    rows.append(bench.take(_between(traffic, edge + increments * QUARTER, edge + (increments + 1) * QUARTER)))
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
    bench = Bench(traffic, work, settings, looks, keep_days=max(days, 30))
    begun = _begun(traffic)
    midnight = datetime(begun.year, begun.month, begun.day, tzinfo=UTC)
    hours = [n * 24 / looks - (begun - midnight).total_seconds() / 3600 for n in range(1, days * looks + 1)]
    seen = begun

    def detect(prefix: Path, out: Path) -> None:
        nonlocal seen
        table = _between(prefix, seen, datetime.max.replace(tzinfo=UTC))
        bench.take(table)
        until = table.column("started_at")[-1].as_py()
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


def _exchanges(traffic: Path) -> ds.Dataset:
    return ds.dataset(sorted((traffic / "exchanges").glob("*.parquet")))


def _begun(traffic: Path) -> datetime:
    times = _exchanges(traffic).head(1, columns=["started_at"]).column(0)
    begun: datetime = times[0].as_py()
    return begun


def _between(traffic: Path, low: datetime, high: datetime) -> pa.Table:
    """Exchanges of a time, in its order."""
    at = ds.field("started_at")
    edges = [pa.scalar(t, pa.timestamp("us", tz="UTC")) for t in (low, high)]
    return _exchanges(traffic).to_table(filter=(at >= edges[0]) & (at < edges[1])).sort_by("started_at")


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
