"""A connection that cannot be held open for nothing: bounds on the size of its head and on the time of a request.

The server's own protocol bounds neither: a client that sends one byte a minute, or headers without end, would keep its
place for ever. Here a request has a fixed time from its first byte (or from the connection, or the last answer) to the
end of its body, also when the answer was sent long before.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_PHRASES = {408: "Request Timeout", 431: "Request Header Fields Too Large"}


def bounded(read_timeout_s: float, max_head_bytes: int, max_connections: int) -> type[HttpToolsProtocol]:
    """The protocol with its bounds.

    Args:
        read_timeout_s: time for one request to arrive whole; its length in seconds.
        max_head_bytes: longest request line and headers.
        max_connections: connections beyond it are closed at once.
    """

    class Bounded(HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None
        _head = 0
        _in_head = True

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > max_connections:
                transport.abort()
                return
            self._start()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._timer is None:
                self._start()
            if self._in_head:
                self._head += len(data)
            super().data_received(data)
            if self._in_head and self._head > max_head_bytes:
                self._refuse(431, f"the head is longer than {max_head_bytes} bytes")

        def on_message_begin(self) -> None:
            self._in_head = True
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._in_head, self._head = False, 0
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._stop()
            self._in_head, self._head = True, 0
            super().on_message_complete()

        def _start(self) -> None:
            self._timer = self.loop.call_later(read_timeout_s, self._late)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _late(self) -> None:
            self._refuse(408, f"the request did not arrive whole within {read_timeout_s:g} s")

        def _refuse(self, status: int, message: str) -> None:
            """Answer if nobody has, and hang up."""
            self._stop()
            if self.transport.is_closing():
                return
            if self._unanswered():
                body = orjson.dumps({"code": 4 if status == 408 else 8, "message": message})
                head = (
                    f"HTTP/1.1 {status} {_PHRASES[status]}\r\ncontent-type: application/json\r\n"
                    f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
                )
                self.transport.write(head.encode() + body)
            self.transport.close()

        def _unanswered(self) -> bool:
            """Whether an answer written now would be taken for the one to the request at hand."""
            if not self.cycle:
                return True
            return self.cycle.response_complete if self._in_head else not self.cycle.response_started

    return Bounded
