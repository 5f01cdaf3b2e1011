"""An answer on its way to a customer, changed as it passes: whole, or event by event.

What changes it are `Change`s: reasoning is withheld, issued blocks are put in envelopes. Each is given parsed JSON.

Examples
--------
>>> from stillwatch.protect.withhold import Withheld
>>> stream = Rewriter("text/event-stream", [Withheld()])
>>> stream.feed(b'data: {"choices": [{"delta": {"reasoning_content": "First"}}]}\\n\\ndata: [DO')
b'data: {"choices":[{"delta":{"reasoning_content":""}}]}\\n\\n'
>>> stream.feed(b"NE]\\n\\n") + stream.end()
b'data: [DONE]\\n\\n'
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from stillwatch.gateway.answered import MOST_BYTES, events_of
from stillwatch.gateway.told import RETRY_S, Told, error

MISSED = "visible reasoning was to be withheld from an answer that cannot be read: compressed, too long, or damaged"
_SHOWS_NOTHING = ("audio/", "image/", "video/")


class Change(Protocol):
    """What is done to an answer."""

    def worth(self, data: bytes) -> bool:
        """Whether JSON has to be parsed for it."""

    def take(self, body: Any) -> bool:
        """Change a parsed answer or event in place; whether it was changed."""

    def owed(self, body: Any) -> dict[str, Any] | None:
        """An event that has to go out before this one."""


class Rewriter:
    """Fed with the pieces of one answer; gives back what may be sent. Holds a whole answer, or one event, at most.

    What cannot be read (compressed, longer than ``most``, damaged, and with ``text`` of a kind that is neither JSON nor
    events) passes as it is and is `missed`; with ``closed`` it is kept back, a whole answer replaced by an error.
    """

    def __init__(
        self, media: str, changes: Sequence[Change], *, encoding: str = "", most: int = MOST_BYTES,
        closed: bool = False, text: bool = False,
    ) -> None:  # fmt: skip
        media = media.strip().lower()
        self._lines = events_of(media)
        json_ = ("json" in media or not media) and not self._lines
        other = text and not json_ and not self._lines and not media.startswith(_SHOWS_NOTHING)
        self.whole = json_ or (other and closed)
        """Nothing is sent before the answer is here; its length may change."""
        self.active = self.whole or self._lines
        """Its pieces have to be handed in."""
        self._changes, self._most, self._closed = changes, most, closed
        self._rest = bytearray()
        self._open: list[bytes] = []
        """Lines of an event whose JSON is not complete yet."""
        self.missed = other or (self.active and encoding.strip().lower() not in ("", "identity"))
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
        out = b"".join(self._events(piece)) if self._lines else b""
        if not self._lines:
            self._rest += piece
        if len(self._rest) + sum(map(len, self._open)) > self._most:
            out += self._given_up(b"".join(self._open) + bytes(self._rest))
        return out

    def end(self) -> bytes:
        """The last of it; after the last piece. Nothing, when it is asked for again."""
        rest = bytes(self._rest)
        self._rest.clear()
        if not self.active or self._over:
            return b""
        self._over = True
        if self._past or not (rest or self._open):
            return self._error()
        if self._lines:
            return (self._line(rest) if rest else b"") + self._closed_event()
        sent, _ = self._read(rest)
        return self._given_up(rest) + self._error() if sent is None else sent

    def _error(self) -> bytes:
        failed = self.failed
        return b"" if failed is None else failed.body

    def _events(self, piece: bytes) -> list[bytes]:
        """Lines that end in a piece. What is held is not looked through again: a long line comes in many pieces."""
        first, *others = piece.split(b"\n")
        self._rest += first
        if not others:
            return []
        *whole, last = others
        lines = [bytes(self._rest), *whole]
        self._rest = bytearray(last)
        return [self._line(line + b"\n") for line in lines]

    def _line(self, line: bytes) -> bytes:
        """A line of a stream. JSON that goes on over several is held until the event ends."""
        text = line.strip()
        if self._open:
            if text:
                self._open.append(line)
                return b""
            return self._closed_event() + line
        data = text.removeprefix(b"data:").strip()
        if not data.startswith((b"{", b"[{")):
            return line
        sent, before = self._read(data)
        if sent is None and text.startswith(b"data:"):
            self._open = [line]
            return b""
        if sent is None:
            self.missed = True
            return b"" if self._closed else line
        end = line[len(line.rstrip(b"\r\n")) :]
        return before + (
            line if sent == data else (b"data: " if text.startswith(b"data:") else b"") + sent + end
        )

    def _closed_event(self) -> bytes:
        """The event whose lines were held, now that it has ended."""
        held, self._open = self._open, []
        if not held:
            return b""
        data = [line.strip().removeprefix(b"data:").strip() for line in held if line.startswith(b"data:")]
        sent, before = self._read(b"\n".join(data))
        if sent is None:
            self.missed = True
            return b"" if self._closed else b"".join(held)
        if sent == b"\n".join(data):
            return before + b"".join(held)
        others = b"".join(line for line in held if not line.startswith(b"data:"))
        return before + others + b"data: " + sent + b"\n"

    def _read(self, data: bytes) -> tuple[bytes | None, bytes]:
        """An answer or event as it is sent on, and what goes out before it; None when it cannot be read."""
        changes = [change for change in self._changes if change.worth(data)]
        if not changes:
            return data, b""
        try:
            found = _parsed(data)
            changed, before = False, b""
            for each in found if isinstance(found, list) else [found]:
                for change in changes:
                    changed |= change.take(each)
                    before += _ahead(change.owed(each), each)
            return _dumped(found) if changed else data, before
        except (ValueError, TypeError, RecursionError):
            return None, b""

    def _given_up(self, held: bytes) -> bytes:
        self._rest.clear()
        self._open = []
        self.missed = self._past = True
        return b"" if self._closed else held


def _ahead(owed: dict[str, Any] | None, event: Any) -> bytes:
    """An event that goes out before another, whose name was sent already and is sent again."""
    if owed is None:
        return b""
    return b"event: %b\ndata: %b\n\nevent: %b\n" % (
        owed["type"].encode(),
        _dumped(owed),
        event["type"].encode(),
    )


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


__all__ = ["MISSED", "Change", "Rewriter"]
