"""A decision in HTTP: what the customer is answered, and what a proxy in front is told.

Customers get status, ``Retry-After`` and a JSON error in the shape that clients of either large API read. A covert
decision tells them no more than that the request is not served.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from stillwatch.records import Action, Decision, Reason

JSON = "application/json"
PREFIX = "x-stillwatch-"
_KINDS = {400: "invalid_request_error", 403: "permission_error", 408: "timeout_error", 413: "request_too_large",
          415: "invalid_request_error", 429: "rate_limit_error"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: status, headers, body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

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
        headers["retry-after"] = "30"
    told = decision.for_customer()
    if told is None:
        return error(status, "This request cannot be served.", headers)
    return error(status, decision.sentence, headers | for_customer(decision), told)


def error(
    status: int, message: str, headers: dict[str, str] | None = None, told: dict[str, object] | None = None
) -> Told:
    """An error as clients of either large API read it. ASCII throughout, so that it may also travel in a header."""
    inner: dict[str, Any] = {"type": _KINDS.get(status, "api_error"), "message": message}
    if told is not None:
        inner |= {"code": told["reason"], "decision": told}
    body = json.dumps({"type": "error", "error": inner}, separators=(",", ":")).encode()
    return Told(status, {"content-type": JSON} | (headers or {}), body)


def for_customer(decision: Decision) -> dict[str, str]:
    """Headers on the customer's answer; none where there is nothing to tell, or the decision is covert."""
    if decision.for_customer() is None:
        return {}
    return {
        f"{PREFIX}decision": decision.decision_id,
        f"{PREFIX}action": ",".join(action.value for action in decision.actions),
        f"{PREFIX}reason": decision.reason.value,
    }


def for_gateway(decision: Decision) -> dict[str, str]:
    """Headers for the proxy that asked: what it should do with a request that is served."""
    terms = decision.terms
    headers = {
        f"{PREFIX}decision": decision.decision_id,
        f"{PREFIX}action": ",".join(action.value for action in decision.actions),
        f"{PREFIX}reason": decision.reason.value,
    }
    if Action.HARDEN in decision.actions:
        headers[f"{PREFIX}strip"] = ",".join(terms.strip)
        headers[f"{PREFIX}clamp"] = ",".join(f"{name}={most}" for name, most in terms.clamp)
    if Action.MARK in decision.actions and terms.key:
        headers[f"{PREFIX}mark"] = terms.key
    return headers
