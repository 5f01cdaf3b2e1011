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
>>> stream = Withheld()
>>> said = []
>>> for words in ("<th", "ink>First I", " ...</thi", "nk>\\n", "42"):
...     event = {"choices": [{"index": 0, "delta": {"content": words}}]}
...     changed = stream.take(event)
...     said.append(event["choices"][0]["delta"]["content"])
>>> said
['', '', '', '', '42']
"""

from __future__ import annotations

from typing import Any

TEXTS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
"""Names under which answers show reasoning as text."""
TAGS = ("<think>", "<thinking>", "<thought>", "<reasoning>")
"""What open models write at the beginning of an answer when their engine does not take reasoning apart."""
_NOT_INSIDE = frozenset({
    "arguments", "args", "function", "functionCall", "input", "instructions", "metadata", "parsed", "schema",
    "toolUse", "tool_calls", "tools", "usage",
})  # fmt: skip
"""A tool may have a parameter called ``reasoning``: what is said to a tool is no visible reasoning."""
_INNER = ("reasoningContent", "reasoningText")
"""Objects whose ``text`` is reasoning."""
_TOKENS = ("logprobs", "token_ids", "logprobs_result")
"""Beside a text, these repeat it token by token."""


class Withheld:
    """Takes the reasoning out of one answer: a whole one, or its events in order. Remembers open tags by choice."""

    def __init__(self) -> None:
        self._tags: dict[Any, _Tag] = {}

    def take(self, body: Any) -> bool:
        """Empty every text of reasoning in a parsed answer or event, in place; whether there was any."""
        changed = False
        choices = body.get("choices") if isinstance(body, dict) else None
        for place, choice in enumerate(choices if isinstance(choices, list) else ()):
            if isinstance(choice, dict) and (_emptied(choice) | self._untagged(choice, place)):
                changed = True
                for name in _TOKENS:
                    if choice.get(name) is not None:
                        choice[name] = None
        return _emptied(body) or changed

    def _untagged(self, choice: dict[str, Any], place: int) -> bool:
        """Take out what stands between tags at the beginning of a choice's text."""
        streamed = isinstance(choice.get("delta"), dict)
        holder = choice["delta"] if streamed else choice.get("message", choice)
        name = "content" if holder is not choice else "text"
        if not isinstance(holder, dict):
            return False
        words = holder.get(name)
        index = choice.get("index", place)
        tag = self._tags.setdefault(index if isinstance(index, int) else place, _Tag())
        last = "message" in choice or choice.get("finish_reason") is not None
        if not isinstance(words, str):
            if last and (rest := tag.rest()):
                holder[name] = rest
                return True
            return False
        kept = tag.take(words) + (tag.rest() if last else "")
        if kept == words:
            return False
        holder[name] = kept
        return True


class _Tag:
    """One text that comes in pieces and may begin with a tag."""

    def __init__(self) -> None:
        self._held = ""
        self._close: str | None = None
        self._over = self._trims = False

    def take(self, piece: str) -> str:
        """What may be shown of what came so far and was not shown yet."""
        if self._trims:
            piece = piece.lstrip()
            self._trims = not piece
        if self._over:
            return piece
        self._held += piece
        if self._close is None:
            start = self._held.lstrip()
            known = next((tag for tag in TAGS if start.lower().startswith(tag)), None)
            if known is None:
                return "" if any(tag.startswith(start.lower()) for tag in TAGS) else self._shown(self._held)
            self._close, self._held = "</" + known[1:], start[len(known) :]
        at = self._held.lower().find(self._close)
        if at >= 0:
            words = self._held[at + len(self._close) :].lstrip()
            self._trims = not words
            return self._shown(words)
        self._held = self._held[1 - len(self._close) :]
        return ""

    def rest(self) -> str:
        """At the end: what looked like the beginning of a tag and was none."""
        return "" if self._over or self._close is not None else self._shown(self._held)

    def _shown(self, words: str) -> str:
        self._over, self._held = True, ""
        return words


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
