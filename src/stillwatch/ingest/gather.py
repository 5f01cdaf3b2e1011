"""Rows on their way into a batch: what a record answers, and parts of one exchange put together.

>>> gathered = Gathered(merges=True)
>>> gathered.take({"exchange_id": "e", "model": "m"}, 1), gathered.take({"exchange_id": "e", "prompt": "hi"}, 2)
(True, False)
>>> gathered.rows, gathered.lines
([{'exchange_id': 'e', 'model': 'm', 'prompt': 'hi'}], [1])
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stillwatch.ingest.format import Format
from stillwatch.ingest.formats.otlp_calls import SERVICE
from stillwatch.ingest.refusal import HOSTILE, Refusal, Row, Skipped


def answers(format: Format, record: Any) -> Iterator[Row | Refusal | Skipped]:
    """What a format makes of one record; whatever the record does to it, it costs that record only."""
    try:
        yield from format.rows(record)
    except HOSTILE:
        yield Refusal(f"the record does not have the shape of {format.id}")


class Gathered:
    """Rows in order, with the line each came from.

    Args:
        merges: whether rows with one exchange_id are parts of one exchange.
    """

    def __init__(self, *, merges: bool) -> None:
        self.rows: list[Row] = []
        self.lines: list[int] = []
        self.size = 0
        """About how many bytes the records took."""
        self._merges = merges
        self._places: dict[str, int] = {}

    def take(self, row: Row, line: int) -> bool:
        """Keep a row; False when it joined the one with its id that was there already."""
        if self._merges and self._joined(row):
            return False
        self.rows.append(row)
        self.lines.append(line)
        return True

    def _joined(self, row: Row) -> bool:
        """Join a row to the one with its id that already waits, if there is one; the earlier start stands."""
        key = row.get("exchange_id")
        if key is None:
            return False
        place = self._places.setdefault(key, len(self.rows))
        if place == len(self.rows):
            return False
        known = self.rows[place]
        starts = [start for start in (known.get("started_at"), row.get("started_at")) if start is not None]
        if str(known.get("account_id")).startswith(SERVICE):
            known["account_id"] = row.get("account_id") or known["account_id"]
        for name, value in row.items():
            if known.get(name) is None:
                known[name] = value
        if starts:
            known["started_at"] = min(starts)
        return True
