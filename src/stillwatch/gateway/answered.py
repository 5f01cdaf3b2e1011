"""Reads an answer on its way past: how many tokens it has, and which sealed reasoning blocks it issues.

Whole JSON answers and streams of server-sent events, of every large API. Where no usage is given, the events of a
stream are counted, one token each.

Examples
--------
>>> reader = AnswerReader([(b"content-type", b"text/event-stream")])
>>> for piece in (b'data: {"choices": [{}]}\\n\\nda', b'ta: {"usage": {"completion_tokens": 9}}\\n', b"data: [DONE]"):
...     reader.feed(piece)
>>> reader.answer()
Answer(output_tokens=9, sealed_out=())
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from stillwatch.ingest.answers import usage_fields
from stillwatch.ingest.sealed import MARKERS
from stillwatch.records import Answer
from stillwatch.wiring.gate_request import sealed_digests

MOST_BYTES = 8 * 2**20
"""Of a whole answer, or of one event of a stream; a longer one is not read."""
_WORTH = tuple(word.encode() for word in ('"usage', *MARKERS))
"""An event that holds none of these says neither tokens nor blocks."""


class AnswerReader:
    """Fed with the pieces of one answer. Keeps counts and digests, and of a stream no more than one event."""

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        kinds = [value.lower() for name, value in headers if name.lower() == b"content-type"]
        kind = kinds[0] if kinds else b""
        self._stream = kind.startswith(b"text/event-stream")
        self._json = b"json" in kind
        self._rest = bytearray()
        self._skip = False
        self._events = self._tokens = 0
        self._sealed: dict[str, None] = {}

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        if self._stream:
            *lines, last = piece.split(b"\n")
            for line in lines:
                self._add(line)
                if not self._skip:
                    self._line(bytes(self._rest))
                self._rest.clear()
                self._skip = False
            self._add(last)
        elif self._json:
            self._add(piece)

    def answer(self) -> Answer:
        """What was served; after the last piece."""
        if self._rest and not self._skip:
            if self._stream:
                self._line(bytes(self._rest))
            else:
                self._read(bytes(self._rest))
        self._rest.clear()
        return Answer(self._tokens or self._events, tuple(self._sealed))

    def _add(self, piece: bytes) -> None:
        if self._skip or len(self._rest) + len(piece) > MOST_BYTES:
            self._skip = True
            self._rest.clear()
        else:
            self._rest += piece

    def _line(self, line: bytes) -> None:
        data = line.strip().removeprefix(b"data:").strip()
        if not data.startswith(b"{"):
            return
        self._events += 1
        if any(word in data for word in _WORTH):
            self._read(data)

    def _read(self, data: bytes) -> None:
        try:
            body = orjson.loads(data)
        except ValueError:
            return
        if not isinstance(body, dict):
            return
        for part in (body, body.get("message"), body.get("response")):
            if isinstance(part, dict):
                self._tokens = max(self._tokens, _tokens(part))
        self._sealed.update(dict.fromkeys(sealed_digests(body)))


def _tokens(part: dict[str, Any]) -> int:
    found = usage_fields(part)["output_tokens"]
    return found if isinstance(found, int) else 0
