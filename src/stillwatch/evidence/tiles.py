"""Where a log's tiles lie and what is in them, as C2SP tlog-tiles has it.

A tile holds 256 hashes of one row, every eighth row of the tree; a bundle holds the 256 entries under a tile of the
lowest row. A tile at the right edge is partial and lies beside its full name, under its width.

References: C2SP tlog-tiles v1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from stillwatch.errors import VerificationError

WIDTH = 256
HASH = 32
MOST_ENTRY = 65_535
"""Bytes of one entry."""


def index_path(index: int) -> str:
    """An index in groups of three digits.

    >>> index_path(1_234_067), index_path(5)
    ('x001/x234/067', '005')
    """
    digits = f"{index:03d}"
    digits = digits.rjust(-(-len(digits) // 3) * 3, "0")
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Path of a tile of hashes, or of a bundle when the level is ``entries``.

    >>> tile_path(0, 273), tile_path("entries", 0, 7)
    ('tile/0/273', 'tile/entries/000.p/7')
    """
    whole = f"tile/{level}/{index_path(index)}"
    return whole if width == WIDTH else f"{whole}.p/{width}"


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries behind their lengths."""
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def unbundled(data: bytes) -> list[bytes]:
    """The entries of a bundle.

    >>> unbundled(bundle([b"a", b""]))
    [b'a', b'']
    """
    entries, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from(">H", data.ljust(at + 2, b"\0"), at)
        if at + 2 + length > len(data):
            raise VerificationError(
                "a bundle of entries is cut off", hint="take the log from its keeper again"
            )
        entries.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return entries


def split_hashes(data: bytes) -> list[bytes]:
    """The hashes of a tile."""
    if len(data) % HASH:
        raise VerificationError("a tile is cut off", hint="take the log from its keeper again")
    return [data[i : i + HASH] for i in range(0, len(data), HASH)]
