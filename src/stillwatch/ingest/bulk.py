"""Lines of the contract's own shape, thousands at a time: what is plain in one sweep, the rest one by one.

It gathers as many rows as the reader does record by record, and refuses the same lines in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from stillwatch.ingest.assemble import EXCHANGE_REQUIRED, EXCHANGE_SCHEMA, Limits, from_lines
from stillwatch.ingest.coerce import Reasons
from stillwatch.ingest.framing import Framed
from stillwatch.ingest.jsontext import decode
from stillwatch.ingest.plainjson import read_plain
from stillwatch.ingest.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows of some lines."""

    batch: pa.RecordBatch
    """Those that are believable."""
    reasons: Reasons
    """Why the others are refused, by their place among ``lines``."""
    lines: list[int]
    """The line that each row came from."""
    size: int
    """Bytes that they took in the log."""


def line_batches(
    records: Iterator[Framed],
    limits: Limits,
    *,
    most: int,
    most_bytes: int,
    refuse: Callable[[int, str], None],
) -> Iterator[Lines]:
    """Turn framed lines into batches, in order.

    Args:
        records: line numbers with lines, or with the refusal of one.
        limits: what is believable of a row.
        most: rows after which those gathered are handed over.
        most_bytes: bytes after which they are.
        refuse: told the line and the reason of what is no record at all, before the rows around it are handed over.
    """
    ready: list[Lines] = []
    rows = size = 0
    held = _Held()
    for number, line in records:
        held.add(number, line)
        if rows + len(held.lines) < most and size + held.size <= most_bytes:
            continue
        ready.append(_read(held, limits, refuse))
        rows, size, held = rows + len(ready[-1].lines), size + ready[-1].size, _Held()
        if rows >= most or size > most_bytes:
            yield from ready
            ready, rows, size = [], 0, 0
    if held.lines:
        ready.append(_read(held, limits, refuse))
    yield from ready


class _Held:
    """Lines that wait to be read together; an empty one stands where a line was refused before it was read."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.lines: list[bytes] = []
        self.refused: dict[int, Refusal] = {}
        self.size = 0

    def add(self, number: int, line: bytes | Refusal) -> None:
        if isinstance(line, Refusal):
            self.refused[len(self.lines)] = line
            line = b""
        self.numbers.append(number)
        self.lines.append(line)
        self.size += len(line)


def _read(held: _Held, limits: Limits, refuse: Callable[[int, str], None]) -> Lines:
    plain = read_plain(held.lines, EXCHANGE_SCHEMA)
    rows, places, refused, size = [], [], [], held.size
    for at in plain.other.tolist():
        record = held.refused.get(at) or decode(held.lines[at])
        if isinstance(record, Refusal):
            refuse(held.numbers[at], record.reason)
            refused.append(at)
            size -= len(held.lines[at])
        else:
            rows.append(record)
            places.append(at - len(refused))
    batch, reasons = from_lines(plain, rows, np.array(places, np.int64), EXCHANGE_REQUIRED, limits)
    numbers = held.numbers
    if refused:
        numbers = np.delete(np.array(numbers), refused).tolist()
    return Lines(batch, reasons, numbers, size)
