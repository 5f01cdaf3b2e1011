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
    "tags in parts": {"choices": [{"message": {"content": [
        {"type": "text", "text": f"<think>{CANARY}"}, {"type": "text", "text": "</think>42"}]}}]},
    "messages, tags": {"type": "message", "content": [{"type": "text", "text": f"<think>{CANARY}</think>42"}]},
    "messages, tags, event": {"type": "content_block_start", "index": 0,
                              "content_block": {"type": "text", "text": f"<think>{CANARY}"}},
    "responses, tags": {"object": "response", "output": [{"type": "message", "content": [
        {"type": "output_text", "text": f"<think>{CANARY}</think>42", "logprobs": [{"token": CANARY}]}]}]},
    "responses, tags, done": {"type": "response.output_text.done", "text": f"<think>{CANARY}</think>42"},
    "responses, tags, part": {"type": "response.content_part.done", "part": {
        "type": "output_text", "text": f"<think>{CANARY}</think>42"}},
    "responses, tags, completed": {"type": "response.completed", "response": {"output": [{
        "type": "message", "content": [{"type": "output_text", "text": f"<think>{CANARY}</think>42"}]}]}},
    "ollama, tags": {"message": {"role": "assistant", "content": f"<think>{CANARY}</think>42"}, "done": True},
    "ollama, generate": {"response": f"<think>{CANARY}</think>42", "done": True, "context": [1, 2]},
    "sglang": {"text": f"<think>{CANARY}</think>42", "meta_info": {
        "finish_reason": {"type": "stop"}, "output_token_logprobs": [[-0.1, 7, CANARY]]}},
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
    {"type": "message", "content": [{"type": "text", "text": "a <think> b"}, {"type": "text", "text": "<th"}]},
    {"text": "I say", "meta_info": {"finish_reason": None}}, {"message": {"content": "I say"}, "done": False},
    {"response": "I", "done": True, "context": [1, 2]}, {"text": "<thanks>"},
    {"content": [{"type": "tool_use", "input": {"type": "text", "text": "<think>x</think>"}}]},
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


STREAMS: dict[str, tuple[Any, Any]] = {
    "messages": (lambda text, last: {"type": "content_block_delta", "index": 3, "delta": {
        "type": "text_delta", "text": text}}, lambda event: event["delta"]["text"]),
    "responses": (lambda text, last: {"type": "response.output_text.delta", "output_index": 1, "content_index": 0,
                                      "delta": text}, lambda event: event["delta"]),
    "ollama": (lambda text, last: {"message": {"content": text}, "done": last},
               lambda event: event["message"]["content"]),
    "ollama, generate": (lambda text, last: {"response": text, "done": last}, lambda event: event["response"]),
    "parts": (lambda text, last: {"choices": [{"delta": {"content": [{"type": "text", "text": text}]}}]},
              lambda event: event["choices"][0]["delta"]["content"][0]["text"]),
    "sglang, incremental": (lambda text, last: {"text": text, "meta_info": {"finish_reason": "stop" if last else None}},
                            lambda event: event["text"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", STREAMS)
@given(st.lists(st.integers(1, 60), max_size=8, unique=True))
def test_every_stream_remembers_its_tags(kind: str, cuts: list[int]) -> None:
    """In whatever pieces the text comes."""
    made, said = STREAMS[kind]
    text = f"<think>{CANARY}</think>\n42 <b>"
    edges = [0, *sorted({min(c, len(text)) for c in cuts} - {len(text)}), len(text)]
    stream, shown = Withheld(), ""
    for start, end in pairwise(edges):
        event = made(text[start:end], end == len(text))
        stream.take(event)
        shown += said(event)
    assert shown == "42 <b>"


@given(st.lists(st.integers(1, 60), max_size=8, unique=True))
def test_a_stream_that_repeats_its_text_shows_no_reasoning_at_any_point(cuts: list[int]) -> None:
    """As SGLang's own form does; tokens beside it go as well."""
    text = f"<think>{CANARY}</think>42"
    stream = Withheld()
    shown = []
    for end in [*sorted({c for c in cuts if c < len(text)}), len(text)]:
        event: Any = {"text": text[:end], "output_ids": [1] * end, "meta_info": {"finish_reason": None}}
        stream.take(event)
        assert event["text"] == text[:end] or event["output_ids"] == []
        shown.append(event["text"])
    assert shown[-1] == "42" and all("42".startswith(each) for each in shown)


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
