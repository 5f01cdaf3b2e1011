"""The run folder of a baseline: the contract's tables as far as a baseline can fill them, and its scores."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.lab.baselines.baseline import Baseline, Result
from stillwatch.lab.baselines.frame import LogFrame
from stillwatch.lab.baselines.libraries import versions
from stillwatch.records import TIMESTAMP

_NUMBER, _TEXT, _MANY = pa.float64(), pa.string(), pa.list_(pa.string())
ACCOUNTS = pa.schema(
    [
        ("account_id", _TEXT),
        ("exchange_count", pa.int64()),
        ("campaign_id", _TEXT),
        ("disposition_hint", _TEXT),
        ("abstentions", _MANY),
    ]
)
MEMBERS = pa.schema(
    [
        ("campaign_id", _TEXT),
        ("account_id", _TEXT),
        ("tier", _TEXT),
        ("membership_bits", _NUMBER),
        ("extraction_share", _NUMBER),
        ("exchange_count", pa.int64()),
        ("first_seen", TIMESTAMP),
        ("last_seen", TIMESTAMP),
        ("reasons", _MANY),
    ]
)
CAMPAIGNS = pa.schema(
    [
        ("campaign_id", _TEXT),
        ("kind", _TEXT),
        ("first_seen", TIMESTAMP),
        ("last_seen", TIMESTAMP),
        ("account_count", pa.int64()),
        ("exchange_count", pa.int64()),
        ("output_tokens", pa.int64()),
        *[(name, _NUMBER) for name in ("log10_e_value", "p_value")],
        ("calibration_count", pa.int64()),
        ("false_discovery_rate", _NUMBER),
        *[
            (f"bits_{name}", _NUMBER)
            for name in ("content", "infrastructure", "timing", "identity", "behaviour")
        ],
        *[(f"extraction_share{end}", _NUMBER) for end in ("", "_low", "_high")],
        ("capabilities", _MANY),
        ("techniques", _MANY),
        ("confidence", _TEXT),
        ("granted", pa.bool_()),
        ("explanation", _TEXT),
    ]
)
SCORES = pa.schema([("account_id", _TEXT), ("score", _NUMBER)])


def write_run(out: Path, baseline: Baseline, frame: LogFrame, found: Result, wall_s: float) -> None:
    """Write the five files of a run; each is replaced whole."""
    out.mkdir(parents=True, exist_ok=True)
    tables = run_tables(baseline.id, frame, found)
    detector = {
        "id": baseline.id,
        "title": baseline.title,
        "version": baseline.version,
        "source": baseline.source,
        "packages": versions(("duckdb", "numpy", "pyarrow", "scipy", *baseline.needs)),
        "wall_s": wall_s,
        "accounts": len(frame.accounts),
        "exchanges": len(frame.account),
        "refused_rows": frame.refused,
        "abstained_accounts": int(found.abstained.sum()),
    }
    with tempfile.TemporaryDirectory(dir=out, prefix=".writing-") as folder:
        names = [f"{name}.parquet" for name in tables] + ["detector.json"]
        for name, table in tables.items():
            pq.write_table(table, Path(folder) / f"{name}.parquet", compression="zstd")
        text = json.dumps(detector, indent=2, sort_keys=True) + "\n"
        (Path(folder) / "detector.json").write_text(text, encoding="utf-8")
        for name in names:
            os.replace(Path(folder) / name, out / name)


def run_tables(name: str, frame: LogFrame, found: Result) -> dict[str, pa.Table]:
    """``accounts``, ``members``, ``campaigns`` and ``scores`` as tables; pure."""
    counts = frame.counts()
    starts = frame.starts()
    campaign: list[str | None] = [None] * len(frame.accounts)
    members: list[dict[str, Any]] = []
    campaigns: list[dict[str, Any]] = []
    tokens = np.nan_to_num(frame.numbers("output_tokens"))
    for number, group in enumerate(found.groups):
        identity = f"{name}-{number:05d}"
        rows = [_member(identity, a, frame, starts, counts, group.reason) for a in group.accounts]
        for a in group.accounts:
            campaign[a] = identity
        members += rows
        campaigns.append(
            {
                "campaign_id": identity,
                "kind": "campaign",
                "first_seen": min(r["first_seen"] for r in rows),
                "last_seen": max(r["last_seen"] for r in rows),
                "account_count": len(rows),
                "exchange_count": int(sum(r["exchange_count"] for r in rows)),
                "output_tokens": int(sum(tokens[starts[a] : starts[a + 1]].sum() for a in group.accounts)),
                "explanation": group.reason,
            }
        )
    accounts = [
        {
            "account_id": a,
            "exchange_count": int(counts[i]),
            "campaign_id": campaign[i],
            "disposition_hint": "none" if campaign[i] is None else "review",
            "abstentions": [found.abstention] if found.abstained[i] else [],
        }
        for i, a in enumerate(frame.accounts)
    ]
    scores = {"account_id": pa.array(frame.accounts, _TEXT), "score": pa.array(found.scores, _NUMBER)}
    return {
        "accounts": pa.Table.from_pylist(accounts, schema=ACCOUNTS),
        "members": pa.Table.from_pylist(members, schema=MEMBERS),
        "campaigns": pa.Table.from_pylist(campaigns, schema=CAMPAIGNS),
        "scores": pa.table(scores, schema=SCORES),
    }


def _member(identity: str, a: int, frame: LogFrame, starts: Any, counts: Any, reason: str) -> dict[str, Any]:
    return {
        "campaign_id": identity,
        "account_id": frame.accounts[a],
        "tier": "member",
        "exchange_count": int(counts[a]),
        "first_seen": int(frame.time_us[starts[a]]),
        "last_seen": int(frame.time_us[starts[a + 1] - 1]),
        "reasons": [reason],
    }
