"""Cut a byte stream into records: JSON lines, JSON documents, CSV rows or protobuf messages.

The cutters take an iterator of byte chunks and yield ``(line, record or Refusal)``; ``line`` counts
from 1 and is the line for JSON lines and CSV, the position of the value otherwise. No record longer than
``limit`` bytes is ever held: it is discarded up to its end and refused.

>>> list(lines(iter([b'{"a":1}\\n{"b"', b':2}']), limit=100))
[(1, b'{"a":1}'), (2, b'{"b":2}')]
>>> list(lines(iter([b"x" * 50, b"x" * 50, b"\\nok\\n"]), limit=10))
[(1, Refusal(reason='the record is longer than 10 bytes')), (2, b'ok')]
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

from stillwatch.ingest import wire
from stillwatch.ingest.jsontext import decode
from stillwatch.ingest.refusal import Broken, Refusal

Framed = tuple[int, Any]
"""A line number with a record, or with the `Refusal` that stands in for it."""


Measured = tuple[int, Any, int]
"""The same with about how many bytes the record took."""


def framed(container: str, chunks: Iterator[bytes], *, limit: int) -> Iterator[Measured]:
    """Cut by container: ``jsonl``, ``json``, ``csv`` or ``protobuf``; JSON and CSV rows come decoded."""
    if container == "jsonl":
        return _decoded(lines(chunks, limit=limit))
    if container == "json":
        return _decoded(json_values(chunks, limit=limit))
    if container == "csv":
        return ((number, row, _cells(row)) for number, row in csv_rows(chunks, limit=limit))
    found = wire.messages(chunks, limit=limit)
    return ((number, data, 0 if isinstance(data, Refusal) else len(data)) for number, data in found)


def _cells(row: Any) -> int:
    return 0 if isinstance(row, Refusal) else sum(map(len, row.values()))


def _too_long(limit: int) -> Refusal:
    return Refusal(f"the record is longer than {limit} bytes")


def _decoded(raw: Iterator[Framed]) -> Iterator[Measured]:
    for number, data in raw:
        if isinstance(data, Refusal):
            yield number, data, 0
        else:
            yield number, decode(data), len(data)


def lines(chunks: Iterator[bytes], *, limit: int, blank: bool = False) -> Iterator[Framed]:
    """Lines without their end; blank ones are counted, and left out unless ``blank``."""
    number, size, skipping = 0, 0, False
    held: list[bytes] = []
    try:
        for chunk in chunks:
            parts = chunk.split(b"\n")
            for part in parts[:-1]:
                number += 1
                if skipping or size + len(part) > limit:
                    held, size, skipping = [], 0, False
                    yield number, _too_long(limit)
                    continue
                if held:
                    part, held, size = b"".join((*held, part)), [], 0
                if blank or (part and not part.isspace()):
                    yield number, part
            last = parts[-1]
            if last and not skipping:
                held.append(last)
                size += len(last)
                if size > limit:
                    held, size, skipping = [], 0, True
    except Broken as broken:
        yield number + 1, Refusal(broken.reason)
        return
    if skipping:
        yield number + 1, _too_long(limit)
    elif rest := b"".join(held).strip():
        yield number + 1, rest


_MARK = re.compile(rb'\\.|["{}\[\]]', re.DOTALL)


class _ValueCutter:
    """Finds where each top-level object begins and ends; top-level arrays are seen through."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.number = 0
        self.depth = 0
        self.in_string = False
        self.held = bytearray()
        self.over = False
        self.carry = b""

    def feed(self, chunk: bytes) -> Iterator[Framed]:
        data = self.carry + chunk
        begin, end = 0, 0
        for match in _MARK.finditer(data):
            mark, end = match.group(), match.end()
            if mark == b'"':
                self.in_string = not self.in_string
            elif self.in_string or mark[0] == 0x5C:
                continue
            elif mark in (b"{", b"["):
                if self.depth or mark == b"{":
                    if not self.depth:
                        yield from self._stray(data[begin : match.start()])
                        begin = match.start()
                    self.depth += 1
                else:
                    yield from self._stray(data[begin : match.start()])
                    begin = end
            elif self.depth:
                self.depth -= 1
                if not self.depth:
                    self._hold(data[begin:end])
                    begin = end
                    yield self._value()
            else:
                yield from self._stray(data[begin : match.start()])
                begin = end
        tail = len(data) - 1 if data.endswith(b"\\") and end < len(data) else len(data)
        self.carry = data[tail:]
        self._hold(data[begin:tail])

    def finish(self) -> Iterator[Framed]:
        if self.depth:
            self.number += 1
            yield self.number, Refusal("not valid JSON: the document ends inside a value")
        else:
            yield from self._stray(self.carry)

    def _hold(self, piece: bytes) -> None:
        if not self.over:
            self.held += piece
            if len(self.held) > self.limit:
                self.held, self.over = bytearray(), True

    def _value(self) -> Framed:
        self.number += 1
        over, value = self.over, bytes(self.held)
        self.held, self.over = bytearray(), False
        return self.number, _too_long(self.limit) if over else value

    def _stray(self, piece: bytes) -> Iterator[Framed]:
        """Whatever lies between values: commas and blanks are fine, anything else is one refusal."""
        self._hold(piece)
        stray, over = bytes(self.held), self.over
        self.held, self.over = bytearray(), False
        if over or stray.strip(b", \t\r\n\x1e\xef\xbb\xbf"):
            self.number += 1
            yield self.number, Refusal("not a JSON object")


def json_values(chunks: Iterator[bytes], *, limit: int) -> Iterator[Framed]:
    """Objects of one document, of an array, or of documents one after another, whatever their layout.

    >>> [value for _, value in json_values(iter([b'[{"a": [1]}', b', {"b": "}"}]']), limit=99)]
    [b'{"a": [1]}', b'{"b": "}"}']
    """
    cutter = _ValueCutter(limit)
    try:
        for chunk in chunks:
            yield from cutter.feed(chunk)
    except Broken as broken:
        yield cutter.number + 1, Refusal(broken.reason)
        return
    yield from cutter.finish()


def csv_rows(chunks: Iterator[bytes], *, limit: int) -> Iterator[Framed]:
    """Rows of a CSV file with a header line, as dicts; an empty cell is absent."""
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    feed = _CsvFeed(chunks, limit)
    reader = csv.reader(feed, strict=True)
    header: list[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error:
            yield feed.number, Refusal("not a valid CSV row")
            continue
        yield from feed.refused()
        if header is None:
            header = [name.strip().removeprefix("\ufeff") for name in cells]
        elif len(cells) > len(header):
            yield feed.number, Refusal("the row has more cells than the header")
        elif cells:
            yield feed.number, {name: cell for name, cell in zip(header, cells, strict=False) if cell != ""}
    yield from feed.refused()


class _CsvFeed:
    """Text lines for the csv module; a line that is not UTF-8 or too long becomes a note instead."""

    def __init__(self, chunks: Iterator[bytes], limit: int) -> None:
        self._lines = lines(chunks, limit=limit, blank=True)
        self._notes: list[Framed] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for number, line in self._lines:
            self.number = number
            if isinstance(line, Refusal):
                self._notes.append((self.number, line))
                continue
            try:
                return str(line, "utf-8") + "\n"
            except UnicodeDecodeError:
                self._notes.append((self.number, Refusal("not valid UTF-8")))
        raise StopIteration

    def refused(self) -> list[Framed]:
        notes, self._notes = self._notes, []
        return notes
