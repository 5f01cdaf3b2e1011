"""One customer's rows leave a store; everybody else's stay, whatever happens in between."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import SourceError
from stillwatch.store.days import DayWriter, day_files
from stillwatch.store.forgetting import JOURNAL, Plan, Whom, forget, plan_forget, resume, unfinished
from stillwatch.store.places import FolderPlace
from tests.store.test_days import NOON, accounts_in, add, rows

KILLED_AT = """
import os, signal, sys
from pathlib import Path
from stillwatch.store.forgetting import Whom, forget, plan_forget
from stillwatch.store.places import FolderPlace

left = int(sys.argv[2])
def counted(call):
    def wrapped(*args, **kwargs):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return call(*args, **kwargs)
    return wrapped

os.replace, os.unlink, os.fsync = counted(os.replace), counted(os.unlink), counted(os.fsync)
place = FolderPlace(Path(sys.argv[1]))
with place.writing() as staging:
    forget(place, staging, plan_forget(place, Whom(("gone",))))
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three days; one day is theirs alone, one holds both, one is others'."""
    add(tmp_path, [rows("gone", "gone", apart=timedelta(hours=1))])
    add(tmp_path, [rows("a", "gone", "b", first=NOON + timedelta(days=1), apart=timedelta(hours=1))])
    add(tmp_path, [rows("a", "c", first=NOON + timedelta(days=2), apart=timedelta(hours=1))])
    return tmp_path


def done(folder: Path, whom: Whom) -> Plan:
    """Plan and do it."""
    place = FolderPlace(folder)
    with place.writing() as staging:
        plan = plan_forget(place, whom)
        forget(place, staging, plan)
    return plan


def test_their_rows_go_and_the_others_stay(store: Path) -> None:
    """The report names the files, their rows and all rows; files of others keep their bytes."""
    before = {file.name for file in day_files(FolderPlace(store))}
    plan = done(store, Whom(("gone",)))
    assert accounts_in(store) == ["a", "a", "b", "c"]
    assert [(c.rows, c.of) for c in plan.changes] == [(2, 2), (1, 3)]
    after = {file.name for file in day_files(FolderPlace(store))}
    assert before - after == {change.name for change in plan.changes}
    assert not (store / "day=2026-11-24").exists()
    assert unfinished(FolderPlace(store)) is None


def test_an_organisation_goes_with_all_its_accounts(tmp_path: Path) -> None:
    """`org` takes every row of the organisation; rows of no organisation stay."""
    table = rows("a", "b", "c").set_column(3, "org_id", pa.array(["o", None, "o"], pa.string()))
    add(tmp_path, [table])
    assert done(tmp_path, Whom(orgs=("o",))).rows == 2
    assert accounts_in(tmp_path) == ["b"]


def test_nobody_of_that_name(store: Path) -> None:
    """Where no row is theirs nothing is written; a name is taken as it is, never as a pattern."""
    before = {file.name for file in day_files(FolderPlace(store))}
    for name in ("go%", "GONE", "", "' OR 1=1"):
        assert done(store, Whom((name,))).changes == ()
    assert {file.name for file in day_files(FolderPlace(store))} == before


@pytest.mark.slow
def test_killed_at_every_step(store: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Killed before any change of a name or any sync: no other row is missing, and the next writer finishes it."""
    original = {name: (store / name).read_bytes() for name in (f.name for f in day_files(FolderPlace(store)))}
    for step in range(60):
        copy = tmp_path_factory.mktemp("killed") / "store"
        shutil.copytree(store, copy)
        ended = subprocess.run([sys.executable, "-c", KILLED_AT, str(copy), str(step)], check=False)
        assert set(accounts_in(copy)) >= {"a", "b", "c"}
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
        begun = (copy / JOURNAL).exists()
        place = FolderPlace(copy)
        with place.writing() as staging:
            resume(place, staging)
        names = accounts_in(copy)
        if begun:
            assert names == ["a", "a", "b", "c"], f"killed at step {step}"
        elif "gone" in names:
            assert {f.name: (copy / f.name).read_bytes() for f in day_files(place)} == original
        assert not list(copy.glob(".staging-*"))
        assert unfinished(place) is None
    else:
        pytest.fail("it was killed sixty times and never ended")
    assert step > 5
    assert accounts_in(copy) == ["a", "a", "b", "c"]


def test_a_damaged_file_stops_it(store: Path) -> None:
    """A file that cannot be read may hold their rows: nothing is changed, and the file is named."""
    victim = store / day_files(FolderPlace(store))[2].name
    victim.write_bytes(b"PAR1 not really")
    before = {f.name for f in day_files(FolderPlace(store))}
    with pytest.raises(SourceError, match="damaged") as told:
        done(store, Whom(("gone",)))
    assert victim.name in str(told.value)
    assert {f.name for f in day_files(FolderPlace(store))} == before


def test_a_damaged_note_is_said(store: Path) -> None:
    """A note that cannot be read is an error with a way out, not a deletion that is taken for done."""
    (store / JOURNAL).write_text(json.dumps({"accounts": 7}))
    with pytest.raises(SourceError, match="note of an interrupted deletion"):
        unfinished(FolderPlace(store))


def test_features_know_their_key_afterwards(tmp_path: Path) -> None:
    """What stands in a file's metadata is there after rows were taken out."""
    table = pa.table(
        {"ts": pa.array([0, 1], pa.int64()), "acct": ["gone", "a"], "org": pa.nulls(2, pa.string())}
    )
    table = table.replace_schema_metadata({b"stillwatch.features": b"k1", b"fields": b"prompt"})
    place = FolderPlace(tmp_path)
    with place.writing() as staging:
        writer = DayWriter(place, staging, stem="features")
        list(writer.add(table))
        list(writer.finish())
    assert done(tmp_path, Whom(("gone",))).rows == 1
    (left,) = day_files(place)
    assert pq.read_schema(tmp_path / left.name).metadata[b"stillwatch.features"] == b"k1"
