"""Small truths and runs, written by hand, for the tests of the scorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.lab.scoring import Run, Truth, run_from_tables


def accounts(
    campaigns: Mapping[str, int], honest: int, pools: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """Rows of truth: so many accounts per campaign and pool, named after it, and honest ones h0, h1, ..."""
    rows = [
        _row(f"{name}{i}", name, name, extractor=name not in (pools or {}))
        for name, size in {**campaigns, **(pools or {})}.items()
        for i in range(size)
    ]
    return rows + [_row(f"h{i}", None, f"o{i}") for i in range(honest)]


def _row(account: str, campaign: str | None, org: str, *, extractor: bool = False) -> dict[str, Any]:
    return {
        "account_id": account,
        "org_key": org,
        "class": "attacker" if campaign else "ordinary",
        "campaign_id": campaign,
        "is_extractor": extractor,
        "exchanges": 10,
        "extraction_exchanges": 8 if extractor else 0,
    }


def a_truth(campaigns: Mapping[str, int], honest: int, pools: Mapping[str, int] | None = None) -> Truth:
    """`accounts` as a `Truth`."""
    listed = [{"campaign_id": c, "kind": "campaign", "exchanges": 10 * n} for c, n in campaigns.items()]
    listed += [{"campaign_id": p, "kind": "pool"} for p in pools or {}]
    return Truth.of(accounts(campaigns, honest, pools), listed)


def a_run(
    groups: Mapping[str, Sequence[str]],
    *,
    kinds: Mapping[str, str] | None = None,
    stated: float | None = None,
    hints: Mapping[str, str] | None = None,
    scores: Mapping[str, float] | None = None,
    tiers: Mapping[str, str] | None = None,
    bits: Mapping[str, float] | None = None,
) -> Run:
    """A run with the given groups; everybody in one is ``member`` unless ``tiers`` says otherwise."""
    tier, weight = tiers or {}, bits or {}
    rows = [(g, a, tier.get(a, "member"), weight.get(a)) for g, mine in groups.items() for a in mine]
    members = pa.table(
        {
            "campaign_id": pa.array([r[0] for r in rows], pa.string()),
            "account_id": pa.array([r[1] for r in rows], pa.string()),
            "tier": pa.array([r[2] for r in rows], pa.string()),
            "membership_bits": pa.array([r[3] for r in rows], pa.float64()),
        }
    )
    kinds_table = pa.table(
        {
            "campaign_id": pa.array(list(groups), pa.string()),
            "kind": pa.array([(kinds or {}).get(g, "campaign") for g in groups], pa.string()),
            "false_discovery_rate": pa.array([stated] * len(groups), pa.float64()),
        }
    )
    hinted = pa.table(
        {
            "account_id": pa.array(list(hints or {}), pa.string()),
            "disposition_hint": pa.array(list((hints or {}).values()), pa.string()),
        }
    )
    scored = None
    if scores is not None:
        scored = pa.table({"account_id": list(scores), "score": [float(v) for v in scores.values()]})
    return run_from_tables(members, hinted, kinds_table, scores=scored)


def write_world(folder: Path, rows: list[dict[str, Any]], campaigns: str = "") -> Path:
    """A world of truth alone; gives the world's folder."""
    (folder / "truth").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "truth" / "accounts.parquet")
    (folder / "truth" / "campaigns.jsonl").write_text(campaigns)
    return folder
