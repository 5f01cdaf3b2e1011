"""One answer on its way through the middleware: read as it passes, and sent with what has to be changed in it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from stillwatch.errors import where_it_failed
from stillwatch.gateway.answered import AnswerReader
from stillwatch.gateway.identity import only
from stillwatch.gateway.rewriting import Change, Rewriter
from stillwatch.gateway.told import for_customer
from stillwatch.records import Decision

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
log = logging.getLogger("stillwatch.gateway")
_EMPTY = (204, 205)
"""Statuses of answers without a body."""


class Outbound:
    """An answer; it takes the place of the server's own ``send``. ``closed`` and ``text`` are those of `Rewriter`."""

    def __init__(
        self, send: Send, decision: Decision, changes: Sequence[Change] = (), *, closed: bool = False,
        text: bool = False,
    ) -> None:  # fmt: skip
        self._send, self._changes, self._closed, self._text = send, changes, closed, text
        self._shown = [(name.encode(), value.encode()) for name, value in for_customer(decision).items()]
        self._held: MutableMapping[str, Any] | None = None
        self._rewriter: Rewriter | None = None
        self.reader: AnswerReader | None = None

    @property
    def missed(self) -> bool:
        """Something was to be changed in what could not be read."""
        return self._rewriter is not None and self._rewriter.missed

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """What the server behind sends."""
        if message["type"] == "http.response.start":
            message = self._begun({**message, "headers": [*message.get("headers", ()), *self._shown]})
            if self._rewriter is not None and self._rewriter.whole:
                self._held = message
                return
        elif message["type"] == "http.response.body":
            self._read(message.get("body", b""))
            if self._rewriter is not None and self._rewriter.active:
                await self._changed(message, self._rewriter)
                return
        await self._send(message)

    def _begun(self, message: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if not 200 <= message["status"] < 300:
            return message
        media, encoding = (only(message["headers"], name) for name in (b"content-type", b"content-encoding"))
        self.reader = AnswerReader(media, encoding=encoding)
        if self._changes and message["status"] not in _EMPTY:
            self._rewriter = Rewriter(
                media, self._changes, encoding=encoding, closed=self._closed, text=self._text
            )
            if self._rewriter.active and not self._rewriter.whole:
                message["headers"] = _without_length(message["headers"])
        return message

    def _read(self, piece: bytes) -> None:
        if self.reader is not None:
            try:
                self.reader.feed(piece)
            except Exception as failure:
                log.error("an answer could not be read: %s", where_it_failed(failure))
                self.reader = None

    async def _changed(self, message: MutableMapping[str, Any], rewriter: Rewriter) -> None:
        """The same, changed; a whole answer waits for its end, since its length changes."""
        more = bool(message.get("more_body"))
        piece = rewriter.feed(message.get("body", b"")) + (b"" if more else rewriter.end())
        if self._held is not None and (not more or piece):
            started, self._held = self._held, None
            if (failed := rewriter.failed) is not None:
                started["status"] = failed.status
                started["headers"] = [*failed.raw_headers(), *self._shown]
            else:
                length = [] if more else [(b"content-length", str(len(piece)).encode())]
                started["headers"] = [*_without_length(started["headers"]), *length]
            await self._send(started)
        if piece or not more:
            await self._send({**message, "body": piece})


def _without_length(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [pair for pair in headers if pair[0].lower() != b"content-length"]
