"""What a response says, for every provider's shape, whole or as the list of chunks of a stream.

>>> row = response_fields({"model": "m", "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
...                        "usage": {"prompt_tokens": 5, "completion_tokens": 9}})
>>> row["completion"], row["finish_reason"], row["output_tokens"]
('Hello', 'stop', 9)
"""

from __future__ import annotations

from typing import Any

from stillwatch.ingest.bodies import count, first, text
from stillwatch.ingest.conversation import text_of
from stillwatch.ingest.jsontext import as_object, dump
from stillwatch.ingest.refusal import Row
from stillwatch.ingest.sealed import take_sealed
from stillwatch.ingest.streams import gathered

_FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "STOP": "stop", "completed": "stop", "COMPLETE": "stop",
    "FINISH": "stop", "endoftext": "stop", "max_tokens": "length", "MAX_TOKENS": "length", "LENGTH": "length",
    "max_output_tokens": "length", "tool_use": "tool_calls", "tool_call": "tool_calls",
    "function_call": "tool_calls", "guardrail_intervened": "content_filter", "content_filtered": "content_filter",
    "SAFETY": "content_filter",
}  # fmt: skip
"""Providers' words for the contract's few."""


def response_fields(body: Any) -> Row:
    """The contract's fields that a response fills.

    Several choices are joined by a blank line. An answer that is only tool calls is those calls as JSON.

    Args:
        body: a response object, its JSON text, or a list of stream chunks. Sealed blocks are replaced in place.
    """
    body = gathered(body) if isinstance(body, list) else as_object(body)
    said: list[str] = []
    thought: list[str] = []
    calls: list[Any] = []
    row: Row = {"sealed_out": take_sealed(body) or None, "model": text(first(body, "model", "modelVersion"))}
    for piece in _pieces(body):
        _read(piece, said, thought, calls)
    row["completion"] = "\n\n".join(said) or (dump(calls) if calls else None)
    row["reasoning"] = "\n\n".join(thought) or None
    row["finish_reason"] = _finish(body)
    row.update(usage_fields(body))
    return row


def _pieces(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages, one per choice, candidate, output item or result."""
    output = body.get("output")
    if isinstance(output, dict):
        return [m for m in (output.get("message"), output) if isinstance(m, dict)][:1]
    found: list[Any] = []
    for key in ("choices", "candidates", "outputs", "results", "generations"):
        if isinstance(body.get(key), list):
            found = [_choice(item) for item in body[key]]
            break
    else:
        if isinstance(output, list):
            found = output
        else:
            found = [body]
    return [item for item in found if isinstance(item, dict)]


def _choice(item: Any) -> Any:
    if isinstance(item, dict):
        for key in ("message", "delta", "content"):
            if isinstance(item.get(key), dict):
                return item[key]
    return item


def _read(piece: dict[str, Any], said: list[str], thought: list[str], calls: list[Any]) -> None:
    """Sort one message into words, visible reasoning and tool calls."""
    kind = piece.get("type")
    if kind == "reasoning":
        _add(
            thought,
            text_of(piece.get("summary")) or _plain(piece.get("summary")) or _plain(piece.get("content")),
        )
        return
    if kind in ("function_call", "custom_tool_call", "tool_use"):
        calls.append(_call(piece))
        return
    _add(thought, _plain(first(piece, "reasoning_content", "reasoning")))
    content = first(piece, "content", "parts", "text", "generation", "outputText", "completion")
    if isinstance(content, list):
        words = [w for part in content if (w := _word(part, thought, calls))]
        _add(said, "\n".join(words))
    else:
        _add(said, text_of(content))
    if not content:
        _add(said, text_of(piece.get("refusal")))
    tools = piece.get("tool_calls")
    if isinstance(tools, list):
        calls.extend(_call(item) for item in tools if isinstance(item, dict))


def _word(part: Any, thought: list[str], calls: list[Any]) -> str | None:
    """One content part: its words, or None after its reasoning or tool call was put where it belongs."""
    if not isinstance(part, dict):
        return text_of(part)
    if isinstance(part.get("reasoningContent"), dict):
        _add(thought, _plain(part["reasoningContent"].get("reasoningText")))
        return None
    kind = part.get("type")
    if kind in ("thinking", "reasoning") or part.get("thought") is True:
        _add(thought, _plain(first(part, "thinking", "content", "text")))
        return None
    used = part.get("toolUse") or part.get("functionCall")
    if isinstance(used, dict) or kind in ("tool_use", "tool_call", "server_tool_use"):
        calls.append(_call(used if isinstance(used, dict) else part))
        return None
    return text_of(part)


def _call(item: dict[str, Any]) -> dict[str, Any]:
    function = item.get("function")
    inner = function if isinstance(function, dict) else item
    return {"name": inner.get("name"), "arguments": first(inner, "arguments", "input", "args")}


def _plain(value: Any) -> str | None:
    """Text in a reasoning part, which the words of a conversation leave out."""
    if isinstance(value, list):
        return "\n".join(t for item in value if (t := _plain(item))) or None
    if isinstance(value, dict):
        return _plain(first(value, "text", "content", "thinking"))
    return value if isinstance(value, str) and value else None


def _add(where: list[str], words: str | None) -> None:
    if words:
        where.append(words)


def _finish(body: dict[str, Any]) -> str | None:
    for key in ("choices", "candidates", "outputs", "results", "generations"):
        items = body.get(key)
        if isinstance(items, list) and items and isinstance(items[0], dict):
            found = first(items[0], "finish_reason", "finishReason", "completionReason", "stop_reason")
            if isinstance(found, str):
                return finish_word(found)
    details = body.get("incomplete_details")
    if isinstance(details, dict) and isinstance(details.get("reason"), str):
        return finish_word(details["reason"])
    found = first(body, "stop_reason", "stopReason", "finish_reason")
    if found is None and body.get("object") == "response":
        found = body.get("status")
    return finish_word(found) if isinstance(found, str) else None


def finish_word(word: str) -> str:
    """A provider's finish reason in the contract's words; an unknown one as it is."""
    return _FINISH.get(word, word)


def usage_fields(body: dict[str, Any]) -> Row:
    """Token counts, from ``usage`` or ``usageMetadata`` or beside the answer."""
    found = first(body, "usage", "usageMetadata", "usage_metadata")
    usage = found if isinstance(found, dict) else body
    details = first(usage, "completion_tokens_details", "output_tokens_details")
    cached = first(usage, "prompt_tokens_details", "input_tokens_details")
    details = details if isinstance(details, dict) else {}
    cached = cached if isinstance(cached, dict) else {}
    return {
        "input_tokens": count(
            first(
                usage,
                "prompt_tokens",
                "input_tokens",
                "inputTokens",
                "promptTokenCount",
                "prompt_token_count",
                "inputTextTokenCount",
            )
        ),
        "output_tokens": count(
            first(
                usage,
                "completion_tokens",
                "output_tokens",
                "outputTokens",
                "candidatesTokenCount",
                "generation_token_count",
            )
        ),
        "reasoning_tokens": count(first(details, "reasoning_tokens") or usage.get("thoughtsTokenCount")),
        "cached_tokens": count(
            first(cached, "cached_tokens")
            or first(usage, "cache_read_input_tokens", "cacheReadInputTokens", "cachedContentTokenCount")
        ),
    }
