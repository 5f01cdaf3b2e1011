"""From telemetry attributes to exchanges, in all four dialects: GenAI today, GenAI before, Traceloop, OpenInference.

Each dialect is first brought into the shape of a request body and a response body, which the readers of
bodies then turn into fields; so a dialect is only a question of names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stillwatch.ingest.answers import finish_word, response_fields
from stillwatch.ingest.bodies import count, first, flag, request_fields, text
from stillwatch.ingest.client import address, keep_headers
from stillwatch.ingest.format import Answer
from stillwatch.ingest.formats.otlp_dialects import request_body, response_body
from stillwatch.ingest.refusal import HOSTILE, SKIPPED, Refusal, Row
from stillwatch.ingest.times import milliseconds

BILLED = ("stillwatch.account_id", "account.id", "tenant.id", "customer.id")
SERVICE = "service:"
"""In front of a service's name that stands in for an account nobody named."""
_PERSON = (
    "user.id", "enduser.id", "traceloop.association.properties.user_id", "langfuse.user.id", "gen_ai.user",
    "llm.user", "gen_ai.request.user",
)  # fmt: skip
_CALLS = frozenset({
    "chat", "text_completion", "completion", "generate_content", "embeddings", "embedding", "responses", "LLM",
    "EMBEDDING", "rerank",
})  # fmt: skip
_OPERATIONS = {
    "text_completion": "completion", "generate_content": "chat", "embeddings": "embedding", "LLM": "chat",
    "EMBEDDING": "embedding",
}  # fmt: skip
CHANNELS = {
    "aws.bedrock": "bedrock", "aws_bedrock": "bedrock", "bedrock": "bedrock", "gcp.vertex_ai": "vertex",
    "vertex_ai": "vertex", "vertexai": "vertex", "azure.ai.openai": "azure", "az.ai.openai": "azure",
    "azure.ai.inference": "azure", "azure": "azure",
}  # fmt: skip
_ORGANISATION = ("organization.id", "org.id", "stillwatch.org_id")
_CREDENTIAL = ("credential.id", "api_key.id", "api_key.hash")
_ADDRESS = ("client.address", "http.client_ip")
_AGENT = ("user_agent.original", "http.user_agent")
LOOKED_UP = frozenset({*BILLED, *_PERSON, *_ORGANISATION, *_CREDENTIAL, *_ADDRESS, *_AGENT})
"""Attributes that are also looked for among a resource's."""
_SIGNS = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "llm.model_name",
    "gen_ai.response.id",
    "llm.request.model",
)


@dataclass(slots=True)
class Call:
    """One span or log record, with its attributes as plain Python."""

    trace: str
    span: str
    name: str
    start: datetime | None
    end: datetime | None
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failed: bool = False
    is_log: bool = False


def call_rows(
    calls: Iterable[Call | Refusal], plain: Callable[[Call], Row | None] = lambda call: None
) -> Iterator[Answer]:
    """Rows of the model calls; message events that are log records of their own join their neighbours.

    Args:
        calls: spans and log records, and what could not be read as one.
        plain: a short cut to the row of a call that has one.
    """
    loose: dict[str, Call] = {}
    for call in calls:
        if isinstance(call, Refusal):
            yield call
            continue
        if call.is_log and call.trace and call.name.startswith("gen_ai.") and call.name not in _WHOLE:
            known = loose.setdefault(f"{call.trace}:{call.span}", call)
            if known is not call:
                known.events.extend(call.events)
                known.attributes = {**call.attributes, **known.attributes}
            continue
        yield plain(call) or _answer(call)
    for call in loose.values():
        yield _answer(call, known=True)


def _answer(call: Call, *, known: bool = False) -> Answer:
    """One call's row; what its attributes do to the reader costs that call only, not its whole request."""
    try:
        return call_row(call) if known or is_model_call(call) else SKIPPED
    except HOSTILE:
        return MISSHAPEN


MISSHAPEN = Refusal("the attributes do not have the shape of a model call")


_WHOLE = frozenset({"gen_ai.client.inference.operation.details", "gen_ai.client.operation.details"})


def is_model_call(call: Call) -> bool:
    """Whether a span or event is a request to a model rather than a tool, an agent step or anything else."""
    found = call.attributes
    kind = found.get("openinference.span.kind")
    if kind is not None:
        return kind in _CALLS
    if found.get("traceloop.span.kind") in ("workflow", "task", "agent", "tool"):
        return False
    operation = found.get("gen_ai.operation.name") or found.get("llm.request.type")
    if operation is not None:
        return operation in _CALLS
    return any(name in found for name in _SIGNS) or call.name in _WHOLE


def call_row(call: Call) -> Row:
    """One exchange out of one call."""
    found = dict(call.attributes)
    for name, attributes in call.events:
        if name in _WHOLE:
            found = {**attributes, **found}
    row = request_fields(request_body(found, call.events))
    model = row["model"]
    said = response_fields(response_body(found, call.events))
    row.update(said)
    row["model"] = text(first(found, "gen_ai.response.model", "llm.response.model")) or said["model"] or model
    _usage(row, found)
    account = _account(found, call.resource) or row["end_user_id"]
    if account is None:
        account = service_account(call.resource)
    operation = text(first(found, "gen_ai.operation.name", "llm.request.type", "openinference.span.kind"))
    row.update(
        exchange_id=_identity(call, found),
        started_at=call.start,
        account_id=account,
        org_id=_either(found, call.resource, _ORGANISATION),
        credential_id=_either(found, call.resource, _CREDENTIAL),
        end_user_id=text(first(found, *_PERSON)) or row["end_user_id"],
        channel=CHANNELS.get(str(first(found, "gen_ai.provider.name", "gen_ai.system", "llm.provider")), "api"),
        operation=_OPERATIONS.get(operation, operation) if operation else None,
        client_ip=address(_either(found, call.resource, _ADDRESS)),
        user_agent=_either(found, call.resource, _AGENT),
        client_headers=keep_headers(_headers(found)),
        status=_status(found, call.failed),
        latency_ms=milliseconds(call.start, call.end),
        conversation_id=text(
            first(found, "gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id",
                  "traceloop.association.properties.thread_id", "langfuse.session.id")
        ) or row["conversation_id"],
    )  # fmt: skip
    reasons = found.get("gen_ai.response.finish_reasons") or found.get("llm.finish_reason")
    reason = reasons[0] if isinstance(reasons, list) and reasons else reasons
    row["finish_reason"] = finish_word(reason) if isinstance(reason, str) and reason else row["finish_reason"]
    return row


def service_account(resource: dict[str, Any]) -> str | None:
    """The calling service as the account of last resort; a name that an SDK made up names nobody."""
    name = text(resource.get("service.name"))
    return None if name is None or name.startswith("unknown_service") else SERVICE + name


def _identity(call: Call, found: dict[str, Any]) -> str | None:
    if call.trace and call.span:
        return f"{call.trace}:{call.span}"
    return text(first(found, "gen_ai.response.id", "llm.response.id", "gen_ai.request.id"))


def _account(found: dict[str, Any], resource: dict[str, Any]) -> str | None:
    return _either(found, resource, BILLED) or _either(found, resource, _PERSON)


def _either(found: dict[str, Any], resource: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return text(first(found, *names)) or text(first(resource, *names))


def _headers(found: dict[str, Any]) -> dict[str, Any]:
    prefix = "http.request.header."
    given = found.get("gen_ai.headers")
    headers = {
        name.removeprefix(prefix).replace("_", "-"): value
        for name, value in found.items()
        if name.startswith(prefix)
    }
    if isinstance(given, dict):
        return {**given, **headers}
    return headers or given  # type: ignore[return-value]  # JSON text is parsed by the reader of headers


def _usage(row: Row, found: dict[str, Any]) -> None:
    for name, names in _TOKENS.items():
        counted = count(first(found, *names))
        row[name] = counted if counted is not None else row[name]
    stream = flag(
        first(
            found,
            "gen_ai.request.stream",
            "gen_ai.request.is_stream",
            "llm.is_streaming",
            "gen_ai.is_streaming",
        )
    )
    row["stream"] = stream if stream is not None else row["stream"]


_TOKENS: dict[str, tuple[str, ...]] = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens",
                     "llm.token_count.prompt"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
                      "llm.usage.completion_tokens", "llm.token_count.completion"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
                         "llm.usage.reasoning_tokens", "llm.token_count.completion_details.reasoning"),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
                      "llm.usage.cache_read_input_tokens", "llm.token_count.prompt_details.cache_read"),
}  # fmt: skip


def _status(found: dict[str, Any], failed: bool) -> int | None:
    for name in ("http.response.status_code", "http.status_code", "error.type"):
        code = count(found.get(name), 999)
        if code is not None:
            return code
    return 500 if failed or found.get("error.type") else None
