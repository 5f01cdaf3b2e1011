"""Amazon Bedrock model invocation logs, as S3 and CloudWatch hold them (S3 JSON lines, usually gzip).

The tenant is read from ``requestMetadata``; without it the caller's role stands in. The AWS account is the
operator's own and the same for every tenant, so it is never an organisation: that would hide every link.
Bodies that were too large for the log lie elsewhere in S3 and are missing here.

>>> row = next(iter(rows({"schemaType": "ModelInvocationLog", "timestamp": "2026-11-24T04:14:50Z",
...     "requestId": "r", "modelId": "anthropic.c", "requestMetadata": {"tenant_id": "t"},
...     "input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}}})))
>>> row["account_id"], row["prompt"]
('t', 'hi')
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from stillwatch.ingest.answers import response_fields
from stillwatch.ingest.bodies import count, first, request_fields, text
from stillwatch.ingest.format import Answer, Format, sample, share, unwrapped
from stillwatch.ingest.jsontext import as_object, parsed
from stillwatch.ingest.refusal import SKIPPED, Row
from stillwatch.ingest.times import to_time

_TENANT = (
    "account_id",
    "accountId",
    "tenant_id",
    "tenantId",
    "tenant",
    "customer_id",
    "customerId",
    "customer",
)
_ORG = ("org_id", "orgId", "organization_id", "organizationId", "organization")
_USER = ("end_user_id", "endUserId", "user_id", "userId", "user")
_CONVERSATION = ("conversation_id", "conversationId", "session_id", "sessionId")
_STATUS = {
    "ThrottlingException": 429, "ValidationException": 400, "AccessDeniedException": 403,
    "ResourceNotFoundException": 404, "ModelTimeoutException": 408, "ServiceQuotaExceededException": 429,
    "ModelErrorException": 424, "ServiceUnavailableException": 503, "InternalServerException": 500,
}  # fmt: skip


def sniff(head: bytes) -> float:
    """Told by the log's own schema name where it belongs, or by its field names; never by what a customer wrote."""
    found = [_log(item) for record in sample(head) for item in unwrapped(record)]
    if 0 < len(found) <= 2 * sum(log.get("schemaType") == "ModelInvocationLog" for log in found):
        return 0.95
    wanted = share(head, ("modelId", "requestId", "input", "output", "operation"))
    return 0.8 if wanted >= 0.8 else 0.0


def _log(item: Any) -> dict[str, Any]:
    found = as_object(item)
    return found if "modelId" in found else as_object(found.get("message"))


def rows(record: dict[str, Any]) -> Iterator[Answer]:
    """One row per invocation; a CloudWatch event's ``message`` is opened."""
    for item in unwrapped(record):
        found = _log(item)
        yield _row(found) if "modelId" in found else SKIPPED


def _row(record: dict[str, Any]) -> Row:
    asked, said = as_object(record.get("input")), as_object(record.get("output"))
    about = as_object(record.get("requestMetadata"))
    caller = text(as_object(record.get("identity")).get("arn"))
    row = request_fields(_request(asked.get("inputBodyJson")))
    answer = response_fields(parsed(said.get("outputBodyJson")))
    answer.pop("model")
    row.update(answer)
    row.update(
        exchange_id=text(record.get("requestId")),
        started_at=to_time(record.get("timestamp")),
        account_id=text(first(about, *_TENANT)) or caller or text(record.get("accountId")),
        org_id=text(first(about, *_ORG)),
        end_user_id=text(first(about, *_USER)) or row["end_user_id"],
        credential_id=blake2b(caller.encode(), digest_size=16).hexdigest() if caller else None,
        conversation_id=text(first(about, *_CONVERSATION)) or row["conversation_id"],
        model=_model(record.get("modelId")),
        channel="bedrock",
        operation=_operation(record.get("operation")),
        status=_STATUS.get(str(record["errorCode"]), 500) if record.get("errorCode") else 200,
        stream="Stream" in str(record.get("operation")) if record.get("operation") else None,
    )
    for name, place, key in (
        ("input_tokens", asked, "inputTokenCount"),
        ("output_tokens", said, "outputTokenCount"),
        ("cached_tokens", asked, "cacheReadInputTokenCount"),
    ):
        found = count(place.get(key))
        row[name] = found if found is not None else row[name]
    return row


def _request(body: Any) -> dict[str, Any]:
    """The body with the plain-text inputs of older models under one name."""
    found = as_object(body)
    if "inputText" in found:
        return {**found, "prompt": found["inputText"]}
    if "message" in found and isinstance(found["message"], str):
        return {**found, "prompt": found["message"]}
    return found


def _model(model_id: Any) -> str | None:
    """The model's own id, also out of an ARN."""
    found = text(model_id)
    return found.rsplit("/", 1)[-1] if found else None


def _operation(operation: Any) -> str | None:
    found = text(operation)
    if not found:
        return None
    return "chat" if found.startswith("Converse") else "completion" if found.startswith("Invoke") else found


FORMAT = Format("bedrock", "Amazon Bedrock model invocation logs", sniff, rows)
