"""Each foreign format: a golden record by hand, and the captured logs where they are at hand."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from stillwatch.errors import ConfigError
from stillwatch.ingest import FORMATS, Reader
from stillwatch.ingest.sealed import digest
from tests.ingest.making import WHEN, fixture, lines, read, reasons, rows_of

CHAT = {
    "model": "m",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
}
ANSWER = {
    "id": "c1", "model": "m-1",
    "choices": [{"finish_reason": "stop", "message": {"content": "Hello", "reasoning_content": "hm"}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 6}},
}  # fmt: skip
BLOB = "EmwKAhgBIkRlY3J5cHQgbWU="


def has(row: dict[str, Any], **expected: Any) -> None:
    """Every named field has that value; None means absent."""
    assert {name: row.get(name) for name in expected} == expected


def attribute(name: str, value: Any) -> dict[str, Any]:
    """An OTLP attribute in JSON."""
    return {"key": name, "value": anyvalue(value)}


def anyvalue(value: Any) -> dict[str, Any]:
    """An OTLP AnyValue in JSON."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [anyvalue(each) for each in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [attribute(key, each) for key, each in value.items()]}}
    return {} if value is None else {"stringValue": value}


def trace(
    found: dict[str, Any],
    *,
    events: list[Any] | None = None,
    resource: dict[str, Any] | None = None,
    **more: Any,
) -> Any:
    """A trace export request with one span."""
    span = {
        "traceId": "1" * 32, "spanId": "2" * 16, "name": "chat m", "startTimeUnixNano": "1795493690000000999",
        "endTimeUnixNano": "1795493690250000000", "attributes": [attribute(*pair) for pair in found.items()],

        "events": [{"name": n, "attributes": [attribute(*pair) for pair in a.items()]} for n, a in events or ()],
        **more,
    }  # fmt: skip
    attributes = [attribute(*pair) for pair in (resource or {}).items()]
    return {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": [span]}]}]}


def log(name: str, found: dict[str, Any], body: Any = None) -> Any:
    """A logs export request with one event."""
    entry = {
        "eventName": name, "traceId": "1" * 32, "spanId": "2" * 16, "observedTimeUnixNano": "1795493690300000000",
        "attributes": [attribute(*pair) for pair in found.items()], "body": anyvalue(body),
    }  # fmt: skip
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": [entry]}]}]}


CURRENT = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "m",
    "gen_ai.response.model": "m-1", "gen_ai.request.temperature": 0.6, "gen_ai.request.choice.count": 2,
    "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 9, "gen_ai.usage.reasoning.output_tokens": 6,
    "gen_ai.response.finish_reasons": ["stop"], "gen_ai.conversation.id": "talk", "user.id": "u",
    "tenant.id": "t", "client.address": "203.0.113.9", "user_agent.original": "OpenAI/Python 3.54.0",
}  # fmt: skip
SPOKEN = {
    "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
    "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
    "gen_ai.output.messages": [
        {"role": "assistant", "finish_reason": "stop",
         "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "Hello"}]}
    ],
}  # fmt: skip
AS_TEXT = {name: json.dumps(value) for name, value in SPOKEN.items()}


def test_genai_current_on_spans() -> None:
    """Messages as JSON text on a span, with everything that surrounds them."""
    rows, reader = read(lines(trace(CURRENT | AS_TEXT)))
    has(rows[0], exchange_id="1" * 32 + ":" + "2" * 16, account_id="t", end_user_id="u", model="m-1", channel="bedrock",
        operation="chat", prompt="hi", system_prompt="Be brief.", completion="Hello", reasoning="hm",
        temperature=0.6, n=2,
        input_tokens=5, output_tokens=9, reasoning_tokens=6, finish_reason="stop", conversation_id="talk",
        client_ip="203.0.113.9", user_agent="OpenAI/Python 3.54.0", latency_ms=250.0)  # fmt: skip
    assert reader.recognised[0].format == "otlp-json"


def test_a_span_and_its_event_are_one_exchange() -> None:
    """The span has the facts, the event the words; together they are one row with the span's start."""
    event = log("gen_ai.client.inference.operation.details", {"gen_ai.request.model": "m"} | SPOKEN)
    for order in ([trace(CURRENT), event], [event, trace(CURRENT)]):
        rows, reader = read(lines(*order))
        assert len(rows) == 1
        has(rows[0], account_id="t", prompt="hi", completion="Hello", input_tokens=5)
        assert rows[0]["started_at"].microsecond == 0
        assert reader.total.merged == 1


def test_genai_legacy() -> None:
    """The older names, and one event per message."""
    found = {"gen_ai.system": "openai", "gen_ai.request.model": "m", "gen_ai.usage.prompt_tokens": 5,
             "gen_ai.usage.completion_tokens": 9}  # fmt: skip
    events = [
        ("gen_ai.system.message", {"content": "Be brief."}),
        ("gen_ai.user.message", {"content": "hi"}),
        ("gen_ai.choice", {"finish_reason": "stop", "message": json.dumps({"content": "Hello"})}),
    ]
    rows, _ = read(lines(trace(found, events=events, resource={"service.name": "shop"})))
    has(rows[0], account_id="service:shop", prompt="hi", system_prompt="Be brief.", completion="Hello", input_tokens=5,
        output_tokens=9, finish_reason="stop", model="m")  # fmt: skip
    rows, _ = read(
        lines(trace(found | {"gen_ai.prompt": "hi", "gen_ai.completion": "Hello", "enduser.id": "u"}))
    )
    has(rows[0], account_id="u", prompt="hi", completion="Hello")


def test_message_events_as_logs_join_their_span() -> None:
    """Log records of single messages become part of the span they belong to."""
    events = [log("gen_ai.user.message", {"gen_ai.system": "openai"}, {"content": "hi"}),
              log("gen_ai.choice", {}, {"finish_reason": "stop", "message": {"content": "Hello"}})]  # fmt: skip
    rows, _ = read(lines(trace(CURRENT), *events))
    assert len(rows) == 1
    has(rows[0], prompt="hi", completion="Hello", account_id="t")


def test_traceloop() -> None:
    """Numbered attributes, the user and the headers that only this dialect has."""
    found = {
        "llm.request.type": "chat", "gen_ai.request.model": "m", "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Be brief.", "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "hi",
        "gen_ai.completion.0.content": "Hello", "gen_ai.completion.0.finish_reason": "stop", "gen_ai.user": "u",
        "gen_ai.headers": json.dumps({"X-Stainless-OS": "Linux", "Authorization": "Bearer secretsecret"}),
        "gen_ai.request.n": 3, "gen_ai.usage.reasoning_tokens": 6, "llm.is_streaming": True,
    }  # fmt: skip
    rows, _ = read(lines(trace(found)))
    has(rows[0], account_id="u", end_user_id="u", prompt="hi", system_prompt="Be brief.", completion="Hello", n=3,
        finish_reason="stop", client_headers=[("x-stainless-os", "Linux")], reasoning_tokens=6,
        stream=True)  # fmt: skip


def test_openinference() -> None:
    """Nested numbered messages with contents, invocation parameters, token counts."""
    found = {
        "openinference.span.kind": "LLM", "llm.model_name": "m", "user.id": "u", "session.id": "s",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.contents.1.message_content.text": "two",
        "llm.input_messages.0.message.contents.0.message_content.text": "one",
        "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": "Hello",
        "llm.invocation_parameters": json.dumps({"temperature": 0.6, "seed": 1, "logprobs": True}),
        "llm.token_count.prompt": 5, "llm.token_count.completion": 9, "llm.token_count.completion_details.reasoning": 6,
    }  # fmt: skip
    rows, _ = read(lines(trace(found)))
    has(rows[0], account_id="u", prompt="one\ntwo", completion="Hello", temperature=0.6, seed=1, logprobs=True,
        input_tokens=5, output_tokens=9, reasoning_tokens=6, conversation_id="s", operation="chat")  # fmt: skip


def test_spans_that_are_no_model_calls_are_skipped() -> None:
    """Tools, agents, workflows and databases are counted as skipped and never refused."""
    others = [{"gen_ai.operation.name": "execute_tool"}, {"openinference.span.kind": "CHAIN", "llm.model_name": "m"},
              {"traceloop.span.kind": "workflow", "gen_ai.request.model": "m"}, {"db.system": "x"}]  # fmt: skip
    rows, reader = read(lines(*[trace(other) for other in others]))
    assert (rows, reader.total.skipped, reader.total.rejected) == ([], 4, 0)


def test_a_call_without_an_account_is_refused() -> None:
    """A name that an SDK made up is nobody's account."""
    found = {name: value for name, value in CURRENT.items() if name not in ("user.id", "tenant.id")}
    rows, reader = read(lines(trace(found, resource={"service.name": "unknown_service:python"})))
    assert rows == []
    assert reasons(reader) == [(1, "account_id is missing")]


def proto_trace() -> bytes:
    """A trace export request in protobuf."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = b"\x11" * 16, b"\x22" * 8
    span.start_time_unix_nano, span.end_time_unix_nano = 1795493690000000999, 1795493690250000000
    _put(
        span.attributes,
        {name: value for name, value in (CURRENT | AS_TEXT).items() if isinstance(value, str)},
    )
    return request.SerializeToString()


def proto_log() -> bytes:
    """A logs export request in protobuf, its messages structured."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    _put(group.resource.attributes, {"service.name": "shop"})
    entry = group.scope_logs.add().log_records.add()
    entry.trace_id, entry.span_id = b"\x11" * 16, b"\x33" * 8
    entry.observed_time_unix_nano, entry.event_name = (
        1795493690000000000,
        "gen_ai.client.inference.operation.details",
    )
    _put(entry.attributes, {"gen_ai.request.model": "m"})
    messages = entry.attributes.add()
    messages.key = "gen_ai.input.messages"
    message = messages.value.array_value.values.add().kvlist_value
    _put(message.values, {"role": "user"})
    parts = message.values.add()
    parts.key = "parts"
    _put(parts.value.array_value.values.add().kvlist_value.values, {"type": "text", "content": "hi"})
    return request.SerializeToString()


def _put(pairs: Any, found: dict[str, str]) -> None:
    for name, value in found.items():
        pair = pairs.add()
        pair.key, pair.value.string_value = name, value


def framed(message: bytes) -> bytes:
    """A message with its length in front."""
    size, out = len(message), bytearray()
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(out) + bytes([size]) + message


def test_otlp_protobuf() -> None:
    """A bare request, and a stream of length-delimited ones with traces and logs mixed."""
    rows, reader = read(proto_trace())
    has(
        rows[0],
        exchange_id="11" * 16 + ":" + "22" * 8,
        prompt="hi",
        completion="Hello",
        account_id="t",
        latency_ms=250.0,
    )
    assert reader.recognised[0].format == "otlp-proto"
    rows, reader = read(
        framed(proto_trace()) + framed(proto_log()) + framed(b"\x0a\x03\xff\xff\xff") + b"\x40cut"
    )
    assert [row["prompt"] for row in rows] == ["hi", "hi"]
    assert rows[1]["account_id"] == "service:shop"
    assert reasons(reader) == [
        (3, "neither a trace nor a logs export request"),
        (4, "truncated: the stream ends inside a message"),
    ]
    rows, _ = read(proto_log())
    has(rows[0], prompt="hi")


def sized(message: bytes) -> bytes:
    """A message as the collector's file exporter writes it."""
    return len(message).to_bytes(4, "big") + message


@pytest.mark.parametrize("pack", [bytes, zstandard.compress])
def test_files_of_the_collector(pack: Callable[[bytes], bytes]) -> None:
    """Protobuf messages behind four bytes of length, each packed or not; a cut costs the last one only."""
    data = sized(pack(proto_trace())) + sized(pack(proto_log()))
    rows, reader = read(data)
    assert [(row["account_id"], row["prompt"]) for row in rows] == [("t", "hi"), ("service:shop", "hi")]
    assert reader.recognised[0].format == "otlp-proto"
    assert reader.rejected == []
    rows, reader = read(data[:-1])
    assert len(rows) == 1
    assert reasons(reader) == [(2, "truncated: the stream ends inside a message")]


def test_files_of_the_collector_with_packed_json() -> None:
    """Each request is packed by itself with its length before it."""
    requests = [json.dumps(trace(CURRENT, spanId=f"{i:016x}"), indent=1 if i else None) for i in (1, 2)]
    rows, reader = read(
        b"".join(sized(zstandard.compress(each.replace("\n", "").encode())) for each in requests)
    )
    assert len(rows) == 2
    assert (reader.recognised[0].format, reader.recognised[0].compression) == ("otlp-json", "zstd messages")
    rows, reader = read(sized(zstandard.compress(requests[0].encode())) + sized(b"\x28\xb5\x2f\xfd junk"))
    assert reasons(reader)[-1] == (len(rows) + 1, "damaged zstd stream")


def test_a_protobuf_message_that_is_too_long_is_passed_over() -> None:
    """Its neighbours in the stream are read."""
    long = ExportTraceServiceRequest.FromString(proto_trace())
    long.resource_spans[0].schema_url = "x" * 5000
    data = framed(proto_trace()) + framed(long.SerializeToString()) + framed(proto_log())
    rows, reader = read(data, max_record_bytes=4000)
    assert len(rows) == 2
    assert reasons(reader) == [(2, "the record is longer than 4000 bytes")]


def test_ids_that_are_none() -> None:
    """An id of the wrong length is no id; the response's own id stands in."""
    request = trace(CURRENT | {"gen_ai.response.id": "c1"}, traceId="AAAA")
    rows, _ = read(lines(request))
    has(rows[0], exchange_id="c1")


def test_captured_otlp() -> None:
    """Real instrumentations: ids in base64 are read as hex; a span and its captured event are one."""
    spans = [
        json.loads(line)
        for line in fixture("otlp_traces_genai_and_openinference.jsonl").read_bytes().splitlines()
    ]
    events = [json.loads(line) for line in fixture("otlp_logs_genai_event.jsonl").read_bytes().splitlines()]
    for request in spans:
        request["resourceSpans"][0]["resource"]["attributes"].append(attribute("tenant.id", "t"))
    rows, reader = read(lines(*spans, *events))
    assert not reader.rejected
    assert [row["exchange_id"] for row in rows] == [
        f"{base64.b64decode(t).hex()}:{base64.b64decode(s).hex()}"
        for t, s in (
            ("HrWeXg0l9d7EZ+Eof88Y2Q==", "zvy4I0P0fk4="),
            ("ppCnWbqxppecXMymmCHxmg==", "iUoFbZ/9B9o="),
        )
    ]
    for row in rows:
        has(row, account_id="t", prompt="hi", system_prompt="be brief", completion="Hello world", seed=1,
            max_tokens=100,
            input_tokens=5, output_tokens=9, reasoning_tokens=6)  # fmt: skip
    has(rows[1], reasoning="thinking about it", logprobs=True, end_user_id="u-1")


def test_captured_litellm() -> None:
    """Payloads of a real proxy: success, stream, a guardrail's refusal, an upstream's 404."""
    reader = Reader(
        [str(fixture(f"litellm_standard_logging_{kind}.jsonl")) for kind in ("success", "failure")]
    )
    rows = rows_of(reader)
    assert not reader.rejected
    assert {each.format for each in reader.recognised} == {"litellm"}
    assert len({row["exchange_id"] for row in rows}) == 6
    has(rows[0], model="gpt-4o", end_user_id="u-7", completion="The answer is \\boxed{42}.", logprobs=True,
        temperature=0.6,
        client_ip="203.0.113.9", conversation_id="s1", input_tokens=10, output_tokens=20, status=200)  # fmt: skip
    has(rows[1], reasoning="thinking about it", reasoning_tokens=6, stream=False)
    has(rows[2], stream=True, completion="Hello world")
    assert [row["status"] for row in rows] == [200, 200, 200, 429, 404, 500]
    assert rows[0]["started_at"].isoformat() == "2026-11-24T04:11:02.984243+00:00"


def payload(**metadata: Any) -> dict[str, Any]:
    """A LiteLLM payload."""
    return {"litellm_call_id": "c", "call_type": "acompletion", "startTime": 1795493690.5, "model": "openai/m",
            "custom_llm_provider": "openai", "status": "success", "model_parameters": {}, "messages": CHAT["messages"],
            "response": ANSWER, "metadata": {"user_api_key_hash": "k", **metadata}}  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "account", "org"),
    [
        ({}, "k", None),
        ({"user_api_key_user_id": "default_user_id"}, "k", None),
        ({"user_api_key_user_id": "u"}, "u", None),
        ({"user_api_key_user_id": "u", "user_api_key_team_id": "t"}, "t", "t"),
        ({"user_api_key_team_id": "t", "user_api_key_org_id": "o"}, "t", "o"),
    ],
)
def test_litellm_bills_team_then_owner_then_key(
    metadata: dict[str, Any], account: str, org: str | None
) -> None:
    """The account is whom the proxy charges; the placeholder owner is nobody."""
    for data in (lines(payload(**metadata)), json.dumps([payload(**metadata)]).encode()):
        rows, _ = read(data)
        has(
            rows[0],
            account_id=account,
            org_id=org,
            credential_id="k",
            model="m",
            prompt="hi",
            completion="Hello",
        )


def test_litellm_hidden_messages_are_missing() -> None:
    """What the proxy hid is no prompt."""
    hidden = payload() | {"messages": [{"role": "user", "content": "redacted-by-litellm"}],
                          "response": {"choices": [{"message": {"content": "redacted-by-litellm"}}]}}  # fmt: skip
    rows, _ = read(lines(hidden))
    has(rows[0], prompt=None, messages=None, completion=None)


@pytest.mark.parametrize("container", ["json", "csv"])
def test_litellm_spend(container: str) -> None:
    """Rows of the spend table, from its API or as CSV with JSON in cells."""
    row = {"request_id": "r", "call_type": "acompletion", "api_key": "k", "spend": "0.1", "prompt_tokens": "5",
           "completion_tokens": "9", "startTime": "2026-11-24 04:14:50.500", "endTime": "2026-11-24 04:14:51",
           "model": "m", "user": "u", "messages": json.dumps(CHAT["messages"]), "response": json.dumps(ANSWER),
           "end_user": "e", "requester_ip_address": "203.0.113.9", "status": "success"}  # fmt: skip
    data = lines(row)
    if container == "csv":
        cells = ['"' + value.replace('"', '""') + '"' for value in row.values()]
        data = f"{','.join(row)}\n{','.join(cells)}\n".encode()
    rows, reader = read(data)
    has(rows[0], exchange_id="r", account_id="u", credential_id="k", end_user_id="e", prompt="hi", completion="Hello",
        input_tokens=5, output_tokens=9, latency_ms=500.0, client_ip="203.0.113.9", status=200)  # fmt: skip
    assert reader.recognised[0].format == "litellm-spend"


def pair(request: Any, response: Any, **beside: Any) -> bytes:
    """A request and response pair."""
    return lines(
        {"id": "r", "timestamp": WHEN, "account_id": "a", "request": request, "response": response, **beside}
    )


CLAUDE = {"type": "message", "model": "c", "stop_reason": "end_turn", "usage": {"input_tokens": 5, "output_tokens": 9},
          "content": [{"type": "thinking", "thinking": "hm", "signature": BLOB},
                      {"type": "text", "text": "Hello"}]}  # fmt: skip
BODIES = [
    (CHAT | {"seed": 1}, ANSWER, {"seed": 1, "operation": "chat"}),
    ({"model": "m", "prompt": "hi"}, {"model": "m-1", "choices": [{"text": "Hello", "finish_reason": "stop"}]},
     {"operation": "completion"}),
    ({"model": "m", "input": "hi", "instructions": "Be brief.", "user": "e"},
     {"object": "response", "model": "m-1", "status": "completed", "output": [
         {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": BLOB},
         {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}]},
     {"operation": "responses", "system_prompt": "Be brief.", "reasoning": "hm", "sealed_out": [digest(BLOB)],
      "end_user_id": "e"}),
    ({"model": "c", "system": [{"type": "text", "text": "Be brief."}], "max_tokens": 9,
      "messages": [{"role": "assistant", "content": [{"type": "redacted_thinking", "data": BLOB}]},
                   {"role": "user", "content": "hi"}]}, CLAUDE,
     {"system_prompt": "Be brief.", "sealed_in": [digest(BLOB)], "sealed_out": [digest(BLOB)], "reasoning": "hm",
      "input_tokens": 5, "max_tokens": 9}),
    (CHAT, [{"model": "m-1", "choices": [{"delta": {"content": "Hel"}}]},
            {"choices": [{"delta": {"content": "lo"}, "finish_reason": "stop"}], "usage": {"completion_tokens": 9}}],
     {"output_tokens": 9, "model": "m-1"}),
]  # fmt: skip


@pytest.mark.parametrize(("request_body", "response_body", "more"), BODIES,
                         ids=["chat", "completions", "responses", "messages", "stream"])  # fmt: skip
def test_pairs_of_every_api(request_body: Any, response_body: Any, more: dict[str, Any]) -> None:
    """All providers' bodies say the same things; no sealed block stays."""
    rows, reader = read(pair(request_body, response_body))
    has(
        rows[0],
        **{
            "exchange_id": "r",
            "account_id": "a",
            "prompt": "hi",
            "completion": "Hello",
            "finish_reason": "stop",
        }
        | more,
    )
    assert BLOB not in str(rows)
    assert reader.recognised[0].format == "openai"


def test_pairs_keep_no_secret() -> None:
    """The key becomes a digest and the account of last resort; SDK headers stay, secrets go."""
    headers = {"Authorization": "Bearer sk-verysecretkey", "X-Stainless-OS": "Linux", "Cookie": "c=1",
               "x-title": "sk-abc", "X-Client-Token": "t",
               "Sec-WebSocket-Protocol": "openai-insecure-api-key.sk-x",
               "sec-fetch-mode": "cors", "User-Agent": "ua",
               "OpenAI-Organization": "org"}  # fmt: skip
    data = pair(CHAT, ANSWER, headers=headers, account_id=None, ip="[2001:db8::1]:443")
    rows, _ = read(data)
    has(rows[0], user_agent="ua", client_ip="2001:db8::1",
        client_headers=[("x-stainless-os", "Linux"), ("sec-fetch-mode", "cors")])  # fmt: skip
    assert rows[0]["account_id"] == rows[0]["credential_id"] != "sk-verysecretkey"
    assert "secret" not in str(rows)


def test_tool_calls_are_an_answer() -> None:
    """An answer that only calls tools is those calls as JSON."""
    calls = [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]
    rows, _ = read(
        pair(
            CHAT,
            {"choices": [{"message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}]},
        )
    )
    has(rows[0], completion='[{"name":"f","arguments":"{}"}]', finish_reason="tool_calls")


def bedrock(request: Any, response: Any, **more: Any) -> bytes:
    """A Bedrock invocation log line."""
    return lines({
        "schemaType": "ModelInvocationLog", "timestamp": WHEN, "requestId": "r", "accountId": "123", "region": "x",
        "operation": "Converse", "modelId": "arn:aws:bedrock:x::foundation-model/anthropic.c",
        "identity": {"arn": "arn:role"}, "requestMetadata": {"tenant_id": "t"},
        "input": {"inputBodyJson": request, "inputTokenCount": 5},
        "output": {"outputBodyJson": response, "outputTokenCount": 9},
        **more,
    })  # fmt: skip


TURN = {
    "messages": [{"role": "user", "content": [{"text": "hi"}]}],
    "inferenceConfig": {"temperature": 0.6, "maxTokens": 9},
}


@pytest.mark.parametrize(
    ("request_body", "response_body"),
    [
        (TURN, {"output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": BLOB}}}, {"text": "Hello"}]}},
            "stopReason": "end_turn"}),
        (TURN, [{"contentBlockDelta": {"delta": {"text": "Hel"}, "contentBlockIndex": 0}},
                {"contentBlockDelta": {"delta": {"text": "lo"}, "contentBlockIndex": 0}},
                {"messageStop": {"stopReason": "end_turn"}}, {"metadata": {"usage": {"inputTokens": 5}}}]),
        ({"messages": [{"role": "user", "content": "hi"}], "temperature": 0.6, "max_tokens": 9}, CLAUDE),
        ({"messages": [{"role": "user", "content": "hi"}], "temperature": 0.6, "max_tokens": 9},
         [{"type": "message_start", "message": {"usage": {"input_tokens": 5}}},
          {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
          {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
          {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
          {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}]),
        ({"prompt": "hi", "temperature": 0.6, "max_gen_len": 9}, {"generation": "Hello", "stop_reason": "stop"}),
        ({"prompt": "hi", "temperature": 0.6, "max_gen_len": 9}, 
         [{"generation": "Hel"}, {"generation": "lo", "stop_reason": "stop"}]),
    ],
    ids=["converse", "converse stream", "messages", "messages stream", "llama", "llama stream"],
)  # fmt: skip
def test_bedrock_bodies(request_body: Any, response_body: Any) -> None:
    """Every model family's body, whole or in chunks; the tenant is the account."""
    rows, reader = read(bedrock(request_body, response_body))
    has(rows[0], account_id="t", org_id=None, model="anthropic.c", channel="bedrock", prompt="hi", completion="Hello",
        temperature=0.6, max_tokens=9, input_tokens=5, output_tokens=9, finish_reason="stop")  # fmt: skip
    assert BLOB not in str(rows)
    assert reader.recognised[0].format == "bedrock"


def test_bedrock_bodies_in_s3_are_missing() -> None:
    """A body that lies elsewhere is missing text; the role stands in for the tenant."""
    data = lines({"schemaType": "ModelInvocationLog", "timestamp": WHEN, "requestId": "r", "modelId": "m",
                  "identity": {"arn": "arn:role"}, "input": {"inputBodyS3Path": "s3://x"},
                  "errorCode": "ThrottlingException"})  # fmt: skip
    rows, _ = read(data)
    has(rows[0], account_id="arn:role", prompt=None, messages=None, completion=None, status=429)


@pytest.mark.parametrize(
    "asked",
    [CHAT["messages"], CHAT, json.dumps(CHAT["messages"]), "hi"],
    ids=["list", "body", "text", "bare"],
)
def test_langfuse(asked: Any) -> None:
    """Generations in either spelling, input as list, body, JSON text or words; spans are skipped."""
    row = {"id": "o", "traceId": "t", "type": "GENERATION", "startTime": WHEN, "endTime": "2026-11-24T04:14:51Z",
           "model": "m", "modelParameters": {"temperature": 0.6}, "input": asked, "userId": "u", "sessionId": "s",
           "output": {"role": "assistant", "content": "Hello"}, "usageDetails": {"input": 5, "output": 9}}  # fmt: skip
    rows, reader = read(lines({"data": [row, row | {"id": "x", "type": "SPAN"}], "meta": {}}))
    has(rows[0], exchange_id="o", account_id="u", prompt="hi", completion="Hello", temperature=0.6, input_tokens=5,
        output_tokens=9, latency_ms=1000.0, conversation_id="s")  # fmt: skip
    assert (reader.recognised[0].format, reader.total.skipped) == ("langfuse", 1)


MAPPING = """
title = "edge log"
time_unit = "ms"
[fields]
exchange_id = "rid"
started_at = "/when/ms"
account_id = ["tenant.id", "tenant.name"]
client_ip = "peer"
prompt = "turns.-1.text"
[constants]
channel = "api"
[headers]
"*" = "headers"
"x-stainless-os" = "os"
[bodies]
response = "body"
"""


def test_mapping(tmp_path: Path) -> None:
    """Paths, pointers, fallbacks, list ends, constants, headers, bodies and units."""
    path = tmp_path / "map.toml"
    path.write_text(MAPPING)
    record = {"rid": 7, "when": {"ms": 1795493690000}, "tenant": {"name": "n"}, "peer": "203.0.113.9:1", "os": "Linux",
              "turns": [{"text": "no"}, {"text": "hi"}], "headers": {"Accept": "*/*"}, "body": ANSWER}  # fmt: skip
    rows, reader = read(lines(record, {"rid": 8}), mapping=path)
    has(rows[0], exchange_id="7", account_id="n", client_ip="203.0.113.9", prompt="hi", channel="api", model="m-1",
        completion="Hello", client_headers=[("accept", "*/*"), ("x-stainless-os", "Linux")])  # fmt: skip
    assert rows[0]["started_at"].isoformat() == "2026-11-24T04:14:50+00:00"
    assert [line for line, _ in reasons(reader)] == [2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "unknown key x"),
        ("[fields]\nacount_id = 'a'", "unknown key fields.acount_id"),
        ("[fields]\nmodel = 'm'", "no place given for account_id, exchange_id, started_at"),
        (
            "[fields]\nmodel = 3\nexchange_id='a'\nstarted_at='b'\naccount_id='c'",
            "fields.model is not a path",
        ),
        ("time_unit = 'h'", "time_unit"),
        ("[fields", "not valid TOML"),
    ],
)
def test_mappings_that_are_wrong_are_refused(text: str, message: str, tmp_path: Path) -> None:
    """A misspelt key is refused before anything is read."""
    path = tmp_path / "map.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read(b"", mapping=path)
    assert caught.value.hint


def test_every_format_is_documented() -> None:
    """A format that the documentation does not name is unfinished."""
    page = (Path(__file__).parents[2] / "docs" / "ingest.md").read_text("utf-8")
    assert [name for name in [*FORMATS, "mapping"] if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    "word", ["ModelInvocationLog", "resourceSpans", "litellm_call_id", "modelId", "spend"]
)
def test_what_a_customer_wrote_names_no_format(word: str) -> None:
    """A prompt that is a word of another log's schema does not turn the file into that log, which would hide it."""
    asked = {"model": "m", "messages": [{"role": "user", "content": word}], "user": word, word: word}
    pairs = [
        {"id": f"x{i}", "timestamp": WHEN, "account_id": "a", "request": asked, "response": ANSWER}
        for i in range(3)
    ]
    for log, name in ((pairs, "openai"), ([{**exchange_of(p), "prompt": word} for p in pairs], "canonical")):
        rows, reader = read(lines(*log))
        assert (reader.recognised[0].format, len(rows)) == (name, 3)


def exchange_of(pair: dict[str, Any]) -> dict[str, Any]:
    """The same call under the contract's names."""
    return {
        "exchange_id": pair["id"],
        "started_at": WHEN,
        "account_id": "a",
        "model": "m",
        "end_user_id": "u",
    }


def test_bedrock_in_cloudwatch_events() -> None:
    """The invocation lies as text in an event's message, and is recognised there too."""
    log = {
        "schemaType": "ModelInvocationLog", "timestamp": WHEN, "requestId": "r", "modelId": "m",
        "identity": {"arn": "arn:aws:iam::1:user/x"},
    }  # fmt: skip
    rows, reader = read(lines({"timestamp": 1, "message": json.dumps(log)}))
    assert (reader.recognised[0].format, [row["exchange_id"] for row in rows]) == ("bedrock", ["r"])
