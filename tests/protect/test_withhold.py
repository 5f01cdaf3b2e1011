"""Visible reasoning is emptied out of answers of every shape; what is not reasoning stays as it is."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.protect.withhold import Withheld

CANARY = "zebra-quartz-41"
ANSWERS: dict[str, Any] = {
    "chat": {"choices": [{"message": {"reasoning_content": CANARY, "content": "42"}}]},
    "chat, other name": {"choices": [{"message": {"reasoning": CANARY, "content": "42"}}]},
    "details": {"choices": [{"message": {"content": "42", "reasoning_details": [
        {"type": "reasoning.text", "text": CANARY, "signature": "c2ln"}]}}]},
    "thinking blocks": {"choices": [{"message": {"content": "42", "thinking_blocks": [
        {"type": "thinking", "thinking": CANARY, "signature": "c2ln"}]}}]},
    "tags": {"choices": [{"message": {"content": f"<think>{CANARY}</think>\n\n42"}}]},
    "tags, cut off": {"choices": [{"message": {"content": f" <THINK>{CANARY} 42"}}]},
    "legacy completion": {"choices": [{"text": f"<think>{CANARY}</think>42", "finish_reason": "stop"}]},
    "messages": {"content": [
        {"type": "thinking", "thinking": CANARY, "signature": "c2ln"}, {"type": "text", "text": "42"}]},
    "messages, event": {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": CANARY}},
    "responses": {"output": [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": CANARY}],
                              "encrypted_content": "gAAA"}]},
    "responses, delta": {"type": "response.reasoning_text.delta", "delta": CANARY, "sequence_number": 4},
    "responses, done": {"type": "response.reasoning_text.done", "text": CANARY},
    "responses, part": {"type": "response.content_part.done", "part": {"type": "reasoning_text", "text": CANARY}},
    "gemini": {"candidates": [{"content": {"parts": [{"text": CANARY, "thought": True}, {"text": "42"}]}}]},
    "converse": {"output": {"message": {"content": [{"reasoningContent": {"reasoningText": {"text": CANARY}}}]}}},
    "converse, event": {"contentBlockDelta": {"delta": {"reasoningContent": {"text": CANARY}}}},
    "mistral": {"choices": [{"message": {"content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": CANARY}]}, {"type": "text", "text": "42"}]}}]},
    "ollama": {"message": {"role": "assistant", "thinking": CANARY, "content": "42"}},
    "token by token": {"choices": [{"message": {"reasoning": "x", "content": "42"}, "token_ids": [1, 2],
                                    "logprobs": {"content": [{"token": CANARY}]}}]},
}  # fmt: skip


@pytest.mark.parametrize("shape", ANSWERS)
def test_no_shape_of_an_answer_shows_its_reasoning(shape: str) -> None:
    """The rest of it, signatures and sealed blocks included, is still there."""
    body = json.loads(json.dumps(ANSWERS[shape]))
    assert Withheld().take(body)
    left = json.dumps(body)
    assert CANARY not in left
    for kept in ("c2ln", "gAAA", "sequence_number"):
        assert (kept in left) == (kept in json.dumps(ANSWERS[shape]))
    assert ("42" in left) == (shape != "tags, cut off" and "42" in json.dumps(ANSWERS[shape]))


@pytest.mark.parametrize("body", [
    {"choices": [{"message": {"content": "I think <think> is a tag"}, "logprobs": {"content": []}}]},
    {"choices": [{"message": {"content": None, "tool_calls": [{"function": {"arguments": {"reasoning": "x"}}}]}}]},
    {"content": [{"type": "tool_use", "name": "t", "input": {"thinking": "x", "thought": True, "text": "y"}}]},
    {"output": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "In short"}]}]},
    {"type": "response.reasoning_summary_text.delta", "delta": "In short"},
    {"reasoning": {"effort": "high", "summary": "auto"}, "usage": {"reasoning_tokens": 7}}, [], "text", None,
])  # fmt: skip
def test_what_is_no_reasoning_stays(body: Any) -> None:
    """Summaries, parameters of tools, tags later in a text, counts."""
    before = json.dumps(body)
    assert not Withheld().take(body)
    assert json.dumps(body) == before


@given(st.lists(st.integers(0, 60), max_size=8), st.sampled_from(["<think>", "<reasoning>"]), st.booleans())
def test_tags_are_seen_wherever_a_stream_is_cut(cuts: list[int], tag: str, ends: bool) -> None:
    """Two choices at once, each with its own tags."""
    text = f"\n{tag}{CANARY}{tag.replace('<', '</')}\n42 <b>"
    edges = [0, *sorted(min(c, len(text)) for c in cuts), len(text)]
    stream, shown = Withheld(), {0: "", 1: ""}
    for number, (start, end) in enumerate(pairwise(edges)):
        last = "stop" if ends and number == len(edges) - 2 else None
        event: Any = {"choices": [{"index": 0, "delta": {"content": text[start:end]}, "finish_reason": last},
                                  {"index": 1, "delta": {"content": "<thin" if number == 0 else "g"}}]}  # fmt: skip
        stream.take(event)
        for choice in event["choices"]:
            shown[choice["index"]] += choice["delta"]["content"]
    held = len(edges) == 2
    assert shown == {0: "42 <b>", 1: "" if held else "<thin" + "g" * (len(edges) - 2)}


def test_what_only_looked_like_a_tag_is_shown_at_the_end() -> None:
    """With the event that ends the choice, whether it has words of its own or not."""
    for last in ({"delta": {}, "finish_reason": "stop"}, {"delta": {"content": ""}, "finish_reason": "stop"}):
        stream = Withheld()
        first: Any = {"choices": [{"index": 0, "delta": {"content": "<th"}}]}
        second: Any = {"choices": [{"index": 0, **last}]}
        assert stream.take(first) and first["choices"][0]["delta"]["content"] == ""
        assert stream.take(second) and second["choices"][0]["delta"]["content"] == "<th"


SCRAPS = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["choices", "delta", "message", "content", "thinking", "reasoning", "type", "index", "text",
                         "thought", "reasoningContent", "logprobs", "finish_reason"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(SCRAPS, max_size=3))
def test_nothing_that_a_server_sends_breaks_it(events: list[Any]) -> None:
    """Any JSON, in any order."""
    stream = Withheld()
    for event in events:
        stream.take(event)
        json.dumps(event)
