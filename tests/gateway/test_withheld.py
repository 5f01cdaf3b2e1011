"""Answers without their reasoning: whole, in events, unreadable; wherever they are cut."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gateway.withheld import Withholder

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


@given(st.lists(st.integers(0, len(EVENTS)), max_size=6))
def test_events_pass_without_their_reasoning_wherever_they_are_cut(cuts: list[int]) -> None:
    """And what shows none passes byte for byte."""
    edges = [0, *sorted(cuts), len(EVENTS)]
    at = Withholder("text/event-stream; charset=utf-8")
    pieces = [at.feed(EVENTS[a:b]) for a, b in pairwise(edges)]
    assert b"".join(pieces) + at.end() == SHOWN
    assert not at.missed


def test_lines_of_json_are_events_as_well() -> None:
    """As servers without server-sent events stream them."""
    at = Withholder("application/x-ndjson")
    assert at.feed(b'{"message":{"thinking":"x"}}\n{"message":') == b'{"message":{"thinking":""}}\n'
    assert at.feed(b'{"content":"42"}}') + at.end() == b'{"message":{"content":"42"}}'


def test_other_media_pass() -> None:
    """Sound and plain text show no reasoning in parts."""
    at = Withholder("audio/mpeg")
    assert at.feed(b"\xff\xfb") + at.end() == b"\xff\xfb"
    assert not at.active and not at.missed


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
    at = Withholder(media, encoding=encoding, most=2_000, closed=closed)
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
    at = Withholder("application/json")
    at.feed(b'{"reasoning": "x", "a": NaN, "b": "\\ud800"}')
    sent = at.end()
    assert b'"x"' not in sent and b"NaN" in sent
    assert not at.missed
