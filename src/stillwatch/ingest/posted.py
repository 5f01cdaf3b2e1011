"""One body that came over HTTP, to rows: unpacked, cut and read within bounds, by the same formats as files.

>>> body = b'{"litellm_call_id": "c", "startTime": 1795493462.5, "model": "m", "metadata": {"user_api_key_hash": "h"}}'
>>> got = read_posted(body, "litellm", "identity", PostBounds())
>>> [row["account_id"] for row in got.rows], got.refused
(['h'], [])
>>> read_posted(b"{}", "traces-json", "gzip", PostBounds())
Traceback (most recent call last):
...
stillwatch.ingest.posted.Unusable: the body is not gzip
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from stillwatch.ingest.format import Answer, Format
from stillwatch.ingest.formats.litellm import FORMAT as LITELLM
from stillwatch.ingest.formats.otlp import parse_logs, parse_traces, rows_json, rows_logs, rows_traces
from stillwatch.ingest.framing import json_values, lines
from stillwatch.ingest.gather import Gathered, answers
from stillwatch.ingest.jsontext import decode
from stillwatch.ingest.nesting import depth
from stillwatch.ingest.refusal import Broken, Refusal, Row
from stillwatch.ingest.source import squash, unpacked


def _format(title: str, rows: Callable[[Any], Iterable[Answer]]) -> Format:
    return Format(title.replace(" ", "-").lower(), title, lambda _: 0.0, rows, merges=True)


KINDS: dict[str, Format] = {
    "traces-proto": _format("OTLP traces as protobuf", rows_traces),
    "traces-json": _format("OTLP traces as JSON", rows_json),
    "logs-proto": _format("OTLP logs as protobuf", rows_logs),
    "logs-json": _format("OTLP logs as JSON", rows_json),
    "litellm": LITELLM,
}
"""What may be posted, and how its records are read."""
_PARSERS = {"traces-proto": parse_traces, "logs-proto": parse_logs}
_OUTERMOST = {
    "traces-json": ("resourceSpans", "resource_spans"),
    "logs-json": ("resourceLogs", "resource_logs"),
}
ENCODINGS = ("identity", "gzip", "zstd")
_SMALL = 1 << 20
"""A body that unpacks to no more than this may be of any ratio."""


class Unusable(Exception):
    """A body that cannot be read at all; ``too_large`` when it is over a bound. Never quotes the body."""

    def __init__(self, reason: str, *, too_large: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.too_large = too_large


@dataclass(frozen=True, slots=True)
class PostBounds:
    """How far a body may go."""

    max_unpacked_bytes: int = 64 * 2**20
    """Longest body after decompression."""
    max_ratio: int = 200
    """Most bytes that one compressed byte may become, beyond the first MiB."""
    max_nesting: int = 128
    """Deepest JSON."""
    max_record_bytes: int = 16 * 2**20
    """Longest single record of a LiteLLM body."""


@dataclass(slots=True)
class Posted:
    """What one body held."""

    rows: list[Row]
    lines: list[int]
    """The number of the record that each row came from, from 1."""
    refused: list[tuple[int, str]] = field(default_factory=list)
    """Number and reason of what could not be read."""
    skipped: int = 0
    """Sound, but not a model call."""
    size: int = 0
    """Bytes of the body, unpacked."""


def read_posted(body: bytes, kind: str, encoding: str, bounds: PostBounds) -> Posted:
    """Read one body.

    Args:
        body: as it was sent.
        kind: one of `KINDS`.
        encoding: its Content-Encoding, one of `ENCODINGS`.
        bounds: how far it may go.

    Raises:
        Unusable: when the whole body cannot be read.
    """
    data = unpack(body, encoding, bounds)
    if not kind.endswith("-proto") and depth(data) > bounds.max_nesting:
        raise Unusable(f"the JSON is nested deeper than {bounds.max_nesting} levels")
    format = KINDS[kind]
    gathered = Gathered(merges=format.merges)
    posted = Posted(gathered.rows, gathered.lines, size=len(data))
    number = 0
    for record in _records(data, kind, bounds):
        for answer in [record] if isinstance(record, Refusal) else answers(format, record):
            number += 1
            if isinstance(answer, dict):
                gathered.take(answer, number)
            elif isinstance(answer, Refusal):
                posted.refused.append((number, answer.reason))
            else:
                posted.skipped += 1
    return posted


def unpack(body: bytes, encoding: str, bounds: PostBounds) -> bytes:
    """Undo the Content-Encoding, never holding more than the bounds allow.

    Raises:
        Unusable: when it is damaged or over a bound.
    """
    if encoding == "identity":
        return body
    if squash(body[:8]) != encoding:
        raise Unusable(f"the body is not {encoding}")
    most = min(bounds.max_unpacked_bytes, max(_SMALL, len(body) * bounds.max_ratio))
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in unpacked(iter([body]), encoding):
            size += len(piece)
            if size > most:
                raise Unusable(f"the body unpacks to more than {most} bytes", too_large=True)
            pieces.append(piece)
    except Broken as broken:
        raise Unusable(broken.reason) from broken
    return b"".join(pieces)


def _records(data: bytes, kind: str, bounds: PostBounds) -> Iterator[Any]:
    if kind == "litellm":
        yield from _payloads(data, bounds.max_record_bytes)
    elif kind in _PARSERS:
        request = _PARSERS[kind](data)
        if request is None:
            raise Unusable(f"not an export request of {KINDS[kind].title}")
        yield request
    elif (record := _decoded(data, kind)) != {}:
        yield record


def _decoded(data: bytes, kind: str) -> dict[str, Any]:
    record = decode(data)
    if isinstance(record, Refusal):
        raise Unusable(record.reason)
    if record and not any(name in record for name in _OUTERMOST[kind]):
        raise Unusable(f"not an export request of {KINDS[kind].title}")
    return record


def _payloads(data: bytes, longest: int) -> Iterator[Any]:
    """The objects of an array, of lines, or of one document: LiteLLM's three ways to send them."""
    data = data.removeprefix(b"\xef\xbb\xbf").strip()
    if not data.startswith((b"{", b"[")):
        raise Unusable("neither a JSON array nor JSON lines")
    in_lines = data.startswith(b"{") and data.partition(b"\n")[0].rstrip().endswith(b"}")
    for _, value in (lines if in_lines else json_values)(iter([data]), limit=longest):
        yield value if isinstance(value, Refusal) else decode(value)
