"""The server behind the door: one process, one event loop, and a good end when it is asked to end."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from stillwatch.receive.connection import bounded

_MAX_HEAD_BYTES = 65_536
_GRACE_S = 10
"""What requests at hand get to finish in when the end is asked for."""


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(
    app: ASGIApp,
    sock: socket.socket,
    *,
    read_timeout_s: float,
    max_connections: int,
    ready: Callable[[], None],
    tls: tuple[Path, Path] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; requests at hand are answered first. Call from the main thread.

    Args:
        app: what answers.
        sock: where it listens already.
        read_timeout_s: time for one request to arrive whole.
        max_connections: connections at one time.
        ready: called once requests are answered.
        tls: certificate (with its chain) and private key, as PEM files; without them HTTP is spoken.
    """
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # they would show what a client sent
        logging.getLogger(name).disabled = True
    config = uvicorn.Config(
        app, http=bounded(read_timeout_s, _MAX_HEAD_BYTES, max_connections), ws="none", lifespan="off",
        log_config=None, access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S, ssl_certfile=tls[0] if tls else None, ssl_keyfile=tls[1] if tls else None,
    )  # fmt: skip
    server = _Server(config, ready)
    with _ending(server):
        server.run(sockets=[sock])


@contextmanager
def _ending(server: uvicorn.Server) -> Iterator[None]:
    """The server's own handlers end it in good order and then raise the signal again, which here does no more."""

    def end(*_: object) -> None:
        server.should_exit = True

    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
