"""Factories: policies, requests and a small run folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.protect.policy import Policy, parse_policy
from stillwatch.records import Facts, Request, SignalHit, Standing

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HEAD = (
    'policy = "test"\nversion = "1"\nappeal = "https://example.com/appeal?d={decision}"\nmode = "enforce"\n'
)


def rule(id: str = "r", *, when: str = "everyone = true", action: str = "observe", more: str = "") -> str:
    """One rule as TOML; its condition, action and further lines."""
    return (
        f'[[rule]]\nid = "{id}"\nwhen = {{ {when} }}\naction = "{action}"\nreason = "access_terms"\n{more}\n'
    )


def policy(*rules: str, head: str = HEAD) -> Policy:
    """A policy of these rules."""
    return parse_policy(head + "".join(rules), where="policy.toml")


def facts(
    *, signals: tuple[tuple[str, float], ...] = (), grant: str = "none", standing: dict[str, Any] | None = None,
    **request: Any,
) -> Facts:  # fmt: skip
    """Facts of one request."""
    given: dict[str, Any] = {"request_id": "r-1", "account_id": "acct-1", "model": "m-large", **request}
    hits = tuple(SignalHit(name, score, "test") for name, score in signals)
    return Facts(Request(**given), Standing(**(standing or {})), grant, hits)


MEMBER = {
    "tier": "member", "kind": "campaign", "hint": "act", "confidence": "high", "families": ("timing", "identity"),
    "campaign_id": "G-1", "membership_bits": 30.0, "extraction_share": 0.6, "false_discovery_rate": 0.01,
}  # fmt: skip
"""Standing of a firm member of a campaign."""


def write_run(folder: Path, *, members: int = 6, others: int = 14, hint: str = "act") -> Path:
    """The three tables of a run: one campaign ``G-1`` of accounts ``m0``, ``m1``, ..., and ``o0``, ``o1``, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    inside = [f"m{i}" for i in range(members)]
    outside = [f"o{i}" for i in range(others)]
    group = {
        "campaign_id": "G-1", "kind": "campaign", "confidence": "high", "false_discovery_rate": 0.01,
        "bits_content": 4.0, "bits_infrastructure": 0.0, "bits_timing": 40.0, "bits_identity": 12.0,
        "bits_behaviour": 0.0,
    }  # fmt: skip
    member = {"campaign_id": "G-1", "tier": "member", "membership_bits": 30.0, "extraction_share": 0.6}
    tables = {
        "campaigns": [group] if members else [],
        "members": [{"account_id": name, **member} for name in inside],
        "accounts": [{"account_id": n, "campaign_id": "G-1", "disposition_hint": hint} for n in inside]
        + [{"account_id": n, "campaign_id": None, "disposition_hint": "none"} for n in outside],
    }
    columns = {
        "campaigns": {k: pa.string() if isinstance(v, str) else pa.float64() for k, v in group.items()},
        "members": {"account_id": pa.string(), "campaign_id": pa.string(), "tier": pa.string(),
                    "membership_bits": pa.float64(), "extraction_share": pa.float64()},
        "accounts": {"account_id": pa.string(), "campaign_id": pa.string(), "disposition_hint": pa.string()},
    }  # fmt: skip
    for name, rows in tables.items():
        schema = pa.schema(list(columns[name].items()))
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"{name}.parquet")
    return folder
