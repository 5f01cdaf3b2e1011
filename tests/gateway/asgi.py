"""Talks to an ASGI application as a server would, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Got:
    """What came back."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(
    app: Any, method: str, path: str, body: bytes | Sequence[bytes] = b"",
    headers: Sequence[tuple[str, str]] | dict[str, str] = (), *, peer: str | None = "127.0.0.1", ends: bool = True,
) -> Got:  # fmt: skip
    """One request; a body in pieces arrives in pieces, and one that does not end breaks off."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    pairs = headers.items() if isinstance(headers, dict) else headers
    plain, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": plain,
        "raw_path": plain.encode(), "query_string": query.encode(), "root_path": "", "scheme": "http",
        "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in pairs],
        "client": (peer, 1) if peer else None, "server": ("127.0.0.1", 8787), "state": {},
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces) or not ends}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(app(scope, receive, send))
    if not sent:
        return Got(0, {}, [])
    found = {k.decode(): v.decode("latin-1") for k, v in sent[0]["headers"]}
    return Got(sent[0]["status"], found, [m.get("body", b"") for m in sent[1:]])
