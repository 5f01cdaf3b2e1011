"""What an answer says of itself while it passes: output tokens and issued blocks, whole or as server-sent events.

>>> reader = AnswerReader("text/event-stream", most=1024)
>>> reader.feed(b'data: {"usage": {"completion_tok')
>>> reader.feed(b'ens": 7}}\\n\\ndata: [DONE]\\n\\n')
>>> reader.answer().output_tokens
7
"""

from __future__ import annotations

from typing import Any

import orjson

from stillwatch.ingest.answers import usage_fields
from stillwatch.records import Answer
from stillwatch.wiring.gate_request import sealed_digests

_MARKS = (b"sage", b"oken", b"ncrypted", b"edacted", b"ignature", b"ompaction")
"""An event without any of these tells nothing that is asked for; it is not parsed."""
_MOST_DIGESTS = 4_096
_INSIDE = ("message", "response", "metadata")


class AnswerReader:
    """Reads along within bounds; keeps no text once it is read."""

    def __init__(self, media: str, *, most: int, encoding: str = "") -> None:
        self._events = media.strip().lower().startswith("text/event-stream")
        self._most = most
        self._held: list[bytes] = []
        self._size = 0
        self._tokens = 0
        self._digests: dict[str, None] = {}
        self.unread = bool(encoding.strip()) and encoding.strip().lower() != "identity"
        """Some of it could not be read: it is compressed, longer than the bound, or no JSON."""

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        if self.unread or not piece:
            return
        self._held.append(piece)
        self._size += len(piece)
        if self._events and b"\n" in piece:
            lines = b"".join(self._held).split(b"\n")
            self._held, self._size = [lines[-1]], len(lines[-1])
            for line in lines[:-1]:
                self._line(line)
        if self._size > self._most:
            self._held, self._size, self.unread = [], 0, True

    def answer(self) -> Answer:
        """What was found; call it once all has passed, or the connection is gone."""
        rest = b"".join(self._held)
        self._held, self._size = [], 0
        if self._events:
            self._line(rest)
        elif rest and not self.unread:
            self._object(rest)
        return Answer(self._tokens, tuple(self._digests))

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data:") and any(mark in line for mark in _MARKS):
            self._object(line[5:].strip())

    def _object(self, text: bytes) -> None:
        try:
            found = orjson.loads(text)
        except ValueError:
            self.unread = True
            return
        places = [found, *(found.get(name) for name in _INSIDE)] if isinstance(found, dict) else []
        for place in places:
            if isinstance(place, dict):
                self._tokens = max(self._tokens, _count(usage_fields(place)["output_tokens"]))
        if len(self._digests) < _MOST_DIGESTS:
            self._digests.update(dict.fromkeys(sealed_digests(found)))


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
