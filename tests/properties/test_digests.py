"""Digests of any strings: one value per string, whatever the array they stand in."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.detect.digest import digest_strings, digest_text
from tests.detect.making import KEY

TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=12)


@settings(max_examples=60)
@given(TEXTS, st.integers(0, 5), st.sampled_from([pa.string(), pa.large_string()]))
def test_any_slice_of_any_column(texts: list[str | None], skip: int, kind: pa.DataType) -> None:
    """A slice digests as its strings do; equal strings and only they have equal digests."""
    got = digest_strings(pa.array(texts, kind).slice(skip), KEY, "d").tolist()
    assert got == [digest_text(KEY, "d", t) if t is not None else 0 for t in texts[skip:]]
    said = {t for t in texts[skip:] if t}
    assert len({v for v in got if v}) == len(said)
