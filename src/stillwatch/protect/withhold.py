"""Withhold visible reasoning: empty the texts in which an answer shows how it was reached, and leave its shape.

Texts are emptied, not taken out: clients find every part that they look for, and sealed blocks and signatures stay, so
that a conversation can go on. A summary that the model wrote for the customer stays as well.

Examples
--------
>>> body = {"choices": [{"message": {"reasoning_content": "First", "content": "42"}, "logprobs": {"content": []}}]}
>>> Withheld().take(body), body
(True, {'choices': [{'message': {'reasoning_content': '', 'content': '42'}, 'logprobs': None}]})
>>> body = {"content": [{"type": "thinking", "thinking": "First I ...", "signature": "c2ln"}]}
>>> Withheld().take(body), body["content"]
(True, [{'type': 'thinking', 'thinking': '', 'signature': 'c2ln'}])
>>> body = {"output": [{"type": "message", "content": [{"type": "output_text", "text": "<think>First</think>42"}]}]}
>>> Withheld().take(body), body["output"][0]["content"][0]["text"]
(True, '42')
"""

from __future__ import annotations

from typing import Any

from stillwatch.protect.tagged import Tagged, forget

TEXTS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
"""Names under which answers show reasoning as text."""
_NOT_INSIDE = frozenset({
    "arguments", "args", "function", "functionCall", "input", "instructions", "metadata", "parsed", "schema",
    "toolUse", "tool_calls", "tools", "usage",
})  # fmt: skip
"""A tool may have a parameter called ``reasoning``: what is said to a tool is no visible reasoning."""
_INNER = ("reasoningContent", "reasoningText")
"""Objects whose ``text`` is reasoning."""


class Withheld:
    """Takes the reasoning out of one answer: a whole one, or its events in order. Remembers open tags by choice."""

    def __init__(self) -> None:
        self._tagged = Tagged()
        self._any = False

    def worth(self, data: bytes) -> bool:
        """Whether JSON has to be parsed for it: all of it, since a tag may come in pieces."""
        return True

    def take(self, body: Any) -> bool:
        """Empty every text of reasoning in a parsed answer or event, in place; whether there was any."""
        changed = self._tagged.take(body)
        choices = body.get("choices") if isinstance(body, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and _emptied(choice):
                changed = True
                forget(choice)
        changed = _emptied(body) or changed
        self._any |= changed
        if self._any and isinstance(body, dict) and isinstance(body.get("context"), list) and body["context"]:
            body["context"], changed = (
                [],
                True,
            )  # Ollama's: the whole conversation as tokens, reasoning included
        return changed

    def owed(self, body: Any) -> dict[str, Any] | None:
        """An event that has to go out before this one, so that no word of the text is lost."""
        return self._tagged.owed(body)


def _emptied(body: Any) -> bool:
    """Empty the texts of reasoning in every object of a body, except in what is said to tools."""
    changed = False
    stack = [body]
    while stack:
        here = stack.pop()
        if isinstance(here, list):
            stack.extend(here)
        elif isinstance(here, dict):
            for name in _shows(here):
                changed |= _empty(here, name)
            for name, value in here.items():
                if name in _INNER and isinstance(value, dict):
                    changed |= _empty(value, "text")
                if isinstance(value, (dict, list)) and name not in _NOT_INSIDE:
                    stack.append(value)
    return changed


def _empty(part: dict[str, Any], name: str) -> bool:
    value = part.get(name)
    if not value or not isinstance(value, (str, list)):
        return False
    part[name] = "" if isinstance(value, str) else []
    return True


def _shows(part: dict[str, Any]) -> tuple[str, ...]:
    """Names under which this object shows reasoning."""
    kind = part.get("type")
    kind = kind if isinstance(kind, str) else ""
    if kind == "reasoning":
        return (*TEXTS, "text", "content")
    if part.get("thought") is True or kind in ("reasoning_text", "reasoning.text"):
        return (*TEXTS, "text")
    if kind.startswith("response.reasoning") and not kind.startswith("response.reasoning_summary"):
        return (*TEXTS, "text", "delta")
    return TEXTS
