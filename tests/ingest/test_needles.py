"""Words that texts hold, against the language's own search."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest.needles import Needles

LETTERS = 'ab"\u00e9'


@given(
    st.lists(st.text(LETTERS, min_size=2, max_size=5), min_size=1, max_size=8, unique=True),
    st.lists(st.none() | st.text(LETTERS + "\x00", max_size=40), max_size=12),
    st.integers(0, 3),
)
def test_words_are_found_as_the_language_finds_them(
    words: list[str], texts: list[str | None], skip: int
) -> None:
    """Words inside words, across one another and in part of an array are found; nothing else is."""
    needles = Needles({word: 1 << i for i, word in enumerate(words)})
    got = needles.in_texts(pa.array(texts, pa.string()).slice(skip))
    wanted = [sum(1 << i for i, word in enumerate(words) if text and word in text) for text in texts[skip:]]
    assert np.array_equal(got, np.array(wanted, np.uint8))


def test_a_word_of_one_byte_is_refused() -> None:
    """A window of one byte has no pair to skip by."""
    with pytest.raises(ValueError, match="two bytes"):
        Needles({"role": 1, "a": 2})


@pytest.mark.parametrize("text", ["system" * 9000, '"syste' * 9000, 'm"' * 30_000, '"' * 60_000])
def test_texts_made_to_stop_the_window_are_searched_all_the_same(text: str) -> None:
    """Near misses on end hide nothing that stands behind them."""
    needles = Needles({'"system"': 1, '"symptom"': 2})
    got = needles.in_texts(pa.array([text, text + '"system"', text + '"symptom"']))
    assert got.tolist() == [0, 1, 2]
