"""Turns of conversations: read in compiled code as orjson reads them, or left to it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.chains import _digests, conversation_states
from stillwatch.detect.digest import digest_strings
from stillwatch.detect.turns import ASSISTANT, OTHER, USER, plain_turns
from tests.detect.making import KEY

WORDS = st.text(max_size=12) | st.sampled_from(
    ["user", "assistant", "system", "developer", "role", "content"]
)
MESSAGE = st.dictionaries(st.sampled_from(["role", "content", "name"]) | WORDS, WORDS | st.none(), max_size=4)
SPACE = ["\t", "\n", "\v", "\f", "\r", "\x1c", "\x1f", " ", "\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u205f",
         "\u3000"]  # fmt: skip
BESIDE = ["\x7f", "\x1b", "\u200b", "\u2060", "\u3002", "\u180e", "\ufeff", "\xa1", "\u201c", "\U0001f600"]
"""Characters that are no white space and lie near some."""


def read(*texts: str | None) -> tuple[list[list[tuple[int, str]]], list[int]]:
    """Turns of each conversation, and which of them are odd."""
    found = plain_turns(pa.array(texts, pa.string()))
    turns = list(zip(found.roles.tolist(), found.texts.to_pylist(), strict=True))
    ends = np.cumsum(found.counts).tolist()
    return [
        turns[end - n : end] for end, n in zip(ends, found.counts.tolist(), strict=True)
    ], found.odd.tolist()


def expected(messages: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """What a chain takes from parsed messages."""
    roles = {"user": USER, "assistant": ASSISTANT}
    return [
        (roles.get(m.get("role") or "", OTHER), m.get("content") or "")
        for m in messages
        if m.get("role") not in ("system", "developer")
    ]


@given(st.lists(MESSAGE, max_size=4), st.booleans(), st.sampled_from([(",", ":"), (" ,\n", "\t: ")]))
def test_flat_messages_are_read_as_any_parser_reads_them(messages, escaped, separators):
    """Roles and texts are those of the parsed JSON; what is odd has no turns and is named."""
    (turns,), odd = read(json.dumps(messages, ensure_ascii=escaped, separators=separators))
    assert odd in ([], [0])
    assert turns == ([] if odd else expected(messages))
    if not escaped and all(json.dumps(k, ensure_ascii=False) == f'"{k}"' for m in messages for k in m):
        assert not odd


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "{", "[]x", "[{}", "[{},]", "[{]}", '[{"role"}]', '[{"role":}]', '[{"role":"user",}]', "[1]", "null",
        '{"role":"user"}', '[{"role":1}]', '[{"content":["a"]}]', '[{"content":{}}]', '[{"content":"a\tb"}]',
        '[{"content":"\\x"}]', '[{"content":"\\u12"}]', '[{"content":"\\ud83d\\ude00"}]', "[{} {}]",
        '[{"content":"a","content":"b"}]', '[{"r\\u006fle":"user"}]', '[{"content":nul}]', '[{"content":"a}]',
        '[{"content":"\\', '[{"content":"\\u00', "[[]]", "\ufeff[]", '[{"content":null',
        '[{"role":"user","role":"x"}]', '[{"a":tru',
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_the_parser(text):
    """Unsound JSON, repeated or escaped names, surrogates and values that are no text are named and have no turns."""
    sound = '[{"role":"user","content":"b"}]'
    turns, odd = read(sound, text, None, sound)
    assert odd == [1]
    assert turns == [[(USER, "b")], [], [], [(USER, "b")]]


def test_sound_ends_and_escapes():
    """Empty lists, white space and every escape of JSON are plain."""
    texts = [" [ ] ", "[]", "[{}]", ' [ {"content" : "\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac"} ] \n']
    turns, odd = read(*texts)
    assert not odd
    assert turns == [[], [], [(OTHER, "")], [(OTHER, '"\\/\b\f\n\r\tA\xe9\u20ac')]]


def test_both_ways_of_reading_give_one_chain():
    """A conversation has the same states whether its messages are plain or an empty field makes them odd."""
    plain = '[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":" a\\n"}]'
    odd = plain.replace('"content":"q"', '"content":"q","n":1')
    texts = pa.array([plain, odd], pa.string())
    issued, presented = conversation_states(texts, pa.array(["q", "q"]), pa.array(["z", "z"]), KEY)
    assert issued[0] == issued[1] != 0
    assert presented[0].tolist() == presented[1].tolist()
    assert presented[0, 0] != 0


@given(st.lists(st.sampled_from(SPACE + BESIDE + ["a", "b c"]), max_size=6).map("".join))
def test_white_space_around_a_turn_does_not_count(text):
    """A turn's digest is that of the text without what Python calls white space around it."""
    got = _digests(pa.array([text, None, "a" + text + "b"], pa.string()), KEY)
    want = digest_strings(pa.array([text.strip(), None, "a" + text + "b"], pa.string()), KEY, "turn")
    assert got.tolist() == want.tolist()
