"""One folder has one writer, and a dead one does not keep it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.store.writer_lock import NAME, SILENT_S, WriterLock, read_holder

HOLD = """
import sys, time
from pathlib import Path
from stillwatch.store.writer_lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(120)
"""


def test_a_second_writer_is_told_who_holds_it(tmp_path: Path) -> None:
    """With process and machine, and what to do."""
    first = WriterLock(tmp_path, host="alpha")
    with pytest.raises(ConfigError, match=f"process {os.getpid()} on alpha writes there") as refused:
        WriterLock(tmp_path, host="alpha")
    assert "one writer" in refused.value.hint
    first.release()
    second = WriterLock(tmp_path, host="alpha")
    assert second.previous is None
    second.release()
    assert read_holder(tmp_path) is None


def test_what_a_killed_writer_held_is_taken_over_at_once(tmp_path: Path) -> None:
    """The kernel let go of it; the successor knows whose it was."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=f"process {process.pid} "):
            WriterLock(tmp_path)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    lock = WriterLock(tmp_path)
    assert lock.previous is not None
    assert lock.previous["pid"] == process.pid
    lock.release()


def _left_by(folder: Path, host: str, silent_s: float) -> None:
    (folder / NAME).write_text(json.dumps({"pid": 12, "host": host, "since": 1}))
    at = time.time() - silent_s
    os.utime(folder / NAME, (at, at))


def test_a_writer_on_another_machine_counts_by_its_signs_of_life(tmp_path: Path) -> None:
    """Its lock may not be seen here: refused while it is fresh, taken over when it has been silent, or on demand."""
    _left_by(tmp_path, "beta", 10)
    with pytest.raises(ConfigError, match="process 12 on beta gave a sign of life 10 s ago") as refused:
        WriterLock(tmp_path, host="alpha")
    assert "--take-over" in refused.value.hint
    forced = WriterLock(tmp_path, host="alpha", take_over=True)
    assert forced.previous == {"pid": 12, "host": "beta", "since": 1}
    forced.release()
    _left_by(tmp_path, "beta", SILENT_S + 1)
    late = WriterLock(tmp_path, host="alpha")
    late.release()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"pid": "x", "host": "h", "since": 1}', "\x00\x01", '{"pid": 1}']
)
def test_a_damaged_lock_file_keeps_nobody_out(tmp_path: Path, text: str) -> None:
    """What stands in it is only for people; the lock itself is the kernel's."""
    (tmp_path / NAME).write_text(text)
    assert read_holder(tmp_path) is None
    lock = WriterLock(tmp_path)
    lock.release()


def test_a_writer_that_is_busy_gives_signs_of_life(tmp_path: Path) -> None:
    """By themselves, from its making to its release, however long a step takes; none after that."""
    beats = iter(range(1_000, 10_000))
    lock = WriterLock(tmp_path, now=lambda: next(beats), beat_s=0.001)
    begun = os.stat(tmp_path / NAME).st_mtime
    for _ in range(30_000):
        if os.stat(tmp_path / NAME).st_mtime > begun + 10:
            break
        time.sleep(0.001)
    assert os.stat(tmp_path / NAME).st_mtime > begun + 10
    lock.release()
    ended = os.stat(tmp_path / NAME).st_mtime
    time.sleep(0.01)
    assert os.stat(tmp_path / NAME).st_mtime == ended
