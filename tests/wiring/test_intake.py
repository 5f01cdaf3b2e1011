"""Handing batches to the engine while more are read."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from stillwatch.wiring import intake


class Loader:
    """Takes rows as the real one does, and fails at one of them when told to."""

    def __init__(self, bad: int | None = None) -> None:
        self.bad = bad
        self.seen: list[int] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Note the rows."""
        rows = batch.column(0).to_pylist()
        if self.bad in rows:
            raise RuntimeError("no room")
        self.seen += rows


def batches(count: int, read: list[int]) -> Iterator[pa.RecordBatch]:
    """Batches of one row; ``read`` tells how far the reader came."""
    for number in range(count):
        read.append(number)
        yield pa.RecordBatch.from_pydict({"x": [number]})


def test_the_engine_takes_all_rows_in_order() -> None:
    """Every batch arrives, once and in its place."""
    loader = Loader()
    assert intake._taken(loader, batches(500, [])) == 500  # type: ignore[arg-type]
    assert loader.seen == list(range(500))


def test_a_failure_of_the_engine_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine raises reaches the caller, and no more is read than may wait for it."""
    monkeypatch.setattr(intake, "BEHIND", 10)
    read: list[int] = []
    with pytest.raises(RuntimeError, match="no room"):
        intake._taken(Loader(bad=3), batches(5000, read))  # type: ignore[arg-type]
    assert len(read) <= 20


def test_a_failure_of_the_reader_reaches_the_caller() -> None:
    """What was read before a source breaks is taken, and the error is the reader's own."""

    def broken() -> Iterator[pa.RecordBatch]:
        yield from batches(3, [])
        raise OSError("gone")

    loader = Loader()
    with pytest.raises(OSError, match="gone"):
        intake._taken(loader, broken())  # type: ignore[arg-type]
    assert loader.seen == [0, 1, 2]
