"""What both servers do with a request before it means anything: bounds, signature, freshness; and their errors.

Who asks is known before a byte of a body is read, as far as a request can say it; the body is read within bounds, then
the signature is checked over it, then the request's number is used up. Only then is the request heard.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from stillwatch.errors import UpstreamError, VerificationError, where_it_failed
from stillwatch.share.hub import signing
from stillwatch.share.hub.asked import NotAllowed

HEADERS = {
    "cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}  # fmt: skip


MOST_AT_ONCE = 4
"""Bodies of one key that are read at one time: nobody holds up the others by sending slowly."""


class Used(Protocol):
    """Numbers of requests that were heard."""

    def fresh(self, key_id: str, nonce: str, at: int, oldest: int) -> bool: ...


@dataclass(slots=True)
class Door:
    """How requests get in.

    Args:
        known: Whoever a key belongs to (None when it may not be used), and the public key.
        authority: Host and port under which members reach the server.
    """

    authority: str
    known: Callable[[str], tuple[Any, str]]
    used: Used
    now_s: Callable[[], int]
    log: logging.Logger
    body_bytes: int = 16 * 2**20
    bodies: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(16))
    """Requests with a body that are read and worked on at one time; others wait."""
    reading: Counter[str] = field(default_factory=Counter)
    """Bodies of each key that are being read."""

    async def heard(self, request: Request) -> tuple[Any, bytes]:
        """Who asks, and the body."""
        try:
            signed = signing.claimed(request.headers, self.now_s())
        except VerificationError as error:
            raise NotAllowed(401, error.message, error.hint) from None
        who, public = await run_in_threadpool(self.known, signed.key_id)
        if who is None:
            raise NotAllowed(401, "the key is no member's", "ask whoever runs the server to add it")
        if self.reading[signed.key_id] >= MOST_AT_ONCE:
            raise NotAllowed(429, f"more than {MOST_AT_ONCE} requests at once", "wait for their answers")
        self.reading[signed.key_id] += 1
        try:
            body = await self._body(request)
        finally:
            self.reading[signed.key_id] -= 1
        try:
            path, query = request.scope["raw_path"].split(b"?")[0], request.scope["query_string"]
            signing.check(
                request.headers, public, request.method, self.authority, path.decode("latin-1"),
                query.decode("latin-1"), body,
            )  # fmt: skip
        except VerificationError as error:
            raise NotAllowed(401, error.message, error.hint) from None
        oldest = self.now_s() - 3 * signing.FRESH_S
        if not await run_in_threadpool(self.used.fresh, signed.key_id, signed.nonce, signed.created, oldest):
            raise NotAllowed(401, "this request was heard before", "sign each request anew")
        return who, body

    async def answered(self, request: Request, job: Callable[[Request], Awaitable[Response]]) -> Response:
        """What a job answers, or an error that says nothing of what was sent."""
        try:
            if request.method == "POST":
                async with self.bodies:
                    return await job(request)
            return await job(request)
        except NotAllowed as why:
            return refused(why)
        except UpstreamError as error:
            self.log.error("%s", error.message)
            return refused(NotAllowed(503, "not now", "try again"))
        except ClientDisconnect:
            return refused(NotAllowed(400, "the connection ended before the body did", "send it again"))
        except Exception as error:
            self.log.error("a request failed: %s", where_it_failed(error))
            return refused(NotAllowed(500, "it failed in here", "the server's own log says where"))

    async def _body(self, request: Request) -> bytes:
        declared = request.headers.get("content-length", "0")
        most = self.body_bytes if request.method == "POST" else 0
        too_long = NotAllowed(413, f"a body has at most {most} bytes here", "send less at a time")
        if not declared.isdecimal() or int(declared[:20]) > most:
            raise too_long
        if request.headers.get("content-encoding", "identity") != "identity":
            raise NotAllowed(415, "this encoding is not read", "send the body as it is")
        pieces, size = [], 0
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                raise too_long
            pieces.append(piece)
        return b"".join(pieces)


def answer(told: Any, status: int = 200) -> Response:
    """JSON that no cache keeps."""
    return Response(orjson.dumps(told), status, HEADERS, "application/json")


def refused(why: NotAllowed) -> Response:
    """Why something was not done."""
    extra = {"www-authenticate": f'Signature tag="{signing.TAG}"'} if why.status == 401 else {}
    extra |= {"retry-after": "5"} if why.status == 503 else {}
    response = answer({"error": why.reason, "hint": why.hint}, why.status)
    response.headers.update(extra)
    return response


__all__ = ["HEADERS", "Door", "Used", "answer", "refused"]
