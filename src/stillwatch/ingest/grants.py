"""Grants: recorded permissions to distil, from TOML or JSON lines."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from stillwatch.ingest.refusal import Refusal, Row
from stillwatch.ingest.small_tables import as_paths, read_small
from stillwatch.ingest.times import to_time
from stillwatch.records import GRANT_SCHEMA, Rejected

PURPOSES = ("distillation", "evaluation", "research", "synthetic_data", "reseller")
_REQUIRED = frozenset({"grant_id", "valid_from", "valid_until"})
_ANY_MODEL = "*"


def read_grants(path: str | Path) -> tuple[pa.Table, list[Rejected]]:
    """Grants from ``[[grant]]`` tables in TOML, or from JSON lines, JSON, CSV or Parquet.

    A grant names an account or an organisation and a time range that is not empty; ``models = "*"`` and a single
    model's name are lists of one. A key that grants do not have is refused, because a misspelt limit would be no
    limit. A date without a time is its first moment in UTC, so ``valid_until`` is the first day without permission.

    Returns:
        The grants, under GRANT_SCHEMA, and the refused ones.

    Raises:
        SourceError: when the file cannot be opened or is no table of grants.
    """
    table, rejected, places = read_small(
        as_paths(path), GRANT_SCHEMA, _REQUIRED, prepare=_checked, table="grant"
    )
    seen: set[str] = set()
    keep = []
    for number, grant in enumerate(table.column("grant_id").to_pylist()):
        if grant in seen:
            rejected.append(Rejected(*places[number], "the grant_id appears again; the first grant was kept"))
        else:
            seen.add(grant)
            keep.append(number)
    return table.take(pa.array(keep, pa.int64())).combine_chunks(), rejected


def _checked(grant: Row) -> Row | Refusal:
    if any(name not in GRANT_SCHEMA.names for name in grant):
        return Refusal("a key that grants do not have")
    if not grant.get("account_id") and not grant.get("org_id"):
        return Refusal("neither account_id nor org_id")
    if grant.get("purpose") not in (None, *PURPOSES):
        return Refusal(f"purpose is none of {', '.join(PURPOSES)}")
    start, end = to_time(grant.get("valid_from")), to_time(grant.get("valid_until"))
    if start is not None and end is not None and end <= start:
        return Refusal("valid_until is not after valid_from")
    models = grant.get("models")
    if isinstance(models, str) and not models.lstrip().startswith("["):
        grant = {**grant, "models": [models or _ANY_MODEL]}
    return grant
