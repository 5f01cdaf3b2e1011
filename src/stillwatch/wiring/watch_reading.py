"""What is new in the logs, read into the state of a watch: every line once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from stillwatch.detect.digest import Key
from stillwatch.errors import SourceError, UpstreamError
from stillwatch.ingest import Source, find_sources
from stillwatch.ingest.recognise import HEAD, container_of
from stillwatch.ingest.source import squash
from stillwatch.settings import Settings
from stillwatch.store.places import is_url
from stillwatch.store.watch_state import Portion, WatchState
from stillwatch.watch import Mark, Part, next_part
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.sources import objects_of
from stillwatch.wiring.watch_taking import Named, Taking, edges

SETTLE_S = 60.0
"""A file that nobody has written to for so long is whole."""
PORTION_BYTES = 64 * 2**20
"""Bytes of logs that are read before what they gave counts."""
DAY = timedelta(days=1)
_Step = tuple[int, Callable[[Portion, Taking], None]]
"""Bytes of a step of reading, and what does it."""


@dataclass(slots=True)
class Visited:
    """What one visit to the logs gave."""

    files: int = 0
    bytes: int = 0
    rows: int = 0
    late: int = 0
    refused: int = 0
    skipped: int = 0


class Logs:
    """Reads what is new in files, folders and object stores into a state.

    Args:
        inputs: files, folders, patterns and URLs; a folder or prefix may be empty as yet.
        own: folders of the watch itself, which are no logs wherever they lie.
        state: where features go. settings, key, format, mapping: as for a scan.
        settle_s: a file that cannot be cut is read when nobody has written to it for so long.
        keep_days: days of exchanges that are kept.
    """

    def __init__(
        self, inputs: Sequence[str], state: WatchState, settings: Settings, key: Key, *, format: str | None,
        mapping: Path | None, settle_s: float, progress: Progress, own: Sequence[Path] = (),
        keep_days: int = 30,
    ) -> None:  # fmt: skip
        self._own = [folder.resolve() for folder in own]
        self._inputs, self._state, self._settings, self._key = inputs, state, settings, key
        self._format, self._mapping = format, mapping
        self._settle_s, self._progress, self._keep_days = settle_s, progress, keep_days
        self._marks: dict[str, Mark] = {}

    def visit(self, now: datetime, oldest_us: int) -> Visited:
        """Read everything that is new; what is older than ``oldest_us`` is counted and left."""
        self._marks = {name: Mark(*row) for name, row in self._state.marks().items()}
        sources = self._sources()
        found = {s.name: s.path for s in sources if s.path is not None and not self._is_own(s.path)}
        objects = {s.name: s for s in sources if s.elsewhere is not None}
        self._follow_renames(found, objects)
        visited = Visited()
        files = [(name, path) for name, path in found.items() if self._changed(name, path)]
        fresh = [source for source in objects.values() if self._is_new(source, self._marks.get(source.name))]
        if files or fresh:
            size = sum(max(_size(path) - self._offset(name), 0) for name, path in files)
            size += sum(source.size for source in fresh)
            count = len(files) + len(fresh)
            self._progress.step(f"reading {count} files" if count > 1 else "reading", float(size))
        taking = self._taking(now, oldest_us)
        portion: Portion | None = None
        waiting = 0
        todo: list[tuple[str, Path] | Source] = [*files, *fresh]
        for each in todo:
            visited.files += 1
            steps = self._object(each) if isinstance(each, Source) else self._files(*each, now)
            for length, read in steps:
                portion = portion or self._state.begin(now.isoformat())
                read(portion, taking)
                waiting += length
                visited.bytes += length
                if waiting >= PORTION_BYTES:
                    self._commit(portion, visited)
                    portion, waiting = None, 0
        if portion is not None:
            self._commit(portion, visited)
        return visited

    def _taking(self, now: datetime, oldest_us: int) -> Taking:
        return Taking(
            self._settings, self._key, self._mapping, self._state.root.resolve(), oldest_us, latest=now + DAY
        )

    def _sources(self) -> list[Source]:
        elsewhere = [source for given in self._inputs if is_url(given) for source in objects_of(given)]
        here = [given for given in self._inputs if not is_url(given)]
        try:
            return [*(find_sources(here) if here else ()), *elsewhere]
        except SourceError:
            if all(Path(given).is_dir() for given in here):
                walked = [s for given in here if any(Path(given).rglob("[!.]*")) for s in _walked(given)]
                return [*walked, *elsewhere]
            raise

    def _is_own(self, path: Path) -> bool:
        """In the state or in the run folder."""
        whole = path.resolve()
        return any(whole.is_relative_to(folder) for folder in self._own)

    def _offset(self, name: str) -> int:
        mark = self._marks.get(name)
        return mark.offset if mark else 0

    def _follow_renames(self, found: dict[str, Path], objects: Collection[str]) -> None:
        """A log that was turned over keeps how far it was read; one that is gone is forgotten."""
        owner = {mark.identity: name for name, mark in self._marks.items()}
        now: dict[str, Mark] = {}
        moved: list[Mark] = []
        for name, path in found.items():
            old = owner.get(_identity(path))
            if old is not None and old != name and _same(path, self._marks[old]):
                now[name] = replace(self._marks[old], name=name)
                moved.append(now[name])
            elif name in self._marks:
                now[name] = self._marks[name]
        now |= {name: self._marks[name] for name in self._marks.keys() & set(objects)}
        gone = self._marks.keys() - now.keys()
        if moved or gone:
            self._state.move([astuple(mark) for mark in moved], gone)
        self._marks = now

    def _changed(self, name: str, path: Path) -> bool:
        mark, now = self._marks.get(name), _stat(path)
        if mark is None or now is None:
            return now is not None
        return (mark.size, mark.modified_ns) != (now.st_size, now.st_mtime_ns) or mark.offset < now.st_size

    @staticmethod
    def _is_new(source: Source, mark: Mark | None) -> bool:
        """Objects are whole when they are there, and a changed one is another."""
        return mark is None or (mark.identity, mark.size) != (source.version, source.size)

    def _object(self, source: Source) -> Iterator[_Step]:
        """The one step of an object: all of it."""
        yield source.size, lambda portion, taking: self._read_object(source, portion, taking)

    def _files(self, name: str, path: Path, now: datetime) -> Iterator[_Step]:
        """The steps of a file, each of which is done before the next is asked for."""
        for part, length in self._parts(name, path, now):
            yield length, partial(self._read, name, path, part, length)

    def _parts(self, name: str, path: Path, now: datetime) -> Iterator[tuple[Part, int]]:
        """Parts of a file with their length in bytes, until nothing is new. Each is read before the next."""
        cuttable = _cuttable(path)
        for _ in range(1_000_000):
            at = _stat(path)
            if at is None:
                return
            mark = self._marks.get(name)
            part = next_part(
                mark, size=at.st_size, modified_ns=at.st_mtime_ns, cuttable=cuttable,
                same=mark is not None and _same(path, mark),
                settled=now.timestamp() - at.st_mtime >= self._settle_s,
            )  # fmt: skip
            if part is None:
                return
            length = at.st_size if part.whole else _whole_lines(path, part, at.st_size) - part.start
            if not length or (part.start + length == self._offset(name) and not part.whole):
                return
            yield part, length
            if part.whole or self._marks.get(name) is mark:
                return

    def _read(self, name: str, path: Path, part: Part, length: int, portion: Portion, taking: Taking) -> None:
        """Read one part into a portion and set the mark behind it."""
        mark = self._marks.get(name)
        told = self._format or (mark.format if mark and part.start and not self._mapping else None) or None
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        except OSError as error:
            self._useless(name, path, portion, (error.strerror or "cannot be opened").lower())
            return
        with file, tempfile.TemporaryDirectory(prefix="stillwatch-") as place:
            before = os.fstat(file.fileno())
            if before.st_size < part.start or (part.start and not _holds(file, mark)):
                return  # it was turned over since it was looked at; the next step sees what is there now
            span = None if part.whole else _Span(file, part.start, length)
            refused = Named(Path(place) / "refused", name, part.lines)
            given = Source("-", None) if span else Source(str(path), path)
            stdin = cast("BinaryIO | None", span)
            seen, note = taking(given, stdin, refused, told, portion, self._progress)
            offset = before.st_size if span is None else part.start + span.done
            head, tail = edges(file, offset)
        self._set(Mark(
            name, f"{before.st_dev}:{before.st_ino}", offset, part.lines + (span.lines if span else 0),
            before.st_size, before.st_mtime_ns, head, tail, seen or (mark.format if mark else ""), note,
        ), portion)  # fmt: skip

    def _read_object(self, source: Source, portion: Portion, taking: Taking) -> None:
        """Fetch an object and read all of it: a store that stops answering half way leaves nothing of it behind."""
        with tempfile.TemporaryDirectory(prefix="stillwatch-") as place:
            name = source.name.rpartition("/")[2]
            kept = name.startswith("features-") and name.endswith(".parquet")
            path = Path(place) / ("features-object.parquet" if kept else "object")
            _fetch(source, path)
            refused = Named(Path(place) / "refused", source.name, 0)
            given = Source(source.name, path)
            seen, note = taking(given, None, refused, self._format, portion, self._progress)
        self._set(
            Mark(source.name, source.version, source.size, 0, source.size, 0, "", "", seen, note), portion
        )

    def _set(self, mark: Mark, portion: Portion) -> None:
        """How far a log was read, once the portion counts."""
        self._marks[mark.name] = mark
        portion.marks.append(astuple(mark))

    def _useless(self, name: str, path: Path, portion: Portion, why: str) -> None:
        """A file that cannot be opened: it is noted, and tried again at every visit."""
        self._set(Mark(name, _identity(path), 0, 0, 0, 0, "", "", "", why), portion)

    def _commit(self, portion: Portion, visited: Visited) -> None:
        self._state.commit(portion)
        visited.rows += portion.rows
        visited.late += portion.late
        visited.skipped += portion.skipped
        visited.refused += sum(portion.reasons.values())


class _Span:
    """Bytes of a file between two places, counted as they are read."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file = file
        self._at, self._left = start, length
        self.done = 0
        self.lines = 0

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        self._file.seek(self._at + self.done)
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        self.done += len(data)
        self.lines += data.count(b"\n")
        return data


def _fetch(source: Source, path: Path) -> None:
    """Copy what lies elsewhere into a file of this machine."""
    try:
        with source.open() as raw, path.open("wb") as file:
            shutil.copyfileobj(raw, file, 8 * 2**20)
    except OSError as error:
        raise UpstreamError(
            f"{source.name}: {(error.strerror or 'cannot be read').lower()}",
            hint="it is tried again at the next visit",
        ) from error


def _walked(given: str) -> list[Source]:
    try:
        return find_sources([given])
    except SourceError:  # nothing but hidden files
        return []


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _size(path: Path) -> int:
    at = _stat(path)
    return at.st_size if at else 0


def _identity(path: Path) -> str:
    at = _stat(path)
    return f"{at.st_dev}:{at.st_ino}" if at else ""


def _holds(file: BinaryIO, mark: Mark | None) -> bool:
    """Whether what was read of a log is there, at both of its ends."""
    return mark is not None and edges(file, mark.offset) == (mark.head, mark.tail)


def _same(path: Path, mark: Mark) -> bool:
    try:
        with path.open("rb") as file:
            return _size(path) >= mark.offset and _holds(file, mark)
    except OSError:
        return False


def _cuttable(path: Path) -> bool:
    """Plain lines of JSON: what is appended can be read by itself."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return False
    return squash(head[:8]) == "plain" and container_of(head) == "jsonl"


def _whole_lines(path: Path, part: Part, size: int) -> int:
    """Where to stop: behind the last line end within a portion's bytes, or at the end of a settled file."""
    end = size
    try:
        file = path.open("rb")
    except OSError:
        return part.start
    with file:
        reach = PORTION_BYTES
        while end > part.start:
            end = min(size, part.start + reach)
            if end == size and part.to_end:
                return size
            at = end
            while at > part.start:
                low = max(at - HEAD, part.start)
                file.seek(low)
                found = file.read(at - low).rfind(b"\n")
                if found >= 0:
                    return low + found + 1
                at = low
            if end == size:
                return part.start
            reach *= 2
    return part.start
