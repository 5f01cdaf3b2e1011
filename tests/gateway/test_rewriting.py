"""Answers that are changed as they pass: whole, in events, unreadable; wherever they are cut."""

from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gateway.rewriting import Rewriter
from stillwatch.protect.withhold import Withheld

CANARY = "zebra-quartz-41"
EVENTS = (
    b": a comment\r\nevent: x\r\ndata: "
    + json.dumps({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": CANARY}}).encode()
    + b'\r\n\r\ndata: {"delta": {"text":  "42"}}\n\ndata: [DONE]\n\n'
)  # fmt: skip
SHOWN = (
    b': a comment\r\nevent: x\r\ndata: {"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":""}}'
    b'\r\n\r\ndata: {"delta": {"text":  "42"}}\n\ndata: [DONE]\n\n'
)


def withholder(media: str, **more: Any) -> Rewriter:
    """Withholds reasoning."""
    return Rewriter(media, [Withheld()], **more)


@given(st.lists(st.integers(0, len(EVENTS)), max_size=6))
def test_events_pass_without_their_reasoning_wherever_they_are_cut(cuts: list[int]) -> None:
    """And what shows none passes byte for byte."""
    edges = [0, *sorted(cuts), len(EVENTS)]
    at = withholder("text/event-stream; charset=utf-8")
    pieces = [at.feed(EVENTS[a:b]) for a, b in pairwise(edges)]
    assert b"".join(pieces) + at.end() == SHOWN
    assert not at.missed


def test_a_piece_of_a_long_line_costs_no_copy_of_what_is_held() -> None:
    """A megabyte is held; ten more bytes do not take a megabyte of memory once more."""
    at = withholder("text/event-stream")
    for piece in (b'data: {"x": "' + b"A" * 2**20, b"A"):
        assert at.feed(piece) == b""
    tracemalloc.start()
    try:
        assert at.feed(b"A" * 10) == b""
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**16


def test_lines_of_json_are_events_as_well() -> None:
    """As servers without server-sent events stream them."""
    at = withholder("application/x-ndjson")
    assert at.feed(b'{"message":{"thinking":"x"}}\n{"message":') == b'{"message":{"thinking":""}}\n'
    assert at.feed(b'{"content":"42"}}') + at.end() == b'{"message":{"content":"42"}}'


@pytest.mark.parametrize("closed", [False, True])
def test_other_media_pass(closed: bool) -> None:
    """Sound shows no reasoning; nor does plain text where no model was asked for text."""
    for media, text in (("audio/mpeg", True), ("text/plain", False)):
        at = withholder(media, text=text, closed=closed)
        assert at.feed(b"\xff\xfb") + at.end() == b"\xff\xfb"
        assert not at.active and not at.missed


@pytest.mark.parametrize(
    "media", ["text/plain", "application/vnd.amazon.eventstream", "application/octet-stream"]
)
def test_text_of_a_kind_that_is_not_read_is_missed_or_kept_back(media: str) -> None:
    """Where a model was asked for text, no other kind of answer passes in silence."""
    at = withholder(media, text=True)
    assert at.feed(b"<think>x") + at.end() == b"<think>x"
    assert at.missed
    at = withholder(media, text=True, closed=True)
    assert json.loads(at.feed(b"<think>x") + at.end())["error"]["code"] == "fail_closed"
    assert at.failed is not None


def test_an_answer_of_no_stated_kind_is_read_as_json() -> None:
    """As servers and clients do."""
    at = withholder("")
    assert at.feed(b'{"reasoning": "x", "a": 1}') + at.end() == b'{"reasoning":"","a":1}'


SPREAD = (
    b'id: 7\r\ndata: {"delta":\r\ndata:  {"type": "thinking_delta",\r\n'
    b'data: "thinking": "zebra-quartz-41"}}\r\n\r\n'
)


@given(st.lists(st.integers(0, len(SPREAD)), max_size=6))
def test_an_event_over_several_lines_is_one(cuts: list[int]) -> None:
    """Wherever it is cut; what shows no reasoning passes line for line, and what is no JSON is missed."""
    edges = [0, *sorted(cuts), len(SPREAD)]
    at = withholder("text/event-stream")
    sent = b"".join(at.feed(SPREAD[a:b]) for a, b in pairwise(edges)) + at.end()
    assert sent == b'id: 7\r\ndata: {"delta":{"type":"thinking_delta","thinking":""}}\n\r\n'
    assert not at.missed
    plain = b'data: {"a":\ndata: 1}\nid: 8\n\n'
    at = withholder("text/event-stream")
    assert at.feed(plain) + at.end() == plain and not at.missed
    at = withholder("text/event-stream")
    assert at.feed(SPREAD[:40]) + at.end() == SPREAD[:40] and at.missed


def test_what_only_looked_like_a_tag_goes_out_before_the_block_ends() -> None:
    """As an event of its own, under its own name."""
    at = withholder("text/event-stream")
    delta = {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "<th"}}
    sent = at.feed(b"event: content_block_delta\ndata: " + json.dumps(delta).encode() + b"\n\n")
    assert b"<th" not in sent
    sent = at.feed(b'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n')
    assert sent == (
        b"event: content_block_stop\nevent: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"<th"}}\n\n'
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n'
    )


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(("media", "encoding", "body"), [
    ("application/json", "gzip", b"\x1f\x8b"), ("text/event-stream", "br", b"\x1f\x8b"),
    ("application/json", "", b'{"reasoning": "' + b"x" * 3_000 + b'"}'), ("application/json", "", b'{"reasoning": "x'),
    ("text/event-stream", "", b'data: {"reasoning": "x\n\n'), ("text/event-stream", "", b"data: {" + b"x" * 3_000),
    ("application/json", "", b'{"a":' * 3_000),
])  # fmt: skip
def test_what_cannot_be_read_passes_or_is_kept_back(
    media: str, encoding: str, body: bytes, closed: bool
) -> None:
    """Compressed, too long, damaged, nested too deeply: never in silence."""
    at = withholder(media, encoding=encoding, most=2_000, closed=closed)
    sent = b"".join(at.feed(body[i : i + 700]) for i in range(0, len(body), 700)) + at.end()
    assert at.missed
    if not closed:
        assert sent == body
    elif media == "application/json":
        assert json.loads(sent)["error"]["code"] == "fail_closed" and at.failed is not None
    else:
        assert b"x" not in sent


def test_numbers_and_surrogates_that_one_library_refuses_are_read_by_the_other() -> None:
    """NaN and lone surrogates hide no reasoning."""
    at = withholder("application/json")
    at.feed(b'{"reasoning": "x", "a": NaN, "b": "\\ud800"}')
    sent = at.end()
    assert b'"x"' not in sent and b"NaN" in sent
    assert not at.missed
