"""A decision in HTTP: what the customer is answered, and what a proxy or a server behind is told.

Customers get status, ``Retry-After`` and a JSON error in the shape that clients of either large API read. A covert
decision tells them no more than that the request is not served.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from stillwatch.records import Action, Decision, Reason

JSON = "application/json"
PREFIX = "x-stillwatch-"
"""Headers of ours; those that a client sends are taken out."""
RETRY_S = 30
NOT_SERVED = "This request cannot be served."
_KINDS = {400: "invalid_request_error", 403: "permission_error", 408: "timeout_error", 413: "request_too_large",
          415: "invalid_request_error", 429: "rate_limit_error", 503: "overloaded_error"}  # fmt: skip
_CODES = {400: "unreadable", 403: "not_served", 404: "no_such_path", 405: "no_such_method", 408: "too_slow",
          413: "too_long", 415: "unreadable", 429: "busy", 503: "busy"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: status, headers, body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    code: str = ""
    """Of an error: the word for programs in its body."""

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Headers as a server sends them."""
        whole = self.headers | {"content-length": str(len(self.body))}
        return [(name.encode(), value.encode("latin-1", "replace")) for name, value in whole.items()]


def refusal(decision: Decision) -> Told:
    """The answer to a customer whose request is not served: 429 while a throttle is full, 503 when no decision could
    be made, else 403."""
    status = 403
    headers: dict[str, str] = {}
    if decision.action is Action.THROTTLE:
        status = 429
        headers["retry-after"] = str(max(1, math.ceil(decision.retry_after_s)))
    elif decision.reason is Reason.FAIL_CLOSED:
        status = 503
        headers["retry-after"] = str(RETRY_S)
    told = decision.for_customer()
    if told is None:
        return error(status, NOT_SERVED, headers, code="not_served")
    return error(status, decision.sentence, headers | for_customer(decision), told)


def error(
    status: int, message: str, headers: Mapping[str, str] | None = None, told: Mapping[str, object] | None = None,
    *, code: str = "",
) -> Told:  # fmt: skip
    """An error as clients of either large API read it. ASCII throughout, so that it may also travel in a header."""
    code = str(told["reason"]) if told is not None else code or _CODES.get(status, "failed")
    inner: dict[str, Any] = {"type": _KINDS.get(status, "api_error"), "message": message, "code": code}
    if told is not None:
        inner["decision"] = told
    body = json.dumps({"type": "error", "error": inner}, separators=(",", ":")).encode()
    return Told(status, {"content-type": JSON, **(headers or {})}, body, code)


def for_customer(decision: Decision) -> dict[str, str]:
    """Headers on the customer's answer; none where there is nothing to tell, or the decision is covert."""
    return {} if decision.for_customer() is None else _said(decision)


def for_gateway(decision: Decision) -> dict[str, str]:
    """Headers for the proxy that asked: what it should do with a request that is served."""
    headers = for_model(decision)
    if Action.HARDEN in decision.actions:
        headers[f"{PREFIX}strip"] = ",".join(decision.terms.strip)
        headers[f"{PREFIX}clamp"] = ",".join(f"{name}={most}" for name, most in decision.terms.clamp)
    return headers


def for_model(decision: Decision) -> dict[str, str]:
    """Headers for the server behind: what was decided, and the name of the marking key where one is chosen."""
    headers = _said(decision)
    if Action.MARK in decision.actions and decision.terms.key:
        headers[f"{PREFIX}mark"] = quote(decision.terms.key, safe=":._-")
    return headers


def _said(decision: Decision) -> dict[str, str]:
    return {
        f"{PREFIX}decision": decision.decision_id,
        f"{PREFIX}action": ",".join(action.value for action in decision.actions),
        f"{PREFIX}reason": decision.reason.value,
    }
