"""Reads an answer on its way past: how many tokens it has, and which sealed reasoning blocks it issues.

Whole JSON answers and streams of server-sent events, of every large API. Where no usage is given, the events of a
stream are counted, one token each.

Examples
--------
>>> reader = AnswerReader("text/event-stream")
>>> for piece in (b'data: {"choices": [{}]}\\n\\nda', b'ta: {"usage": {"completion_tokens": 9}}\\n', b"data: [DONE]"):
...     reader.feed(piece)
>>> reader.answer()
Answer(output_tokens=9, sealed_out=())
"""

from __future__ import annotations

from typing import Any

import orjson

from stillwatch.ingest.answers import usage_fields
from stillwatch.ingest.sealed import MARKERS
from stillwatch.records import Answer
from stillwatch.wiring.gate_request import sealed_digests

MOST_BYTES = 8 * 2**20
"""Of a whole answer, or of one event of a stream; a longer one is not read."""
_MOST_DIGESTS = 4_096
_WORTH = tuple(word.encode() for word in ('"usage', "oken", *MARKERS))
"""An event that holds none of these says neither tokens nor blocks."""
_INSIDE = ("message", "response", "metadata")


class AnswerReader:
    """Fed with the pieces of one answer. Keeps counts and digests, and of a stream no more than one event."""

    def __init__(self, media: str, *, encoding: str = "", most: int = MOST_BYTES) -> None:
        media = media.strip().lower()
        self._stream = events_of(media)
        self._json = "json" in media or not media
        self._most = most
        self._rest = bytearray()
        self._skip = False
        self._events = self._tokens = 0
        self._sealed: dict[str, None] = {}
        self._encoded = encoding.strip().lower() not in ("", "identity")
        self.unread = self._encoded
        """Some of it could not be read: it is compressed, longer than the bound, or no JSON."""

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        if self._encoded:
            return
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
        """What was served; after the last piece, or once the connection is gone."""
        if self._rest and not self._skip:
            if self._stream:
                self._line(bytes(self._rest))
            else:
                self._read(bytes(self._rest))
        self._rest.clear()
        return Answer(self._tokens or self._events, tuple(self._sealed))

    def _add(self, piece: bytes) -> None:
        if self._skip or len(self._rest) + len(piece) > self._most:
            self._skip = self.unread = True
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
            found = orjson.loads(data)
        except ValueError:
            self.unread = True
            return
        for body in found if isinstance(found, list) else [found]:
            if isinstance(body, dict):
                self._take(body)

    def _take(self, body: dict[str, Any]) -> None:
        for part in (body, *(body.get(name) for name in _INSIDE)):
            if isinstance(part, dict):
                self._tokens = max(self._tokens, _tokens(part))
        if len(self._sealed) < _MOST_DIGESTS:
            self._sealed.update(dict.fromkeys(sealed_digests(body)))


def events_of(media: str) -> bool:
    """Whether an answer comes as events, one or more lines each.

    >>> [events_of(media) for media in ("text/event-stream; charset=utf-8", "application/x-ndjson", "application/json")]
    [True, True, False]
    """
    return media.startswith("text/event-stream") or "ndjson" in media or "jsonl" in media


def _tokens(part: dict[str, Any]) -> int:
    found = usage_fields(part)["output_tokens"]
    return found if isinstance(found, int) else 0
