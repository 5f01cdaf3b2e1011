"""A store: one folder a day that any engine reads, written once, by one writer."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError
from stillwatch.store.days import DayFile, DayWriter, day_files, day_of, rows_of
from stillwatch.store.places import FolderPlace, ObjectPlace, is_url

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def rows(*accounts: str, first: datetime = NOON, apart: timedelta = timedelta(hours=6)) -> pa.Table:
    """Exchanges of some accounts, one after another."""
    times = [first + apart * n for n in range(len(accounts))]
    return pa.table(
        {
            "exchange_id": [f"{first.isoformat()}-{n}" for n in range(len(accounts))],
            "started_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "account_id": list(accounts),
            "org_id": pa.array([None] * len(accounts), pa.string()),
        }
    )


def add(folder: Path, tables: Iterable[pa.Table], **more: int) -> list[DayFile]:
    """Write tables as one addition."""
    place = FolderPlace(folder)
    with place.writing() as staging:
        writer = DayWriter(place, staging, stem="exchanges", **more)
        return [file for table in tables for file in writer.add(table)] + list(writer.finish())


def accounts_in(folder: Path) -> list[str]:
    """The account of every row, sorted."""
    place = FolderPlace(folder)
    tables = [pq.read_table(folder / file.name, columns=["account_id"]) for file in day_files(place)]
    return sorted(name for table in tables for name in table["account_id"].to_pylist())


def test_rows_lie_in_the_day_they_started(tmp_path: Path) -> None:
    """A row lies in the folder of its day in UTC, and midnight belongs to the day that begins."""
    add(tmp_path, [rows("a", "b", "c", "d")])  # 12:00, 18:00, 00:00, 06:00
    files = day_files(FolderPlace(tmp_path))
    assert [(f.day, rows_of(FolderPlace(tmp_path), f.name)) for f in files] == [
        (date(2026, 11, 24), 2),
        (date(2026, 11, 25), 2),
    ]
    assert all(day_of(f.name) == f.day for f in files)


def test_the_same_rows_twice_are_there_once(tmp_path: Path) -> None:
    """Adding the same tables again writes nothing and says so."""
    first = add(tmp_path, [rows("a", "b", "c")])
    again = add(tmp_path, [rows("a", "b", "c")])
    assert [f.fresh for f in first] == [True, True]
    assert [f.fresh for f in again] == [False, False]
    assert accounts_in(tmp_path) == ["a", "b", "c"]


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    """However many days the rows lie in, no more bytes wait than allowed, and no row is lost."""
    tables = [rows(*"abcdefgh", first=NOON + timedelta(days=n % 5, seconds=n)) for n in range(40)]
    limit = 4 * tables[0].nbytes
    place = FolderPlace(tmp_path)
    waited = []
    with place.writing() as staging:
        writer = DayWriter(place, staging, stem="exchanges", most_bytes=limit)
        for table in tables:
            list(writer.add(table))
            waited.append(sum(writer._bytes.values()))
        list(writer.finish())
    assert max(waited) <= limit
    assert len(accounts_in(tmp_path)) == 8 * 40


def test_other_engines_read_it(tmp_path: Path) -> None:
    """Arrow datasets and DuckDB see the same rows and the day as a column, and none of the hidden files."""
    add(tmp_path, [rows("a", "b", "c", "d")])
    (tmp_path / ".forget.json").write_text("{}")
    table = ds.dataset(tmp_path, format="parquet", partitioning="hive").to_table(
        columns=["account_id", "day"]
    )
    assert sorted(table["account_id"].to_pylist()) == ["a", "b", "c", "d"]
    by_day = duckdb.execute(
        f"SELECT day, count(*) FROM read_parquet('{tmp_path}/day=*/*.parquet', hive_partitioning = true) "
        "GROUP BY day ORDER BY day"
    ).fetchall()
    assert by_day == [(date(2026, 11, 24), 2), (date(2026, 11, 25), 2)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java: make java")
def test_spark_reads_it(tmp_path: Path) -> None:
    """Spark sees the same rows and the day as a column."""
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    session = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    add(tmp_path, [rows("a", "b", "c", "d")])
    try:
        got = session.read.parquet(str(tmp_path)).groupBy("day").count().collect()
    finally:
        session.stop()
    assert sorted((str(row["day"]), row["count"]) for row in got) == [("2026-11-24", 2), ("2026-11-25", 2)]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """Two writers of one folder: the second is told to wait, and what a killed one left is swept."""
    (tmp_path / ".staging-left").mkdir()
    place = FolderPlace(tmp_path)
    with place.writing():
        assert not (tmp_path / ".staging-left").exists()
        with pytest.raises(ConfigError, match="another process is writing"):
            with FolderPlace(tmp_path).writing():
                pass


def test_only_files_of_the_layout_belong_to_it(tmp_path: Path) -> None:
    """A stranger's file, a hidden one and a day that is none are left alone."""
    add(tmp_path, [rows("a")])
    for name in (
        "day=2026-11-24/notes.parquet",
        "day=2026-11-24/_x.parquet",
        "day=2026-99-01/exchanges-1.parquet",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [f.stem for f in day_files(FolderPlace(tmp_path))] == ["exchanges"]


def test_credentials_in_an_address_are_refused() -> None:
    """An address with a user or a secret is refused without being repeated."""
    with pytest.raises(ConfigError) as told:
        ObjectPlace("s3://AKIA:secret@bucket/x")
    assert "secret" not in str(told.value) + told.value.hint


def test_an_address_is_told_from_a_path() -> None:
    """Windows drives, standard input and odd folder names are no addresses."""
    assert [is_url(x) for x in ("s3://b/x", "gs://b", "C:/logs", "-", "a:b//c", "file:///x")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip
