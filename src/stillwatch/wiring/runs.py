"""A run folder as a risk table: what a scan found, with the account table and the grants beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import SourceError
from stillwatch.ingest import read_accounts, read_grants
from stillwatch.protect.risk_build import build
from stillwatch.records import Rejected

FILES = ("campaigns.parquet", "members.parquet", "accounts.parquet")
_GROUP = ("campaign_id", "kind", "confidence", "false_discovery_rate", "bits_content", "bits_infrastructure",
          "bits_timing", "bits_identity", "bits_behaviour")  # fmt: skip
_MEMBER = ("account_id", "campaign_id", "tier", "membership_bits", "extraction_share")
_ACCOUNT = ("account_id", "campaign_id", "disposition_hint")
_RECORD = ("account_id", "verification", "plan", "programme")


def compile_run(
    run: Path, accounts: Sequence[str] = (), grants: str | None = None
) -> tuple[pa.Table, list[Rejected]]:
    """The risk table of a run, and the rows of the other inputs that were refused.

    Raises
    ------
    SourceError
        The folder is not the output of a scan, or an input cannot be used.
    """
    digest = hashlib.sha256()
    tables = []
    for name, columns in zip(FILES, (_GROUP, _MEMBER, _ACCOUNT), strict=True):
        table, found = _read(run / name, columns)
        digest.update(found)
        tables.append(table)
    records, refused = None, []
    if accounts:
        whole, bad = read_accounts(list(accounts))
        records, refused = whole.select(_RECORD), list(bad)
        digest.update(_digest(records))
    rows: list[dict[str, Any]] = []
    if grants:
        held, bad = read_grants(grants)
        refused += bad
        rows = [{**g, "valid_from": g["valid_from"].isoformat(), "valid_until": g["valid_until"].isoformat()}
                for g in held.to_pylist()]  # fmt: skip
        digest.update(repr(rows).encode("utf-8", "replace"))
    return build(*tables, run_digest=digest.hexdigest(), records=records, grants=rows), refused


def run_id_of(run: Path) -> str:
    """Name of a run, in the store of cases and beside it: the digest of its tables.

    Raises:
        SourceError: it is not the output of a scan.
    """
    digest = hashlib.sha256()
    try:
        for name in FILES:
            digest.update(hashlib.sha256((run / name).read_bytes()).digest())
    except OSError as error:
        raise SourceError(str(run), "cannot be read", hint="run the scan again") from error
    return digest.hexdigest()[:32]


def _read(path: Path, columns: tuple[str, ...]) -> tuple[pa.Table, bytes]:
    try:
        data = path.read_bytes()
        return pq.read_table(pa.BufferReader(data), columns=list(columns)), hashlib.sha256(data).digest()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(
            str(path.parent), f"{path.name} is missing", hint="name the output folder of a scan"
        ) from error
    except (pa.ArrowException, OSError, KeyError) as error:
        raise SourceError(str(path), "cannot be read", hint="run the scan again") from error


def _digest(table: pa.Table) -> bytes:
    whole = hashlib.sha256()
    for batch in table.combine_chunks().to_batches():
        whole.update(batch.serialize())
    return whole.digest()
