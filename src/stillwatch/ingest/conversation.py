"""The words in a conversation, whatever the provider's shape: chat messages, parts, response items.

>>> chat = [{"role": "system", "content": "Be brief."},
...         {"role": "user", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]}]
>>> opening_and_last(chat)
('Be brief.', 'One.\\nTwo.')
"""

from __future__ import annotations

from typing import Any

_SYSTEM = ("system", "developer")
_USER = ("user", "human")
_NOT_SPOKEN = frozenset({
    "thinking", "redacted_thinking", "reasoning", "tool_use", "tool_result", "tool_call", "tool_call_response",
    "function_call", "function_call_output", "image", "image_url", "input_image", "input_file", "compaction",
    "server_tool_use", "web_search_tool_result", "summary_text", "reasoning_text",
})  # fmt: skip
_DEEPEST = 8


def text_of(content: Any, depth: int = 0) -> str | None:
    """What is said in a content: a text, a part, or a list of parts joined by line ends; None if nothing.

    Tool results, images and reasoning are not words of the speaker and are left out.
    """
    if isinstance(content, str):
        return content or None
    if isinstance(content, list):
        said = [t for part in content if (t := text_of(part, depth + 1))]
        return "\n".join(said) or None
    if not isinstance(content, dict) or depth > _DEEPEST:
        return None
    if content.get("type") in _NOT_SPOKEN or content.get("thought") is True:
        return None
    for key in ("text", "content", "parts", "refusal", "value", "message"):
        if key in content and (said_here := text_of(content[key], depth + 1)):
            return said_here
    return None


def as_messages(body: Any) -> list[Any]:
    """The list of messages that a body is or carries; a bare text becomes one user message."""
    if isinstance(body, str):
        return [{"role": "user", "content": body}] if body else []
    if isinstance(body, list):
        if body and all(isinstance(item, str) for item in body):
            return [{"role": "user", "content": "\n".join(body)}]
        return body
    if isinstance(body, dict):
        for key in ("messages", "input", "contents", "prompt"):
            if body.get(key):
                return as_messages(body[key])
        if "role" in body:
            return [body]
    return []


def system_of(body: Any) -> str | None:
    """The system or developer text that stands beside the messages of a body."""
    if not isinstance(body, dict):
        return None
    for key in ("system", "instructions", "system_instruction", "systemInstruction", "system_prompt"):
        if said := text_of(body.get(key)):
            return said
    return None


def opening_and_last(body: Any) -> tuple[str | None, str | None]:
    """The system text and the last user message that says something; None for what is not there."""
    system: list[str] = [beside] if (beside := system_of(body)) else []
    last: str | None = None
    for message in as_messages(body):
        if not isinstance(message, dict):
            continue
        inner = message.get("message")
        message = inner if isinstance(inner, dict) else message
        role = message.get("role", message.get("type", "user"))
        if role in _SYSTEM:
            if said := _spoken(message):
                system.append(said)
        elif role in _USER:
            last = _spoken(message) or last
    return "\n".join(dict.fromkeys(system)) or None, last


def _spoken(message: dict[str, Any]) -> str | None:
    for key in ("content", "parts", "text"):
        if said := text_of(message.get(key)):
            return said
    return None
