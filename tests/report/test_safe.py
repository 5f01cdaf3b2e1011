"""Outside text is shown, never obeyed."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.report.safe import Shown, script_json, shown, well_formed

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=400)


@given(ANYTHING)
def test_nothing_unseen_is_left(text: str) -> None:
    """No control, format, surrogate or private character survives, and the result can be encoded."""
    seen = shown(text)
    assert not {unicodedata.category(c) for c in seen} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert seen.encode() or not text


@given(ANYTHING, st.integers(1, 50))
def test_length_is_bounded(text: str, limit: int) -> None:
    """At most ``limit`` characters of the original are shown, each in at most ten."""
    assert len(shown(text, limit)) <= limit * 10 + 1


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=200))
def test_plain_text_is_untouched(text: str) -> None:
    """Printable ASCII is shown as it is."""
    assert shown(text) == text


@given(
    st.recursive(ANYTHING | st.none() | st.integers(), lambda s: st.lists(s) | st.dictionaries(ANYTHING, s))
)
def test_script_json_cannot_leave_its_element(value: object) -> None:
    """Embedded JSON holds no angle bracket, ampersand or line separator, and reads back as it was."""
    text = str(script_json(value))
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == value


def test_shown_twice_is_shown_once() -> None:
    """A string that was shown is not cut or changed again."""
    once = shown("y" * 500, limit=300)
    assert isinstance(once, Shown)
    assert shown(once, 3) is once


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u202e", "\u2066", "\ufe0f", "\U000e0041", "\u00ad", "\u3164", "\x9b"]
)
def test_invisible_characters_are_named(hidden: str) -> None:
    """Zero-width, bidi, selector, tag, soft-hyphen, filler and C1 characters get their code point spelled out."""
    assert f"U+{ord(hidden):04X}" in shown(f"a{hidden}b")


def test_stacked_accents_are_cut() -> None:
    """A tower of combining marks cannot cover the lines above it."""
    assert len(shown("z" + "\u0301" * 60)) == 4


def test_lone_surrogate_can_be_written() -> None:
    """A string that UTF-8 cannot hold is replaced rather than raised on."""
    assert well_formed("a\udc80b") == "a?b"
