"""What Envoy is answered: go on, with these headers and this body; or do not, and tell the customer this.

The customer's JSON carries the message where the common SDKs look for it, and beside it all of the decision that the
customer may know.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from stillwatch.gateway.envoy.messages import OVERWRITE, ProcessingResponse
from stillwatch.records import Action, Decision, Reason

PREFIX = "x-stillwatch-"
"""Headers of ours; those that a client sends are taken out."""
RETRY_S = 30
_TYPES = {
    400: "invalid_request_error", 403: "permission_error", 408: "timeout_error", 413: "request_too_large",
    415: "invalid_request_error", 429: "rate_limit_error", 503: "overloaded_error",
}  # fmt: skip
_PIECE = 65_536


def go_on(
    kind: str, *, put: Mapping[str, str] | None = None, drop: Iterable[str] = (), body: bytes | None = None,
    clear: bool = False,
) -> Any:  # fmt: skip
    """Go on with the step ``kind``; headers put and dropped, the body replaced or held back."""
    reply = ProcessingResponse()
    step = getattr(reply, kind)
    step.SetInParent()
    common = step if kind.endswith("trailers") else step.response
    for name, value in (put or {}).items():
        option = common.header_mutation.set_headers.add(append_action=OVERWRITE)
        option.header.key, option.header.raw_value = name, value.encode("ascii", "replace")
    common.header_mutation.remove_headers.extend(drop)
    if body is not None:
        common.body_mutation.body = body
    elif clear:
        common.body_mutation.clear_body = True
    return reply


def streamed(kind: str, body: bytes, *, last: bool) -> list[Any]:
    """The whole of a body in pieces, for the mode in which nothing is passed on unless it is sent back."""
    replies = []
    for start in range(0, max(len(body), 1), _PIECE):
        reply = ProcessingResponse()
        piece = getattr(reply, kind).response.body_mutation.streamed_response
        piece.body = body[start : start + _PIECE]
        piece.end_of_stream = last and start + _PIECE >= len(body)
        replies.append(reply)
    return replies


def for_model(decision: Decision) -> dict[str, str]:
    """Headers for the server behind: what was decided, and what it is asked to do itself."""
    put = _said(decision)
    if decision.terms.key:
        put[f"{PREFIX}mark"] = quote(decision.terms.key, safe=":._-")
    return put


def for_customer(decision: Decision) -> dict[str, str]:
    """Headers on an answer that was served; none where there is nothing to tell."""
    return {} if decision.for_customer() is None else _said(decision)


def not_served(decision: Decision) -> Any:
    """403, 429 with the time to wait, or 503 where no decision could be made."""
    told = decision.for_customer()
    if decision.reason is Reason.FAIL_CLOSED:
        return refusal(503, decision.reason.value, decision.sentence, told, retry_s=RETRY_S)
    if decision.action is Action.THROTTLE:
        words = decision.sentence if told else "Too many requests; please try again later."
        code = decision.reason.value if told else "rate_limited"
        return refusal(429, code, words, told, retry_s=max(1, math.ceil(decision.retry_after_s)))
    words = decision.sentence if told else "This request is not served."
    return refusal(403, decision.reason.value if told else "not_served", words, told)


def refusal(
    status: int, code: str, message: str, told: Mapping[str, object] | None = None, *, retry_s: int = 0
) -> Any:
    """An answer in the model's place."""
    reply = ProcessingResponse()
    said = reply.immediate_response
    said.status.code = status
    error = {"type": _TYPES.get(status, "api_error"), "code": code, "message": message}
    said.body = orjson.dumps({"type": "error", "error": error} | ({"decision": told} if told else {}))
    said.details = f"stillwatch_{code}"
    headers = {"content-type": "application/json"} | ({"retry-after": str(retry_s)} if retry_s else {})
    if told:
        headers[f"{PREFIX}decision"] = str(told["decision_id"])
    for name, value in headers.items():
        option = said.headers.set_headers.add(append_action=OVERWRITE)
        option.header.key, option.header.raw_value = name, value.encode("ascii", "replace")
    return reply


def _said(decision: Decision) -> dict[str, str]:
    return {
        f"{PREFIX}decision": decision.decision_id,
        f"{PREFIX}action": ",".join(action.value for action in decision.actions),
        f"{PREFIX}reason": decision.reason.value,
    }
