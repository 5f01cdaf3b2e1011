"""The folder of a gate: what is published to it, what it writes, and how to look for what changed.

```
risk.arrow      the risk table              `stillwatch policy publish`
switches.json   rules taken out of force    `stillwatch policy kill`
policies/       every policy that was in force, by digest
state.sqlite    counters and issued blocks, when no server is named
decisions.jsonl every decision
```
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from stillwatch.errors import SourceError, StillwatchError
from stillwatch.protect.policy import Policy

RISK, SWITCHES, POLICIES, STATE, LOG = (
    "risk.arrow",
    "switches.json",
    "policies",
    "state.sqlite",
    "decisions.jsonl",
)
TAIL_BYTES = 16 * 2**20
WAITING_BYTES = 16 * 2**20
"""Lines that may wait in memory while the log goes to the disk; whoever has more waits for it."""
_GO_ON = "publish or switch again; what was in force stays in force"


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What tells one version of a file from another; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def read_switches(folder: Path) -> frozenset[str]:
    """Rules that are switched off.

    Raises
    ------
    SourceError
        The file is not what `write_switches` wrote.
    """
    try:
        data = (folder / SWITCHES).read_bytes()
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise SourceError(SWITCHES, "cannot be read", hint=_GO_ON) from error
    return switches(data)


def put_file(path: Path, data: bytes) -> None:
    """A file that appears whole or not at all."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    partial.write_bytes(data)
    if path.exists():
        shutil.copymode(path, partial)
    partial.replace(path)


def put_pieces(path: Path, pieces: Iterable[bytes], still: Callable[[], bool]) -> bool:
    """The same from pieces; only if there are any, and if ``still`` says at the end that they belong together."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as out:
            for piece in pieces:
                out.write(piece)
            size = out.tell()
        if not size or not still():
            return False
        partial.replace(path)
        return True
    finally:
        partial.unlink(missing_ok=True)


def switches(data: bytes) -> frozenset[str]:
    """Rules that are switched off, from the bytes of `SWITCHES`.

    Raises
    ------
    SourceError
        They are not what `write_switches` wrote.
    """
    try:
        found = json.loads(data)
        off = found["off"]
        if not isinstance(off, list) or not all(isinstance(rule, str) for rule in off):
            raise TypeError("off")
    except (ValueError, TypeError, KeyError) as error:
        raise SourceError(SWITCHES, "is not a list of rules", hint=_GO_ON) from error
    return frozenset(off)


def switches_bytes(off: frozenset[str]) -> bytes:
    """The bytes of `SWITCHES`."""
    return json.dumps({"off": sorted(off)}).encode() + b"\n"


def write_switches(folder: Path, off: frozenset[str]) -> None:
    """Put the switches in place, whole."""
    put_file(folder / SWITCHES, switches_bytes(off))


def keep_policy(folder: Path, policy: Policy) -> None:
    """Keep a policy's text under its digest, so that its decisions can be replayed."""
    kept = folder / POLICIES
    kept.mkdir(exist_ok=True)
    path = kept / f"{policy.digest}.toml"
    if not path.exists():
        put_file(path, policy.text.encode())


class LinesLost(OSError):
    """The decision log could not take some lines."""

    def __init__(self, lines: int, error: OSError) -> None:
        super().__init__(error.errno, error.strerror)
        self.lines = lines


class DecisionLog:
    """Lines at the end of a file, each written at once; a new file begins when one is full.

    A file system lets whoever writes to a file wait while it sends the file to the disk. So whoever finds somebody at
    work on the file leaves the line to them; a process that is killed in that moment loses it. A line that an earlier
    process began and did not end is ended, so that it takes no other with it.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._path, self._most = folder / LOG, most_bytes
        self._lock, self._file = threading.Lock(), threading.Lock()
        """For what waits, never held for long; and for the file."""
        self._waiting = bytearray()
        self._handle = self._opened()
        self._size = os.fstat(self._handle).st_size
        self._torn = b"" if _ends_with_a_line(self._path) else b"\n"
        """Rest of a line of which the file took only a part."""
        self._unsynced: set[int] = set()
        """Files with something that may not be on the disk yet; all but the last are full, and closed when it is."""

    def _opened(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, line: bytes) -> None:
        """Add a line. Raises `LinesLost`."""
        with self._lock:
            self._waiting += line
        while self._waiting and self._file.acquire(blocking=len(self._waiting) > WAITING_BYTES):
            try:
                self._drain()
            finally:
                self._file.release()

    def _drain(self) -> None:
        """Write what waits. Only for whoever holds the file."""
        while True:
            with self._lock:
                lines, self._waiting = self._waiting, bytearray()
            if not lines and not self._torn:
                return
            if self._size + len(lines) > self._most and self._size and not self._torn:
                self._turn()
            self._put(self._torn + lines)

    def _turn(self) -> None:
        """Begin a new file; where that cannot be done this one goes on, until it has grown by as much again."""
        self._size = 0
        try:
            if self._path.exists():
                self._path.replace(self._next())
            fresh = self._opened()
        except OSError:
            return
        if self._handle not in self._unsynced:
            os.close(self._handle)
        self._handle = fresh

    def _put(self, data: bytes) -> None:
        """All of it. When the file takes no more, the rest of a line that it began comes before the next."""
        begun = bool(self._torn)
        self._torn = b""
        while data:
            try:
                done = os.write(self._handle, data)
            except OSError as error:
                if begun:
                    rest, _, data = data.partition(b"\n")
                    self._torn = rest + b"\n"
                raise LinesLost(data.count(b"\n"), error) from error
            begun = begun if not done else data[done - 1 : done] != b"\n"
            self._size, data = self._size + done, data[done:]
            self._unsynced.add(self._handle)

    def _next(self) -> Path:
        number = 1
        while (path := self._path.with_name(f"decisions-{number:06d}.jsonl")).exists():
            number += 1
        return path

    def sync(self) -> None:
        """Make what was written durable; who writes meanwhile does not wait for the disk. Raises `OSError`."""
        with self._file:
            try:
                for handle in sorted(self._unsynced):
                    os.fsync(handle)
                    self._synced(handle)
            finally:
                self._drain()
        if self._waiting:  # came between the last look and the release
            self.write(b"")

    def _synced(self, handle: int) -> None:
        self._unsynced.discard(handle)
        if handle != self._handle:
            os.close(handle)

    def close(self) -> None:
        """Write what still waits, and let go of the file: who comes later is told. Raises `LinesLost`."""
        with self._file:
            try:
                self._drain()
            except LinesLost as error:
                error.lines += len(self._torn) > 1  # nobody will write the rest of that line any more
                raise
            finally:
                for handle in self._unsynced | {self._handle}:
                    os.close(handle)
                self._unsynced, self._handle, self._size = set(), -1, 0


def _ends_with_a_line(path: Path) -> bool:
    """Whether a file is empty, or its last line is whole."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def find_decision(folder: Path, decision_id: str) -> dict[str, Any]:
    """The logged line of a decision.

    Raises
    ------
    StillwatchError
        The folder has no log, or the log has no such decision.
    """
    files = list(_logs(folder))
    if not files:
        raise StillwatchError(f"{folder.name} holds no decision log", hint="name the folder of a gate")
    needle = f'"decision_id":"{decision_id}"'.encode("utf-8", "replace")
    for path in files:
        with path.open("rb") as lines:
            for line in lines:
                if needle in line and (found := _line(line)) is not None:
                    if found["decision"].get("decision_id") == decision_id:
                        return found
    raise StillwatchError(
        "no such decision in the log", hint="ids begin with D-; older logs may have been moved away"
    )


def newest_decisions(
    folder: Path, account_id: str, *, most: int = 20, within: int = TAIL_BYTES
) -> tuple[list[dict[str, Any]], bool]:
    """Logged lines about one account, the newest first, and whether the log goes back further than was looked.

    The log grows with every request, so only its last ``within`` bytes are looked at.
    """
    needle = b'"account_id":' + orjson.dumps(account_id.encode("utf-8", "backslashreplace").decode())
    found: list[dict[str, Any]] = []
    for path in _logs(folder):
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - within))
                data = file.read(within)
        except OSError:  # moved away meanwhile
            continue
        end = data.rfind(b"\n") + 1
        while len(found) < most and (at := data.rfind(needle, 0, end)) >= 0:
            begin, stop = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
            line = _line(data[begin:stop]) if begin or size <= within else None
            if line is not None and line["decision"]["account_id"] == account_id:
                found.append(line)
            end = begin
        within -= size
        if within <= 0 or len(found) >= most:
            return found, True
    return found, False


def all_lines(folder: Path) -> Iterator[dict[str, Any]]:
    """Every logged line, file by file; a line that is no decision comes as an empty one.

    Raises
    ------
    StillwatchError
        The folder has no log.
    """
    files = list(_logs(folder))
    if not files:
        raise StillwatchError(f"{folder.name} holds no decision log", hint="name the folder of a gate")
    for path in files:
        with path.open("rb") as lines:
            for line in lines:
                yield _line(line) or {}


def _line(data: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("decision"), dict) else None


def _logs(folder: Path) -> Iterator[Path]:
    """Log files, newest first."""
    if (folder / LOG).exists():
        yield folder / LOG
    yield from sorted(folder.glob("decisions-*.jsonl"), reverse=True)
