"""An answer on its way to a customer from whom visible reasoning is withheld: whole, or event by event.

Examples
--------
>>> stream = Withholder("text/event-stream")
>>> stream.feed(b'data: {"choices": [{"delta": {"reasoning_content": "First"}}]}\\n\\ndata: [DO')
b'data: {"choices":[{"delta":{"reasoning_content":""}}]}\\n\\n'
>>> stream.feed(b"NE]\\n\\n") + stream.end()
b'data: [DONE]\\n\\n'
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from stillwatch.gateway.answered import MOST_BYTES
from stillwatch.gateway.told import RETRY_S, Told, error
from stillwatch.protect.withhold import Withheld

MISSED = "visible reasoning was to be withheld from an answer that cannot be read: compressed, too long, or damaged"


class Withholder:
    """Fed with the pieces of one answer; gives back what may be sent. Holds a whole answer, or one event, at most.

    What cannot be read (compressed, longer than ``most``, damaged) passes as it is and is `missed`; with ``closed`` it
    is kept back, and a whole answer is replaced by an error.
    """

    def __init__(
        self, media: str, *, encoding: str = "", most: int = MOST_BYTES, closed: bool = False
    ) -> None:
        media = media.strip().lower()
        self._lines = media.startswith("text/event-stream") or "ndjson" in media or "jsonl" in media
        self.whole = "json" in media and not self._lines
        """Nothing is sent before the answer is here; its length may change."""
        self.active = self.whole or self._lines
        """It is of a kind that shows reasoning."""
        self._most, self._closed = most, closed
        self._withheld = Withheld()
        self._rest = bytearray()
        self.missed = self.active and encoding.strip().lower() not in ("", "identity")
        """Some of it could not be read."""
        self._past, self._over = self.missed, False

    @property
    def failed(self) -> Told | None:
        """What a customer is answered in place of a whole answer that cannot be read; None where it can be."""
        if self.missed and self.whole and self._closed:
            words = "This answer cannot be checked at the moment; please try again shortly."
            return error(503, words, {"retry-after": str(RETRY_S)}, code="fail_closed")
        return None

    def feed(self, piece: bytes) -> bytes:
        """The next bytes; what may be sent now."""
        if not self.active:
            return piece
        if self._past:
            return b"" if self._closed else piece
        self._rest += piece
        out = b"".join(self._events()) if self._lines else b""
        if len(self._rest) > self._most:
            out += self._given_up(bytes(self._rest))
        return out

    def end(self) -> bytes:
        """The last of it; after the last piece. Nothing, when it is asked for again."""
        rest = bytes(self._rest)
        self._rest.clear()
        if not self.active or self._over:
            return b""
        self._over = True
        if self._past or not rest:
            return self._error()
        if self._lines:
            return self._event(rest)
        sent = self._read(rest)
        return self._given_up(rest) + self._error() if sent is None else sent

    def _error(self) -> bytes:
        failed = self.failed
        return b"" if failed is None else failed.body

    def _events(self) -> list[bytes]:
        *lines, last = bytes(self._rest).split(b"\n")
        if lines:
            self._rest = bytearray(last)
        return [self._event(line + b"\n") for line in lines]

    def _event(self, line: bytes) -> bytes:
        text = line.strip()
        data = text.removeprefix(b"data:").strip()
        if not data.startswith((b"{", b"[{")):
            return line
        sent = self._read(data)
        if sent is None:
            self.missed = True
            return b"" if self._closed else line
        if sent == data:
            return line
        return (b"data: " if text.startswith(b"data:") else b"") + sent + line[len(line.rstrip(b"\r\n")) :]

    def _read(self, data: bytes) -> bytes | None:
        """An answer or event without its reasoning; as it was where it shows none; None when it cannot be read."""
        try:
            found = _parsed(data)
            changed = [self._withheld.take(each) for each in (found if isinstance(found, list) else [found])]
            return _dumped(found) if any(changed) else data
        except (ValueError, TypeError, RecursionError):
            return None

    def _given_up(self, held: bytes) -> bytes:
        self._rest.clear()
        self.missed = self._past = True
        return b"" if self._closed else held


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except ValueError:
        return json.loads(data)


def _dumped(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body, separators=(",", ":")).encode()


__all__ = ["MISSED", "Withholder"]
