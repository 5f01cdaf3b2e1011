"""Build a world from a scenario and write it: inputs for a scan, and the sealed truth beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.lab.attackers import VARIANTS
from stillwatch.lab.attackers import campaign as campaigns
from stillwatch.lab.clients import FAMILIES
from stillwatch.lab.hashing import hex_ids, mix
from stillwatch.lab.honest import CLASSES, ordinary
from stillwatch.lab.render import Renderer
from stillwatch.lab.scenario import Scenario
from stillwatch.lab.world import MODELS, World
from stillwatch.records.exchange import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA

CHUNK_ROWS = 50_000
PART_ROWS = 500_000

TRUTH_ACCOUNTS = pa.schema(
    [
        ("account_id", pa.string()),
        ("org_key", pa.string()),
        ("class", pa.string()),
        ("campaign_id", pa.string()),
        ("level", pa.int64()),
        ("is_extractor", pa.bool_()),
        ("exchanges", pa.int64()),
        ("extraction_exchanges", pa.int64()),
    ]
)
"""Sealed truth, one row per account."""
TRUTH_EXCHANGES = pa.schema([("exchange_id", pa.string()), ("extraction", pa.bool_())])
"""Sealed truth, one row per exchange."""

Progress = Callable[[int, int], None]


def build_world(scenario: Scenario, *, seed: int, scale: float = 1.0) -> World:
    """Plan every exchange; nothing is written."""
    world = World(scenario, seed, scale)
    ordinary.build(world)
    for name in sorted(scenario.honest):
        spec = scenario.honest[name]
        rng = world.generator(f"honest:{name}")
        for index in range(max(1, round(spec.n_orgs * scale)) if spec.n_orgs else 0):
            CLASSES[name](world, rng, spec, index)
    for index, attack in enumerate(scenario.campaigns):
        campaigns.build(world, attack, index, VARIANTS[attack.variant])
    return world


def generate(
    scenario: Scenario, *, seed: int, scale: float = 1.0, out: Path, progress: Progress | None = None
) -> None:
    """Write one world under ``out``.

    Args
    ----
    scenario: what to simulate.
    seed: any integer; same scenario, seed and scale give the same bytes.
    scale: multiplies accounts and organisations, not exchanges per account.
    out: folder; created, files in it are replaced.
    progress: called with rows written and rows planned.
    """
    world = build_world(scenario, seed=seed, scale=scale)
    out = Path(out)
    (out / "exchanges").mkdir(parents=True, exist_ok=True)
    (out / "truth").mkdir(exist_ok=True)
    for old in (out / "exchanges").glob("part-*.parquet"):
        old.unlink()
    events = _in_order(world)
    renderer = Renderer(world)
    _write_exchanges(world, renderer, events, out, progress)
    _write_accounts(world, renderer, events, out)
    _write_small(world, renderer, events, out)


def _in_order(world: World) -> dict[str, np.ndarray[Any, Any]]:
    if not world.events:
        return {}
    t = np.concatenate([b["t"] for b in world.events])
    order = np.argsort(t, kind="stable")
    out = {"t": t[order]}
    for name in list(world.events[0]):
        if name != "t":
            out[name] = np.concatenate([b.pop(name) for b in world.events])[order]
    world.events.clear()
    return out


def _write_exchanges(
    world: World,
    renderer: Renderer,
    events: dict[str, np.ndarray[Any, Any]],
    out: Path,
    progress: Progress | None,
) -> None:
    total = len(events["t"]) if events else 0
    truth = pq.ParquetWriter(out / "truth" / "exchanges.parquet", TRUTH_EXCHANGES, compression="zstd")
    writer: pq.ParquetWriter | None = None
    for start in range(0, total, CHUNK_ROWS):
        chunk = {k: v[start : start + CHUNK_ROWS] for k, v in events.items()}
        table = renderer.table(chunk, start)
        if start % PART_ROWS == 0:
            if writer is not None:
                writer.close()
            writer = pq.ParquetWriter(
                out / "exchanges" / f"part-{start // PART_ROWS:04d}.parquet",
                EXCHANGE_SCHEMA,
                compression="zstd",
                compression_level=1,
            )
        if writer is not None:
            writer.write_table(table, row_group_size=CHUNK_ROWS)
        truth.write_table(
            pa.table([table["exchange_id"], pa.array(chunk["extraction"])], schema=TRUTH_EXCHANGES)
        )
        if progress is not None:
            progress(min(start + CHUNK_ROWS, total), total)
    if writer is not None:
        writer.close()
    truth.close()


def _stamp(us: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(us.astype(np.int64), pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def _write_accounts(
    world: World, renderer: Renderer, events: dict[str, np.ndarray[Any, Any]], out: Path
) -> None:
    size = world.accounts
    seen = np.bincount(events["account"], minlength=size) if events else np.zeros(size, dtype=np.int64)
    extraction = (
        np.bincount(events["account"][events["extraction"]], minlength=size)
        if events
        else np.zeros(size, dtype=np.int64)
    )
    rows: dict[str, list[Any]] = {f.name: [] for f in ACCOUNT_SCHEMA}
    truth: dict[str, list[Any]] = {f.name: [] for f in TRUTH_ACCOUNTS}
    stamps: dict[str, list[np.ndarray[Any, Any]]] = {
        "created_at": [],
        "tos_accepted_at": [],
        "status_changed_at": [],
    }
    for b in world.blocks:
        ids = renderer.account_ids[b.first : b.first + b.size]
        rows["account_id"] += ids
        rows["org_id"] += [f"org_{o:016x}" if o else None for o in b.declared.tolist()]
        rows["programme"] += b.programme
        rows["payment_digest"] += [f"pay_{p:016x}" if p else None for p in b.payment.tolist()]
        rows["email_domain"] += b.email
        rows["phone_digest"] += [f"tel_{p:016x}" if p else None for p in b.phone.tolist()]
        rows["signup_ip"] += [
            f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}" for a in b.signup_ip.tolist()
        ]
        rows["country"] += [_country(c) for c in b.country.tolist()]
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
        truth["class"] += [b.kind] * b.size
        truth["campaign_id"] += [b.campaign] * b.size
        truth["level"] += [b.level] * b.size
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


def _country(number: int) -> str:
    from stillwatch.lab.addresses import COUNTRIES

    return COUNTRIES[number][0]


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, tz=UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r, sort_keys=True) + "\n" for r in rows), encoding="utf-8")


def _write_small(
    world: World, renderer: Renderer, events: dict[str, np.ndarray[Any, Any]], out: Path
) -> None:
    grants = []
    for i, g in enumerate(world.grants):
        grants.append(
            {
                "grant_id": f"grant_{int(mix(world.key, 92, i)):016x}",
                "account_id": renderer.account_ids[g["account"]],
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
    rows = []
    for c in world.campaigns:
        inside = (events["account"] >= c["first"]) & (events["account"] < c["first"] + c["size"])
        rows.append(
            {
                "campaign_id": c["campaign_id"],
                "kind": c["kind"],
                "level": c["level"],
                "variant": c["variant"],
                "accounts": len(np.unique(events["account"][inside])),
                "exchanges": int(inside.sum()),
                "extraction_exchanges": int((inside & events["extraction"]).sum()),
            }
        )
    _lines(out / "truth" / "campaigns.jsonl", rows)
