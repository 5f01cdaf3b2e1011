"""The common call without detours: a chat in today's GenAI names whose messages are plain text.

`plain_row` gives what `call_row` gives, in a fraction of the time, or None for a call with anything unusual about it:
an unknown attribute, an odd type, another dialect, tools, sealed blocks. What a row means is decided there, not here;
a property test holds the two together.

>>> from stillwatch.ingest.formats.otlp_calls import Call
>>> said = '[{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]'
>>> found = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "user.id": "u"}
>>> found |= {"gen_ai.input.messages": said}
>>> call = Call("0a", "0b", "chat m", None, None, found, {})
>>> row = plain_row(call)
>>> row["exchange_id"], row["account_id"], row["prompt"]
('0a:0b', 'u', 'Hi')
>>> plain_row(Call("0a", "0b", "chat m", None, None, found | {"gen_ai.request.model": 3}, {})) is None
True
"""

from __future__ import annotations

from typing import Any

import orjson

from stillwatch.ingest.answers import finish_word
from stillwatch.ingest.bodies import LARGEST
from stillwatch.ingest.client import address
from stillwatch.ingest.formats.otlp_calls import BILLED, CHANNELS, LOOKED_UP, Call, service_account
from stillwatch.ingest.refusal import Row
from stillwatch.ingest.times import milliseconds

_TEXTS = frozenset({
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model", "gen_ai.response.model",
    "gen_ai.response.id", "gen_ai.conversation.id", "session.id", *BILLED, "user.id", "enduser.id", "organization.id",
    "org.id", "credential.id", "api_key.id", "api_key.hash", "client.address", "user_agent.original",
})  # fmt: skip
_COUNTS = {
    "gen_ai.request.max_tokens": "max_tokens", "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens", "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_tokens",
}  # fmt: skip
_QUANTITIES = {"gen_ai.request.temperature": "temperature", "gen_ai.request.top_p": "top_p"}
_SAID = frozenset({"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.response.finish_reasons"})
_LARGEST_QUANTITY = 1e15
_MESSAGE = frozenset({"role", "parts", "name", "finish_reason"})
_PART = frozenset({"type", "content"})


def plain_row(call: Call) -> Row | None:
    """The row of a plain chat call; None when `call_row` has to look."""
    found, resource = call.attributes, call.resource
    get = found.get
    usual = get("gen_ai.operation.name") == "chat" and call.trace and call.span and not call.events
    if not usual or call.is_log or not resource.keys().isdisjoint(LOOKED_UP):
        return None
    row: Row = {}
    for name, value in found.items():
        if name in _TEXTS:
            if type(value) is not str or not value:
                return None
        elif field := _COUNTS.get(name):
            if type(value) is not int or not 0 <= value <= LARGEST:
                return None
            row[field] = value
        elif field := _QUANTITIES.get(name):
            if type(value) is not float or not 0 <= value <= _LARGEST_QUANTITY:
                return None
            row[field] = value
        elif name not in _SAID:
            return None
    if not (_conversation(row, get("gen_ai.input.messages")) and _answer(row, get("gen_ai.output.messages"))):
        return None
    return row if _facts(row, call, resource) else None


def _facts(row: Row, call: Call, resource: dict[str, Any]) -> bool:
    """Who, when and which model; every text among the attributes is known to be one."""
    get = call.attributes.get
    asked = get("gen_ai.request.model")
    reasons = get("gen_ai.response.finish_reasons")
    if reasons is not None:
        if type(reasons) is not list or not reasons or type(reasons[0]) is not str or not reasons[0]:
            return False
        row["finish_reason"] = finish_word(reasons[0])
    if asked is not None and not asked[0].isalnum():
        return False
    person = get("user.id") or get("enduser.id")
    billed = (
        get("stillwatch.account_id") or get("account.id") or get("tenant.id") or get("customer.id") or person
    )
    at = get("client.address")
    row["exchange_id"] = f"{call.trace}:{call.span}"
    row["started_at"] = call.start
    row["account_id"] = billed or service_account(resource)
    row["model"] = get("gen_ai.response.model") or asked
    row["org_id"] = get("organization.id") or get("org.id")
    row["credential_id"] = get("credential.id") or get("api_key.id") or get("api_key.hash")
    row["end_user_id"] = person
    row["channel"] = CHANNELS.get(get("gen_ai.provider.name") or get("gen_ai.system") or "", "api")
    row["operation"] = "chat"
    row["client_ip"] = address(at) if at else None
    row["user_agent"] = get("user_agent.original")
    row["status"] = 500 if call.failed else None
    row["latency_ms"] = milliseconds(call.start, call.end)
    row["conversation_id"] = get("gen_ai.conversation.id") or get("session.id")
    return True


def _conversation(row: Row, given: Any) -> bool:
    """Messages, system text and last prompt; False when they are not plain."""
    if given is None:
        return True
    listed = _listed(given)
    if listed is None:
        return False
    system: list[str] = []
    for message in listed:
        said = _spoken(message)
        if said is None:
            return False
        role = message["role"]
        if role == "user" or role == "human":
            row["prompt"] = said
        elif role == "system" or role == "developer":
            system.append(said)
    row["messages"] = orjson.dumps(listed).decode()
    if system:
        row["system_prompt"] = "\n".join(dict.fromkeys(system))
    return True


def _answer(row: Row, given: Any) -> bool:
    """Completion and finish reason; False when they are not plain."""
    if given is None:
        return True
    listed = _listed(given)
    if listed is None:
        return False
    said = [_spoken(message) for message in listed]
    if None in said:
        return False
    row["completion"] = "\n\n".join(said)  # type: ignore[arg-type]  # none of them is None
    if (reason := listed[0].get("finish_reason")) is not None:
        row["finish_reason"] = finish_word(reason)
    return True


def _listed(given: Any) -> list[Any] | None:
    if type(given) is not str or given[:1] != "[":
        return None
    try:
        listed: list[Any] = orjson.loads(given)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    return listed or None


def _spoken(message: Any) -> str | None:
    """The words of one message of plain text parts; None when it is anything else."""
    if type(message) is not dict or not message.keys() <= _MESSAGE:
        return None
    parts = message.get("parts")
    reason = message.get("finish_reason", "stop")
    if type(parts) is not list or not parts or type(message.get("role")) is not str:
        return None
    if type(reason) is not str or not reason or type(message.get("name", "")) is not str:
        return None
    words = []
    for part in parts:
        if type(part) is not dict or part.get("type") != "text" or part.keys() != _PART:
            return None
        said = part["content"]
        if type(said) is not str or not said:
            return None
        words.append(said)
    return "\n".join(words) if len(words) > 1 else words[0]
