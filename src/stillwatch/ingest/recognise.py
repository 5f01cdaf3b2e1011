"""Tell what a file is from its first bytes: how it is packed, how it is cut, and which log it is.

>>> from stillwatch.ingest.registry import built_in
>>> seen = recognise("x", b'{"exchange_id":"e","started_at":1,"account_id":"a","model":"m"}\\n', built_in())
>>> seen.container, seen.format.id
('jsonl', 'canonical')
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stillwatch.errors import SourceError
from stillwatch.ingest.format import Format
from stillwatch.ingest.framing import json_values, lines
from stillwatch.ingest.jsontext import decode
from stillwatch.ingest.refusal import Refusal
from stillwatch.ingest.wire import looks_like_otlp

HEAD = 1 << 18
"""Decompressed bytes that recognition looks at; more only to the end of a first line that is longer."""
ENOUGH = 0.25
"""A format less sure than this is no match."""
_BOM = b"\xef\xbb\xbf"
_JSON = re.compile(rb'\s*(?:\{\s*["}]|\[\s*(?:[\[{\]"]|$))')
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{", b"[\0", b"\0[")


@dataclass(frozen=True, slots=True)
class Recognised:
    """What one source was taken for; printed at the start of a scan."""

    source: str
    format: str
    compression: str
    """``plain``, ``gzip`` or ``zstd``."""
    how: str
    """In plain words: by content or as told, and how the records lie."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Container and format of one source."""

    container: str
    format: Format
    how: str


def recognise(name: str, head: bytes, formats: Iterable[Format], told: Format | None = None) -> Kind:
    """Choose container and format.

    Args:
        name: the source, for the error.
        head: its first bytes, decompressed; for Parquet one JSON line with the column names as keys.
        formats: candidates, best first among equals.
        told: the user's choice, which stands whatever the content looks like.

    Raises:
        SourceError: when the content is none of them, or cannot be cut into records.
    """
    if head.startswith(_UTF16):
        raise SourceError(
            name, "this is UTF-16 text", hint="convert it to UTF-8 first, for example with iconv"
        )
    candidates = list(formats)
    container = container_of(head, told)
    if container is None:
        raise SourceError(name, "not a log in any known format", hint=_known(candidates))
    if told is not None:
        if container not in told.containers:
            raise SourceError(name, f"{told.id} logs do not come as {container}", hint="leave the format out")
        return Kind(container, told, f"{container}, as told")
    scored = [(each.sniff(head), each) for each in candidates if container in each.containers]
    best = max(scored, key=lambda pair: pair[0], default=None)
    if best is None or best[0] < ENOUGH:
        raise SourceError(name, _why(container, head), hint=_known(candidates))
    return Kind(container, best[1], f"{container}, by content")


def _why(container: str, head: bytes) -> str:
    """What keeps the content from being told: no end of the first line, a file cut short, or strange records."""
    if container == "jsonl" and b"\n" not in head.strip():
        if len(head) >= HEAD:
            return f"the first line goes on beyond {len(head) // 1024} KiB, too far to tell the format by"
        if isinstance(decode(head.strip()), Refusal):
            return "the only line is not whole JSON; the file may have been cut short"
    return "the records are of no known format"


def _known(formats: list[Format]) -> str:
    listed = ", ".join(each.id for each in formats)
    return f"known formats: {listed}; name one with --format, or describe the log with --mapping"


def container_of(head: bytes, told: Format | None = None) -> str | None:
    """How records are cut: ``jsonl``, ``json``, ``csv``, ``protobuf``, or None."""
    if told is not None and told.containers == {"protobuf"}:
        return "protobuf"
    plain = head.removeprefix(_BOM)
    if _JSON.match(plain[:4096]):
        return _json_container(plain)
    if looks_like_otlp(head[:64]):
        return "protobuf"
    if any(isinstance(value, dict) for value in _first_lines(plain)):
        return "jsonl"
    return "csv" if _csv(plain) else None


def _json_container(head: bytes) -> str:
    """Lines when the first line is a whole object, or some later line that begins at its margin is."""
    if head.lstrip()[:1] == b"[":
        return "json"
    if b"\n" not in head.strip():
        return "jsonl"
    if any(isinstance(value, dict) for value in _first_lines(head)):
        return "jsonl"
    whole = next((v for _, v in json_values(iter([head]), limit=HEAD)), None)
    pretty = whole is not None and not isinstance(whole, Refusal) and isinstance(decode(whole), dict)
    first = head.lstrip().partition(b"\n")[0].strip()
    return "json" if pretty or len(first) < 40 else "jsonl"


def _first_lines(head: bytes) -> list[object]:
    found: list[object] = []
    for _, line in lines(iter([head]), limit=HEAD):
        if not isinstance(line, Refusal) and line.startswith(b"{"):
            found.append(decode(line))
        if len(found) >= 20:
            break
    return found


def _csv(head: bytes) -> bool:
    """A header line of at least two short printable names, and valid text so far."""
    first = head.partition(b"\n")[0]
    try:
        text = first.decode("utf-8").strip()
    except UnicodeDecodeError:
        return False
    names = [name.strip().strip('"') for name in text.split(",")]
    return len(names) >= 2 and all(name.isprintable() and 0 < len(name) < 100 for name in names)


__all__ = ["ENOUGH", "HEAD", "Kind", "Recognised", "container_of", "recognise"]
