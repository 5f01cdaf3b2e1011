"""A socket that listens, or an error that says why it cannot be had."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from stillwatch.errors import ConfigError


@contextmanager
def listening(listen: str) -> Iterator[socket.socket]:
    """A socket that listens on ``HOST:PORT`` or ``[HOST]:PORT``; port 0 takes any free one.

    Raises:
        ConfigError: when the address makes no sense or cannot be had.
    """
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigError(
            f"{listen!r} is not an address with a port",
            hint="for example --listen 127.0.0.1:4318 or --listen [::1]:4318; port 0 takes any free one",
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.create_server((host, int(port)), family=family, backlog=2048)
    except OSError as error:
        reason = (error.strerror or "it cannot be had").lower()
        raise ConfigError(
            f"cannot listen on {listen}: {reason}", hint="choose another port, or stop what listens there"
        ) from error
    with sock:
        yield sock


def address_of(sock: socket.socket, scheme: str = "http") -> str:
    """Where it listens, as an address to open."""
    host, port = sock.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
