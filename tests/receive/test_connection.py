"""A connection cannot be held open for nothing: heads and requests have bounds that the clock keeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from stillwatch.receive.connection import bounded


class Line(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Timer:
    """One timer that was set."""

    def __init__(self, delay: float, callback: Callable[[], None]) -> None:
        self.delay, self.callback, self.cancelled = delay, callback, False

    def cancel(self) -> None:
        self.cancelled = True


class Timers:
    """The timers that a connection sets, to be rung by hand."""

    def __init__(self) -> None:
        self.set: list[Timer] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Set one."""
        self.set.append(Timer(delay, callback))
        return self.set[-1]

    def ring(self) -> int:
        """Ring every timer for requests that is set; how many there were."""
        due = [timer for timer in self.set if not timer.cancelled and timer.delay == 7.0]
        self.set = []
        for timer in due:
            timer.callback()
        return len(due)


async def _slow(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body to its end, then answers."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def _quick(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once, without reading the body."""
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def talk(*pieces: bytes | None, app: Any = _slow, connections: int = 5, others: int = 0) -> tuple[Line, int]:
    """Send pieces over one connection; None rings the clock. What was written, and how often it rang."""

    async def run() -> tuple[Line, int]:
        config = uvicorn.Config(
            app, http=bounded(7.0, 1000, connections), lifespan="off", ws="none", log_config=None
        )
        config.load()
        state, timers, line = ServerState(), Timers(), Line()
        state.connections.update({object() for _ in range(others)})  # type: ignore[misc]
        made = config.http_protocol_class(config=config, server_state=state, app_state={})  # type: ignore[call-arg]
        loop = asyncio.get_running_loop()
        made.loop = _Loop(loop, timers)  # type: ignore[attr-defined]
        made.connection_made(line)
        rang = 0
        for piece in pieces:
            if piece is None:
                rang += timers.ring()
            elif not line.closed:
                made.data_received(piece)
            for _ in range(5):
                await asyncio.sleep(0)
        closed = line.closed
        made.connection_lost(None)
        for _ in range(5):
            await asyncio.sleep(0)
        line.closed = closed
        return line, rang

    return asyncio.run(run())


class _Loop:
    """The event loop with timers that are rung by hand."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timers: Timers) -> None:
        self._loop = loop
        self.call_later = timers.call_later

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n"


def said(line: Line) -> tuple[int, Any]:
    """Status and JSON of the first answer."""
    head, _, body = line.written.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body) if body else None


@pytest.mark.parametrize("pieces", [
    (), (b"POST / HT",), (b"POST / HTTP/1.1\r\nhost: x\r\n",), (HEAD,), (HEAD, b"1234"),
])  # fmt: skip
def test_a_request_that_does_not_come_to_its_end_is_ended(pieces: tuple[bytes, ...]) -> None:
    """Nothing, half a head or half a body: 408, and the connection is closed."""
    line, rang = talk(*pieces, None)
    assert rang == 1
    status, body = said(line)
    assert (status, line.closed) == (408, True)
    assert body["message"] == "the request did not arrive whole within 7 s"


def test_a_request_that_comes_whole_is_answered_and_the_clock_stops() -> None:
    """However many follow on the connection, each has its own time."""
    line, rang = talk(HEAD, b"12345", None, HEAD + b"12345", None)
    assert rang == 0
    assert line.written.count(b"HTTP/1.1 200") == 2
    assert not line.closed


def test_each_request_on_a_connection_has_its_time() -> None:
    """The second is ended as the first would have been."""
    line, rang = talk(HEAD + b"12345", HEAD + b"1", None)
    assert rang == 1
    assert line.written.count(b"HTTP/1.1 200") == 1
    assert b"HTTP/1.1 408" in line.written
    assert line.closed


def test_a_body_that_goes_on_after_its_answer_is_ended_without_another() -> None:
    """A sender that was told its body is too long cannot go on for ever."""
    line, rang = talk(HEAD + b"1", b"2", None, app=_quick)
    assert rang == 1
    assert line.written.count(b"HTTP/1.1") == 1
    assert line.closed


def test_a_head_without_end_is_refused() -> None:
    """By its length, also when it comes drop by drop."""
    drop = b"x-filler: " + b"y" * 90 + b"\r\n"
    line, _ = talk(b"POST / HTTP/1.1\r\n", *[drop] * 12)
    status, body = said(line)
    assert (status, line.closed) == (431, True)
    assert body["message"] == "the head is longer than 1000 bytes"


def test_a_long_body_is_no_long_head() -> None:
    """The bound is on heads only."""
    head = HEAD.replace(b"length: 5", b"length: 5000")
    line, _ = talk(head + b"z" * 2500, b"z" * 2500)
    assert said(line)[0] == 200


def test_one_connection_too_many_is_closed() -> None:
    """At once, without a word."""
    line, _ = talk(others=5)
    assert (line.closed, line.written) == (True, b"")
    line, _ = talk(HEAD + b"12345", others=4)
    assert said(line)[0] == 200
