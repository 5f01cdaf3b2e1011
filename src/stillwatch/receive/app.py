"""The routes: what may be posted and in which shape, and what is answered."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from stillwatch.errors import where_it_failed
from stillwatch.receive.answers import JSON, PROTOBUF, answer, denied
from stillwatch.receive.budget import Budget
from stillwatch.receive.metrics import Metrics
from stillwatch.receive.openapi import description
from stillwatch.receive.post import Denied, Post, Sink, Taken

log = logging.getLogger("stillwatch.receive")
_ENCODINGS = {"": "identity", "identity": "identity", "gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}
_KINDS = {
    "/v1/traces": {PROTOBUF: "traces-proto", JSON: "traces-json"},
    "/v1/logs": {PROTOBUF: "logs-proto", JSON: "logs-json"},
    "/litellm": {JSON: "litellm", "application/x-ndjson": "litellm", "application/ndjson": "litellm"},
}
"""Path to media type to what such a body is."""
_OVERHEAD = 1024
"""Bytes that a request is counted with beside its body."""


@dataclass(slots=True)
class Door:
    """Reads posts within bounds and hands them to whoever keeps them."""

    sink: Sink
    budget: Budget
    metrics: Metrics
    max_body_bytes: int
    retry_after_s: int

    async def post(self, request: Request) -> Response:
        """Answer one post; it is durable before the answer is 200."""
        path = request.url.path
        kind = _KINDS[path].get(_media_type(request), "")
        outcome: Taken | Denied
        try:
            outcome = await self._outcome(request, path, kind)
        except Exception as error:
            outcome = self._failed(error)
        self._count(path, outcome)
        shown = kind or ("traces-json" if path == "/v1/traces" else "litellm")
        return answer(shown, outcome, retry_after_s=self.retry_after_s)

    async def _outcome(self, request: Request, path: str, kind: str) -> Taken | Denied:
        if not kind:
            return Denied(415, f"this Content-Type is not read here: send {' or '.join(_KINDS[path])}")
        encoding = _ENCODINGS.get(request.headers.get("content-encoding", "").strip().lower())
        if encoding is None:
            return Denied(415, "this Content-Encoding is not read here: send gzip, zstd or none")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self.max_body_bytes:
            return self._too_large()
        if (trouble := self.sink.trouble) is not None:
            return Denied(503, trouble)
        return await self._read(request, path, kind, encoding)

    async def _read(self, request: Request, path: str, kind: str, encoding: str) -> Taken | Denied:
        held = size = 0
        pieces: list[bytes] = []
        try:
            async for piece in request.stream():
                more = len(piece) + (0 if held else _OVERHEAD)
                if size + len(piece) > self.max_body_bytes:
                    return self._too_large()
                if not self.budget.take(more):
                    return Denied(429, "too much is waiting to be kept: send it again later")
                pieces.append(piece)
                held, size = held + more, size + len(piece)
            self.metrics.received.inc(size)
            post = Post(path, kind, encoding, b"".join(pieces))
            pieces.clear()
            return await self.sink.take(post)
        except ClientDisconnect:
            return Denied(400, "the connection ended before the body did")
        finally:
            self.budget.give(held)

    def _too_large(self) -> Denied:
        return Denied(
            413, f"the body is longer than {self.max_body_bytes} bytes: send smaller batches, or raise "
            "receive.max_body_bytes",
        )  # fmt: skip

    def _failed(self, error: Exception) -> Denied:
        self.metrics.failures.labels("request").inc()
        log.error("a request failed: %s", where_it_failed(error))
        return Denied(500, "it failed in here; the receiver's log says where")

    def _count(self, path: str, outcome: Taken | Denied) -> None:
        status = outcome.status if isinstance(outcome, Denied) else 200
        self.metrics.requests.labels(path, str(status)).inc()
        if isinstance(outcome, Taken):
            self.metrics.accepted.inc(outcome.accepted)
            self.metrics.skipped.inc(outcome.skipped)
            for reason, count in outcome.refused.items():
                self.metrics.refused.labels(reason).inc(count)


def make_app(door: Door) -> Starlette:
    """The application: three doors for telemetry, four for whoever watches over it."""

    async def healthz(request: Request) -> Response:
        if not door.sink.alive:
            return denied(Denied(500, "the receiver has stopped keeping what comes: start it again"))
        return _plain("ok")

    async def readyz(request: Request) -> Response:
        if (trouble := door.sink.trouble) is not None:
            return denied(Denied(503, trouble), retry_after_s=door.retry_after_s)
        return _plain("ok")

    async def metrics(request: Request) -> Response:
        return Response(door.metrics.text(), media_type=door.metrics.media_type)

    async def openapi(request: Request) -> Response:
        return Response(description(_KINDS), media_type=JSON)

    door.metrics.watch(lambda: float(door.budget.held))
    readers = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/openapi.json": openapi}
    app = Starlette(
        routes=[Route(path, door.post, methods=["POST"]) for path in _KINDS]
        + [Route(path, reader, methods=["GET"]) for path, reader in readers.items()],
        exception_handlers={HTTPException: _unknown},
    )
    app.router.redirect_slashes = False
    return app


def _plain(word: str) -> Response:
    return Response(f"{word}\n", media_type="text/plain")


async def _unknown(request: Request, error: Any) -> Response:
    """A path or a method that is not offered."""
    if error.status_code == 405:
        response = denied(Denied(405, "this method is not offered here: telemetry is sent with POST"))
        response.headers["allow"] = (error.headers or {}).get("Allow", "POST")
        return response
    return denied(Denied(404, f"no such path: send to {', '.join(_KINDS)}"))


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


__all__ = ["Door", "make_app"]
