"""The traffic of a demonstration: one network that the lab plants, of which each laboratory sees a third."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.wiring.progress import Progress

WORLD = """\
include = ["parts/honest_week.toml"]
description = "One network that works against several laboratories, among honest accounts."
start = 2026-03-10
days = 1
split = "develop"

[ordinary]
accounts = 600
exchanges_per_day = 6.0

[every_honest]
n_orgs = 3
accounts = [2, 6]
exchanges = [10, 30]

[[campaigns]]
variant = "cot_math"
accounts = 60
exchanges_per_account = 40
level = 0
"""


@dataclass(frozen=True, slots=True)
class Planted:
    """The truth of one laboratory's part."""

    accounts: frozenset[str]
    """Of the network."""
    others: int
    """Honest accounts."""


def divided(folder: Path, labs: Sequence[str], seed: int, progress: Progress) -> dict[str, Planted]:
    """Write a world, and a part of it for each laboratory: of the network by account, else by organisation."""
    from stillwatch.wiring.lab import generate, lab_open

    world, opened = folder / "world", folder / "truth"
    (folder / "network.toml").write_text(WORLD, "utf-8")
    generate(str(folder / "network.toml"), seed, 1.0, world, progress, processes=1)
    lab_open(world / "truth", opened)
    truth = pq.read_table(opened / "accounts.parquet")
    place: dict[str, int] = {}
    network: set[str] = set()
    for row in truth.select(["account_id", "org_key", "campaign_id"]).to_pylist():
        name = row["account_id"]
        if row["campaign_id"]:
            network.add(name)
        by = name if row["campaign_id"] else row["org_key"] or name
        place[name] = int.from_bytes(hashlib.sha256(f"{seed} {by}".encode()).digest()[:4], "big") % len(labs)
    planted = {}
    for n, lab in enumerate(labs):
        own = frozenset(a for a, where in place.items() if where == n)
        _write(world, folder / lab, own)
        planted[lab] = Planted(own & network, len(own - network))
    return planted


def _write(world: Path, lab: Path, own: frozenset[str]) -> None:
    """A laboratory's part of the logs, accounts and grants."""
    (lab / "logs").mkdir(parents=True)
    values = pa.array(sorted(own), pa.string())

    def part(path: Path) -> Any:
        table = pq.read_table(path)
        return table.filter(pc.is_in(table["account_id"], value_set=values))

    pq.write_table(part(world / "exchanges"), lab / "logs" / "exchanges.parquet")
    pq.write_table(part(world / "accounts.parquet"), lab / "accounts.parquet")
    (lab / "grants.jsonl").write_bytes((world / "grants.jsonl").read_bytes())


__all__ = ["Planted", "divided"]
