"""The text kernel against plain Python: the same tokens, so the same cues, on any text.

`plain_scores` reads ``lexicon.toml`` itself and looks for phrases in the list of tokens, so a slip in the hash
tables, in the phrase chains or in the kernel's decoder shows as another score.
"""

# ruff: noqa: RUF001 - look-alike characters are the point

from __future__ import annotations

import tomllib
import unicodedata
from functools import cache
from importlib import resources

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.detect.kernel import text_features
from stillwatch.detect.lexicon import load_lexicon, tokens_of
from tests.detect.making import KEY

LEXICON = load_lexicon()
SAFE = st.characters(exclude_categories=["Cs"])


@cache
def phrase_table() -> dict[tuple[str, ...], list[tuple[int, int]]]:
    """Words of a phrase to (family, weight) of every entry that has them."""
    raw = tomllib.loads(resources.files("stillwatch.detect").joinpath("lexicon.toml").read_text("utf-8"))
    table: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for bit, spec in enumerate(raw["family"].values()):
        for strength, weight in (("strong", 2), ("weak", 1)):
            for phrases in spec.get(strength, {}).values():
                for phrase in phrases:
                    table.setdefault(tuple(tokens_of(phrase)), []).append((bit, weight))
    return table


def plain_scores(text: str) -> list[int]:
    """Cue scores by the rule at the top of the lexicon: every phrase counts once."""
    words = tokens_of(text.replace("#", " "))
    found = {tuple(words[i : i + n]) for n in range(1, 9) for i in range(len(words) - n + 1)}
    scores = [0] * len(LEXICON.families)
    for phrase in found & phrase_table().keys():
        for bit, weight in phrase_table()[phrase]:
            scores[bit] += weight
    return scores


def agrees(texts: list[str]) -> None:
    """The kernel's word counts and scores are the plain ones."""
    got = text_features(pa.array(texts, pa.string()), KEY, LEXICON)
    for i, text in enumerate(texts):
        assert got.words[i] == len(tokens_of(text.replace("#", " "))), text
        assert got.scores[i].tolist() == plain_scores(text), text


def phrases() -> list[str]:
    """Every phrase as it is written, numbers in place of ``#``."""
    raw = tomllib.loads(resources.files("stillwatch.detect").joinpath("lexicon.toml").read_text("utf-8"))
    return [
        phrase.replace("#", "12")
        for spec in raw["family"].values()
        for strength in ("strong", "weak")
        for group in spec.get(strength, {}).values()
        for phrase in group
    ]


PHRASES = phrases()
GLUE = [
    " ",
    ", ",
    ". ",
    "\n",
    "، ",
    "؟ ",
    "。",
    "、",
    " — ",
    "…",
    "\u200b",
    "\u00a0",
    "🦆",
    "❤️ ",
    "1️⃣ ",
    '"',
    "`",
    "：",
    ";",
]
PIECES = st.one_of(
    st.sampled_from(PHRASES),
    st.sampled_from(PHRASES).map(str.upper),
    st.text(SAFE, max_size=12),
    st.sampled_from(
        [
            "x²",
            "½",
            "第１０問",
            "ＳＴＥＰ",
            "İÇİN",
            "ΣΟΦΟΣ",
            "Ÿ",
            "ĸ",
            "e\u0301tape",
            "人々",
            "١٢٣",
            "१२",
            "C#",
            "#5",
            "ẤN",
            "क्षमा",
            "🏴\U000e0067\U000e007f",
            "a_b",
            "don't",
            "naïve-bayes",
            "𝐓hink",
            "ﬁ",
            "〇",
            "ｱｲ",
        ]
    ),
)


@pytest.mark.parametrize("part", range(4))
def test_every_phrase_of_the_lexicon_is_found(part: int) -> None:
    """Alone, in capitals and between other words, a phrase scores what the file says."""
    some = PHRASES[part::4]
    agrees(some)
    agrees([p.upper() for p in some[::3]])
    agrees([f"Zzz {p} qqq" for p in some[::3]])


@settings(max_examples=250)
@given(st.lists(st.tuples(PIECES, st.sampled_from(GLUE)), max_size=8))
def test_phrases_in_any_company(parts: list[tuple[str, str]]) -> None:
    """Phrases, numerals of several scripts, marks, emoji and noise, glued by any punctuation."""
    agrees(["".join(piece + glue for piece, glue in parts)])


@settings(max_examples=150)
@given(st.lists(st.text(SAFE, max_size=80), max_size=6))
def test_any_text(texts: list[str]) -> None:
    """Any Unicode that Arrow can hold."""
    agrees(texts)


def test_every_character_is_judged_alike() -> None:
    """Each assigned code point alone, after a word and between digits."""
    chars = [chr(cp) for cp in range(1, 0x32000) if unicodedata.category(chr(cp)) not in ("Cs", "Cn", "Co")]
    chars = [ch for ch in chars if ord(ch) < 0x3400 or ord(ch) % 97 == 0 or 0xA000 <= ord(ch) < 0x20000]
    texts = [f"a{ch}B 1{ch}2" for ch in chars]
    got = text_features(pa.array(texts, pa.string()), KEY, LEXICON)
    wanted = np.array([len(tokens_of(t.replace("#", " "))) for t in texts])
    wrong = [f"{ord(chars[i]):04x}" for i in np.flatnonzero(got.words != wanted)]
    assert wrong == []


@pytest.mark.parametrize(
    "upper, lower",
    [
        ("ẤN PHẨM", "ấn phẩm"),
        ("ЁЛКА", "ёлка"),
        ("ÉTAPE", "étape"),
        ("ΆΣ", "άσ"),
        ("Ÿ", "ÿ"),
        ("İÇİN", "için"),
        ("ＳＴＥＰ", "step"),
        ("ѢԐ", "ѣԑ"),
        ("ԱԲ", "աբ"),
    ],
)
def test_case_and_width_do_not_matter(upper: str, lower: str) -> None:
    """A template in capitals is the same template, beyond the first alphabets too."""
    padding = "one two three four five six seven"
    a, b = text_features(pa.array([f"{upper} {padding}", f"{lower} {padding}"]), KEY, LEXICON).digests.T
    assert a[0] == b[0] != 0
    assert a[2] == b[2] != 0
