"""Langfuse observation exports: JSON, JSON lines, CSV or Parquet, in snake_case or camelCase.

Only generations and embeddings are model calls; spans and events are passed over. The account is the tenant
named in the metadata, else Langfuse's user. The project is the operator's own and never an account.

>>> row = next(iter(rows({"id": "o", "type": "GENERATION", "startTime": "2026-11-24T04:14:50Z",
...                       "userId": "u", "model": "m", "input": "hi", "output": {"content": "Hello"}})))
>>> row["account_id"], row["prompt"], row["completion"]
('u', 'hi', 'Hello')
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stillwatch.ingest.answers import response_fields
from stillwatch.ingest.bodies import count, first, parameters, quantity, request_fields, text
from stillwatch.ingest.client import address, keep_headers
from stillwatch.ingest.format import Answer, Format, keys, unwrapped
from stillwatch.ingest.jsontext import as_object, parsed
from stillwatch.ingest.refusal import SKIPPED, Refusal, Row
from stillwatch.ingest.times import milliseconds, to_time

_MODEL_CALLS = ("GENERATION", "EMBEDDING")
_TENANT = (
    "account_id",
    "accountId",
    "tenant_id",
    "tenantId",
    "customer_id",
    "customerId",
    "tenant",
    "customer",
)
_USAGE: dict[str, tuple[str, ...]] = {
    "input_tokens": ("input", "prompt_tokens", "promptTokens", "input_tokens"),
    "output_tokens": ("output", "completion_tokens", "completionTokens", "output_tokens"),
    "reasoning_tokens": ("output_reasoning_tokens", "output_reasoning", "reasoning_tokens"),
    "cached_tokens": ("input_cached_tokens", "input_cache_read", "cache_read_input_tokens"),
}


def sniff(head: bytes) -> float:
    """Told by an observation's trace, type and times."""
    found = {_snake(name) for name in keys(head)}
    wanted = {"id", "trace_id", "type", "start_time", "input", "output"}
    if len(wanted & found) < 5:
        return 0.0
    return 0.9 if found & {"model_parameters", "usage_details", "provided_model_name", "level"} else 0.4


def rows(record: dict[str, Any]) -> Iterator[Answer]:
    """One row per generation."""
    for item in unwrapped(record):
        if not isinstance(item, dict):
            yield Refusal("not a JSON object")
            continue
        observation = {_snake(name): value for name, value in item.items()}
        kind = text(observation.get("type"))
        yield SKIPPED if kind and kind.upper() not in _MODEL_CALLS else _row(observation)


def _row(record: dict[str, Any]) -> Row:
    about = as_object(record.get("metadata"))
    asked, said = parsed(record.get("input")), parsed(record.get("output"))
    row = request_fields(asked if isinstance(asked, dict) and "role" not in asked else {"messages": asked})
    chosen = parameters(as_object(record.get("model_parameters")))
    row.update({name: value for name, value in chosen.items() if value is not None})
    answer = response_fields(_answer(said))
    answer.pop("model")
    row.update(answer)
    start = to_time(record.get("start_time"))
    seconds = quantity(record.get("latency"))
    row.update(
        exchange_id=text(record.get("id")),
        started_at=start,
        account_id=text(first(about, *_TENANT)) or text(record.get("user_id")),
        org_id=text(first(about, "org_id", "organization_id")),
        end_user_id=text(record.get("user_id")) or row["end_user_id"],
        client_ip=address(first(about, "client_ip", "ip", "ip_address")),
        user_agent=text(first(about, "user_agent", "userAgent")),
        client_headers=keep_headers(about.get("headers")),
        model=text(first(record, "model", "provided_model_name", "internal_model_id")) or row["model"],
        operation="embedding" if record.get("type") == "EMBEDDING" else "chat",
        latency_ms=milliseconds(start, to_time(record.get("end_time")))
        or (seconds * 1000 if seconds else None),
        status=500 if record.get("level") == "ERROR" else None,
        conversation_id=text(record.get("session_id")),
    )
    usage = as_object(record.get("usage_details")) or as_object(record.get("usage"))
    usage = {**{name: record.get(name) for name in ("prompt_tokens", "completion_tokens")}, **usage}
    for name, names in _USAGE.items():
        found = count(first(usage, *names))
        row[name] = found if found is not None else row[name]
    return row


def _answer(said: Any) -> Any:
    """The output in a shape that answers come in: a text, a message or a list of messages is wrapped."""
    if isinstance(said, dict):
        return said
    if isinstance(said, list) and any(isinstance(item, dict) and "role" in item for item in said):
        return {"choices": [{"message": item} for item in said if isinstance(item, dict)]}
    return said if isinstance(said, list) else {"completion": said}


def _snake(name: str) -> str:
    """``startTime`` and ``start_time`` are the same name.

    >>> _snake("modelParameters")
    'model_parameters'
    """
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


FORMAT = Format("langfuse", "Langfuse observation exports", sniff, rows)
