"""Middleware for Python model servers: decides on every request, hardens its body, records its answer.

```python
app.add_middleware(Guard)                                     # FastAPI or Starlette
```
```sh
vllm serve MODEL --middleware stillwatch.gateway.asgi.Guard
```

It takes its settings from ``stillwatch.toml`` in the working directory: section ``gateway`` names policy, folder and
whom to believe. The decision is at ``request.state.stillwatch`` for whoever carries out ``summarise`` and ``mark``.
Answers pass through as they come. Reading requests (GET and its kin) are let through; a WebSocket is decided by its
headers.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from stillwatch.errors import where_it_failed
from stillwatch.gateway.answered import AnswerReader
from stillwatch.gateway.body import Gone, Held, Receive, Refused, dumped, parsed, read
from stillwatch.gateway.desk import Desk
from stillwatch.gateway.identity import Caller, Identity, only
from stillwatch.gateway.paths import model_of, operation_of
from stillwatch.gateway.serving import secret_of
from stillwatch.gateway.told import Told, error, for_customer, refusal
from stillwatch.protect.harden import hardened
from stillwatch.receive.budget import Budget
from stillwatch.records import Action, Decision, Request
from stillwatch.settings import Settings, load_settings
from stillwatch.wiring.gate_request import request_of
from stillwatch.wiring.policy import Gate

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
log = logging.getLogger("stillwatch.gateway")
_WRITING = frozenset({"POST", "PUT", "PATCH"})
_UNREAD = "send a JSON object, as application/json and without Content-Encoding"


class Guard:
    """The middleware. Opens a gate of its own unless it is given one; refuses to start when that cannot be used."""

    def __init__(self, app: App, *, gate: Gate | None = None, settings: Settings | None = None) -> None:
        self._app = app
        settings = settings or load_settings()
        self._bounds = settings.gateway
        secret = secret_of(settings)
        self._identity = Identity(self._bounds, secret)
        self._own = gate is None
        self._gate = gate or Gate.open(
            self._bounds.policy, self._bounds.folder, settings=settings, secret=secret
        )
        self._desk = Desk(self._gate, fail=settings.protect.fail)
        self._budget = Budget(self._bounds.max_waiting_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            try:
                await self._app(scope, receive, send)
            finally:
                self.close()
        elif scope["type"] == "http" and scope["method"] in _WRITING:
            await self._guarded(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def close(self) -> None:
        """Let the threads finish and close the gate that was opened here."""
        self._desk.close()
        if self._own:
            self._gate.close()

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = Held(self._budget)
        try:
            asked = _Asked(scope, self._identity.caller(scope.get("client"), scope["headers"]))
            try:
                if asked.readable:
                    await read(receive, asked.declared, held, most=self._bounds.max_body_bytes,
                               timeout_s=self._bounds.read_timeout_s)  # fmt: skip
                    asked.raw = held.raw
                decision = await self._desk.run(lambda: self._decided(asked))
            except Gone:
                return
            except Refused as refused:
                wait = {"retry-after": str(refused.retry_after_s)} if refused.retry_after_s else {}
                await _answer(send, error(refused.status, refused.message, wait))
                return
            if not decision.allowed:
                await _answer(send, refusal(decision))
                return
            await self._served(asked, decision, held, receive, send)
        finally:
            held.free()

    def _decided(self, asked: _Asked) -> Decision:
        """The decision, with the body changed as it says. Raises `Refused` and nothing else."""
        try:
            asked.understand()
            decision = self._desk.judge(asked.request)
            if decision.allowed and Action.HARDEN in decision.actions:
                asked.harden(decision)
            return decision
        except Refused:
            raise
        except Exception as failure:
            log.error("a request could not be read: %s", where_it_failed(failure))
            return self._gate.undecided(asked.request, "a request could not be read")

    async def _served(
        self, asked: _Asked, decision: Decision, held: Held, receive: Receive, send: Send
    ) -> None:
        scope = asked.passed_on(decision)
        shown = [(name.encode(), value.encode()) for name, value in for_customer(decision).items()]
        reader: AnswerReader | None = None

        async def replayed() -> MutableMapping[str, Any]:
            if asked.raw is None:
                return await receive()
            body, asked.raw = asked.raw, None
            held.pieces.clear()
            held.free()
            return {"type": "http.request", "body": body, "more_body": False}

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal reader
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if 200 <= message["status"] < 300:
                    reader = AnswerReader(headers)
                message = {**message, "headers": [*headers, *shown]}
            await send(message)
            if message["type"] == "http.response.body" and reader is not None:
                try:
                    reader.feed(message.get("body", b""))
                except Exception as failure:
                    log.error("an answer could not be read: %s", where_it_failed(failure))
                    reader = None

        try:
            await self._app(scope, replayed, watched)
        finally:
            if reader is not None:
                done = reader
                self._desk.later(lambda: self._gate.record(asked.request, done.answer()))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _Asked(scope, self._identity.caller(scope.get("client"), scope["headers"]))
        decision = await self._desk.run(lambda: self._desk.judge(asked.request))
        if decision.allowed:
            await self._app(asked.passed_on(decision), receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": ""})


class _Asked:
    """One request on its way: what is known of it, its body, and what goes on."""

    def __init__(self, scope: Scope, caller: Caller) -> None:
        self._scope, self._caller = scope, caller
        self._operation = operation_of(scope["path"])
        self._kind = only(scope["headers"], b"content-type").partition(";")[0].strip().lower()
        self._encoded = only(scope["headers"], b"content-encoding").lower() not in ("", "identity")
        self._body: dict[str, Any] | None = None
        self._changed = False
        self.declared = only(scope["headers"], b"content-length").encode()
        self.raw: bytes | None = None
        self.request = Request(
            secrets.token_hex(12),
            caller.account_id,
            model_of(scope["path"]),
            self._operation,
            org_id=caller.org_id,
        )

    @property
    def readable(self) -> bool:
        """Whether the body is read at all: uploads in parts pass by, where no model call is expected."""
        return self._operation != "other" or not self._kind.startswith("multipart/")

    def understand(self) -> None:
        """Read the body. What a known model call cannot be read as JSON is refused: the server might read it."""
        if self.raw is None or (not self.raw and self._operation == "other"):
            return
        if self._encoded:
            raise Refused(415, f"the body is encoded and cannot be checked: {_UNREAD}")
        try:
            self._body = parsed(self.raw)
        except Refused as refused:
            if self._operation == "other" and "json" not in self._kind and refused.status == 400:
                return
            raise
        made = request_of(
            self._body, account_id=self._caller.account_id, request_id=self.request.request_id,
            operation=self._operation, org_id=self._caller.org_id,
        )  # fmt: skip
        if not made.model and self.request.model:
            made = request_of({**self._body, "model": self.request.model}, account_id=made.account_id,
                              request_id=made.request_id, operation=made.operation, org_id=made.org_id)  # fmt: skip
        self.request = made

    def harden(self, decision: Decision) -> None:
        """Take out what the decision takes out; a body that was not read cannot be served then."""
        if self._body is None:
            if self.raw == b"":
                return
            raise Refused(415, f"this request cannot be served as it was sent: {_UNREAD}")
        body, changed = hardened(self._body, decision.terms)
        if changed:
            self.raw, self._changed = dumped(body), True
        self._body = None

    def passed_on(self, decision: Decision) -> Scope:
        """The scope for the server behind."""
        scope = dict(self._scope)
        scope["state"] = {**(self._scope.get("state") or {}), "stillwatch": decision}
        if self._changed and self.raw is not None:
            kept = [(name, value) for name, value in scope["headers"]
                    if name.lower() not in (b"content-length", b"transfer-encoding", b"content-type")]  # fmt: skip
            scope["headers"] = [
                *kept, (b"content-type", b"application/json"), (b"content-length", str(len(self.raw)).encode())
            ]  # fmt: skip
        return scope


async def _answer(send: Send, told: Told) -> None:
    await send({"type": "http.response.start", "status": told.status, "headers": told.raw_headers()})
    await send({"type": "http.response.body", "body": told.body})


__all__ = ["Guard"]
