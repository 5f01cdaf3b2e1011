"""The embedded engine: columns set in place, and rows that are compressed as they come."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.store import engine as module
from stillwatch.store import open_backend

NEW = pa.schema([("double", pa.int64())])


def test_columns_are_set_beside_rows_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows at a time, around rows that were taken out, and once more in place of what was there."""
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    engine = open_backend(1, "1GB", None)
    x = np.random.default_rng(1).integers(0, 1000, 50)
    for start in range(0, 50, 20):
        engine.append(
            "t", pa.table({"seq": np.arange(start, min(start + 20, 50)), "x": x[start : start + 20]})
        )
    t = engine.table("t")
    engine.discard("t", t.filter(t.seq.between(5, 24)).select("seq"))
    for factor in (2, 3):

        def times(rows: Mapping[str, np.ndarray], factor: int = factor) -> dict[str, np.ndarray]:
            return {"double": rows["x"] * factor}

        engine.widen("t", ["x"], times, NEW)
        kept = np.r_[0:5, 25:50]
        assert engine.column("t", "seq").tolist() == kept.tolist()
        assert engine.column("t", "double").tolist() == (x[kept] * factor).tolist()


def test_rows_are_taken_by_one_thread_and_all_are_there_again_afterwards() -> None:
    """Also when the input breaks off."""
    engine = open_backend(3, "1GB", None)

    def threads() -> int:
        ((number,),) = engine.con.execute("SELECT current_setting('threads')").fetchall()
        return int(number)

    with pytest.raises(ValueError), engine.filling():
        engine.append("t", pa.table({"seq": [0, 1]}))
        assert threads() == 1
        raise ValueError
    assert threads() == 3 and engine.column("t", "seq").tolist() == [0, 1]


def test_an_empty_table_takes_columns() -> None:
    """Nothing to set is no mistake."""
    engine = open_backend(1, "1GB", None)
    engine.append("t", pa.table({"seq": pa.array([], pa.int64()), "x": pa.array([], pa.int64())}))
    engine.widen("t", ["x"], lambda rows: {"double": rows["x"]}, NEW)
    assert engine.column("t", "double").tolist() == []


def test_a_column_that_says_nothing_takes_no_room() -> None:
    """Twenty columns that no log fills cost less than the one that is filled."""
    rows = 122_880
    seq = {"seq": np.arange(rows), "x": np.random.default_rng(1).integers(0, 2**62, rows)}
    empty = {f"e{i}": np.zeros(rows, np.int64) for i in range(20)}
    engine = open_backend(1, "1GB", None)
    engine.append("t", pa.table(seq | empty))
    ((held,),) = engine.con.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchall()
    assert held < 4 * rows * 8
