"""What of a file is new: the lines behind those that were read, or the whole of a file that cannot be cut."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file has been read. A file is known by its content and its identity, not by its name alone."""

    name: str
    identity: str
    """Device and inode, or what else names the file itself; it survives a rename."""
    offset: int
    """Bytes that were read, from the beginning."""
    lines: int
    """Lines among them."""
    size: int
    """Size at the last visit."""
    modified_ns: int
    head: str
    """Digest of the first bytes that were read."""
    tail: str
    """Digest of the last bytes that were read."""
    format: str = ""
    """What it was recognised as; a few lines alone may not show it."""
    note: str = ""
    """Why the file was of no use, if it was not."""


@dataclass(frozen=True, slots=True)
class Part:
    """What to read of a file."""

    start: int
    """Byte to begin at."""
    lines: int
    """Lines before it."""
    to_end: bool
    """Up to the end; else to the end of the last whole line."""
    whole: bool
    """The file cannot be cut: it is read as it stands."""


def next_part(
    mark: Mark | None, *, size: int, modified_ns: int, cuttable: bool, same: bool, settled: bool
) -> Part | None:
    """What is new in a file, or None.

    Args:
        mark: how far it was read; None for a file not seen before.
        size, modified_ns: as it is now.
        cuttable: lines, not compressed: what is appended can be read by itself.
        same: what was read of it is still there, byte for byte at both ends of it.
        settled: nobody has written to it for a while.

    >>> next_part(None, size=10, modified_ns=1, cuttable=True, same=False, settled=False)
    Part(start=0, lines=0, to_end=False, whole=False)
    >>> next_part(None, size=10, modified_ns=1, cuttable=False, same=False, settled=False) is None
    True
    """
    if not cuttable:
        unchanged = mark is not None and (mark.size, mark.modified_ns) == (size, modified_ns)
        return None if unchanged or not settled else Part(0, 0, True, True)
    if mark is None or not same or size < mark.offset:
        return Part(0, 0, settled, False) if size else None
    return None if size == mark.offset else Part(mark.offset, mark.lines, settled, False)
