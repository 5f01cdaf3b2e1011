"""The result as Arrow tables and JSON, and back: names and types of the data contract.

``campaigns.parquet`` has one column more than the contract, ``details``: a JSON string with the parts of a
campaign that are lists (evidence, shape, innocent explanations, timeline, edges, ...), so that a folder can
be explained alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pyarrow as pa

from stillwatch.records import (
    TIMESTAMP,
    Abstention,
    Campaign,
    Confidence,
    Evidence,
    Family,
    Finding,
    Kind,
    Member,
    Shape,
    Tier,
)
from stillwatch.report.safe import well_formed

_STRINGS = pa.list_(pa.string())
_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("campaign_id", pa.string()), ("kind", pa.string()), ("first_seen", TIMESTAMP), ("last_seen", TIMESTAMP),
    ("account_count", pa.int64()), ("exchange_count", pa.int64()), ("output_tokens", pa.int64()),
    ("log10_e_value", pa.float64()), ("p_value", pa.float64()), ("calibration_count", pa.int64()),
    ("false_discovery_rate", pa.float64()), *((f"bits_{family}", pa.float64()) for family in Family),
    ("extraction_share", pa.float64()), ("extraction_share_low", pa.float64()),
    ("extraction_share_high", pa.float64()), ("capabilities", _STRINGS), ("techniques", _STRINGS),
    ("confidence", pa.string()), ("granted", pa.bool_()), ("explanation", pa.string()),
    ("details", pa.string()),
]  # fmt: skip
CAMPAIGNS = pa.schema(_COLUMNS)
MEMBERS = pa.schema(
    [
        ("campaign_id", pa.string()),
        ("account_id", pa.string()),
        ("tier", pa.string()),
        ("membership_bits", pa.float64()),
        ("extraction_share", pa.float64()),
        ("exchange_count", pa.int64()),
        ("first_seen", TIMESTAMP),
        ("last_seen", TIMESTAMP),
        ("reasons", _STRINGS),
    ]
)
ACCOUNTS = pa.schema(
    [
        ("account_id", pa.string()),
        ("exchange_count", pa.int64()),
        ("campaign_id", pa.string()),
        ("disposition_hint", pa.string()),
        ("abstentions", _STRINGS),
    ]
)
_DETAILS = ("evidence", "shape", "innocent", "would_change", "timeline", "model_timeline", "models", "edges",
            "exemplars", "taken")  # fmt: skip


def dumps(value: Any, *, indent: int | None = None) -> str:
    """JSON with sorted keys; times in RFC 3339; anything else that JSON does not know as text.

    Example:
        >>> dumps({"b": 1, "a": float("nan")})
        '{"a":null,"b":1}'
    """
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(_plain(value), indent=indent, sort_keys=True, ensure_ascii=False, separators=separators)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {well_formed(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value), key=str)
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, bool | int):
        return value
    return well_formed(value.isoformat() if isinstance(value, datetime) else str(value))


def campaign_row(campaign: Campaign) -> dict[str, Any]:
    """One row of ``campaigns.parquet``."""
    row: dict[str, Any] = {name: getattr(campaign, name, None) for name in CAMPAIGNS.names}
    for family in Family:
        row[f"bits_{family}"] = float(campaign.bits.get(family, 0.0))
    details = {name: getattr(campaign, name) for name in _DETAILS}
    details |= {
        "evidence": [asdict(e) for e in campaign.evidence],
        "shape": [asdict(s) for s in campaign.shape],
    }
    details["bits"] = {str(family): value for family, value in campaign.bits.items()}
    return _texts(row | {"details": dumps(details)})


def campaign_from(row: Mapping[str, Any]) -> Campaign:
    """The campaign behind a row of ``campaigns.parquet``."""
    more = json.loads(row["details"])
    fields = {
        name: row[name] for name in CAMPAIGNS.names if name != "details" and not name.startswith("bits_")
    }
    fields |= {"kind": Kind(row["kind"]), "confidence": Confidence(row["confidence"])}
    fields |= {name: tuple(fields[name]) for name in ("capabilities", "techniques")}
    fields["bits"] = {Family(name): value for name, value in more["bits"].items()}
    fields["evidence"] = tuple(Evidence(**{**e, "family": Family(e["family"])}) for e in more["evidence"])
    fields["shape"] = tuple(Shape(**s) for s in more["shape"])
    fields["timeline"] = tuple((datetime.fromisoformat(hour), n) for hour, n in more["timeline"])
    fields["model_timeline"] = tuple(
        (m, datetime.fromisoformat(hour), n) for m, hour, n in more["model_timeline"]
    )
    for name in ("would_change", "exemplars"):
        fields[name] = tuple(more[name])
    for name in ("innocent", "models", "edges", "taken"):
        fields[name] = tuple(tuple(item) for item in more[name])
    return Campaign(**fields)


def member_row(member: Member) -> dict[str, Any]:
    """One row of ``members.parquet``."""
    return _texts({name: getattr(member, name) for name in MEMBERS.names})


def member_from(row: Mapping[str, Any]) -> Member:
    """The member behind a row."""
    return Member(**{**row, "tier": Tier(row["tier"]), "reasons": tuple(row["reasons"])})


def finding_row(finding: Finding) -> dict[str, Any]:
    """One line of ``findings.jsonl``. ``e_value`` is null where it has no finite value; its logarithm
    always stands."""
    log = finding.log10_e_value
    return {**asdict(finding), "e_value": None if log is None or log > 300 else 10**log}


def finding_from(row: Mapping[str, Any]) -> Finding:
    """The finding behind a line."""
    fields = {name: row[name] for name in Finding.__slots__}
    fields |= {"family": Family(row["family"]), "reasons": tuple(row["reasons"])}
    return Finding(**{**fields, "looks_alike": tuple(row["looks_alike"])})


def abstention_from(row: Mapping[str, Any]) -> Abstention:
    """The abstention behind an entry of ``summary.json``."""
    return Abstention(row["trait"], row["reason"], tuple(row["missing"]), row["subject"])


def accounts_table(accounts: pa.Table) -> pa.Table:
    """The accounts with the contract's columns, sorted by account id; columns that are missing are null."""
    columns = []
    for field in ACCOUNTS:
        if field.name in accounts.column_names:
            columns.append(accounts[field.name].cast(field.type))
        else:
            columns.append(pa.nulls(accounts.num_rows, field.type))
    table = pa.Table.from_arrays(columns, schema=ACCOUNTS)
    return table.sort_by("account_id") if table.num_rows else table


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    fixed: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, str):
            value = well_formed(str(value))
        elif isinstance(value, tuple):
            value = [well_formed(str(item)) for item in value]
        fixed[name] = value
    return fixed
