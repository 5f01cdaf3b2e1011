"""Protobuf messages out of a byte stream: one bare message, or many with a length before each.

Only the outermost bytes are looked at here; what a message says is the business of its format.

>>> inner = bytes([0x0A, 0x02, 0x12, 0x00])
>>> looks_like_otlp(inner), delimited(inner)
(True, False)
>>> delimited(bytes([len(inner)]) + inner)
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from stillwatch.ingest.refusal import Broken, Refusal

_REQUEST = 0x0A
_INNER = frozenset({0x0A, 0x12, 0x1A})
"""Tags that may open a ResourceSpans or ResourceLogs: resource, scopes, schema_url."""


def varint(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Read one varint; its value and where it ends, or None when the bytes do not hold one."""
    value = shift = 0
    while at < len(data) and shift < 63:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    return None


def _request_at(data: bytes | bytearray, at: int, room: int | None) -> bool:
    if at >= len(data) or data[at] != _REQUEST:
        return False
    size = varint(data, at + 1)
    if size is None or size[0] < 2 or (room is not None and size[1] - at + size[0] > room):
        return False
    return size[1] < len(data) and data[size[1]] in _INNER


def fixed(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Read a length of four bytes, big end first, as the OpenTelemetry collector's file exporter writes it."""
    return (int.from_bytes(data[at : at + 4], "big"), at + 4) if len(data) >= at + 4 else None


def lengths(head: bytes) -> Callable[[bytes | bytearray, int], tuple[int, int] | None] | None:
    """How the length before each message is written, or None when no telemetry request follows one."""
    for read in (varint, fixed):
        length = read(head, 0)
        if length is not None and length[0] > 2 and _request_at(head, length[1], length[0]):
            return read
        if _request_at(head, 0, None):
            return None
    return None


def delimited(head: bytes) -> bool:
    """Whether the stream opens with a length that a telemetry request follows."""
    return lengths(head) is not None


def looks_like_otlp(head: bytes) -> bool:
    """Whether the first bytes can be an OTLP export request, bare or length-delimited."""
    return delimited(head) or _request_at(head, 0, None)


def messages(chunks: Iterator[bytes], *, limit: int) -> Iterator[tuple[int, Any]]:
    """Each message as bytes, numbered from 1; one longer than ``limit`` is passed over and refused."""
    number, held, skip = 0, bytearray(), 0
    read = None
    begun = False
    try:
        for chunk in chunks:
            passed = min(skip, len(chunk))
            skip -= passed
            held += chunk[passed:]
            if not begun:
                read, begun = lengths(bytes(held[:64])), True
            if read is None:
                if len(held) > limit:
                    yield 1, Refusal(f"the record is longer than {limit} bytes")
                    return
                continue
            at = 0
            while (size := read(held, at)) is not None:
                length, start = size
                if length > limit:
                    number += 1
                    yield number, Refusal(f"the record is longer than {limit} bytes")
                    skip = max(0, start + length - len(held))
                    at = min(start + length, len(held))
                elif start + length <= len(held):
                    number += 1
                    yield number, bytes(held[start : start + length])
                    at = start + length
                else:
                    break
            del held[:at]
    except Broken as broken:
        yield number + 1, Refusal(broken.reason)
        return
    if held and read is None:
        yield 1, bytes(held)
    elif held or skip:
        yield number + 1, Refusal("truncated: the stream ends inside a message")
