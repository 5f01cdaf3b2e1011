"""Factories for what exporters send: OTLP requests in protobuf and JSON, and LiteLLM payloads."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

STARTED_NS = 1_795_494_207_721_995_628


def trace(number: int) -> str:
    """A trace id."""
    return f"{number:032x}"


def exchange_id(number: int) -> str:
    """The exchange id of `span` of that number."""
    return f"{trace(number)}:{number:016x}"


def span(number: int, **attributes: Any) -> dict[str, Any]:
    """A whole chat call in OTLP's JSON; names have ``__`` for a dot; None leaves an attribute out."""
    said = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1", "user.id": f"u-{number % 7}",
        "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Say it again."}]}]',
    } | {name.replace("__", "."): value for name, value in attributes.items()}  # fmt: skip
    return {
        "traceId": trace(number),
        "spanId": f"{number:016x}",
        "name": "chat",
        "startTimeUnixNano": str(STARTED_NS + number),
        "endTimeUnixNano": str(STARTED_NS + number + 1_000_000),
        "attributes": [{"key": k, "value": _any(v)} for k, v in said.items() if v is not None],
    }


def _any(value: Any) -> dict[str, Any]:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def traces(*spans: Any) -> dict[str, Any]:
    """A trace export request in JSON."""
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def traces_proto(*spans: dict[str, Any]) -> bytes:
    """The same in protobuf."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for each in spans:
        made = scope.spans.add(
            trace_id=bytes.fromhex(each["traceId"]), span_id=bytes.fromhex(each["spanId"]), name=each["name"],
            start_time_unix_nano=int(each["startTimeUnixNano"]), end_time_unix_nano=int(each["endTimeUnixNano"]),
        )  # fmt: skip
        _attributes(made, each)
    return request.SerializeToString()


def logs(*numbers: int) -> dict[str, Any]:
    """A logs export request in JSON: one whole GenAI event for each number."""
    records = [
        {
            "traceId": trace(n),
            "spanId": f"{n:016x}",
            "timeUnixNano": str(STARTED_NS + n),
            "eventName": "gen_ai.client.inference.operation.details",
            "attributes": span(n)["attributes"],
        }
        for n in numbers
    ]
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}


def logs_proto(*numbers: int) -> bytes:
    """The same in protobuf."""
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for n in numbers:
        made = scope.log_records.add(
            trace_id=bytes.fromhex(trace(n)), span_id=n.to_bytes(8, "big"), time_unix_nano=STARTED_NS + n,
            event_name="gen_ai.client.inference.operation.details",
        )  # fmt: skip
        _attributes(made, span(n))
    return request.SerializeToString()


def _attributes(made: Any, each: dict[str, Any]) -> None:
    for pair in each["attributes"]:
        value = made.attributes.add(key=pair["key"]).value
        if "intValue" in pair["value"]:
            value.int_value = int(pair["value"]["intValue"])
        else:
            value.string_value = pair["value"]["stringValue"]


def payload(number: int, **changes: Any) -> dict[str, Any]:
    """A LiteLLM standard logging payload."""
    return {
        "litellm_call_id": f"call-{number}", "call_type": "acompletion", "status": "success", "model": "m-1",
        "startTime": 1_795_493_462.5 + number, "endTime": 1_795_493_463.5 + number, "messages": "Say it again.",
        "metadata": {"user_api_key_hash": "h", "user_api_key_team_id": f"t-{number % 3}"},
    } | changes  # fmt: skip
