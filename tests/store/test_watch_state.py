"""The state of a watch: what is committed counts once, what is not is gone, and older versions are brought up."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.store import watch_state
from stillwatch.store.watch_state import DATABASE, DAY_US, FEATURES, VERSION, Portion, WatchState

IDENTITY = {"key": "k1", "lexicon": "1", "columns": "ts,xid"}
MARK = ("a.jsonl", "1:2", 10, 1, 10, 5, "h", "t", "canonical", "")
FIRST = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE portion (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, rows INTEGER NOT NULL, late INTEGER NOT NULL,
    skipped INTEGER NOT NULL, reasons TEXT NOT NULL);
CREATE TABLE segment (
    name TEXT PRIMARY KEY, day TEXT NOT NULL, first INTEGER NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
    last_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE mark (
    name TEXT PRIMARY KEY, identity TEXT NOT NULL, offset INTEGER NOT NULL, lines INTEGER NOT NULL,
    size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, head TEXT NOT NULL, tail TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE refused (portion INTEGER NOT NULL, source TEXT NOT NULL, line INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE look (
    number INTEGER PRIMARY KEY, day TEXT NOT NULL, slot INTEGER NOT NULL, begun TEXT NOT NULL, published TEXT,
    claim REAL NOT NULL, stand REAL NOT NULL, controller REAL NOT NULL, facts TEXT NOT NULL);
INSERT INTO about VALUES ('key', 'k1'), ('lexicon', '1'), ('columns', 'ts,xid'), ('looks', '2');
INSERT INTO portion VALUES (1, '2026-03-01T00:00:00+00:00', 3, 0, 0, '{}');
INSERT INTO mark VALUES ('a.jsonl', '1:2', 10, 1, 10, 5, 'h', 't');
INSERT INTO look VALUES (1, '2026-03-01', 0, '2026-03-01T00:00:00+00:00', '2026-03-01T00:00:09+00:00', 0.5, 0.5, 0.5,
    '{"portions": 1}');
PRAGMA user_version = 1;
"""
"""A state of version 1, as that version wrote it."""


def _rows(day: int, ids: list[int]) -> pa.Table:
    ts = pa.array([day * DAY_US + i for i in range(len(ids))], pa.int64())
    table = pa.table({"ts": ts, "xid": pa.array(ids, pa.int64())})
    return table.replace_schema_metadata({b"stillwatch.features": b"k1", b"fields": b"model"})


def _kept(state: WatchState) -> list[int]:
    found: list[int] = []
    for path in state.paths():
        found += pq.read_table(path, partitioning=None).column("xid").to_pylist()
    return found


def _portion(state: WatchState, table: pa.Table, oldest_us: int = 0) -> Portion:
    portion = state.begin("2026-03-02T00:00:00+00:00")
    portion.keep(table, oldest_us, state.root)
    portion.marks.append(MARK)
    return portion


def test_what_is_committed_is_there_and_what_is_not_is_gone(tmp_path: Path) -> None:
    """A portion that was written and not committed leaves nothing behind when the state is opened again."""
    state = WatchState(tmp_path, IDENTITY)
    state.commit(_portion(state, _rows(20_000, [1, 2])))
    _portion(state, _rows(20_000, [3]))
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
    (tmp_path / FEATURES / "day=2024-10-04" / ".features-9.parquet.partial").write_bytes(b"half")
    state.close()
    again = WatchState(tmp_path, IDENTITY)
    assert _kept(again) == [1, 2]
    assert again.marks() == {"a.jsonl": MARK}
    assert {p.name for p in (tmp_path / FEATURES).rglob("*") if p.is_file()} == {
        p.name for p in again.paths()
    }
    assert again.begin("x").number == 2
    again.close()


def test_days_are_apart_and_old_ones_leave(tmp_path: Path) -> None:
    """Rows go by their own day, in the order of days; what is older than what is kept is counted as late."""
    state = WatchState(tmp_path, IDENTITY)
    late = pa.concat_tables([_rows(20_002, [5]), _rows(19_990, [9]), _rows(20_000, [1])])
    portion = _portion(state, late, oldest_us=20_000 * DAY_US)
    state.commit(portion)
    assert (portion.rows, portion.late) == (2, 1)
    assert _kept(state) == [1, 5]
    assert state.newest_us() == 20_002 * DAY_US
    assert state.retire("2024-10-05") == 1
    assert _kept(state) == [5]
    assert sorted(p.name for p in (tmp_path / FEATURES).iterdir()) == ["day=2024-10-06"]
    assert state.counts()["rows"] == 1
    state.close()


def test_many_files_of_a_day_become_one(tmp_path: Path) -> None:
    """In the same order; an exchange that was sent again stays where it came first."""
    state = WatchState(tmp_path, IDENTITY)
    for ids in ([4, 2], [2, 7], [1, 4]):
        state.commit(_portion(state, _rows(20_000, ids)))
    state.compact(at_least=4)
    assert len(state.paths()) == 3
    state.compact(at_least=3)
    (path,) = state.paths()
    assert _kept(state) == [4, 2, 7, 1]
    assert pq.read_schema(path).metadata[b"fields"] == b"model"
    assert pq.read_schema(path).metadata[b"stillwatch.features"] == b"k1"
    state.commit(_portion(state, _rows(20_000, [8])))
    assert _kept(state) == [4, 2, 7, 1, 8]
    state.close()
    WatchState(tmp_path, IDENTITY).close()


def test_refusals_are_counted_and_kept(tmp_path: Path) -> None:
    """By reason, with source and line of the first."""
    state = WatchState(tmp_path, IDENTITY)
    portion = _portion(state, _rows(20_000, [1]))
    portion.reasons, portion.refused = {"bad": 3}, [("a.jsonl", 2, "bad")]
    state.commit(portion)
    assert state.refused() == ({"bad": 3}, [("a.jsonl", 2, "bad")])
    state.retire("2026-03-03")
    assert state.refused() == ({}, [])
    state.close()


def test_refusals_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number they are only counted."""
    monkeypatch.setattr(watch_state, "MOST_REFUSED", 3)
    state = WatchState(tmp_path, IDENTITY)
    for number in range(2):
        portion = _portion(state, _rows(20_000 + number, [number]))
        portion.reasons, portion.refused = {"bad": 2}, [("a.jsonl", 1, "bad"), ("a.jsonl", 2, "bad")]
        state.commit(portion)
    reasons, lines = state.refused()
    assert (reasons, len(lines)) == ({"bad": 4}, 3)
    state.close()


def test_a_state_of_the_version_before_is_brought_up(tmp_path: Path) -> None:
    """With everything that it knew."""
    with sqlite3.connect(tmp_path / DATABASE) as db:
        db.executescript(FIRST)
    db.close()
    with pytest.raises(ConfigError, match="older version"):
        WatchState.at(tmp_path)
    state = WatchState(tmp_path, IDENTITY)
    assert state.migrated_from == VERSION - 1 == 1
    assert state.marks() == {"a.jsonl": (*MARK[:8], "", "")}
    assert state.looks()[0]["facts"] == {"portions": 1}
    assert state.standing() == []
    state.commit(_portion(state, _rows(20_000, [1])))
    state.published(1, "2026-03-02", {}, [("G", "2026-03-02", None, ["a"])])
    columns = _columns(state)
    state.close()
    again = WatchState(tmp_path, IDENTITY)
    assert again.migrated_from is None
    assert again.standing() == [("G", "2026-03-02", None, ["a"])]
    again.close()
    new = WatchState(_made(tmp_path / "new"), IDENTITY)
    assert _columns(new) == columns
    new.close()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _columns(state: WatchState) -> dict[str, set[str]]:
    tables = [name for (name,) in state.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {t: {row[1] for row in state.db.execute(f"PRAGMA table_info({t})")} for t in tables}


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A newer state, one of another key, a damaged one, and one of which a file is gone."""
    newer = _made(tmp_path / "newer")
    with sqlite3.connect(newer / DATABASE) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(ConfigError, match="newer stillwatch"):
        WatchState(newer, IDENTITY)
    other = _made(tmp_path / "other")
    state = WatchState(other, IDENTITY)
    state.commit(_portion(state, _rows(20_000, [1])))
    (path,) = state.paths()
    state.close()
    with pytest.raises(ConfigError, match="made with key k1, this run has k2"):
        WatchState(other, IDENTITY | {"key": "k2"})
    path.unlink()
    with pytest.raises(StillwatchError, match="is missing") as lost:
        WatchState(other, IDENTITY)
    assert "reads the logs again" in lost.value.hint
    damaged = _made(tmp_path / "damaged")
    (damaged / DATABASE).write_bytes(np.random.default_rng(1).bytes(9000))
    with pytest.raises(StillwatchError, match="is damaged"):
        WatchState(damaged, IDENTITY)


def test_rows_that_are_to_be_forgotten_leave_files_ledger_and_groups(tmp_path: Path) -> None:
    """Files of others keep their bytes, an empty one goes, the order stays; cut short, nothing has changed."""
    state = WatchState(tmp_path, IDENTITY)
    for ids in ([1, 2, 9], [9], [3, 4]):
        state.commit(_portion(state, _rows(20_000, ids)))
    state.published(
        state.begin_look("d", 0, "t", (1.0, 1.0, 1.0)), "t", {}, [("G", "t", None, ["a", "gone"])]
    )
    names = [path.name for path in state.paths()]
    others = state.paths()[2].read_bytes()

    def theirs(table: pa.Table) -> pa.Array:
        return pa.array(table.column("xid").to_numpy() == 9)

    with pytest.raises(RuntimeError, match="cut"):
        state.forget([f"day=2024-10-04/{names[0]}"], _cut, ["gone"])
    assert _kept(state) == [1, 2, 9, 9, 3, 4]
    state.forget([f"day=2024-10-04/{name}" for name in names[:2]], theirs, ["gone"])
    assert _kept(state) == [1, 2, 3, 4]
    assert state.counts()["rows"] == 4
    assert state.standing() == [("G", "t", None, ["a"])]
    assert state.paths()[1].read_bytes() == others
    state.close()
    again = WatchState(tmp_path, IDENTITY)
    assert _kept(again) == [1, 2, 3, 4]
    assert len(list((tmp_path / FEATURES).rglob("*.parquet"))) == 2
    again.close()


def _cut(table: pa.Table) -> pa.Array:
    raise RuntimeError("cut")
