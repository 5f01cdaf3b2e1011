"""How soon the successor of a banned account is linked: the log is cut at several moments and scanned each time.

At each look every successor that has sent something is counted once, by how much it has sent so far and whether it is
member. A look is a full scan of what a provider had by then.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from scripts.lab_run import FINE, a_key, generate, scan_arguments, stillwatch
from stillwatch.lab.scoring.score import SENT
from stillwatch.lab.suite.prefix import write_prefix

WORLDS = (("observed_replacement", 482, 0.5), ("ladder_L1", 482, 0.35))
LOOKS = (0.3, 0.45, 0.6, 0.75, 0.9)
"""Shares of the log's days at which it is cut: bans fall between 0.15 and 0.9 of a campaign's time."""


def rows(work: Path, stamp: str) -> list[dict[str, Any]]:
    """One row a world; a world that is done is kept in ``work`` under the digest of the program that made it."""
    work.mkdir(parents=True, exist_ok=True)
    out = []
    for scenario, seed, scale in WORLDS:
        kept = work / f"successors-{scenario}-{seed}.json"
        found = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
        if found.get("stamp") != stamp:
            found = {**look(work, scenario, seed, scale), "stamp": stamp}
            kept.write_text(json.dumps(found) + "\n", encoding="utf-8")
        out.append(found)
    return out


def look(work: Path, scenario: str, seed: int, scale: float) -> dict[str, Any]:
    """One world, cut and scanned at every look."""
    folder = work / f"successors-{scenario}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    generate(scenario, seed, scale, folder / "world")
    truth = pq.read_table(folder / "world" / "truth" / "accounts.parquet").to_pylist()
    successors = {r["account_id"] for r in truth if r["replaces"]}
    first, last = span(folder / "world")
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for share in LOOKS:
        prefix, run = folder / "prefix", folder / "run"
        write_prefix(folder / "world", prefix, first + int(share * (last - first)))
        stillwatch(*scan_arguments(prefix, run, a_key(work)), "--json", "-q", fine=FINE, capture=True)
        for label, (hits, total) in linked(prefix, run, successors).items():
            counts[label] = [counts[label][0] + hits, counts[label][1] + total]
        shutil.rmtree(prefix)
    shutil.rmtree(folder)
    classes = {label: {"hits": h, "total": n} for label, (h, n) in counts.items()}
    return {
        "suite": "successors", "scenario": scenario, "seed": seed, "scale": scale, "looks": list(LOOKS),
        "successors": len(successors), "classes": classes,
    }  # fmt: skip


def span(world: Path) -> tuple[int, int]:
    """First and last moment of a log, microseconds since 1970."""
    times = ds.dataset(sorted((world / "exchanges").glob("*.parquet"))).to_table(["started_at"])["started_at"]
    ends = pc.min_max(times).as_py()
    return micro(ends["min"]), micro(ends["max"])


def micro(moment: datetime) -> int:
    """Microseconds since 1970."""
    return round(moment.timestamp() * 1_000_000)


def linked(prefix: Path, run: Path, successors: set[str]) -> dict[str, tuple[int, int]]:
    """Successors that are member, and all that have sent something, by how much they have sent."""
    table = ds.dataset(sorted((prefix / "exchanges").glob("*.parquet"))).to_table(["account_id"])
    sent = Counter(a for a in table["account_id"].to_pylist() if a in successors)
    tiers = pq.read_table(run / "members.parquet", columns=["account_id", "tier"]).to_pylist()
    members = {r["account_id"] for r in tiers if r["tier"] == "member"}
    out: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for account, n in sent.items():
        label = next(label for bound, label in SENT if n <= bound)
        out[label][0] += account in members
        out[label][1] += 1
    return {label: (hits, total) for label, (hits, total) in out.items()}
