"""What is new in folders, read on Spark into the state of a watch: one micro-batch after another.

Spark's file stream says which files are new; its workers read them, each file a task, and write features by day into
the state, which lies where all of them see it. The ledger stays with the driver: it says which of these files count,
in one step with how far the logs were read, as it does for a watch on one machine. A batch that comes again after a
kill finds its files noted, and reads none of them twice.

What a file stream does not tell, the ledger makes up for: a file that has changed since it was read, and one that
somebody was still writing to when it was told, are looked at again at every visit.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from stillwatch import __version__
from stillwatch.errors import ConfigError, StillwatchError, where_it_failed
from stillwatch.ingest import Source
from stillwatch.ingest.source import set_aside
from stillwatch.store.places import is_url
from stillwatch.store.watch_state import Portion
from stillwatch.watch import Mark
from stillwatch.wiring.progress import Unheard
from stillwatch.wiring.watch_reading import Logs, Visited
from stillwatch.wiring.watch_taking import Named, Taking, edges

if TYPE_CHECKING:
    from stillwatch.store.spark import SparkEngine

CHECKPOINTS = "spark"
"""Folder of the state in which Spark keeps what it has handed over."""
_SLACK_DAYS = 7
_TOLD = pa.schema([pa.field("part", pa.int32()), pa.field("told", pa.string())])


class SparkLogs(Logs):
    """Reads what is new in folders on Spark."""

    def visit(self, now: datetime, oldest_us: int) -> Visited:
        """Read everything that is new; what is older than ``oldest_us`` is counted and left."""
        from stillwatch.store.spark import open_spark
        from stillwatch.store.spark_stream import new_files

        self._marks = {name: Mark(*row) for name, row in self._state.marks().items()}
        self._forget_old(now)
        self._progress.step("reading on Spark")
        run, visited = self._settings.run, Visited()
        with tempfile.TemporaryDirectory(prefix="stillwatch-") as spill:
            engine = open_spark(run.master, threads=run.threads, memory_limit=run.memory_limit, spill=spill)
            try:
                batch = _Batch(engine, self._taking(now, oldest_us), now)
                self._take(batch, [Path(name) for name in self._marks], visited)
                for given in self._inputs:
                    take = partial(self._take_below, batch, visited, given)
                    days = self._keep_days + _SLACK_DAYS
                    new_files(
                        engine, Path(given).absolute(), self._checkpoint(given), take, max_age_days=days
                    )
            finally:
                engine.close()
        return visited

    def _forget_old(self, now: datetime) -> None:
        """Forget files that are gone and so old that the stream has forgotten them too.

        The stream knows a file by its name for that long; one that comes again under it is told by its mark alone.
        """
        limit = (now.timestamp() - (self._keep_days + _SLACK_DAYS) * 86_400) * 1e9
        gone = [m.name for m in self._marks.values() if m.modified_ns < limit and not Path(m.name).exists()]
        if gone:
            self._state.move((), gone)
            self._marks = {name: mark for name, mark in self._marks.items() if name not in gone}

    def _checkpoint(self, given: str) -> Path:
        name = hashlib.blake2b(os.fsencode(Path(given).absolute()), digest_size=8).hexdigest()
        return self._state.folder.absolute() / CHECKPOINTS / name

    def _take_below(self, batch: _Batch, visited: Visited, given: str, paths: Iterable[Path]) -> None:
        """Take files of an input, under the names that a watch on one machine gives them."""
        root = Path(given).absolute()
        self._take(batch, [Path(given) / path.relative_to(root) for path in paths], visited)

    def _take(self, batch: _Batch, paths: Iterable[Path], visited: Visited) -> None:
        """Read those that are logs, new or changed, and whole; note those that are not whole yet."""
        whole: list[Source] = []
        waiting: list[Mark] = []
        for path in sorted(paths, key=_walked):
            name = str(path)
            if self._is_own(path) or not self._changed(name, path) or _is_beside(path):
                continue
            at = path.stat()
            if batch.now.timestamp() - at.st_mtime >= self._settle_s:
                whole.append(Source(name, path.absolute(), named=False))
            elif name not in self._marks:
                waiting.append(
                    Mark(name, f"{at.st_dev}:{at.st_ino}", 0, 0, at.st_size, at.st_mtime_ns, "", "")
                )
        if not whole and not waiting:
            return
        portion = self._state.begin(batch.now.isoformat())
        for mark in waiting:
            self._set(mark, portion)
        for part in batch.read(whole, portion, self._format):
            portion.absorb(part)
        self._marks |= {mark.name: mark for mark in (Mark(*row) for row in portion.marks)}
        visited.files += len(whole)
        visited.bytes += sum(self._marks[source.name].size for source in whole if source.name in self._marks)
        self._commit(portion, visited)


@dataclass(frozen=True)
class _Batch:
    """What one visit reads with."""

    engine: SparkEngine
    taking: Taking
    now: datetime

    def read(self, sources: list[Source], portion: Portion, told: str | None) -> Iterator[Portion]:
        """Parts of a portion, one for each source, in order."""
        from stillwatch.store.spark import spark_schema

        if not sources:
            return
        work = TakeFiles(
            tuple(sources), self.taking.alone(), told, portion.number, portion.at, secrets.token_hex(4)
        )
        files = self.engine.session.range(0, len(sources), 1, numPartitions=len(sources))
        self.engine.put("taken", self.engine.mapped(files, work, spark_schema(_TOLD)))
        rows = self.engine.arrow(self.engine.table("taken").order_by("part")).column("told").to_pylist()
        self.engine.drop("taken")
        for text in rows:
            yield _heard(json.loads(text))


@dataclass(frozen=True)
class TakeFiles:
    """What each task does: numbers of files in, features into the state, and words about each file out."""

    sources: tuple[Source, ...]
    taking: Taking
    told: str | None
    number: int
    at: str
    token: str
    """Keeps apart what a task of a visit that was killed may still be writing."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for part in batch.column(0).to_pylist():
                said = json.dumps(self._file(int(part)) | {"version": __version__})
                yield pa.RecordBatch.from_pylist([{"part": int(part), "told": said}], schema=_TOLD)

    def _file(self, number: int) -> dict[str, Any]:
        from stillwatch.store.spark import MARK

        try:
            return {"portion": asdict(self.read(number))}
        except StillwatchError as error:
            return {"failed": {"message": error.message, "hint": error.hint}}
        except Exception as error:
            raise RuntimeError(f"{MARK}{where_it_failed(error)} in file {number + 1} of the batch") from None

    def read(self, number: int) -> Portion:
        """One file, as a part of the portion, with its mark."""
        source = self.sources[number]
        path = Path(str(source.path))
        portion = Portion(self.number, self.at, part=f"{self.token}-{number:06d}-")
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return portion
        except OSError as error:
            why = (error.strerror or "cannot be opened").lower()
            portion.marks.append(astuple(Mark(source.name, "", 0, 0, 0, 0, "", "", "", why)))
            return portion
        with file, tempfile.TemporaryDirectory(prefix="stillwatch-") as place:
            before = os.fstat(file.fileno())
            refused = Named(Path(place) / "refused", source.name, 0)
            seen, note = self.taking(Source(source.name, path), None, refused, self.told, portion, Unheard())
            head, tail = edges(file, before.st_size)
        identity = f"{before.st_dev}:{before.st_ino}"
        portion.marks.append(astuple(Mark(
            source.name, identity, before.st_size, 0, before.st_size, before.st_mtime_ns, head, tail, seen, note,
        )))  # fmt: skip
        return portion


def on_spark(inputs: Iterable[str]) -> None:
    """Raise when an input cannot be watched on Spark."""
    for given in inputs:
        if is_url(given):
            raise ConfigError(
                "object stores cannot be watched on Spark",
                hint="watch them with --engine duckdb, or name a mounted folder",
            )
        if not Path(given).is_dir():
            raise ConfigError(
                f"{Path(given).name} is no folder: on Spark a watch reads folders, into which files are put whole",
                hint="name the folder, or watch with --engine duckdb",
            )


def _walked(path: Path) -> list[tuple[int, str]]:
    """Sorts as a folder is walked: its files, then its folders.

    >>> sorted([Path("l/b/1"), Path("l/c")], key=_walked)
    [PosixPath('l/c'), PosixPath('l/b/1')]
    """
    return [*((1, part) for part in path.parts[:-1]), (0, path.name)]


def _is_beside(path: Path) -> bool:
    """What an ingest refused, lying beside what it kept."""
    try:
        return set_aside(path.name, os.listdir(path.parent))
    except OSError:
        return False


def _heard(said: dict[str, Any]) -> Portion:
    if said["version"] != __version__:
        raise ConfigError(
            f"a worker runs stillwatch {said['version']}, this is {__version__}",
            hint="install the same version on every worker",
        )
    if "failed" in said:
        raise ConfigError(said["failed"]["message"], hint=said["failed"]["hint"])
    return Portion(**said["portion"])
