"""OTLP traces and logs, as JSON or protobuf: export requests as a collector or an exporter writes them.

A model call is one exchange, known by its trace and span id: the span and the event that carries its content
have the same id and are put together. Spans that are not model calls are passed over and counted.

>>> span = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "2", "startTimeUnixNano": "1795494207721995628",
...         "attributes": [{"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
...                        {"key": "user.id", "value": {"stringValue": "u"}}]}
>>> row = next(iter(rows_json({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})))
>>> row["exchange_id"], row["account_id"]
('00000000000000000000000000000001:0000000000000002', 'u')
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from stillwatch.ingest.format import Answer, Format, keys
from stillwatch.ingest.formats.otlp_calls import MISSHAPEN, Call, call_rows
from stillwatch.ingest.formats.otlp_plain import plain_row
from stillwatch.ingest.refusal import HOSTILE, Refusal
from stillwatch.ingest.times import from_epoch
from stillwatch.ingest.wire import looks_like_otlp

_REQUESTS = ("resourceSpans", "resourceLogs", "resource_spans", "resource_logs")


def sniff_json(head: bytes) -> float:
    """Told by the request's outermost field."""
    return 1.0 if any(name in keys(head) for name in _REQUESTS) else 0.0


def sniff_proto(head: bytes) -> float:
    """Told by the outermost protobuf tags."""
    return 0.9 if looks_like_otlp(head[:64]) else 0.0


def rows_json(record: dict[str, Any]) -> Iterator[Answer]:
    """Every model call of one export request in JSON."""
    if not any(name in record for name in _REQUESTS):
        yield Refusal("neither a trace nor a logs export request")
        return
    yield from call_rows(_json_calls(record), plain_row)


def _json_calls(record: dict[str, Any]) -> Iterator[Call | Refusal]:
    for group in _all(record, "resourceSpans"):
        resource = _resource(group)
        for scope in _all(group, "scopeSpans") or _all(group, "instrumentationLibrarySpans"):
            for span in _all(scope, "spans"):
                yield _read(_json_span, span, resource)
    for group in _all(record, "resourceLogs"):
        resource = _resource(group)
        for scope in _all(group, "scopeLogs"):
            for entry in _all(scope, "logRecords"):
                yield _read(_json_log, entry, resource)


def _read(
    read: Callable[[dict[str, Any], dict[str, Any]], Call], item: dict[str, Any], resource: dict[str, Any]
) -> Call | Refusal:
    """One span or log record; one of a strange shape does not take its whole request with it."""
    try:
        return read(item, resource)
    except HOSTILE:
        return MISSHAPEN


def _resource(group: dict[str, Any]) -> dict[str, Any]:
    given = group.get("resource")
    return _attributes(_get(given, "attributes")) if isinstance(given, dict) else {}


def _json_span(span: dict[str, Any], resource: dict[str, Any]) -> Call:
    status = span.get("status") or {}
    return Call(
        trace=_hex(_get(span, "traceId"), 16),
        span=_hex(_get(span, "spanId"), 8),
        name=str(span.get("name") or ""),
        start=from_epoch(_get(span, "startTimeUnixNano"), "ns"),
        end=from_epoch(_get(span, "endTimeUnixNano"), "ns"),
        attributes=_attributes(span.get("attributes")),
        resource=resource,
        events=[(str(e.get("name")), _attributes(e.get("attributes"))) for e in _all(span, "events")],
        failed=status.get("code") in (2, "STATUS_CODE_ERROR"),
    )


def _json_log(entry: dict[str, Any], resource: dict[str, Any]) -> Call:
    return _log(
        _hex(_get(entry, "traceId"), 16),
        _hex(_get(entry, "spanId"), 8),
        _get(entry, "eventName"),
        _get(entry, "timeUnixNano"),
        _get(entry, "observedTimeUnixNano"),
        _attributes(entry.get("attributes")),
        _any(entry.get("body")),
        resource,
    )


def _log(
    trace: str, span: str, name: Any, time: Any, observed: Any, attributes: dict[str, Any], body: Any,
    resource: dict[str, Any],
) -> Call:  # fmt: skip
    """A log record as a call without an end; its body joins the attributes where it is a map."""
    name = name or attributes.get("event.name") or ""
    when = time if time not in (None, "", "0", 0) else observed
    inside = body if isinstance(body, dict) else {} if body in (None, "") else {"content": body}
    return Call(
        trace=trace, span=span, name=str(name), start=from_epoch(when, "ns"), end=None,
        attributes=attributes, resource=resource, events=[(str(name), {**inside, **attributes})], is_log=True,
    )  # fmt: skip


def _get(item: dict[str, Any], name: str) -> Any:
    """A field under its JSON name or its protobuf name."""
    value = item.get(name)
    return value if value is not None else item.get(re.sub(r"([A-Z])", r"_\1", name).lower())


def _all(item: Any, name: str) -> list[dict[str, Any]]:
    found = _get(item, name) if isinstance(item, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _hex(value: Any, size: int) -> str:
    """An id as hex: the OTLP way, or base64 as protobuf's own JSON writes it."""
    if not isinstance(value, str) or not value:
        return ""
    if len(value) == size * 2 and re.fullmatch(r"[0-9a-fA-F]+", value):
        return value.lower()
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return raw.hex() if len(raw) == size else ""


def _attributes(pairs: Any) -> dict[str, Any]:
    if not isinstance(pairs, list):
        return {}
    return {
        p["key"]: _any(p.get("value")) for p in pairs if isinstance(p, dict) and isinstance(p.get("key"), str)
    }


def _any(value: Any) -> Any:
    """An AnyValue as plain Python."""
    if not isinstance(value, dict):
        return None
    for name, inner in value.items():
        if name in ("stringValue", "string_value", "boolValue", "bool_value", "doubleValue", "double_value"):
            return inner
        if name in ("intValue", "int_value"):
            return int(inner) if isinstance(inner, (int, str)) and str(inner).lstrip("-").isdigit() else None
        if name in ("arrayValue", "array_value"):
            return [_any(each) for each in (inner or {}).get("values") or []]
        if name in ("kvlistValue", "kvlist_value"):
            return _attributes((inner or {}).get("values") or [])
    return None


def rows_proto(message: bytes) -> Iterator[Answer]:
    """Every model call of one export request in protobuf, traces or logs."""
    spans = parse_traces(message)
    if spans is not None and any(
        span.trace_id for g in spans.resource_spans for s in g.scope_spans for span in s.spans
    ):
        yield from rows_traces(spans)
        return
    logs = parse_logs(message)
    if logs is None:
        yield Refusal("neither a trace nor a logs export request")
        return
    yield from rows_logs(logs)


def parse_traces(message: bytes) -> Any | None:
    """A trace export request, or None when the bytes are none."""
    return _parsed(ExportTraceServiceRequest, message)


def parse_logs(message: bytes) -> Any | None:
    """A logs export request, or None when the bytes are none."""
    return _parsed(ExportLogsServiceRequest, message)


def _parsed(kind: Any, message: bytes) -> Any | None:
    try:
        return kind.FromString(message)
    except Exception:  # protobuf's own error type is not importable without untyped code
        return None


def rows_traces(request: Any) -> Iterator[Answer]:
    """Every model call of a parsed trace export request."""
    return call_rows(_proto_spans(request), plain_row)


def rows_logs(request: Any) -> Iterator[Answer]:
    """Every model call of a parsed logs export request."""
    return call_rows(_proto_logs(request))


def _proto_spans(request: Any) -> Iterator[Call]:
    for group in request.resource_spans:
        resource = _pairs(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                begun, ended = span.start_time_unix_nano, span.end_time_unix_nano
                yield Call(
                    span.trace_id.hex(), span.span_id.hex(), span.name,
                    from_epoch(begun, "ns"), from_epoch(ended, "ns") if ended else None,
                    _pairs(span.attributes), resource,
                    [(event.name, _pairs(event.attributes)) for event in span.events] if span.events else [],
                    span.status.code == 2,
                )  # fmt: skip


def _proto_logs(request: Any) -> Iterator[Call]:
    for group in request.resource_logs:
        resource = _pairs(group.resource.attributes)
        for scope in group.scope_logs:
            for entry in scope.log_records:
                yield _log(
                    entry.trace_id.hex(), entry.span_id.hex(), entry.event_name, entry.time_unix_nano,
                    entry.observed_time_unix_nano, _pairs(entry.attributes), _value(entry.body), resource,
                )  # fmt: skip


def _pairs(pairs: Any) -> dict[str, Any]:
    return {pair.key: pair.value.string_value or _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    """An AnyValue as plain Python; the commonest kinds first, which are told by not being zero."""
    if number := value.int_value or value.double_value:
        return number
    kind = value.WhichOneof("value")
    if kind is None or kind == "bytes_value":
        return None
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return _pairs(value.kvlist_value.values)
    return getattr(value, kind)


JSON = Format(
    "otlp-json",
    "OpenTelemetry traces or logs as JSON",
    sniff_json,
    rows_json,
    frozenset({"jsonl", "json"}),
    merges=True,
)
PROTO = Format(
    "otlp-proto", "OpenTelemetry traces or logs as protobuf", sniff_proto, rows_proto, frozenset({"protobuf"}),
    merges=True,
)  # fmt: skip
