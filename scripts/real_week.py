"""Scans the weeks made of real text (tests/real): what was found, who was touched; into docs/data/.

The first week was looked at while the detector was made. The second is the hold-out. ``--week`` picks one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from scripts.lab_run import scan
from tests.real.second.week import SEED as SECOND_SEED
from tests.real.second.week import build_week as build_second
from tests.real.week import build_week as build_first

SHARED = Path("../shared")
OUT = Path("docs/data")


@dataclass(frozen=True, slots=True)
class Week:
    """One composition and the seeds it is drawn with; the first seed is the one the tests scan."""

    file: str
    build: Callable[..., None]
    seeds: tuple[int, ...]


WEEKS = {
    "first": Week("real_week.json", build_first, (20261124, 1, 2, 3)),
    "second": Week("second_week.json", build_second, (SECOND_SEED, 1, 2)),
}


KEYS = ("00" * 32, "11" * 32, "22" * 32)
"""A scan's key draws which half of the units chooses a hub, so that groups near the border come and go with it."""


def main() -> None:
    """Build, scan under each key, compare with the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--week", choices=sorted(WEEKS), action="append")
    chosen = parser.parse_args().week or sorted(WEEKS)
    if not (SHARED / "data").is_dir():
        raise SystemExit("no ../shared/data beside the repository: the weeks are made of the text kept there")
    OUT.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        week = WEEKS[name]
        runs = [run for seed in week.seeds for run in scans(week.build, seed)]
        (OUT / week.file).write_text(json.dumps(runs, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        sys.stderr.write(f"wrote {OUT / week.file}\n")


def scans(build: Callable[..., None], seed: int) -> list[dict[str, Any]]:
    """One draw of a week under every key."""
    found = []
    with tempfile.TemporaryDirectory(prefix="stillwatch-week-") as place:
        week, run, key = Path(place) / "week", Path(place) / "run", Path(place) / "key"
        build(week, shared=SHARED, seed=seed, scale=1.0)
        truth = {r["account_id"]: r for r in pq.read_table(week / "truth" / "accounts.parquet").to_pylist()}
        for number, text in enumerate(KEYS):
            key.write_text(text + "\n", encoding="utf-8")
            key.chmod(0o600)
            summary = scan(week, run, key).summary
            hints = pq.read_table(run / "accounts.parquet").to_pylist()
            members = pq.read_table(run / "members.parquet").to_pylist()
            groups = {r["campaign_id"]: r for r in pq.read_table(run / "campaigns.parquet").to_pylist()}
            found.append(
                {"seed": seed, "key": number, "counts": {k: summary["counts"][k] for k in ("exchanges", "accounts")},
                 "baseline": summary["baseline"]["digest"][:12], **compare(truth, hints, members, groups)}
            )  # fmt: skip
            sys.stderr.write(f"seed {seed}, key {number}\n")
    return found


def compare(
    truth: dict[str, Any], hints: list[Any], members: list[Any], groups: dict[str, Any]
) -> dict[str, Any]:
    """Campaigns and honest classes, each with what the scan said of them."""
    owners: dict[str, Counter[str]] = defaultdict(Counter)
    for m in members:
        if m["tier"] in ("member", "associated"):
            owners[m["campaign_id"]][truth[m["account_id"]]["campaign_id"] or "honest"] += 1
    said = {h["account_id"]: h["disposition_hint"] for h in hints}
    campaigns = []
    for name in sorted({t["campaign_id"] for t in truth.values() if t["campaign_id"]}):
        mine = {a for a, t in truth.items() if t["campaign_id"] == name}
        parts = [g for g, who in owners.items() if who.most_common(1)[0][0] == name]
        inside = sum(owners[g][name] for g in parts)
        campaigns.append(
            {
                "campaign": name, "accounts": len(mine), "found": inside, "groups": len(parts),
                "purity": inside / max(sum(owners[g].total() for g in parts), 1),
                "kind": sorted({groups[g]["kind"] for g in parts}),
                "p_value": [groups[g]["p_value"] for g in parts],
                "hints": dict(Counter(said.get(a, "none") for a in mine)),
            }
        )  # fmt: skip
    classes: dict[str, Counter[str]] = defaultdict(Counter)
    orgs: dict[str, set[str]] = defaultdict(set)
    touched: dict[str, set[str]] = defaultdict(set)
    for account, t in truth.items():
        if not t["campaign_id"]:
            classes[t["class"]][said.get(account, "none")] += 1
            orgs[t["class"]].add(t["org_key"])
            if said.get(account) in ("review", "act"):
                touched[t["class"]].add(t["org_key"])
    honest = [
        {"class": c, "organisations": len(orgs[c]), "review_or_act": len(touched[c]), "hints": dict(n)}
        for c, n in sorted(classes.items())
    ]
    return {"campaigns": campaigns, "honest": honest}


if __name__ == "__main__":
    main()
