"""Answers in the sender's own language: OTLP's responses in protobuf or JSON, plain JSON for everybody else.

>>> answer("traces-json", Taken(2, refused={"account_id is missing": 1})).body
b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"1: account_id is missing"}}'
>>> answer("litellm", Denied(429, "the queue is full: send it again later"), retry_after_s=2).headers["retry-after"]
'2'
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.responses import Response

from stillwatch.receive.post import Denied, Taken

PROTOBUF, JSON = "application/x-protobuf", "application/json"
AGAIN = frozenset({429, 503})
"""Statuses after which the same body may be sent again."""
_CODES = {
    400: 3, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 431: 8, 500: 13, 503: 14,
}  # fmt: skip
"""HTTP status to the code of google.rpc.Status that OTLP answers with."""
_SHOWN = 5
"""Reasons told in one answer."""


def answer(kind: str, outcome: Taken | Denied, *, retry_after_s: int = 1) -> Response:
    """The response to a post."""
    if isinstance(outcome, Denied):
        return denied(outcome, protobuf=kind.endswith("-proto"), retry_after_s=retry_after_s)
    if kind == "litellm":
        return _json(
            {"accepted": outcome.accepted, "skipped": outcome.skipped, "refused": dict(outcome.refused)}
        )
    count = sum(outcome.refused.values())
    if kind == "traces-proto":
        trace = ExportTraceServiceResponse()
        if count:
            trace.partial_success.rejected_spans = count
            trace.partial_success.error_message = _reasons(outcome.refused)
        return Response(trace.SerializeToString(), media_type=PROTOBUF)
    if kind == "logs-proto":
        logs = ExportLogsServiceResponse()
        if count:
            logs.partial_success.rejected_log_records = count
            logs.partial_success.error_message = _reasons(outcome.refused)
        return Response(logs.SerializeToString(), media_type=PROTOBUF)
    name = "rejectedSpans" if kind == "traces-json" else "rejectedLogRecords"
    partial = {name: str(count), "errorMessage": _reasons(outcome.refused)} if count else None
    return _json({"partialSuccess": partial} if partial else {})


def denied(outcome: Denied, *, protobuf: bool = False, retry_after_s: int = 1) -> Response:
    """An error; told to come again where that helps."""
    headers = {"retry-after": str(retry_after_s)} if outcome.status in AGAIN else {}
    code = _CODES.get(outcome.status, 2)
    if protobuf:
        return Response(_status(code, outcome.message), outcome.status, headers, PROTOBUF)
    return _json({"code": code, "message": outcome.message}, outcome.status, headers)


def _json(
    value: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(orjson.dumps(value), status, dict(headers or {}), JSON)


def _reasons(refused: Mapping[str, int]) -> str:
    """The most frequent reasons with their numbers."""
    ranked = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{count}: {reason}" for reason, count in ranked[:_SHOWN]]
    return "; ".join(told + (["and others"] if len(ranked) > _SHOWN else []))


def _status(code: int, message: str) -> bytes:
    """A google.rpc.Status: field 1 is the code, field 2 the message."""
    text = message.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])
