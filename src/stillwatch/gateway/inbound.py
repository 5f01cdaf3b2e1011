"""One request on its way through the middleware: what is known of it, its body, and what goes on."""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from typing import Any

from stillwatch.gateway.body import Refused, dumped, understood
from stillwatch.gateway.enveloped import Sealer, opened
from stillwatch.gateway.identity import Caller, only
from stillwatch.gateway.paths import CALLS, WRITES, model_of, operation_of
from stillwatch.gateway.told import PREFIX, for_model
from stillwatch.protect.harden import hardened
from stillwatch.records import Decision, Request
from stillwatch.wiring.gate_dye import Dyer
from stillwatch.wiring.gate_request import request_of

Scope = MutableMapping[str, Any]
_OURS = PREFIX.encode()
_UNREAD = "send a JSON object, as application/json and without Content-Encoding"


class Inbound:
    """A request; its account is known from the start, its body once it is read."""

    def __init__(self, scope: Scope, caller: Caller) -> None:
        self._scope, self._caller = scope, caller
        self._operation = operation_of(scope["path"])
        self._call = self._operation in CALLS
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
        return self._call or not self._kind.startswith("multipart/")

    def understand(self, sealer: Sealer) -> None:
        """Read the body, and take blocks out of their envelopes.

        What a known model call cannot be read as JSON is refused: the server might read it.
        """
        if self.raw is None or (not self.raw and not self._call):
            return
        if self._encoded:
            raise Refused(415, f"the body is encoded and cannot be checked: {_UNREAD}")
        self._body = understood(self.raw, self._kind, call=self._call)
        if self._body is None:
            return
        made = request_of(
            self._body, account_id=self._caller.account_id, request_id=self.request.request_id,
            operation=self._operation, org_id=self._caller.org_id,
        )  # fmt: skip
        if not made.model and self.request.model:
            made = request_of({**self._body, "model": self.request.model}, account_id=made.account_id,
                              request_id=made.request_id, operation=made.operation, org_id=made.org_id)  # fmt: skip
        unwrapped, self.request = opened(self._body, made, sealer)
        if unwrapped:
            self.raw, self._changed = dumped(self._body), True

    def harden(self, decision: Decision) -> None:
        """Take out what the decision takes out; a body that was not read cannot be served then."""
        if self._body is None:
            if self.raw == b"":
                return
            raise Refused(415, f"this request cannot be served as it was sent: {_UNREAD}")
        body, changed = hardened(self._body, decision.terms)
        if changed:
            self.raw, self._changed = dumped(body), True
        self._body = body

    def dye(self, dyer: Dyer, decision: Decision) -> None:
        """Take out what the client says about marks, put in the key that policy names."""
        if self._body is None:
            return
        body = dyer.dyed(self._body, decision, writes=self._operation in WRITES)
        if body is not None:
            self.raw, self._changed, self._body = dumped(body), True, body

    @property
    def writes(self) -> bool:
        """Whether the model is asked for text."""
        return self._operation in WRITES

    def passed_on(self, decision: Decision, *, plain: bool = False) -> Scope:
        """The scope for the server behind; ``plain`` when its answer must not be compressed."""
        self._body = None
        scope = dict(self._scope)
        scope["state"] = {**(self._scope.get("state") or {}), "stillwatch": decision}
        drop = {b"accept-encoding"} if plain else set()
        put = [
            (name.encode(), value.encode("latin-1", "replace")) for name, value in for_model(decision).items()
        ]
        if self._changed and self.raw is not None:
            drop |= {b"content-length", b"transfer-encoding", b"content-type"}
            put += [(b"content-type", b"application/json"), (b"content-length", str(len(self.raw)).encode())]
        scope["headers"] = [
            *((name, value) for name, value in scope["headers"]
              if name.lower() not in drop and not name.lower().startswith(_OURS)), *put,
        ]  # fmt: skip
        return scope
