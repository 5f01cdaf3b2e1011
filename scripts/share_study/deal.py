"""One world over several laboratories: who has which account, and each laboratory's own logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SPREAD = 0.3
"""Share of honest organisations whose accounts lie at several laboratories; the others are at one."""


def deal(truth: Sequence[Mapping[str, Any]], labs: int, seed: int) -> dict[str, int]:
    """Account to laboratory: a network's accounts one by one, an honest organisation's mostly together."""
    rng = np.random.default_rng([seed, labs])
    whole: dict[Any, int] = {}
    out = {}
    for row in sorted(truth, key=lambda r: str(r["account_id"])):
        own = int(rng.integers(labs))
        spread = rng.random() < SPREAD
        if row["campaign_id"] is not None:
            out[row["account_id"]] = own
            continue
        home = whole.setdefault(row["org_key"], -1 if spread else own)
        out[row["account_id"]] = own if home < 0 else home
    return out


def write(world: Path, places: Mapping[str, int], lab: int, out: Path) -> None:
    """The logs and the account table of one laboratory."""
    out.mkdir(parents=True, exist_ok=True)
    mine = pa.array([name for name, at in places.items() if at == lab])
    for name in ("exchanges", "accounts.parquet"):
        rows = pq.read_table(world / name)
        kept = rows.filter(pc.is_in(rows["account_id"], value_set=mine))
        pq.write_table(kept, out / f"{name.removesuffix('.parquet')}.parquet")


def decoys(
    truth: Sequence[Mapping[str, Any]], places: Mapping[str, int], lab: int, count: int, seed: int
) -> dict[str, list[str]]:
    """Groups that belong to nobody's network: every honest organisation of ten accounts here, then random accounts.

    Named so that two groups of one organisation at two laboratories are known as related.
    """
    rng = np.random.default_rng([seed, lab, 7])
    honest = [r for r in truth if r["campaign_id"] is None and places[r["account_id"]] == lab]
    by_org: dict[Any, list[str]] = {}
    for row in honest:
        by_org.setdefault(row["org_key"], []).append(row["account_id"])
    groups = {f"org:{org}": names for org, names in sorted(by_org.items()) if len(names) >= 10}
    used = {name for names in groups.values() for name in names}
    loose = [r["account_id"] for r in honest if r["account_id"] not in used]
    rng.shuffle(loose)
    while len(groups) < count and len(loose) >= 10:
        size = int(rng.integers(10, 21))
        groups[f"random:{lab}:{len(groups)}"], loose = loose[:size], loose[size:]
    return groups


__all__ = ["SPREAD", "deal", "decoys", "write"]
