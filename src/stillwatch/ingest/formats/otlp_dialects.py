"""The four ways telemetry spells a conversation, brought into the shape of request and response bodies.

>>> flat = {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi", "gen_ai.request.model": "m"}
>>> request_body(flat, [])["messages"]
[{'role': 'user', 'content': 'hi'}]
"""

from __future__ import annotations

from typing import Any

from stillwatch.ingest.bodies import first
from stillwatch.ingest.jsontext import as_object, parsed

Events = list[tuple[str, dict[str, Any]]]
_PARAMETERS = {
    "model": ("gen_ai.request.model", "llm.request.model", "llm.model_name"),
    "temperature": ("gen_ai.request.temperature", "llm.temperature"),
    "top_p": ("gen_ai.request.top_p", "llm.top_p"),
    "max_tokens": ("gen_ai.request.max_tokens", "llm.request.max_tokens"),
    "seed": ("gen_ai.request.seed", "gen_ai.openai.request.seed"),
    "n": ("gen_ai.request.choice.count", "gen_ai.request.n", "llm.request.n"),
    "logprobs": ("gen_ai.request.logprobs", "llm.request.logprobs"),
    "top_logprobs": ("gen_ai.request.top_logprobs",),
    "user": ("gen_ai.user", "llm.user", "gen_ai.request.user"),
    "tools": ("gen_ai.tool.definitions", "gen_ai.request.tools", "llm.request.functions"),
}
_ROLES = {
    "gen_ai.system.message": "system", "gen_ai.user.message": "user", "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}  # fmt: skip


def request_body(found: dict[str, Any], events: Events) -> dict[str, Any]:
    """What was asked. Where a dialect repeats the raw request body, its parameters fill the gaps."""
    raw = as_object(found.get("input.value")) if found.get("openinference.span.kind") else {}
    body = {**raw, **as_object(found.get("llm.invocation_parameters"))}
    for name, names in _PARAMETERS.items():
        if (value := first(found, *names)) is not None:
            body[name] = parsed(value)
    if tools := indexed(found, "llm.tools"):
        body["tools"] = [parsed(_at(tool, "tool", "json_schema")) for tool in tools]
    elif functions := indexed(found, "llm.request.functions"):
        body["tools"] = functions
    spoken = _asked(found, events)
    if spoken and not _richer(raw, spoken):
        body = {k: v for k, v in body.items() if k not in ("messages", "input", "prompt", "contents")}
        body["messages"] = spoken
    elif not spoken and not raw and isinstance(found.get("input.value"), str):
        body["messages"] = found["input.value"]
    return body


def _richer(raw: dict[str, Any], spoken: list[Any]) -> bool:
    """Whether the raw body has at least the messages that the attributes spell out."""
    listed = raw.get("messages")
    return isinstance(listed, list) and len(listed) >= len(spoken)


def _asked(found: dict[str, Any], events: Events) -> list[Any]:
    """The messages: today's attribute, the older ones, the numbered ones, or message events."""
    instructions = _listed(found.get("gen_ai.system_instructions"))
    opening = [{"role": "system", "parts": instructions}] if instructions else []
    current = _listed(found.get("gen_ai.input.messages"))
    if current or opening:
        return opening + current
    for prefix in ("gen_ai.prompt", "llm.prompts"):
        if numbered := indexed(found, prefix):
            return numbered
    if numbered := indexed(found, "llm.input_messages"):
        return [_openinference(item) for item in numbered]
    if found.get("gen_ai.prompt"):
        return _listed(found["gen_ai.prompt"])
    spoken: list[Any] = []
    for name, attributes in events:
        if name in _ROLES:
            spoken.append(
                {"role": attributes.get("role") or _ROLES[name], "content": parsed(attributes.get("content"))}
            )
        elif name == "gen_ai.content.prompt":
            spoken.extend(_listed(attributes.get("gen_ai.prompt")))
    return spoken


def response_body(found: dict[str, Any], events: Events) -> dict[str, Any]:
    """What was answered, in the shape of a response."""
    raw = as_object(found.get("output.value")) if found.get("openinference.span.kind") else {}
    if any(key in raw for key in ("choices", "output", "content", "candidates")):
        return raw
    answers = _answered(found, events)
    if not answers and isinstance(found.get("output.value"), str) and not raw:
        answers = [{"content": found["output.value"]}]
    return {"choices": [_choice(answer) for answer in answers]} if answers else {}


def _choice(answer: Any) -> dict[str, Any]:
    if isinstance(answer, dict):
        return {"message": answer, "finish_reason": answer.get("finish_reason")}
    return {"message": {"content": answer}}


def _answered(found: dict[str, Any], events: Events) -> list[Any]:
    if current := _listed(found.get("gen_ai.output.messages")):
        return current
    for prefix in ("gen_ai.completion", "llm.completions"):
        if numbered := indexed(found, prefix):
            return numbered
    if numbered := indexed(found, "llm.output_messages"):
        return [_openinference(item) for item in numbered]
    if found.get("gen_ai.completion"):
        return _listed(found["gen_ai.completion"])
    answers: list[Any] = []
    for name, attributes in events:
        if name == "gen_ai.choice":
            message = as_object(attributes.get("message")) or {"content": parsed(attributes.get("content"))}
            answers.append({**message, "finish_reason": attributes.get("finish_reason")})
        elif name == "gen_ai.content.completion":
            answers.extend(_listed(attributes.get("gen_ai.completion")))
    return answers


def _listed(value: Any) -> list[Any]:
    """A list, from a list, its JSON text, one message, or a bare text (then a user's or model's words)."""
    value = parsed(value)
    if isinstance(value, dict):
        inner = value.get("messages")
        return inner if isinstance(inner, list) else [value]
    if isinstance(value, list):
        return value
    return [{"role": "user", "content": value}] if isinstance(value, str) and value else []


def _openinference(item: Any) -> dict[str, Any]:
    """``{"message": {...}}`` to the message, with numbered contents and tool calls as lists."""
    message = _at(item, "message")
    if not isinstance(message, dict):
        return {}
    plain = {"role": message.get("role"), "content": message.get("content")}
    if isinstance(message.get("contents"), dict):
        plain["content"] = [_at(part, "message_content") for part in _ordered(message["contents"])]
    if isinstance(message.get("tool_calls"), dict):
        calls = [_at(call, "tool_call") for call in _ordered(message["tool_calls"])]
        plain["tool_calls"] = [call for call in calls if isinstance(call, dict)]
    return plain


def _at(item: Any, *path: str) -> Any:
    for name in path:
        item = item.get(name) if isinstance(item, dict) else None
    return item


def indexed(found: dict[str, Any], prefix: str) -> list[Any]:
    """Numbered attributes ``prefix.N.a.b`` as a list of nested dicts, in the order of N.

    >>> indexed({"p.1.role": "user", "p.0.role": "system", "p.0.x.y": 1}, "p")
    [{'role': 'system', 'x': {'y': 1}}, {'role': 'user'}]
    """
    tree: dict[str, Any] = {}
    start = prefix + "."
    for name, value in found.items():
        if not name.startswith(start):
            continue
        *path, last = name[len(start) :].split(".")[:12]
        if not (path and path[0].isdigit()):
            continue
        here = tree
        for step in path:
            below = here.setdefault(step, {})
            here = below if isinstance(below, dict) else {}
        here[last] = parsed(value) if last == "tool_calls" else value
    return _ordered(tree)


def _ordered(tree: dict[str, Any]) -> list[Any]:
    numbered = [(int(key), value) for key, value in tree.items() if key.isdigit() and len(key) < 10]
    return [value for _, value in sorted(numbered, key=lambda pair: pair[0])]
