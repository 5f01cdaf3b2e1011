"""The whole store in one file, and back: the same form whatever the database, so that a team can move.

A ZIP file with one JSON-lines file for each table and a manifest with their digests. It is taken from one moment.
Restoring goes into an empty store alone, checks every digest before anything is kept, walks the audit record, and is
one transaction. The file holds what the store holds, password hashes and documents among it: guard it as you do the
store.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any

from sqlalchemy import Boolean, Connection, Integer, LargeBinary, Table, func, select, text

from stillwatch.errors import VerificationError
from stillwatch.respond import audit, bulk
from stillwatch.respond import tables as t
from stillwatch.respond.columns import Moment
from stillwatch.respond.errors import NotNow

FORM = "stillwatch-store-1"
_MANIFEST = "manifest.json"
_BATCH = 500


def save(conn: Connection, revision: str, sink: IO[bytes]) -> dict[str, int]:
    """Write every table; returns the number of rows of each. ``conn`` should be a view of one moment."""
    counts, digests = {}, {}
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for table in t.METADATA.sorted_tables:
            digest, count = hashlib.sha256(), 0
            with archive.open(_name(table), "w", force_zip64=True) as out:
                for line in _lines(conn, table):
                    digest.update(line)
                    out.write(line)
                    count += 1
            counts[table.name], digests[table.name] = count, digest.hexdigest()
        manifest = {"form": FORM, "revision": revision, "rows": counts, "sha256": digests}
        archive.writestr(_MANIFEST, json.dumps(manifest, indent=2, sort_keys=True))
    return counts


def load(conn: Connection, revision: str, source: IO[bytes]) -> dict[str, int]:
    """Fill an empty store from a saved one; returns the number of rows of each table.

    Raises
    ------
    NotNow
        The store is not empty, or the copy was made by another form of it.
    VerificationError
        The file is damaged, or its audit record does not hold.
    """
    for table in (t.people, t.cases, t.audit):
        if conn.execute(select(func.count()).select_from(table)).scalar_one():
            raise NotNow("the store is not empty", hint="restore into a new one, then change respond.store")
    counts = {}
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            if manifest.get("form") != FORM or manifest.get("revision") != revision:
                raise NotNow(f"the copy has form {str(manifest.get('revision'))[:40]}, the store has {revision}",
                             hint="restore with the version that made it, then migrate")  # fmt: skip
            conn.execute(t.audit_head.delete())
            for table in t.METADATA.sorted_tables:
                counts[table.name] = _fill(conn, table, archive, manifest["sha256"][table.name])
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError) as error:
        raise VerificationError("this is not a whole copy of a store", hint="take another copy") from error
    audit.verify(conn)
    if conn.dialect.name == "postgresql":
        _continue_numbers(conn)
    return counts


def _name(table: Table) -> str:
    return f"tables/{table.name}.jsonl"


def _lines(conn: Connection, table: Table) -> Iterator[bytes]:
    keys = list(table.primary_key.columns)
    found = conn.execution_options(yield_per=_BATCH).execute(select(table).order_by(*keys))
    for row in found:
        plain = {name: _plain(value) for name, value in row._mapping.items()}
        yield json.dumps(plain, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _fill(conn: Connection, table: Table, archive: zipfile.ZipFile, expected: str) -> int:
    digest, count, rows = hashlib.sha256(), 0, []
    with archive.open(_name(table)) as source:
        for line in source:
            digest.update(line)
            rows.append(_row(table, json.loads(line)))
            if len(rows) == bulk.ROWS:
                bulk.insert(conn, table, rows)
                count, rows = count + len(rows), []
    bulk.insert(conn, table, rows)
    if digest.hexdigest() != expected:
        raise VerificationError(f"the copy of {table.name} was changed", hint="take another copy")
    return count + len(rows)


def _row(table: Table, plain: dict[str, Any]) -> dict[str, Any]:
    out = {}
    for column in table.columns:
        value = plain[column.name]
        if value is not None and isinstance(column.type, Moment):
            value = datetime.fromisoformat(value)
        elif value is not None and isinstance(column.type, LargeBinary):
            value = base64.b64decode(value)
        elif value is not None and isinstance(column.type, Boolean):
            value = bool(value)
        out[column.name] = value
    return out


def _continue_numbers(conn: Connection) -> None:
    """Numbers that the database gives go on after the highest that was restored."""
    for table in t.METADATA.sorted_tables:
        for column in table.primary_key.columns:
            if isinstance(column.type, Integer) and column.autoincrement is True:
                conn.execute(text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), "  # noqa: S608
                    f"COALESCE((SELECT max({column.name}) FROM {table.name}), 0) + 1, false)"
                ))  # fmt: skip
