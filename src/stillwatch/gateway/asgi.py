"""Middleware for Python model servers: decides on every request, hardens its body, records its answer.

```python
app.add_middleware(Guard)                                     # FastAPI or Starlette
```
```sh
vllm serve MODEL --middleware stillwatch.gateway.asgi.Guard
```

It takes its settings from ``stillwatch.toml`` in the working directory: section ``gateway`` names policy, folder and
whom to believe. The decision is at ``request.state.stillwatch``; the name of a marking key is there in ``terms.key``
and in the header ``x-stillwatch-mark`` of the request that goes on. Answers pass through as they come: without visible
reasoning where the decision withholds it, with issued reasoning blocks in envelopes where settings say so. Reading
requests (GET and its kin) are let through; a WebSocket is decided by its headers.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from stillwatch.errors import StillwatchError, where_it_failed
from stillwatch.gateway.body import Gone, Held, Receive, Refused, read
from stillwatch.gateway.desk import Desk
from stillwatch.gateway.enveloped import BARE, enveloped
from stillwatch.gateway.identity import Identity
from stillwatch.gateway.inbound import Inbound, Scope
from stillwatch.gateway.outbound import Outbound, Send
from stillwatch.gateway.rewriting import MISSED, Change
from stillwatch.gateway.serving import secret_of
from stillwatch.gateway.told import Told, refusal
from stillwatch.protect.withhold import Withheld
from stillwatch.receive.budget import Budget
from stillwatch.records import Action, Decision
from stillwatch.settings import Settings, load_settings
from stillwatch.wiring.gate_dye import Dyer
from stillwatch.wiring.policy import Gate

App = Callable[[Scope, Receive, Send], Awaitable[None]]
log = logging.getLogger("stillwatch.gateway")
_WRITING = frozenset({"POST", "PUT", "PATCH"})


class Guard:
    """The middleware. Opens a gate of its own unless it is given one; refuses to start when that cannot be used."""

    def __init__(self, app: App, *, gate: Gate | None = None, settings: Settings | None = None) -> None:
        self._app = app
        settings = settings or load_settings()
        self._bounds = settings.gateway
        secret = secret_of(settings)
        self._identity = Identity(self._bounds)
        self._own = gate is None
        self._gate = gate or Gate.open(
            self._bounds.policy, self._bounds.folder, settings=settings, secret=secret
        )
        self._desk = Desk(self._gate, fail=settings.protect.fail)
        self._dyer = Dyer.open(settings)
        self._closed = settings.protect.fail == "closed"
        self._budget = Budget(self._bounds.max_waiting_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._life(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] in _WRITING:
            await self._guarded(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _life(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close with the app. One that knows no lifespan returns or raises at once, and is asked all the same."""
        ended = False

        async def told() -> Any:
            nonlocal ended
            message = await receive()
            ended = ended or message["type"] == "lifespan.shutdown"
            return message

        async def said(message: MutableMapping[str, Any]) -> None:
            nonlocal ended
            ended = ended or message["type"] == "lifespan.startup.failed"
            await send(message)

        try:
            await self._app(scope, told, said)
        finally:
            if ended:
                self.close()
            else:
                atexit.register(self.close)

    def close(self) -> None:
        """Let the threads finish and close the gate that was opened here."""
        self._desk.close()
        if self._own:
            self._gate.close()

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = Held(self._budget)
        try:
            try:
                asked = Inbound(scope, self._identity.caller(scope.get("client"), scope["headers"]))
                if asked.readable:
                    await read(receive, asked.declared, held, most=self._bounds.max_body_bytes,
                               timeout_s=self._bounds.read_timeout_s)  # fmt: skip
                    asked.raw = held.raw
                decision = await self._desk.run(lambda: self._decided(asked))
            except Gone:
                return
            except Refused as refused:
                await _answer(send, refused.told())
                return
            if not decision.allowed:
                await _answer(send, refusal(decision))
                return
            await self._served(asked, decision, held, receive, send)
        finally:
            held.free()

    def _decided(self, asked: Inbound) -> Decision:
        """The decision, with the body changed as it says. Raises `Refused` and nothing else."""
        try:
            asked.understand(self._gate)
            decision = self._desk.judge(asked.request)
            if decision.allowed and Action.HARDEN in decision.actions:
                asked.harden(decision)
            if decision.allowed and self._dyer is not None:
                asked.dye(self._dyer, decision)
            return decision
        except Refused:
            raise
        except Exception as failure:
            log.error("a request could not be read: %s", where_it_failed(failure))
            return self._gate.undecided(asked.request, "a request could not be read")

    async def _served(
        self, asked: Inbound, decision: Decision, held: Held, receive: Receive, send: Send
    ) -> None:
        withholds = Action.SUMMARISE in decision.actions
        changes: list[Change] = [Withheld()] if withholds else []
        changes += enveloped(self._gate, asked.request)
        scope = asked.passed_on(decision, plain=bool(changes))
        answer = Outbound(
            send, decision, changes, closed=self._closed and withholds, text=withholds and asked.writes
        )

        async def replayed() -> MutableMapping[str, Any]:
            if asked.raw is None:
                return await receive()
            body, asked.raw = asked.raw, None
            held.pieces.clear()
            held.free()
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            await self._app(scope, replayed, answer.send)
        finally:
            if answer.missed:
                self._gate.told(StillwatchError(MISSED if withholds else BARE))
            if answer.reader is not None:
                done = answer.reader
                self._desk.later(lambda: self._gate.record(asked.request, done.answer()))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(Refused):
            asked = Inbound(scope, self._identity.caller(scope.get("client"), scope["headers"]))
            decision = await self._desk.run(lambda: self._desk.judge(asked.request))
            if decision.allowed:
                await self._app(asked.passed_on(decision), receive, send)
                return
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": ""})


async def _answer(send: Send, told: Told) -> None:
    await send({"type": "http.response.start", "status": told.status, "headers": told.raw_headers()})
    await send({"type": "http.response.body", "body": told.body})


__all__ = ["Guard"]
