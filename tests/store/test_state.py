"""Every store answers alike: one suite over memory, over memory with its file, and over a server where there is one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.protect.state import MOST_DISTINCT, State
from stillwatch.store.state import MOST_MEMBERS, MemoryState


@pytest.fixture(params=["memory", "file"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    """One of the stores, empty."""
    store = MemoryState(tmp_path / "state.sqlite" if request.param == "file" else None)
    yield store
    store.close()


def test_a_bucket_gives_its_burst_then_its_rate(state: State) -> None:
    """Three at once, then one a second; whoever waits is told how long."""
    waits = [state.take("k", 1.0, 3, 100.0) for _ in range(4)]
    assert waits[:3] == [0.0, 0.0, 0.0]
    assert waits[3] == pytest.approx(1.0)
    assert state.take("k", 1.0, 3, 100.5) == pytest.approx(0.5)
    assert state.take("k", 1.0, 3, 101.0) == 0.0
    assert state.take("k", 1.0, 3, 101.0) > 0.0
    assert [state.take("k", 1.0, 3, 200.0) for _ in range(4)].count(0.0) == 3, "never more than the burst"
    assert state.take("other", 1.0, 3, 200.0) == 0.0


def test_a_clock_that_goes_back_gives_nothing_away(state: State) -> None:
    """Replicas' clocks differ."""
    assert [state.take("k", 1.0, 1, now) == 0.0 for now in (100.0, 50.0, 100.5, 101.0)] == [
        True,
        False,
        False,
        True,
    ]


def test_counters_begin_anew_after_their_window(state: State) -> None:
    """From the first addition on."""
    assert [state.add("k", 2, 10.0, now) for now in (0.0, 5.0, 9.9, 10.0)] == [2, 4, 6, 2]
    assert (state.count("k", 19.0), state.count("k", 20.0), state.count("none", 0.0)) == (2, 0, 0)


def test_sets_count_different_members_up_to_a_limit(state: State) -> None:
    """And end as counters do."""
    assert [state.distinct("k", m, 10.0, 0.0) for m in ("a", "b", "a", "c")] == [1, 2, 2, 3]
    assert state.distinct("k", "a", 10.0, 10.0) == 1
    for i in range(MOST_DISTINCT + 5):
        last = state.distinct("many", str(i), 10.0, 0.0)
    assert last == MOST_DISTINCT == MOST_MEMBERS


def test_values_are_kept_for_their_time(state: State) -> None:
    """Replaced by the next, gone at the end; any text."""
    state.remember("k", "a", 10.0, 0.0)
    state.remember("k", "=é\n[1]", 10.0, 1.0)
    assert state.recall("k", 10.9) == "=é\n[1]"
    assert state.recall("k", 11.0) is None
    assert state.recall("none", 0.0) is None


def test_kinds_do_not_meet(state: State) -> None:
    """A counter and a value under one key are two things."""
    state.add("k", 3, 10.0, 0.0)
    state.remember("k", "v", 10.0, 0.0)
    state.distinct("k", "m", 10.0, 0.0)
    state.take("k", 1.0, 1, 0.0)
    assert (state.count("k", 1.0), state.recall("k", 1.0)) == (3, "v")


def test_the_file_outlives_the_process(tmp_path: Path) -> None:
    """What was flushed is there again, in every kind."""
    path = tmp_path / "s.sqlite"
    one = MemoryState(path)
    one.add("c", 5, 100.0, 0.0)
    one.remember("v", "=x", 100.0, 0.0)
    one.distinct("s", "a", 100.0, 0.0)
    one.take("b", 0.1, 1, 0.0)
    one.close()
    two = MemoryState(path)
    assert (two.count("c", 1.0), two.recall("v", 1.0), two.distinct("s", "b", 100.0, 1.0)) == (5, "=x", 2)
    assert two.take("b", 0.1, 1, 1.0) == pytest.approx(9.0)
    two.close()


def test_memory_is_bounded_in_memory_and_on_disk(tmp_path: Path) -> None:
    """What came first goes."""
    path = tmp_path / "s.sqlite"
    one = MemoryState(path, most=10)
    for i in range(25):
        one.remember(str(i), "v", 1e9, 0.0)
        if i == 8:
            one.flush()
    assert len(one) == 10
    assert (one.recall("0", 1.0), one.recall("24", 1.0)) == (None, "v")
    one.close()
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM state").fetchone() == (10,)
    file.close()


def test_a_file_is_of_one_process(tmp_path: Path) -> None:
    """A second one is told what to do instead; another kind of file is left alone."""
    path = tmp_path / "s.sqlite"
    one = MemoryState(path)
    one.remember("k", "v", 10.0, 0.0)
    one.flush()
    with pytest.raises(ConfigError, match="in use by another process"):
        MemoryState(path)
    one.close()
    other = tmp_path / "notes.txt"
    other.write_text("not a database, but somebody's notes " * 50)
    with pytest.raises(ConfigError, match="is not a state file"):
        MemoryState(other)
    assert other.read_text().startswith("not a database")
