"""The door for log formats: what one is, and how it is found.

A format says how sure it is that a file's first bytes are its own, and turns one decoded record into rows
under the contract's names. Cutting a file into records, types, limits and refusals are not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from stillwatch.ingest.framing import json_values, lines
from stillwatch.ingest.jsontext import decode
from stillwatch.ingest.refusal import Refusal, Row, Skipped

Answer = Row | Refusal | Skipped
TEXT = frozenset({"jsonl", "json", "csv", "parquet"})


@dataclass(frozen=True)
class Format:
    """One log format.

    Example:
        >>> def rows(record):
        ...     yield {"exchange_id": record["rid"], "started_at": record["t"], "account_id": record["who"],
        ...            "model": record["m"]}
        >>> ours = Format("ours", "Our gateway's log", sniff=lambda head: 1.0 if b'"rid"' in head else 0.0, rows=rows)
        >>> next(iter(ours.rows({"rid": "1", "t": 1795493462, "who": "a", "m": "x"})))["account_id"]
        'a'
    """

    id: str
    """Name on the command line."""
    title: str
    """What it is, in a few words."""
    sniff: Callable[[bytes], float]
    """How sure, from 0 to 1, that a file begins like this: gets 256 KiB decompressed, or a longer first line.

    A Parquet file is shown as one JSON line with its column names as keys."""
    rows: Callable[[Any], Iterable[Answer]]
    """One decoded record (a dict; bytes for protobuf) to rows, `Refusal` or `SKIPPED`."""
    containers: frozenset[str] = field(default=TEXT)
    """Where such records may lie: ``jsonl``, ``json``, ``csv``, ``parquet``, ``protobuf``."""
    columnar: bool = False
    """Parquet columns, and the names in JSON lines, are already the contract's: read whole, without making rows."""
    merges: bool = False
    """Rows with the same exchange_id are parts of one exchange and are put together inside a batch."""


@lru_cache(maxsize=16)
def sample(head: bytes) -> tuple[dict[str, Any], ...]:
    """Up to 20 records that lie whole in the first bytes of a file.

    >>> sample(b'{"a": 1}\\nnoise\\n')
    ({'a': 1},)
    """
    head = head.removeprefix(b"\xef\xbb\xbf")
    found: list[dict[str, Any]] = []
    values = (
        json_values(iter([head]), limit=1 << 20)
        if head.lstrip()[:1] == b"["
        else lines(iter([head]), limit=1 << 20)
    )
    for _ in range(20):
        item = next(values, None)
        if item is None:
            break
        record = item[1] if isinstance(item[1], Refusal) else decode(item[1])
        if isinstance(record, dict):
            found.append(record)
    if not found and head.lstrip()[:1] == b"{":
        for _, value in json_values(iter([head]), limit=1 << 20):
            record = value if isinstance(value, Refusal) else decode(value)
            if isinstance(record, dict):
                found.append(record)
            break
    return tuple(found)


@lru_cache(maxsize=16)
def keys(head: bytes) -> frozenset[str]:
    """Top-level names: of the records in a file's first bytes, else of its CSV header, else any JSON names.

    An envelope ``{"data": [...]}`` counts as its records.

    >>> sorted(keys(b"id,model\\n1,m\\n"))
    ['id', 'model']
    """
    records = sample(head)
    if records:
        inside = [item for record in records for item in unwrapped(record) if isinstance(item, dict)]
        return frozenset().union(*inside) if inside else frozenset().union(*records)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        parts = head.split(b'"')
        named = zip(parts[1::2], parts[2::2], strict=False)
        return frozenset(
            p.decode("utf-8", "replace") for p, after in named if after.lstrip()[:1] == b":" and len(p) < 80
        )
    header = head.partition(b"\n")[0].decode("utf-8", "replace").removeprefix("\ufeff")
    return frozenset(name.strip().strip('"') for name in header.split(","))


def unwrapped(record: dict[str, Any]) -> list[Any]:
    """The records in an API's envelope (``data``, ``items``, ``results``, ``logs``), or the record itself."""
    for name in ("data", "items", "results", "logs", "records"):
        inner = record.get(name)
        if isinstance(inner, list) and len(record) <= 6:
            return inner
    return [record]


def share(head: bytes, wanted: Iterable[str]) -> float:
    """Which part of ``wanted`` the first records have at their top level."""
    names = frozenset(wanted)
    return len(names & keys(head)) / len(names)
