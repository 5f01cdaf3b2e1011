"""The small files of a world: accounts, grants, releases, and the sealed truth about accounts and campaigns."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.lab.addresses import COUNTRIES
from stillwatch.lab.clients import FAMILIES
from stillwatch.lab.hashing import I64, hex_ids, mix
from stillwatch.lab.render import Renderer
from stillwatch.lab.world import MODELS, World
from stillwatch.records.exchange import ACCOUNT_SCHEMA

TRUTH_ACCOUNTS = pa.schema(
    [
        ("account_id", pa.string()),
        ("org_key", pa.string()),
        ("controller", pa.string()),
        ("class", pa.string()),
        ("campaign_id", pa.string()),
        ("level", pa.int64()),
        ("replaces", pa.string()),
        ("is_extractor", pa.bool_()),
        ("exchanges", pa.int64()),
        ("extraction_exchanges", pa.int64()),
    ]
)
"""Sealed truth, one row per account."""
_PLANNED = ("first", "size", "planned", "extraction", "usage")
"""What a campaign's builder notes for the writer alone."""


def _stamp(us: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(us.astype(np.int64), pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def write_accounts(world: World, renderer: Renderer, seen: I64, extraction: I64, out: Path) -> None:
    """``accounts.parquet`` and ``truth/accounts.parquet``; ``seen`` and ``extraction`` count exchanges per account."""
    rows: dict[str, list[Any]] = {f.name: [] for f in ACCOUNT_SCHEMA}
    truth: dict[str, list[Any]] = {f.name: [] for f in TRUTH_ACCOUNTS}
    stamps: dict[str, list[np.ndarray[Any, Any]]] = {
        "created_at": [],
        "tos_accepted_at": [],
        "status_changed_at": [],
    }
    for b in world.blocks:
        ids = renderer.account_text.slice(b.first, b.size).to_pylist()
        rows["account_id"] += ids
        rows["org_id"] += [f"org_{o:016x}" if o else None for o in b.declared.tolist()]
        rows["programme"] += b.programme
        rows["payment_digest"] += [f"pay_{p:016x}" if p else None for p in b.payment.tolist()]
        rows["email_domain"] += b.email
        rows["phone_digest"] += [f"tel_{p:016x}" if p else None for p in b.phone.tolist()]
        rows["signup_ip"] += [
            f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}" for a in b.signup_ip.tolist()
        ]
        rows["country"] += [COUNTRIES[c][0] for c in b.country.tolist()]
        rows["plan"] += b.plan
        rows["verification"] += b.verification
        rows["tos_version"] += [
            f"20{24 + int((c // 31_536_000_000_000) % 3)}-{1 + c // 2_678_400_000_000 % 12:02d}"
            for c in b.created.tolist()
        ]
        rows["status"] += b.status
        stamps["created_at"].append(b.created)
        stamps["tos_accepted_at"].append(b.created + 90_000_000)
        stamps["status_changed_at"].append(b.status_at)
        truth["account_id"] += ids
        truth["org_key"] += hex_ids(b.org, "true_")
        truth["controller"] += hex_ids(b.controller, "true_")
        truth["class"] += [b.kind] * b.size
        truth["campaign_id"] += [b.campaign] * b.size
        truth["level"] += [b.level] * b.size
        truth["replaces"] += [ids[k] if k >= 0 else None for k in b.replaces.tolist()]
        truth["exchanges"] += seen[b.first : b.first + b.size].tolist()
        truth["extraction_exchanges"] += extraction[b.first : b.first + b.size].tolist()
    truth["is_extractor"] = [x > 0 for x in truth["extraction_exchanges"]]
    columns = []
    for f in ACCOUNT_SCHEMA:
        if f.name in stamps:
            us = np.concatenate(stamps[f.name])
            column = _stamp(us)
            if f.name == "status_changed_at":
                column = pa.array(us, pa.int64(), mask=us == 0).cast(pa.timestamp("us", tz="UTC"))
            columns.append(column)
        else:
            columns.append(pa.array(rows[f.name], f.type))
    table = pa.Table.from_arrays(columns, schema=ACCOUNT_SCHEMA).sort_by("account_id")
    pq.write_table(table, out / "accounts.parquet", compression="zstd")
    sealed = pa.table(
        [pa.array(truth[f.name], f.type) for f in TRUTH_ACCOUNTS], schema=TRUTH_ACCOUNTS
    ).sort_by("account_id")
    pq.write_table(sealed, out / "truth" / "accounts.parquet", compression="zstd")


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, tz=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r, sort_keys=True) + "\n" for r in rows), encoding="utf-8")


def write_permissions(world: World, renderer: Renderer, out: Path) -> None:
    """``grants.jsonl``: who may distil, evaluate or generate."""
    grants = []
    for i, g in enumerate(world.grants):
        grants.append(
            {
                "grant_id": f"grant_{int(mix(world.key, 92, i)):016x}",
                "account_id": renderer.account_text[g["account"]].as_py(),
                "org_id": None,
                "purpose": g["purpose"],
                "models": ["*"],
                "valid_from": _time(g["from"]),
                "valid_until": _time(g["until"]),
                "max_exchanges": None,
                "max_output_tokens": None,
                "note": g["note"],
            }
        )
    _lines(out / "grants.jsonl", grants)


def write_releases(world: World, out: Path) -> None:
    """``releases.jsonl`` and ``client_releases.jsonl``."""
    day = 86_400_000_000
    known = [world.start - 400 * day, world.start - 120 * day, world.start - 110 * day, world.release]
    _lines(
        out / "releases.jsonl",
        [{"model": m, "released_at": _time(t)} for m, t in zip(MODELS, known, strict=True) if t < world.end],
    )
    clients = []
    for number, family in enumerate(FAMILIES):
        for version, t in zip(
            world.clients.versions[number], world.clients.released[number].tolist(), strict=True
        ):
            clients.append({"client": family.name, "version": version, "released_at": _time(t)})
    _lines(out / "client_releases.jsonl", clients)


def write_campaigns(world: World, seen: I64, extraction: I64, out: Path) -> None:
    """``truth/campaigns.jsonl``: every campaign and pool; whatever else its builder noted is kept."""
    rows = []
    for noted in world.campaigns:
        own = slice(noted["first"], noted["first"] + noted["size"])
        counted = {
            "accounts": int((seen[own] > 0).sum()),
            "exchanges": int(seen[own].sum()),
            "extraction_exchanges": int(extraction[own].sum()),
        }
        rows.append({k: v for k, v in noted.items() if k not in _PLANNED} | counted)
    _lines(out / "truth" / "campaigns.jsonl", rows)
