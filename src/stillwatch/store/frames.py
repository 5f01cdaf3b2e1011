"""Arrow tables one after another in a file that only grows; a record that was torn off is told from a whole one.

Each record is its length, its CRC-32 and an Arrow stream. What follows the last whole record was being written when
the process or the machine stopped.

>>> one = frame(pa.table({"n": [1, 2]}))
>>> [t.num_rows for t in whole_frames(MAGIC + one + one + one[:-1]).tables], whole_frames(MAGIC + one[:5]).torn
([2, 2], 5)
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

import pyarrow as pa

MAGIC = b"stillw\x01\n"
"""How such a file begins."""
_HEAD = struct.Struct("<II")
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


@dataclass(slots=True)
class Frames:
    """What a file of records holds."""

    tables: list[pa.Table] = field(default_factory=list)
    torn: int = 0
    """Bytes after the last whole record."""
    damaged: int = 0
    """Records that cannot be read although whole ones follow: no torn write, but a disk or a hand that changed them."""


def frame(table: pa.Table) -> bytes:
    """One record."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_OPTIONS) as writer:
        writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def whole_frames(data: bytes) -> Frames:
    """Every whole record of a file."""
    found = Frames()
    at, bad = len(MAGIC), 0
    end = at if data.startswith(MAGIC) else 0
    while end and (size := _size_at(data, at)) is not None:
        body = data[at + _HEAD.size : at + size]
        at += size
        table = _table(body) if _HEAD.unpack_from(data, at - size)[1] == zlib.crc32(body) else None
        if table is None:
            bad += 1
            continue
        found.tables.append(table)
        found.damaged, end = bad, at
    found.torn = len(data) - end
    return found


def _size_at(data: bytes, at: int) -> int | None:
    """Length of the record that begins there, head included; None when it does not end inside the file."""
    if at + _HEAD.size > len(data):
        return None
    size: int = _HEAD.unpack_from(data, at)[0] + _HEAD.size
    return size if size > _HEAD.size and at + size <= len(data) else None


def _table(body: bytes) -> pa.Table | None:
    try:
        return pa.ipc.open_stream(body).read_all()
    except pa.ArrowException:
        return None
