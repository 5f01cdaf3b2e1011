"""Tables that leave the console as CSV, piece by piece. Cells are made harmless by :mod:`stillwatch.respond.sheets`.

References: RFC 4180.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from stillwatch.respond.sheets import cell

_ROWS = 500


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
