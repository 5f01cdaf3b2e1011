"""CSV for spreadsheets: what an attacker wrote into a cell stays text there.

A cell that begins with a sign by which spreadsheets take it for a formula gets an apostrophe in front; controls and
invisible characters become spaces. The ids are then not byte for byte what they were: use JSON where a program reads.

References: OWASP, CSV Injection.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import IO

_SIGNS = frozenset("=+-@\t\r|%\uff1d\uff0b\uff0d\uff20")
LONGEST = 32_000
"""Characters of a cell: spreadsheets take 32,767."""


def cell(value: object) -> object:
    """A value as a cell.

    >>> cell("=cmd|' /C calc'!A0"), cell(-3), cell(" @SUM(1)"), cell("a" + chr(0) + "b" + chr(10) + "c")
    ("'=cmd|' /C calc'!A0", -3, "' @SUM(1)", 'a b c')
    >>> cell(["-a", "b"])
    "'-a; b"
    """
    if value is None or isinstance(value, bool | int | float):
        return "" if value is None else value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value))
    text = "".join(
        " " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in str(value)
    )
    if text.lstrip()[:1] in _SIGNS:
        text = "'" + text
    return text[:LONGEST]


def write(sink: IO[str], header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write rows under a header; returns how many."""
    out = csv.writer(sink, lineterminator="\r\n")
    out.writerow(header)
    count = 0
    for row in rows:
        out.writerow([cell(value) for value in row])
        count += 1
    return count
