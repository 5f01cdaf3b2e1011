"""What is new in the logs, read into the state of a watch: every line once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa

from stillwatch.detect.digest import Key
from stillwatch.detect.features import portable
from stillwatch.errors import SourceError
from stillwatch.ingest import KEPT_REJECTED, Source, find_sources
from stillwatch.ingest.recognise import HEAD, container_of
from stillwatch.ingest.source import squash
from stillwatch.records import Rejected
from stillwatch.settings import Settings
from stillwatch.store.watch_state import Portion, WatchState
from stillwatch.watch import Mark, Part, next_part
from stillwatch.wiring.intake import Intake, micro
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.refusals import Refusals

SETTLE_S = 60.0
"""A file that nobody has written to for so long is whole."""
PORTION_BYTES = 64 * 2**20
"""Bytes of logs that are read before what they gave counts."""
DAY = timedelta(days=1)
_EDGE = 4096
_FUTURE = "started_at lies more than a day ahead"


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
    """Reads what is new in files and folders into a state.

    Args:
        inputs: files, folders and patterns; a folder may be empty as yet.
        own: folders of the watch itself, which are no logs wherever they lie.
        state: where features go. settings, key, format, mapping: as for a scan.
        settle_s: a file that cannot be cut is read when nobody has written to it for so long.
    """

    def __init__(
        self, inputs: Sequence[str], state: WatchState, settings: Settings, key: Key, *, format: str | None,
        mapping: Path | None, settle_s: float, progress: Progress, own: Sequence[Path] = (),
    ) -> None:  # fmt: skip
        self._own = [folder.resolve() for folder in own]
        self._inputs, self._state, self._settings, self._key = inputs, state, settings, key
        self._format, self._mapping = format, mapping
        self._settle_s, self._progress = settle_s, progress
        self._marks: dict[str, Mark] = {}

    def visit(self, now: datetime, oldest_us: int) -> Visited:
        """Read everything that is new; what is older than ``oldest_us`` is counted and left."""
        self._marks = {name: Mark(*row) for name, row in self._state.marks().items()}
        found = {s.name: s.path for s in self._sources() if s.path is not None and not self._is_own(s.path)}
        self._follow_renames(found)
        visited = Visited()
        new = [(name, path) for name, path in found.items() if self._changed(name, path)]
        if new:
            size = sum(max(_size(path) - self._offset(name), 0) for name, path in new)
            self._progress.step(f"reading {len(new)} files" if len(new) > 1 else "reading", float(size))
        portion: Portion | None = None
        waiting = 0
        for name, path in new:
            visited.files += 1
            for part, length in self._parts(name, path, now):
                portion = portion or self._state.begin(now.isoformat())
                self._read(name, path, part, length, portion, now, oldest_us)
                waiting += length
                visited.bytes += length
                if waiting >= PORTION_BYTES:
                    self._commit(portion, visited)
                    portion, waiting = None, 0
        if portion is not None:
            self._commit(portion, visited)
        return visited

    def _sources(self) -> list[Source]:
        try:
            return find_sources(self._inputs)
        except SourceError:
            if all(Path(given).is_dir() for given in self._inputs):
                return [
                    s for given in self._inputs if any(Path(given).rglob("[!.]*")) for s in _walked(given)
                ]
            raise

    def _is_own(self, path: Path) -> bool:
        """In the state or in the run folder."""
        whole = path.resolve()
        return any(whole.is_relative_to(folder) for folder in self._own)

    def _offset(self, name: str) -> int:
        mark = self._marks.get(name)
        return mark.offset if mark else 0

    def _follow_renames(self, found: dict[str, Path]) -> None:
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
        gone = self._marks.keys() - now.keys()
        if moved or gone:
            self._state.move([astuple(mark) for mark in moved], gone)
        self._marks = now

    def _changed(self, name: str, path: Path) -> bool:
        mark, now = self._marks.get(name), _stat(path)
        if mark is None or now is None:
            return now is not None
        return (mark.size, mark.modified_ns) != (now.st_size, now.st_mtime_ns) or mark.offset < now.st_size

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

    def _read(
        self, name: str, path: Path, part: Part, length: int, portion: Portion, now: datetime, oldest_us: int
    ) -> None:
        """Read one part into a portion and set the mark behind it."""
        mark = self._marks.get(name)
        latest = now + DAY
        told = self._format or (mark.format if mark and part.start and not self._mapping else None) or None
        note = ""
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
            refused = _Named(Path(place) / "refused", name, part.lines)
            with refused:
                intake = None
                try:
                    intake = Intake(
                        ["-"] if span else [str(path)], _until(self._settings, latest), self._key, format=told,
                        mapping=self._mapping, stdin=cast("BinaryIO", span), progress=_Within(self._progress),
                        refused=refused,
                    )  # fmt: skip
                    for batch in intake.batches():
                        self._keep(batch, intake, portion, oldest_us, micro(latest), refused)
                except SourceError as error:
                    note = error.message.removeprefix(f"{error.where}: ")
                    refused.add(Rejected(name, 0, note))
                for one in refused:
                    if len(portion.refused) < KEPT_REJECTED:
                        portion.refused.append((one.source, one.line, one.reason))
                for reason, count in refused.reasons.items():
                    portion.reasons[reason] = portion.reasons.get(reason, 0) + count
            reader = intake.reader if intake else None
            portion.skipped += reader.total.skipped if reader else 0
            seen = reader.recognised[0].format if reader and reader.recognised else ""
            offset = before.st_size if span is None else part.start + span.done
            head, tail = _edges(file, offset)
        self._marks[name] = Mark(
            name, f"{before.st_dev}:{before.st_ino}", offset, part.lines + (span.lines if span else 0),
            before.st_size, before.st_mtime_ns, head, tail, seen or (mark.format if mark else ""), note,
        )  # fmt: skip
        portion.marks.append(astuple(self._marks[name]))

    def _useless(self, name: str, path: Path, portion: Portion, why: str) -> None:
        """A file that cannot be opened: it is noted, and tried again at every visit."""
        self._marks[name] = Mark(name, _identity(path), 0, 0, 0, 0, "", "", "", why)
        portion.marks.append(astuple(self._marks[name]))

    def _keep(
        self, batch: pa.RecordBatch, intake: Intake, portion: Portion, oldest_us: int, latest_us: int,
        refused: _Named,
    ) -> None:  # fmt: skip
        """Features of a batch into the portion."""
        ahead = np.asarray(batch.column("ts").to_numpy() >= latest_us)
        if ahead.any():  # a reader refuses these itself; feature files hold what another process let pass
            for _ in range(int(ahead.sum())):
                refused.add(Rejected(refused.name, 0, _FUTURE))
            batch = batch.filter(pa.array(~ahead))
        table = portable(batch, intake.feat.names, self._key.key_id)
        seen = ",".join(sorted(intake.feat.seen_fields)).encode()
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"fields": seen})
        self._state.add(portion, table, oldest_us)

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


class _Named(Refusals):
    """Refusals of one part of a log, under the log's own name and lines."""

    def __init__(self, path: Path, name: str, lines: int) -> None:
        super().__init__(path)
        self.name, self._lines = name, lines

    def add(self, one: Rejected) -> None:
        """Keep one."""
        own = one.source == "-"
        super().add(Rejected(self.name, one.line + self._lines if own else one.line, one.reason))


class _Within:
    """Progress of one part: it moves the bar of the visit and begins no phase of its own."""

    def __init__(self, outer: Progress) -> None:
        self._outer = outer

    def step(self, name: str, total: float | None = None) -> None:
        self._outer.advance(0.0)

    def advance(self, amount: float) -> None:
        self._outer.advance(amount)

    def note(self, text: str) -> None:
        self._outer.note(text)


def _walked(given: str) -> list[Source]:
    try:
        return find_sources([given])
    except SourceError:  # nothing but hidden files
        return []


def _until(settings: Settings, latest: datetime) -> Settings:
    told = settings.ingest.latest
    ingest = settings.ingest.model_copy(update={"latest": min(told, latest) if told else latest})
    return settings.model_copy(update={"ingest": ingest})


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


def _edges(file: BinaryIO, offset: int) -> tuple[str, str]:
    """Digests of the first and the last bytes before a place in a file."""
    digests = []
    for start in (0, max(offset - _EDGE, 0)):
        file.seek(start)
        digests.append(hashlib.blake2b(file.read(min(_EDGE, offset)), digest_size=8).hexdigest())
    return digests[0], digests[1]


def _holds(file: BinaryIO, mark: Mark | None) -> bool:
    """Whether what was read of a log is there, at both of its ends."""
    return mark is not None and _edges(file, mark.offset) == (mark.head, mark.tail)


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
