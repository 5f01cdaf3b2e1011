"""What Envoy is answered: go on, with these headers and this body; or do not, and tell the customer this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stillwatch.gateway.envoy.messages import OVERWRITE, ProcessingResponse
from stillwatch.gateway.told import Told

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


def instead(told: Told) -> Any:
    """An answer in the model's place."""
    reply = ProcessingResponse()
    said = reply.immediate_response
    said.status.code = told.status
    said.body = told.body
    said.details = f"stillwatch_{told.code}"
    for name, value in told.headers.items():
        option = said.headers.set_headers.add(append_action=OVERWRITE)
        option.header.key, option.header.raw_value = name, value.encode("ascii", "replace")
    return reply
