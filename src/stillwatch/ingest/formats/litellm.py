"""LiteLLM standard logging payloads, as its callbacks write them: one object, JSON lines or a JSON array.

The account is whom LiteLLM charges: the team when the key belongs to one, else the key's owner, else the key.
The placeholder owner of keys that nobody owns does not count. The exchange id is the proxy's own call id,
because the upstream's response id is not unique.

>>> row = next(iter(rows({"litellm_call_id": "c", "startTime": 1795493462.5, "model": "openai/m",
...     "custom_llm_provider": "openai", "metadata": {"user_api_key_hash": "h", "user_api_key_team_id": "t"}})))
>>> row["account_id"], row["credential_id"], row["model"]
('t', 'h', 'm')
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stillwatch.ingest.answers import response_fields, usage_fields
from stillwatch.ingest.bodies import count, first, flag, quantity, request_fields, text
from stillwatch.ingest.client import address, keep_headers
from stillwatch.ingest.format import Answer, Format, share, unwrapped
from stillwatch.ingest.jsontext import as_object, parsed
from stillwatch.ingest.refusal import Refusal, Row
from stillwatch.ingest.times import milliseconds, to_time

NOBODY = frozenset(
    {"default_user_id", "litellm_proxy_master_key", "litellm-proxy-budget", "litellm-proxy-master-key"}
)
_REDACTED = "redacted-by-litellm"
_OPERATIONS = {
    "completion": "chat", "acompletion": "chat", "anthropic_messages": "chat", "generate_content": "chat",
    "agenerate_content": "chat", "text_completion": "completion", "atext_completion": "completion",
    "responses": "responses", "aresponses": "responses", "embedding": "embedding", "aembedding": "embedding",
}  # fmt: skip
_CLASS_STATUS = {
    "BadRequestError": 400, "ContextWindowExceededError": 400, "ContentPolicyViolationError": 400,
    "AuthenticationError": 401, "ProxyException": 400, "PermissionDeniedError": 403, "NotFoundError": 404,
    "Timeout": 408, "RateLimitError": 429, "BudgetExceededError": 429, "InternalServerError": 500,
    "ServiceUnavailableError": 503,
}  # fmt: skip


def sniff(head: bytes) -> float:
    """Told by the call id and call type beside the payload's metadata."""
    wanted = share(head, ("litellm_call_id", "call_type", "metadata", "startTime", "model_parameters"))
    return wanted if wanted >= 0.6 and share(head, ("request_id",)) == 0 else 0.0


def rows(record: dict[str, Any]) -> Iterator[Answer]:
    """One row per payload; ``standard_logging_object`` and API envelopes are opened."""
    for item in unwrapped(record):
        if not isinstance(item, dict):
            yield Refusal("not a JSON object")
            continue
        yield _row(as_object(item.get("standard_logging_object")) or item)


def _row(record: dict[str, Any]) -> Row:
    metadata = as_object(record.get("metadata"))
    requester = as_object(metadata.get("requester_metadata"))
    start = to_time(record.get("startTime"))
    row = spoken(record)
    row.update(
        exchange_id=text(first(record, "litellm_call_id", "id")),
        started_at=start,
        channel="batch" if "batch" in str(record.get("call_type")) else "api",
        operation=operation(record.get("call_type")),
        client_ip=address(first(record, "requester_ip_address") or metadata.get("requester_ip_address")),
        user_agent=text(first(record, "user_agent") or metadata.get("user_agent")),
        client_headers=keep_headers(requester.get("headers")),
        end_user_id=text(first(record, "end_user") or metadata.get("user_api_key_end_user_id"))
        or row.get("end_user_id"),
        status=_status(record),
        latency_ms=_latency(record) or milliseconds(start, to_time(record.get("endTime"))),
        conversation_id=text(first(record, "session_id") or requester.get("session_id"))
        or _given(record.get("trace_id")),
    )
    row["user_agent"] = row["user_agent"] or text(as_object(requester.get("headers")).get("user-agent"))
    row.update(
        billed(
            team=metadata.get("user_api_key_team_id"),
            owner=metadata.get("user_api_key_user_id"),
            key=metadata.get("user_api_key_hash"),
            organisation=metadata.get("user_api_key_org_id"),
        )
    )
    return row


def billed(*, team: Any, owner: Any, key: Any, organisation: Any) -> Row:
    """Account, organisation and credential from what a key belongs to."""
    owner = None if owner in NOBODY else owner
    return {
        "account_id": text(team) or text(owner) or text(key),
        "org_id": text(organisation) or text(team),
        "credential_id": text(key),
    }


def spoken(record: dict[str, Any]) -> Row:
    """Everything about the request and its answer that payloads and spend rows have in common."""
    given = parsed(record.get("messages"))
    asked = dict(as_object(record.get("model_parameters")))
    if isinstance(given, dict):
        asked |= given
    elif given and not _hidden(given):
        asked["messages"] = given
    row = request_fields(asked)
    answer = response_fields(record.get("response"))
    if answer["completion"] == _REDACTED:
        answer["completion"] = None
    usage = usage_fields(as_object(as_object(record.get("metadata")).get("usage_object")))
    row["model"] = _model(record) or answer.pop("model") or row["model"]
    answer.pop("model", None)
    for name in ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens"):
        answer[name] = answer[name] if answer[name] is not None else usage[name]
    row.update(answer)
    row["input_tokens"] = _or(count(record.get("prompt_tokens")), row["input_tokens"])
    row["output_tokens"] = _or(count(record.get("completion_tokens")), row["output_tokens"])
    stream = flag(record.get("stream"))
    row["stream"] = stream if stream is not None else row["stream"]
    return row


def _or(value: int | None, other: int | None) -> int | None:
    return value if value is not None else other


def _hidden(messages: Any) -> bool:
    """Whether the proxy was told not to log messages."""
    return isinstance(messages, list) and all(
        isinstance(item, dict) and item.get("content") == _REDACTED for item in messages
    )


def _model(record: dict[str, Any]) -> str | None:
    """The model served, without the provider in front; the group's name when that is all there is."""
    model, provider = text(record.get("model")), text(record.get("custom_llm_provider"))
    if model and provider:
        model = model.removeprefix(f"{provider}/")
    return model or text(record.get("model_group"))


def operation(call_type: Any) -> str | None:
    """The contract's word for a LiteLLM call type; an unknown one as it is."""
    kind = text(call_type)
    return _OPERATIONS.get(kind, kind) if kind else None


def _status(record: dict[str, Any]) -> int | None:
    if record.get("status") == "success":
        return 200
    if record.get("status") != "failure":
        return count(record.get("status"), 999)
    error = as_object(record.get("error_information"))
    if (code := count(error.get("error_code"), 999)) is not None:
        return code
    complaint = text(record.get("error_str")) or ""
    if leading := re.match(r"([45]\d\d)\b", complaint):
        return int(leading.group(1))
    named = re.match(r"(?:litellm\.)?(\w+)", text(error.get("error_class")) or complaint)
    return _CLASS_STATUS.get(named.group(1), 500) if named else 500


def _latency(record: dict[str, Any]) -> float | None:
    seconds = quantity(record.get("response_time"))
    return seconds * 1000 if seconds else None


def _given(trace: Any) -> str | None:
    """A trace id that a client gave; one the proxy made up for a single call says nothing."""
    found = text(trace)
    made_up = found is None or re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", found)
    return None if made_up else found


FORMAT = Format("litellm", "LiteLLM standard logging payloads", sniff, rows)
