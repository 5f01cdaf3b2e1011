"""The log of decisions: nobody waits for the disk, nothing is lost without being counted."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from stillwatch.errors import UpstreamError
from stillwatch.protect.state import State
from stillwatch.records import Request
from stillwatch.store.state import MemoryState
from stillwatch.wiring import gate_folder
from stillwatch.wiring.gate_folder import LOG, DecisionLog, LinesLost, find_decision
from stillwatch.wiring.policy import Gate


def little_room(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A disk with room for three bytes; more room is given by writing to the list that comes back."""
    real, room = os.write, [3]

    def full(handle: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = real(handle, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr("stillwatch.wiring.gate_folder.os.write", full)
    return room


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
    room = little_room(monkeypatch)
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


def test_a_full_log_that_cannot_be_set_aside_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is lost, no file of somebody else is closed or written to, and it is set aside when that can be done."""
    log = DecisionLog(tmp_path, 8)
    log.write(b"0000000\n")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", _denied)
        log.write(b"1\n")
        other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
        log.write(b"222222\n")
    log.write(b"3\n")
    os.write(other, b"still open")
    os.close(other)
    log.close()
    assert (tmp_path / "decisions-000001.jsonl").read_bytes() == b"0000000\n1\n222222\n"
    assert (tmp_path / LOG).read_bytes() == b"3\n"
    assert (tmp_path / "other").read_bytes() == b"still open"


def _denied(*_: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_file_that_was_set_aside_reaches_the_disk_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written since the last flush is in two files then, and both are flushed."""
    flushed: list[bytes] = []
    monkeypatch.setattr(
        "stillwatch.wiring.gate_folder.os.fsync",
        lambda handle: flushed.append(Path(f"/proc/self/fd/{handle}").read_bytes()),
    )
    log = DecisionLog(tmp_path, 4)
    log.write(b"000\n")
    log.write(b"111\n")
    log.sync()
    log.sync()
    log.close()
    assert sorted(flushed) == [b"000\n", b"111\n"]


def test_a_line_that_a_killed_process_began_takes_no_other_with_it(tmp_path: Path) -> None:
    """The decision after it is found, and so is one that stands behind half of itself."""
    (tmp_path / LOG).write_bytes(b'{"decision":{"decision_id":"D-2","reas')
    log = DecisionLog(tmp_path, 10_000)
    log.write(b'{"decision":{"decision_id":"D-2"}}\n')
    log.close()
    assert find_decision(tmp_path, "D-2") == {"decision": {"decision_id": "D-2"}}


def test_who_comes_after_the_end_is_told_and_writes_to_no_other_file(tmp_path: Path) -> None:
    """The number of a closed file is soon that of another."""
    log = DecisionLog(tmp_path, 10_000)
    log.write(b"0\n")
    log.close()
    other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(LinesLost) as caught:
        log.write(b"1\n")
    os.close(other)
    assert caught.value.lines == 1 and (tmp_path / "other").read_bytes() == b""


def test_a_line_whose_rest_has_no_room_to_the_end_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not lost while the rest could still follow; at the end it is."""
    log = DecisionLog(tmp_path, 10_000)
    little_room(monkeypatch)
    with pytest.raises(LinesLost):
        log.write(b"first\n")
    with pytest.raises(LinesLost) as caught:
        log.close()
    assert caught.value.lines == 1


class Gone(MemoryState):
    """A memory that cannot be written down."""

    def flush(self) -> None:
        raise UpstreamError("gone", hint="wait")


def test_the_log_is_flushed_and_closed_though_the_memory_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is gone, or a disk without room for counters, costs no decision's line."""
    done: list[str] = []
    for name in ("sync", "close"):
        monkeypatch.setattr(DecisionLog, name, lambda self, name=name: done.append(name))
    held: State = Gone()
    gate = Gate.open(None, tmp_path, state=held, notice=lambda _: None)
    gate.decide(Request("a", "", "m"))
    gate.flush()
    with pytest.raises(UpstreamError):
        gate.close()
    assert done[0] == "sync" and done[-1] == "close"
