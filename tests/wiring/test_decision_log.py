"""The log of decisions: nobody waits for the disk, nothing is lost without being counted."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from stillwatch.wiring import gate_folder
from stillwatch.wiring.gate_folder import LOG, DecisionLog, LinesLost


class SlowDisk:
    """Holds a call of the system up until it is let go on."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._real = getattr(os, name)
        self.by: list[str] = []
        monkeypatch.setattr(f"stillwatch.wiring.gate_folder.os.{name}", self)

    def __call__(self, *args: object) -> object:
        self.by.append(threading.current_thread().name)
        if len(self.by) == 1:
            self.begun.set()
            assert self.go_on.wait(20)
        return self._real(*args)


@pytest.mark.parametrize("call", ["fsync", "write"])
def test_whoever_finds_the_file_taken_leaves_the_line_to_whoever_has_it(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a flush nor another's slow write holds a decision up; every line is there in the end, in order."""
    log = DecisionLog(tmp_path, 10_000)
    log.write(b"0\n")
    slow = SlowDisk(call, monkeypatch)
    other = threading.Thread(target=log.sync if call == "fsync" else lambda: log.write(b"1\n"), name="other")
    other.start()
    assert slow.begun.wait(20)
    for number in range(2, 5):
        log.write(f"{number}\n".encode())
    slow.go_on.set()
    other.join()
    log.close()
    first = b"0\n" if call == "fsync" else b"0\n1\n"
    assert (tmp_path / LOG).read_bytes() == first + b"2\n3\n4\n"
    assert set(slow.by) == {"other"}


def test_memory_is_bounded_while_the_disk_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond that a decision waits for the disk rather than lose its line."""
    monkeypatch.setattr(gate_folder, "WAITING_BYTES", 4)
    log = DecisionLog(tmp_path, 10_000)
    log.write(b"0\n")
    slow = SlowDisk("fsync", monkeypatch)
    flush = threading.Thread(target=log.sync)
    flush.start()
    assert slow.begun.wait(20)
    log.write(b"1\n")
    writer = threading.Thread(target=log.write, args=(b"22222\n",))
    writer.start()
    writer.join(0.05)
    assert writer.is_alive()
    slow.go_on.set()
    flush.join()
    writer.join()
    log.close()
    assert (tmp_path / LOG).read_bytes() == b"0\n1\n22222\n"


def test_lines_that_the_disk_does_not_take_are_counted_and_none_is_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of which a part is in the file gets its rest as soon as there is room."""
    log = DecisionLog(tmp_path, 10_000)
    real, room = os.write, [3]

    def full(handle: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = real(handle, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr("stillwatch.wiring.gate_folder.os.write", full)
    with pytest.raises(LinesLost) as caught:
        log.write(b"first\nsecond\n")
    assert caught.value.lines == 1
    with pytest.raises(LinesLost) as caught:
        log.write(b"third\n")
    assert caught.value.lines == 1
    room[0] = 1_000
    log.write(b"fourth\n")
    log.close()
    assert (tmp_path / LOG).read_bytes() == b"first\nfourth\n"


def test_a_log_that_nobody_wrote_to_is_not_sent_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate without traffic leaves the disk alone; one whose flush failed tries again."""
    asked: list[int] = []
    fail = [True]

    def fsync(handle: int) -> None:
        asked.append(handle)
        if fail[0]:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("stillwatch.wiring.gate_folder.os.fsync", fsync)
    log = DecisionLog(tmp_path, 10_000)
    log.sync()
    assert not asked
    log.write(b"0\n")
    with pytest.raises(OSError, match="Input"):
        log.sync()
    fail[0] = False
    log.sync()
    log.sync()
    assert len(asked) == 2
    log.close()
