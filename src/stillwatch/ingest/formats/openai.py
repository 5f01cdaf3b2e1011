"""Request and response pairs: ``{"request": {...}, "response": {...}}`` with whatever a gateway puts beside.

Bodies may be those of chat completions, legacy completions, the responses API or the messages API; either may
sit one level down in ``body``, be JSON text, or (the response) be a list of stream chunks. Who is billed is
looked for beside the bodies, and if nobody is named the API key's digest stands in.

>>> row = next(iter(rows({"id": "r", "time": 1795493462, "account": "a", "request": {"model": "m",
...     "messages": [{"role": "user", "content": "hi"}]}, "response": {"model": "m-1"}})))
>>> row["account_id"], row["model"], row["prompt"]
('a', 'm-1', 'hi')
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from stillwatch.ingest.answers import response_fields
from stillwatch.ingest.bodies import count, first, quantity, request_fields, text
from stillwatch.ingest.client import address, keep_headers, key_digest, lowered
from stillwatch.ingest.format import Answer, Format, keys, unwrapped
from stillwatch.ingest.jsontext import as_object, dump, parsed
from stillwatch.ingest.refusal import Refusal, Row
from stillwatch.ingest.times import milliseconds, to_time

_REQUEST = ("request", "request_body", "requestBody", "req")
_RESPONSE = ("response", "response_body", "responseBody", "res", "resp")
_BESIDE: dict[str, tuple[str, ...]] = {
    "account_id": ("account_id", "account", "customer_id", "customer", "tenant_id", "tenant", "workspace_id",
                   "project_id", "consumer_id", "helicone_user"),
    "org_id": ("org_id", "organization_id", "organisation_id", "organization", "org"),
    "credential_id": ("credential_id", "api_key_id", "api_key_hash", "key_id", "key_hash"),
    "end_user_id": ("end_user_id", "end_user", "user_id", "user"),
    "channel": ("channel",),
    "operation": ("operation",),
    "user_agent": ("user_agent", "userAgent", "ua"),
    "tls_fingerprint": ("tls_fingerprint", "ja4", "ja3"),
    "device_id": ("device_id",),
    "client_country": ("client_country", "country", "country_code"),
    "conversation_id": ("conversation_id", "session_id", "thread_id"),
}  # fmt: skip
_IDS = ("exchange_id", "request_id", "id", "rid", "trace_id", "x_request_id")
_STARTED = ("started_at", "start_time", "startTime", "timestamp", "time", "ts", "created_at", "created",
            "request_created_at", "date")  # fmt: skip
_ENDED = ("ended_at", "end_time", "endTime", "response_created_at", "completed_at")
_ADDRESS = ("client_ip", "ip", "remote_addr", "remote_ip", "client_address", "ip_address")
_STATUS = ("status", "status_code", "http_status", "response_status", "response_code")
_LATENCY_MS = ("latency_ms", "duration_ms", "response_time_ms", "delay_ms", "request_duration_ms")


def sniff(head: bytes) -> float:
    """Told by a request and a response side by side."""
    found = keys(head)
    if any(name in found for name in _REQUEST) and any(name in found for name in _RESPONSE):
        return 0.7 if "litellm_call_id" not in found else 0.2
    return 0.0


def rows(record: dict[str, Any]) -> Iterator[Answer]:
    """One row per pair."""
    for item in unwrapped(record):
        yield _row(item) if isinstance(item, dict) else Refusal("not a JSON object")


def _row(record: dict[str, Any]) -> Answer:
    beside = {**as_object(record.get("metadata")), **{k: v for k, v in record.items() if v is not None}}
    sent, got = as_object(first(record, *_REQUEST)), parsed(first(record, *_RESPONSE))
    body = as_object(_body(sent))
    answer = _body(got) if isinstance(got, dict) else got
    if not body and not answer:
        return Refusal("neither a request body nor a response body")
    headers = lowered(first(beside, "headers", "request_headers") or first(sent, "headers"))
    inner = answer if isinstance(answer, dict) else {}
    row = request_fields(body)
    said = response_fields(answer)
    row["model"] = said.pop("model") or row["model"] or text(first(beside, "model"))
    row.update(said)
    for name, names in _BESIDE.items():
        row[name] = text(first(beside, *names)) or row.get(name)
    row["operation"] = row["operation"] or _operation(body, beside)
    row["credential_id"] = row["credential_id"] or key_digest(headers)
    row["account_id"] = row["account_id"] or row["org_id"] or row["credential_id"]
    start = to_time(first(beside, *_STARTED) or first(inner, "created", "created_at"))
    outer = got if isinstance(got, dict) else {}
    row.update(
        exchange_id=text(first(beside, *_IDS)) or text(inner.get("id")) or _made_up(start, row),
        started_at=start,
        client_ip=address(first(beside, *_ADDRESS)),
        client_asn=count(first(beside, "client_asn", "asn"), 2**32 - 1),
        user_agent=row["user_agent"] or headers.get("user-agent"),
        client_headers=keep_headers(headers),
        status=count(first(beside, *_STATUS) or first(outer, "status_code", "status"), 999),
        latency_ms=_latency(beside, start),
        turn=count(beside.get("turn")),
    )
    return row


def _body(outer: dict[str, Any]) -> dict[str, Any] | list[Any]:
    inner = parsed(outer.get("body"))
    return inner if isinstance(inner, (dict, list)) and inner else outer


def _operation(body: dict[str, Any], beside: dict[str, Any]) -> str | None:
    path = text(first(beside, "path", "route", "url", "endpoint")) or ""
    for piece, word in (("/responses", "responses"), ("/embeddings", "embedding"), ("chat/completions", "chat"),
                        ("/completions", "completion"), ("/messages", "chat")):  # fmt: skip
        if piece in path:
            return word
    if "messages" in body:
        return "chat"
    if "prompt" in body:
        return "completion"
    return (
        "responses" if "input" in body and ("instructions" in body or "max_output_tokens" in body) else None
    )


def _latency(beside: dict[str, Any], start: Any) -> float | None:
    found = quantity(first(beside, *_LATENCY_MS))
    return found if found is not None else milliseconds(start, to_time(first(beside, *_ENDED)))


def _made_up(start: Any, row: Row) -> str | None:
    """An id from what the record says, for logs that give none: the same record twice counts once."""
    if start is None or row["account_id"] is None:
        return None
    said = dump([start.isoformat(), row["account_id"], row["messages"], row["completion"]]) or ""
    return "made-" + blake2b(said.encode("utf-8", "replace"), digest_size=16).hexdigest()


FORMAT = Format("openai", "OpenAI-style or Anthropic-style request and response pairs", sniff, rows)
