"""Compile the output of a scan into a risk table. Runs where the scan ran, never at the gateway."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.protect.risk import (
    FAMILIES,
    HINTS,
    KINDS,
    ROW,
    SCHEMA,
    SURE,
    TIERS,
    VERIFIED,
    VERSION,
    account_digest,
)

FAMILY_BITS = 10.0
"""A family counts as evidence from three decades on, as for the hint ``act``."""
MOST_WORDS = 60_000
DTYPE = np.dtype(
    [("tier", "u1"), ("kind", "u1"), ("hint", "u1"), ("sure", "u1"), ("families", "u1"), ("verified", "u1"),
     ("plan", "<u2"), ("programme", "<u2"), ("pad", "<u2"), ("bits", "<f4"), ("share", "<f4"), ("rate", "<f4")]
)  # fmt: skip
"""The same row as `ROW`."""
assert DTYPE.itemsize == ROW.size  # noqa: S101  two descriptions of one row


def build(
    groups: pa.Table,
    members: pa.Table,
    accounts: pa.Table,
    *,
    run_digest: str,
    records: pa.Table | None = None,
    grants: list[dict[str, Any]] | None = None,
) -> pa.Table:
    """A risk table from ``campaigns``, ``members`` and ``accounts`` of a scan.

    Parameters
    ----------
    groups, members, accounts
        As the scan wrote them.
    run_digest
        Digest of the scan's files in hexadecimal; salts the account digests.
    records
        The account table (verification, plan, programme); accounts that the scan did not see are kept for them.
    grants
        Rows of GRANT_SCHEMA with times as RFC 3339 text.
    """
    facts = {g["campaign_id"]: g for g in groups.to_pylist()}
    hint = dict(zip(*(accounts[c].to_pylist() for c in ("account_id", "disposition_hint")), strict=True))
    belongs = dict(zip(*(accounts[c].to_pylist() for c in ("account_id", "campaign_id")), strict=True))
    member: dict[str, Mapping[str, Any]] = {}
    for row in members.to_pylist():
        name = row["account_id"]
        if name not in member or row["campaign_id"] == belongs.get(name):
            member[name] = row
    known = {r["account_id"]: r for r in records.to_pylist()} if records is not None else {}
    names = sorted({a for a, h in hint.items() if h not in (None, "none")} | member.keys() | known.keys())
    words: dict[str, int] = {}
    rows = np.zeros(len(names), DTYPE)
    rows["rate"] = 1.0
    campaigns: list[str | None] = [None] * len(names)
    for at, name in enumerate(names):
        row = rows[at]
        row["hint"] = _code(HINTS, hint.get(name) or "none")
        if found := member.get(name):
            _join(row, found, facts.get(found["campaign_id"], {}))
            campaigns[at] = found["campaign_id"]
        if record := known.get(name):
            row["verified"] = _code(VERIFIED, record.get("verification"))
            row["plan"] = _word(words, record.get("plan"))
            row["programme"] = _word(words, record.get("programme"))
    salt = bytes.fromhex(run_digest)[:16]
    digests = np.fromiter((account_digest(name, salt) for name in names), np.uint64, len(names))
    order, first = np.unique(digests, return_index=True)
    packed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(ROW.size), len(first), [None, pa.py_buffer(rows[first].tobytes())]
    )
    counts = {"accounts": len(first), "in_groups": len(member), "groups": len(facts)}
    meta = {
        "stillwatch.risk": VERSION, "run_digest": run_digest, "grants": json.dumps(grants or []),
        "counts": json.dumps(counts), "words": json.dumps(list(words)),
    }  # fmt: skip
    arrays = [pa.array(order), packed, pa.array([campaigns[i] for i in first.tolist()], pa.string())]
    return pa.Table.from_arrays(arrays, schema=SCHEMA.with_metadata(meta))


def _join(row: Any, member: Mapping[str, Any], group: Mapping[str, Any]) -> None:
    """Put what a group says into the row of its member."""
    row["tier"] = _code(TIERS, member["tier"])
    row["kind"] = _code(KINDS, group.get("kind") or "none")
    row["sure"] = _code(SURE, group.get("confidence") or "none")
    row["families"] = sum(
        1 << bit for bit, name in enumerate(FAMILIES) if (group.get(f"bits_{name}") or 0.0) >= FAMILY_BITS
    )
    row["bits"], row["share"] = member["membership_bits"] or 0.0, member["extraction_share"] or 0.0
    rate = group.get("false_discovery_rate")
    row["rate"] = 1.0 if rate is None else rate


def _code(words: tuple[str | None, ...], word: str | None) -> int:
    """Place of a word; the first stands for what is unknown."""
    return words.index(word) if word in words else 0


def _word(words: dict[str, int], word: str | None) -> int:
    """Number of a plan or programme; 0 for none, and for those beyond the limit."""
    if not word or (word not in words and len(words) >= MOST_WORDS):
        return 0
    return words.setdefault(word, len(words) + 1)


def table_bytes(table: pa.Table) -> bytes:
    """A table as the bytes of its file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table so that it appears whole or not at all; readers of the old one keep it."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as raw:
            with pa.ipc.new_file(raw, table.schema) as file:
                file.write_table(table)
            raw.flush()
            os.fsync(raw.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
