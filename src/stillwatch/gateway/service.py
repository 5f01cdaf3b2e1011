"""The service that proxies ask: a check by headers, LiteLLM's guardrail and log, and what watches over them.

Only trusted proxies are answered; everybody else gets 403 on the doors that decide.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as Asked
from starlette.responses import Response
from starlette.routing import Route

from stillwatch.errors import where_it_failed
from stillwatch.gateway.abilities import left
from stillwatch.gateway.body import Gone, Held, Refused, parsed, read
from stillwatch.gateway.desk import Desk
from stillwatch.gateway.identity import Identity, only
from stillwatch.gateway.litellm import Served, answer_of, asked, logged
from stillwatch.gateway.metrics import Metrics
from stillwatch.gateway.openapi import description
from stillwatch.gateway.paths import model_of, operation_of
from stillwatch.gateway.told import JSON, Told, error, for_gateway, refusal
from stillwatch.receive.budget import Budget
from stillwatch.records import Decision, Request
from stillwatch.settings import GatewaySettings

D = TypeVar("D", Decision, Decision | None)
log = logging.getLogger("stillwatch.gateway")
CHECK, GUARDRAIL, LOG = "/check", "/beta/litellm_basic_guardrail_api", "/litellm"
_MOST_SHOWN = 2_500
"""Bytes of the customer's answer in a header: a proxy that cannot hold the headers would take the gate for gone."""
_TOO_LONG = "This request cannot be served."
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@dataclass(slots=True)
class Service:
    """Answers proxies."""

    desk: Desk
    identity: Identity
    settings: GatewaySettings
    budget: Budget
    metrics: Metrics

    async def check(self, request: Asked) -> Response:
        """One request by its headers: 200 with what the proxy should do, or the customer's answer."""
        headers = request.scope["headers"]
        try:
            path = self._path(request)
            caller = self.identity.caller(request.scope.get("client"), headers)
        except Refused as refused:
            return _repeated(refused.told())
        made = Request(
            secrets.token_hex(12), caller.account_id, model_of(path), operation_of(path), org_id=caller.org_id
        )
        decision = await self._decided("check", lambda: self.desk.judge(made))
        if decision.allowed:
            return _response(Told(200, for_gateway(decision)))
        return _repeated(refusal(decision))

    def _path(self, request: Asked) -> str:
        """What was asked for: the path that follows ours, else the proxy's header, which is there once."""
        rest: str = request.path_params.get("rest", "")
        if rest.strip("/"):
            return rest
        wanted = self.settings.path_header.lower().encode()
        found = [value for name, value in request.scope["headers"] if name.lower() == wanted]
        if len(found) > 1:
            raise Refused(
                400, "this request names its path twice: leave that to the proxy in front", code="two_paths"
            )
        return found[0].decode("latin-1") if found else ""

    async def guardrail(self, request: Asked) -> Response:
        """LiteLLM asks before it calls a model. Read and decided in one go: another way to a thread would cost more."""

        def judged(raw: bytes) -> Decision | None:
            asking = asked(parsed(raw))
            return None if asking.answered else self.desk.judge(asking.request)

        async with self._body(request) as raw:
            decision = await self._decided("litellm", lambda: judged(raw))
        return _json({"action": "NONE"} if decision is None else answer_of(decision))

    async def litellm(self, request: Asked) -> Response:
        """LiteLLM tells what was served."""

        def record(raw: bytes) -> Served:
            served = logged(raw)
            for each, answer in served.answers:
                self.desk.gate.record(each, answer)
            return served

        async with self._body(request) as raw:
            served = await self.desk.run(lambda: record(raw))
        return _json({"accepted": len(served.answers), "skipped": served.skipped})

    async def _decided(self, door: str, judge: Callable[[], D]) -> D:
        began = time.perf_counter()
        decision = await self.desk.run(judge)
        if decision is not None:
            self.metrics.seconds.labels(door).observe(time.perf_counter() - began)
            for action in left(door) if decision.allowed else ():
                if action in decision.actions:
                    self.metrics.unapplied.labels(door, action.value).inc()
        return decision

    @asynccontextmanager
    async def _body(self, request: Asked) -> AsyncIterator[bytes]:
        held = Held(self.budget)
        declared = only(request.scope["headers"], b"content-length").encode()
        try:
            await read(
                request.receive, declared, held, most=self.settings.max_body_bytes,
                timeout_s=self.settings.read_timeout_s,
            )  # fmt: skip
            yield held.raw
        finally:
            held.free()

    def door(
        self, name: str, answer: Callable[[Asked], Awaitable[Response]]
    ) -> Callable[[Asked], Awaitable[Response]]:
        """A door for trusted proxies: counted, and never failing without an answer."""

        async def opened(request: Asked) -> Response:
            try:
                if self.identity.trusted(request.scope.get("client")):
                    response = await answer(request)
                else:
                    response = _error(
                        403,
                        "this address is no trusted gateway: the operator can add it to gateway.trusted_proxies",
                    )
            except Refused as refused:
                response = _response(refused.told())
            except (Gone, ClientDisconnect):
                response = _error(400, "the connection ended before the body did")
            except Exception as failure:
                log.error("a request failed: %s", where_it_failed(failure))
                response = _error(500, "it failed in here; the log of the gate says where")
            self.metrics.answers.labels(name, str(response.status_code)).inc()
            return response

        return opened


def make_app(service: Service) -> Starlette:
    """The application: three doors for proxies, four for whoever watches over it."""

    async def healthz(request: Asked) -> Response:
        return Response("ok\n", media_type="text/plain")

    async def readyz(request: Asked) -> Response:
        live = service.desk.gate.in_force
        return _json({
            "policy": live.policy.name, "version": live.policy.version, "digest": live.policy.digest,
            "run_digest": live.table.run_digest, "switched_off": sorted(live.off),
        })  # fmt: skip

    async def metrics(request: Asked) -> Response:
        return Response(service.metrics.text(), media_type=service.metrics.media_type)

    async def openapi(request: Asked) -> Response:
        return Response(description(), media_type=JSON)

    check = service.door("check", service.check)
    app = Starlette(
        routes=[
            Route(CHECK, check, methods=_METHODS),
            Route(CHECK + "{rest:path}", check, methods=_METHODS),
            Route(GUARDRAIL, service.door("litellm", service.guardrail), methods=["POST"]),
            Route(LOG, service.door("litellm_log", service.litellm), methods=["POST"]),
            Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics),
            Route("/openapi.json", openapi),
        ],
        exception_handlers={HTTPException: _unknown},
    )  # fmt: skip
    app.router.redirect_slashes = False
    return app


def _response(told: Told) -> Response:
    return Response(told.body, told.status, told.headers)


def _repeated(told: Told) -> Response:
    """The customer's answer, repeated in headers for proxies that pass no body on."""
    short = told.body if len(told.body) <= _MOST_SHOWN else error(told.status, _TOO_LONG).body
    shown = {"x-stillwatch-told": short.decode(), "x-stillwatch-status": str(told.status)}
    return _response(Told(told.status, told.headers | shown, told.body))


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type=JSON)


def _error(status: int, message: str) -> Response:
    return _response(error(status, message))


async def _unknown(request: Asked, failure: Exception) -> Response:
    """A path or a method that is not offered."""
    status = failure.status_code if isinstance(failure, HTTPException) else 404
    if status == 405:
        return _error(405, "this method is not offered here: /openapi.json describes what is")
    return _error(404, f"no such path: proxies ask {CHECK}, {GUARDRAIL} or {LOG}")
