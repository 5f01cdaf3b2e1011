"""Talks to an application as a server would, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.receive import Budget, Denied, Door, Metrics, Post, Taken, make_app


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Keeper:
    """Keeps posts in memory, or answers as it was told."""

    def __init__(self, outcome: Taken | Denied | Exception | None = None) -> None:
        self.outcome = outcome or Taken(1)
        self.posts: list[Post] = []
        self.alive = True
        self.trouble: str | None = None

    async def take(self, post: Post) -> Taken | Denied:
        """Keep it."""
        self.posts.append(post)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def door(keeper: Keeper | None = None, *, waiting: int = 1 << 20, longest: int = 1 << 16) -> Door:
    """A door with small bounds."""
    return Door(keeper or Keeper(), Budget(waiting), Metrics(), longest, 3)


def ask(
    at: Door, method: str, path: str, body: bytes | Sequence[bytes] = b"", headers: dict[str, str] | None = None, *,
    ends: bool = True,
) -> Answer:  # fmt: skip
    """One request; a body in pieces arrives in pieces, and one that does not end breaks off."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    raw = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in (headers or {}).items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http", "headers": raw,
        "client": ("192.0.2.1", 1), "server": ("127.0.0.1", 4318), "state": {},
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces) or not ends}
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(make_app(at)(scope, receive, send))
    found = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(m.get("body", b"") for m in sent[1:]))
