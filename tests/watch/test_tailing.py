"""What of a file is new."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.watch import Mark, Part, next_part

MARK = Mark("a.jsonl", "1:2", 100, 7, 100, 5, "h", "t")


def _next(mark: Mark | None, size: int, *, cuttable: bool = True, same: bool = True, settled: bool = False,
          modified_ns: int = 5) -> Part | None:  # fmt: skip
    return next_part(mark, size=size, modified_ns=modified_ns, cuttable=cuttable, same=same, settled=settled)


def test_appended_lines_are_read_from_where_it_stopped() -> None:
    """Up to the last whole line while somebody may be writing, up to the end when nobody is."""
    assert _next(MARK, 130) == Part(100, 7, False, False)
    assert _next(MARK, 130, settled=True) == Part(100, 7, True, False)
    assert _next(MARK, 100) is None


@pytest.mark.parametrize("size", [60, 100, 130])
def test_a_file_that_is_another_now_is_read_from_its_beginning(size: int) -> None:
    """Whether it is shorter than before or not."""
    assert _next(MARK, size, same=False) == Part(0, 0, False, False)


def test_a_file_that_cannot_be_cut_waits_until_it_is_whole() -> None:
    """And is read again when it has changed."""
    assert _next(None, 50, cuttable=False) is None
    assert _next(None, 50, cuttable=False, settled=True) == Part(0, 0, True, True)
    assert _next(MARK, 100, cuttable=False, settled=True) is None
    assert _next(MARK, 120, cuttable=False) is None
    assert _next(MARK, 120, cuttable=False, settled=True) == Part(0, 0, True, True)
    assert _next(replace(MARK, modified_ns=4), 100, cuttable=False, settled=True) == Part(0, 0, True, True)


def test_an_empty_file_has_nothing() -> None:
    """Neither new nor shortened to nothing."""
    assert _next(None, 0) is None
    assert _next(MARK, 0, same=False) is None
