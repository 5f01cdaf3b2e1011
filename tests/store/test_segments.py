"""A folder that is written while it is received: what was appended is there, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError
from stillwatch.store import Sealed, Segments
from stillwatch.store.frames import MAGIC, frame, whole_frames


class Clock:
    """A wall clock that moves when told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    """A steady clock."""
    return Clock()


def table(*numbers: int, fields: str = "n") -> pa.Table:
    """A small table."""
    made = pa.table({"n": pa.array(numbers, pa.int64())})
    return made.replace_schema_metadata({b"fields": fields.encode(), b"made": b"here"})


def opened(folder: Path, clock: Clock, **options: float) -> Segments:
    """A folder's writer."""
    return Segments(
        folder, stem="features", segment_bytes=int(options.get("segment_bytes", 1 << 20)),
        segment_age_s=options.get("segment_age_s", 60.0), now=clock, kept=("rejected.jsonl",),
    )  # fmt: skip


def sealed(segments: Segments) -> list[Sealed | None]:
    """Everything that waits, sealed."""
    return [segments.seal(path) for path in segments.waiting()]


def kept(folder: Path) -> list[int]:
    """The numbers in the folder's files."""
    return [n for path in sorted(folder.glob("*.parquet")) for n in pq.read_table(path)["n"].to_pylist()]


def journal(folder: Path) -> Path:
    """The only journal."""
    [path] = folder.glob(".*.journal")
    return path


def test_what_is_appended_can_be_read_once_it_is_sealed(tmp_path: Path, clock: Clock) -> None:
    """In order, with the schema's metadata and the fields of all parts; no hidden file is left but the lock."""
    folder = tmp_path / "new" / "folder"
    with opened(folder, clock) as segments:
        segments.append(table(1, 2, fields="a,b"))
        segments.append(table(3, fields="b,c"))
        assert kept(folder) == []
        segments.roll()
        assert [(s.rows, s.torn, s.damaged) for s in sealed(segments) if s] == [(3, 0, 0)]
    assert kept(folder) == [1, 2, 3]
    [path] = folder.glob("*.parquet")
    assert path.name == "features-20261124T040000000000Z.parquet"
    assert pq.read_schema(path).metadata == {b"fields": b"a,b,c", b"made": b"here"}
    assert {p.name for p in folder.iterdir()} == {path.name, ".lock"}


def test_files_are_for_their_owner_alone(tmp_path: Path, clock: Clock) -> None:
    """Folder, journal and sealed file."""
    with opened(tmp_path / "in", clock) as segments:
        segments.append(table(1))
        assert journal(tmp_path / "in").stat().st_mode & 0o777 == 0o600
        segments.roll()
        sealed(segments)
    assert (tmp_path / "in").stat().st_mode & 0o777 == 0o700
    assert [p.stat().st_mode & 0o777 for p in (tmp_path / "in").glob("*.parquet")] == [0o600]


def test_a_journal_is_due_by_age_and_by_length(tmp_path: Path, clock: Clock) -> None:
    """An empty one never is; a clock that runs back makes it due."""
    with opened(tmp_path, clock, segment_bytes=4096) as segments:
        assert not segments.due()
        segments.append(table(1))
        assert not segments.due()
        clock.time += timedelta(seconds=60)
        assert segments.due()
        segments.roll()
        segments.append(table(2))
        clock.time -= timedelta(seconds=1)
        assert segments.due()
        segments.roll()
        segments.append(table(*(n * n * 7919 for n in range(3000))))
        assert segments.due()


def test_segments_of_one_moment_have_names_of_their_own(tmp_path: Path, clock: Clock) -> None:
    """Also when the clock stands still."""
    with opened(tmp_path, clock) as segments:
        for number in range(5):
            segments.append(table(number))
            segments.roll()
            if number % 2:
                sealed(segments)
        sealed(segments)
    assert sorted(kept(tmp_path)) == [0, 1, 2, 3, 4]


def test_a_journal_cut_anywhere_gives_every_whole_record(tmp_path: Path, clock: Clock) -> None:
    """Whatever byte was the last to reach the disk, the records before it are there and nothing else is."""
    records = [frame(table(n)) for n in range(3)]
    whole = MAGIC + b"".join(records)
    ends = [len(MAGIC) + sum(map(len, records[: n + 1])) for n in range(3)]
    for cut in range(len(whole) + 1):
        found = whole_frames(whole[:cut])
        wanted = sum(end <= cut for end in ends)
        assert len(found.tables) == wanted
        last = ends[wanted - 1] if wanted else len(MAGIC) if cut >= len(MAGIC) else 0
        assert (found.torn, found.damaged) == (cut - last, 0)


def test_what_a_killed_writer_left_is_sealed_by_the_next(tmp_path: Path, clock: Clock) -> None:
    """The torn tail is cut off and said; the records before it are kept."""
    segments = opened(tmp_path, clock)
    segments.append(table(1))
    with journal(tmp_path).open("ab") as file:
        file.write(frame(table(2))[:-3])
    os.close(segments._lock)  # as the kernel does with a killed process
    with opened(tmp_path, clock) as again:
        [got] = sealed(again)
        assert got is not None
        assert (got.rows, got.torn) == (1, len(frame(table(2))) - 3)
    assert kept(tmp_path) == [1]
    assert list(tmp_path.glob(".*.journal")) == []


def test_a_crash_between_the_two_last_steps_of_sealing_keeps_nothing_twice(
    tmp_path: Path, clock: Clock
) -> None:
    """The file is in place and the journal is still there: it only goes."""
    with opened(tmp_path, clock) as segments:
        segments.append(table(1))
        segments.roll()
        path = journal(tmp_path)
        before = path.read_bytes()
        sealed(segments)
        path.write_bytes(before)
    with opened(tmp_path, clock) as segments:
        sealed(segments)
    assert kept(tmp_path) == [1]
    assert not path.exists()


def test_a_damaged_record_costs_itself_and_the_journal_is_kept(tmp_path: Path, clock: Clock) -> None:
    """Whole ones follow it, so it was no torn write: that is said, and the bytes are not thrown away."""
    with opened(tmp_path, clock) as segments:
        for number in range(3):
            segments.append(table(number))
        segments.roll()
        path = journal(tmp_path)
        data = bytearray(path.read_bytes())
        data[len(MAGIC) + len(frame(table(0))) + 40] ^= 0xFF
        path.write_bytes(data)
        [got] = sealed(segments)
        assert got is not None
        assert (got.rows, got.torn, got.damaged) == (2, 0, 1)
    assert kept(tmp_path) == [0, 2]
    assert [p.read_bytes() for p in tmp_path.glob(".*.damaged")] == [bytes(data)]


@pytest.mark.parametrize("content", [b"", b"still", MAGIC, MAGIC + b"\0" * 20, b"something else entirely"])
def test_a_journal_without_a_record_goes(tmp_path: Path, clock: Clock, content: bytes) -> None:
    """Killed before the first was whole."""
    (tmp_path / ".features-20261124T035900000000Z.journal").write_bytes(content)
    with opened(tmp_path, clock) as segments:
        sealed(segments)
    assert {p.name for p in tmp_path.iterdir()} == {".lock"}


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Makes one function of the operating system fail until it is told otherwise."""

    def fail(name: str) -> None:
        def full(*args: object) -> int:
            if name == "write" and len(args[1]) > len(MAGIC):  # type: ignore[arg-type]
                real(args[0], bytes(args[1])[:-5])  # type: ignore[call-overload]
            raise OSError(28, "No space left on device")

        real = getattr(os, name)
        monkeypatch.setattr(os, name, full)

    yield fail


@pytest.mark.parametrize("name", ["write", "fdatasync", "open"])
def test_a_full_disk_loses_nothing_that_was_kept(
    tmp_path: Path, clock: Clock, fails: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The append that failed counts for nothing; the ones before and after it are there."""
    with opened(tmp_path, clock) as segments:
        segments.append(table(1))
        if name == "open":
            segments.roll()
        fails(name)
        with pytest.raises(OSError, match="No space"):
            segments.append(table(2))
        with pytest.raises(OSError, match="No space"):
            segments.probe()
        monkeypatch.undo()
        segments.probe()
        segments.append(table(3))
        segments.roll()
        sealed(segments)
    assert kept(tmp_path) == [1, 3]


def test_sealing_that_fails_is_tried_again(
    tmp_path: Path, clock: Clock, fails: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal stays until its file is in place; no half of a file is left."""
    with opened(tmp_path, clock) as segments:
        segments.append(table(1))
        segments.roll()
        fails("fsync")
        with pytest.raises(OSError, match="No space"):
            sealed(segments)
        assert list(tmp_path.glob(".*.partial")) == []
        monkeypatch.undo()
        sealed(segments)
    assert kept(tmp_path) == [1]


def test_a_folder_has_one_writer(tmp_path: Path, clock: Clock) -> None:
    """A second is refused politely; once the first has ended, another may write."""
    with opened(tmp_path, clock), pytest.raises(ConfigError, match="another process") as caught:
        opened(tmp_path, clock)
    assert "one writer" in caught.value.hint
    with opened(tmp_path, clock):
        pass


def test_the_kernel_lets_go_of_a_killed_writers_lock(tmp_path: Path, clock: Clock) -> None:
    """SIGKILL, and the folder is free."""
    code = (
        "import sys, time; from datetime import UTC, datetime; from pathlib import Path; "
        "from stillwatch.store import Segments; "
        "s = Segments(Path(sys.argv[1]), stem='features', segment_bytes=1, segment_age_s=1, "
        "now=lambda: datetime.now(UTC)); print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigError):
            opened(tmp_path, clock)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with opened(tmp_path, clock):
        pass


@pytest.mark.parametrize("name", ["notes.txt", "features-1.parquet.bak", "day.parquet"])
def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, clock: Clock, name: str) -> None:
    """It says which file no receiver wrote, and lets go of the folder."""
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=name):
        opened(tmp_path, clock)
    (tmp_path / name).unlink()
    with opened(tmp_path, clock):
        pass
