"""Reasoning that open models write between tags at the beginning of an answer, wherever an answer holds its text.

Engines that take reasoning apart give it a field of its own; others leave ``<think> ... </think>`` at the beginning of
the text. A text may come whole or in the pieces of a stream.

Examples
--------
>>> body = {"content": [{"type": "text", "text": "<think>First</think>42"}]}
>>> Tagged().take(body), body
(True, {'content': [{'type': 'text', 'text': '42'}]})
>>> stream = Tagged()
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

TAGS = ("<think>", "<thinking>", "<thought>", "<reasoning>")
_TOKENS = (
    "logprobs",
    "token_ids",
    "logprobs_result",
    "output_ids",
    "output_token_logprobs",
    "output_top_logprobs",
)
"""Beside a text, these repeat it token by token."""
_WHOLE = frozenset({"text", "output_text", "response.output_text.done"})
"""Objects whose ``text`` stands whole."""
_HOLDERS = ("content", "output", "item", "part", "response", "message", "content_block")
"""Where answers and events hold such objects."""


class Tagged:
    """Takes tagged reasoning out of one answer: a whole one, or its events in order."""

    def __init__(self) -> None:
        self._tags: dict[Any, _Tag] = {}
        self._said: dict[Any, str | None] = {}
        """Of a text in SGLang's form: all of it so far; None once its events are known not to repeat it."""

    def take(self, body: Any) -> bool:
        """Take it out of a parsed answer or event, in place; whether there was any."""
        if not isinstance(body, dict):
            return False
        choices = body.get("choices")
        if isinstance(choices, list):
            return any(
                [self._choice(each, place) for place, each in enumerate(choices) if isinstance(each, dict)]
            )
        kind = body.get("type")
        if kind == "content_block_delta" and isinstance(delta := body.get("delta"), dict):
            return delta.get("type") == "text_delta" and self._piece(_key("block", body), delta, "text")
        if kind == "content_block_start" and _is_text(body.get("content_block")):
            return self._piece(_key("block", body), body["content_block"], "text")
        if kind == "response.output_text.delta":
            return self._piece(_key("output", body), body, "delta")
        if isinstance(body.get("done"), bool):
            holder = body.get("message")
            place = (holder, "content") if isinstance(holder, dict) else (body, "response")
            return self._piece("lines", *place, last=body["done"], beside=body)
        if kind is None and isinstance(body.get("text"), str):
            return self._grown(body)
        return _whole_parts(body)

    def owed(self, body: Any) -> dict[str, Any] | None:
        """An event that has to go out before this one: what looked like the beginning of a tag and was none.

        Only blocks of messages need it: the events that end other texts have room for their last words.
        """
        if not isinstance(body, dict) or body.get("type") != "content_block_stop":
            return None
        tag = self._tags.pop(_key("block", body), None)
        rest = tag.rest() if tag is not None else ""
        delta = {"type": "text_delta", "text": rest}
        return {"type": "content_block_delta", "index": body.get("index"), "delta": delta} if rest else None

    def _choice(self, choice: dict[str, Any], place: int) -> bool:
        """A choice of chat completions or of completions; its text may be a list of parts."""
        inner = (
            choice.get("delta") if isinstance(choice.get("delta"), dict) else choice.get("message", choice)
        )
        if not isinstance(inner, dict):
            return False
        index = choice.get("index", place)
        key = ("choice", index if isinstance(index, int) else place)
        last = "message" in choice or choice.get("finish_reason") is not None
        name = "content" if inner is not choice else "text"
        if not isinstance(inner.get(name), list):
            return self._piece(key, inner, name, last=last, beside=choice)
        parts = [part for part in inner[name] if _is_text(part)]
        return any(
            [self._piece(key, part, "text", last=last and part is parts[-1], beside=choice) for part in parts]
        )

    def _piece(
        self, key: Any, holder: dict[str, Any], name: str, *, last: bool = False, beside: dict[str, Any] | None = None
    ) -> bool:  # fmt: skip
        words = holder.get(name)
        tag = self._tags.setdefault(key, _Tag())
        kept = (tag.take(words) if isinstance(words, str) else "") + (tag.rest() if last else "")
        if kept == (words if isinstance(words, str) else ""):
            return False
        holder[name] = kept
        forget(holder)
        if beside is not None:
            forget(beside)
        return True

    def _grown(self, body: dict[str, Any]) -> bool:
        """SGLang's own form: each event repeats the text from its beginning, or goes on with it, by its settings."""
        about = body.get("meta_info")
        about = about if isinstance(about, dict) else {}
        key, text = ("text", str(body.get("index", 0))), body["text"]
        said = self._said.get(key, "")
        if said == "":
            self._said[key] = text
        elif said is not None and text.startswith(said):
            self._tags[key], self._said[key] = _Tag(), text
        else:
            self._said[key] = None
        last = not about or about.get("finish_reason") is not None
        changed = self._piece(key, body, "text", last=last, beside=body)
        if changed:
            forget(about)
        return changed


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


def _whole_parts(body: dict[str, Any]) -> bool:
    """Texts that stand whole in an answer or event: parts of messages and responses."""
    changed = False
    stack: list[Any] = [body]
    while stack:
        here = stack.pop()
        if isinstance(here, list):
            stack.extend(here)
        elif isinstance(here, dict):
            if _is_text(here):
                tag = _Tag()
                kept = tag.take(here["text"]) + tag.rest()
                if kept != here["text"]:
                    here["text"], changed = kept, True
                    forget(here)
            stack.extend(here[name] for name in _HOLDERS if isinstance(here.get(name), (dict, list)))
    return changed


def _is_text(part: Any) -> bool:
    kind = part.get("type") if isinstance(part, dict) else None
    return isinstance(kind, str) and kind in _WHOLE and isinstance(part.get("text"), str)


def _key(what: str, event: dict[str, Any]) -> tuple[str, str, str]:
    return what, str(event.get("output_index", event.get("index"))), str(event.get("content_index"))


def forget(part: dict[str, Any]) -> None:
    """Empty what repeats a text token by token."""
    for name in _TOKENS:
        if part.get(name) is not None:
            part[name] = [] if isinstance(part[name], list) else None
