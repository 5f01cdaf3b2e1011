"""Reading file by file, in any order, is reading in order; no cluster is needed to see it."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.detect.digest import Key
from stillwatch.detect.features import FEATURE_SCHEMA, NAMED
from stillwatch.errors import ConfigError, SourceError, StillwatchError
from stillwatch.records import EXCHANGE_SCHEMA, Rejected
from stillwatch.settings import Settings
from stillwatch.store import open_backend
from stillwatch.wiring import cluster
from stillwatch.wiring.cluster import CODED, ReadFiles, _Coded, _hear, _name, _Words
from stillwatch.wiring.intake import Intake
from stillwatch.wiring.progress import Unheard

KEY = Key.derive(b"clusters: no secret at all, 32 b")
START = datetime(2026, 9, 1, tzinfo=UTC)


def rows(first: int, n: int) -> list[dict[str, Any]]:
    """Exchanges whose accounts and models first appear out of alphabetical order, and in more than one file."""
    return [
        {
            "exchange_id": f"x{i}", "started_at": START + timedelta(minutes=i), "account_id": f"a{(7 * i) % 5}",
            "model": f"m{i % 3}", "prompt": f"Tell me of number {i}, please.", "user_agent": "curl/8.1.0",
            "temperature": 0.5 if i % 2 else None, "max_tokens": 100 + i,
        }
        for i in range(first, first + n)
    ]  # fmt: skip


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Four files: Parquet, lines with some that are refused, an empty one, and one that is no log."""
    folder = tmp_path / "logs"
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows(0, 30), EXCHANGE_SCHEMA), folder / "a.parquet")
    lines = [json.dumps(row, default=str) for row in rows(20, 30)]
    lines[3:3] = ["{", '{"exchange_id": "only"}']
    (folder / "b.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "c.jsonl").write_text("", encoding="utf-8")
    (folder / "d.bin").write_bytes(bytes(range(256)))
    return folder


def intake_of(*inputs: str, refused: _Words | None = None) -> Intake:
    """An intake that nobody watches."""
    return Intake(
        list(inputs), Settings(), KEY, format=None, mapping=None, stdin=None, progress=Unheard(),
        refused=refused or _Words(),
    )  # fmt: skip


def answers(intake: Intake) -> list[pa.RecordBatch]:
    """What workers say of every file, files in another order."""
    order = list(range(len(intake.sources)))
    random.Random(4).shuffle(order)
    work = ReadFiles(tuple(intake.sources), intake.settings, KEY, None, None, intake.span)
    return [b for i in order for b in work(iter([pa.record_batch({"id": pa.array([i], pa.int64())})]))]


def told(said: list[pa.RecordBatch]) -> Any:
    """An engine that holds what was said."""
    engine: Any = open_backend(1, "1GB", None)
    engine.append("read", pa.Table.from_batches(said))
    return engine


def test_files_in_any_order(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes, features, refusals, counts and digests are those of a reader that goes through the files in order."""
    monkeypatch.setattr(cluster, "AT_ONCE", 1)
    heard = _Words()
    one = intake_of(str(logs), refused=heard)
    wanted = pa.Table.from_batches(list(one.batches()))
    hearing = _Words()
    other = intake_of(str(logs), refused=hearing)
    engine = told(answers(other))
    starts = _hear(engine, other, tuple(other.sources))
    _name(engine, other)
    assert starts.tolist() == [0, 30, 60, 60, 60]
    found = engine.table("read")
    data = engine.arrow(found.filter(found.told.isnull()).drop("told"))
    codes = {column: getattr(other.feat.names, kind).index for column, kind in NAMED.items()}
    got = pa.Table.from_batches(
        _Coded(codes, starts)(iter(data.combine_chunks().to_batches())), CODED
    ).sort_by("seq")
    assert got.column("seq").to_pylist() == list(range(60))
    for f in FEATURE_SCHEMA:
        assert got.column(f.name).to_pylist() == wanted.column(f.name).to_pylist(), f.name
    for kind in NAMED.values():
        assert getattr(one.feat.names, kind).names == getattr(other.feat.names, kind).names
    assert one.feat.names.account.names[:3] == ["a0", "a2", "a4"]
    assert heard.held == hearing.held and len(heard.held) == 3
    assert one.feat.seen_fields == other.feat.seen_fields
    assert one.feat.sampling_labels == other.feat.sampling_labels
    mine, theirs = one.reader, other.reader
    assert mine is not None and theirs is not None
    for name in ("recognised", "notes", "strangers", "digests", "counts", "rejected"):
        assert getattr(mine, name) == getattr(theirs, name), name


def test_a_named_file_that_is_no_log(logs: Path) -> None:
    """It is refused in the same words, under the name the user gave it."""
    here, there = intake_of(str(logs / "d.bin")), intake_of(str(logs / "d.bin"))
    with pytest.raises(SourceError) as wanted:
        list(here.batches())
    with pytest.raises(SourceError) as got:
        _hear(told(answers(there)), there, tuple(there.sources))
    assert (str(got.value), got.value.hint) == (str(wanted.value), wanted.value.hint)


def test_nothing_usable(logs: Path, tmp_path: Path) -> None:
    """A folder of which no file is a log is an error on a cluster too."""
    folder = tmp_path / "other"
    folder.mkdir()
    (logs / "d.bin").rename(folder / "d.bin")
    intake = intake_of(str(folder))
    with pytest.raises(SourceError):
        _hear(told(answers(intake)), intake, tuple(intake.sources))


def test_a_worker_of_another_version(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is not mixed with those of this one."""
    intake = intake_of(str(logs / "a.parquet"))
    monkeypatch.setattr(cluster, "__version__", "0.0.1")
    said = answers(intake)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match=r"a worker runs stillwatch 0\.0\.1"):
        _hear(told(said), intake, tuple(intake.sources))


def test_a_failure_says_where_not_what(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that fails on what it read names the kind of error and a line of ours, never the text."""

    def broken(*_: object) -> None:
        raise ValueError("secret prompt")

    monkeypatch.setattr(cluster, "portable", broken)
    with pytest.raises(RuntimeError) as told_:
        answers(intake_of(str(logs / "a.parquet")))
    assert "ValueError" in str(told_.value) and "secret" not in str(told_.value)
    assert not isinstance(told_.value, StillwatchError)


def test_words_are_handed_over_in_order() -> None:
    """Nothing refused is lost or told twice."""
    words = _Words()
    many = [Rejected("f", i, "why") for i in range(2500)]
    for one in many:
        words.add(one)
    said = [json.loads(text)["refused"] for text in [*words.taken(1000), *words.taken()]]
    assert [len(part) for part in said] == [1000, 1000, 500]
    assert [Rejected(**one) for part in said for one in part] == many
