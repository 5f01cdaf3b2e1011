"""Tables that leave the console as CSV: a cell is data, never a formula, and never a control character.

Spreadsheets run what begins with ``=``, ``+``, ``-`` or ``@``; account names are written by attackers. Such a cell gets
an apostrophe in front, which spreadsheets take for "this is text".

References: OWASP, CSV injection; RFC 4180.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from stillwatch.report.safe import shown

_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_LONGEST = 32_000
_ROWS = 500


def cell(value: Any) -> str:
    """One value as it may stand in a CSV file.

    Example:
        >>> cell("=1+1"), cell(-3), cell("acct-\\x1b[31m"), cell(["a", "b"])
        ("'=1+1", '-3', 'acct-⟨U+001B⟩[31m', 'a; b')
    """
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value))
    text = str(value)
    risky = text.lstrip(" \u00a0\ufeff").startswith(_RUNS) or text.startswith(_RUNS)
    plain = shown(text, _LONGEST)
    return f"'{plain}" if risky else plain


def csv_text(names: Sequence[str], rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The table in pieces, head first."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(names)
    for i, row in enumerate(rows, 1):
        writer.writerow([cell(row.get(name)) for name in names])
        if i % _ROWS == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def file_name(*parts: str) -> str:
    """A name for a download: letters, digits and hyphens, whatever the parts hold.

    Example:
        >>> file_name("C-1/../..\\\\x", "members") + ".csv"
        'C-1-x-members.csv'
    """
    kept = [
        "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in part).split()) for part in parts
    ]
    return "-".join(part[:60] for part in kept if part) or "table"
