"""A member's side of a hub and of its key holders: signed requests, and answers that are read within bounds.

Redirects are not followed and nothing is taken from the environment. What a server says besides the form that is
expected is cut short and made printable: it is shown to a person.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from stillwatch.errors import ConfigError, StillwatchError, UpstreamError
from stillwatch.share.hub.signing import MemberKey
from stillwatch.share.taxii.parsing import parse

MOST_BYTES = 64 * 2**20
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


class Denied(StillwatchError):
    """A server said no, and why."""

    def __init__(self, status: int, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    """One server, one key.

    Args:
        http: a client without cookies, redirects and proxies of its own; whoever made it closes it.
        url: address of the server, without a path.
    """

    http: httpx.Client
    url: str
    key: MemberKey | None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
            raise ConfigError("the address is not https", hint="https://HOST; http only to this machine")
        if parts.username or parts.query or parts.fragment or parts.path.strip("/") or not parts.hostname:
            raise ConfigError("the address cannot be used", hint="https://HOST or https://HOST:PORT")

    def get(self, path: str, query: str = "") -> dict[str, Any]:
        """What stands at a path."""
        return _object(self._asked("GET", path, query, b""))

    def post(self, path: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a server answers to what is sent."""
        return _object(self._asked("POST", path, "", orjson.dumps(given)))

    def send(self, path: str, body: bytes) -> bytes:
        """The same for bytes that are no JSON."""
        return self._asked("POST", path, "", body)

    def _asked(self, method: str, path: str, query: str, body: bytes) -> bytes:
        authority = urlsplit(self.url).netloc
        headers = {"accept-encoding": "identity", "user-agent": "stillwatch"}
        if self.key:
            headers |= self.key.headers(method, authority, path, query, body, int(time.time()))
        address = f"{self.url.rstrip('/')}{path}{f'?{query}' if query else ''}"
        try:
            with self.http.stream(
                method, address, content=body or None, headers=headers, follow_redirects=False
            ) as got:
                data = _bounded(got)
                if got.status_code == 200:
                    return data
        except httpx.HTTPError as error:
            raise UpstreamError(
                f"{authority} cannot be reached ({type(error).__name__})",
                hint="look at the address, the certificate's authority (ca) and the server",
            ) from None
        raise _denied(got.status_code, data)


def _bounded(got: httpx.Response) -> bytes:
    pieces, size = [], 0
    if got.headers.get("content-encoding", "identity") != "identity":
        raise UpstreamError("the server packs its answer, unasked", hint="tell whoever runs it")
    for piece in got.iter_raw():
        size += len(piece)
        if size > MOST_BYTES:
            raise UpstreamError(f"the server sends more than {MOST_BYTES} bytes", hint="tell whoever runs it")
        pieces.append(piece)
    return b"".join(pieces)


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = parse(data)
    except ValueError as error:
        raise UpstreamError(
            f"the server's answer cannot be read: {error}", hint="tell whoever runs it"
        ) from None
    if not isinstance(found, dict):
        raise UpstreamError("the server's answer is of another form", hint="tell whoever runs it")
    return found


def _denied(status: int, data: bytes) -> StillwatchError:
    try:
        told = _object(data[:65_536])
    except UpstreamError:
        told = {}
    reason, hint = (
        "".join(c for c in str(told.get(k, "")) if c.isprintable())[:200] for k in ("error", "hint")
    )
    return Denied(status, f"the server answered {status}: {reason or 'no reason given'}", hint)


__all__ = ["Client", "Denied"]
