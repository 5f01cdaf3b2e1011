"""Files that are new in a folder, as micro-batches of Spark's structured streaming.

Spark notes in a checkpoint which files it has handed over. A batch counts as handed over when whoever takes it has
returned; killed before that, the same batch comes again. Files that come more than once are the taker's to know.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, Queue
from threading import Event
from typing import TYPE_CHECKING, Any

from stillwatch.errors import UpstreamError

if TYPE_CHECKING:
    from stillwatch.store.spark import SparkEngine

MOST_FILES = 1000
"""In one micro-batch."""
_FILES = "path STRING, modificationTime TIMESTAMP, length LONG, content BINARY"
_LISTEN_S = 0.2


def new_files(
    engine: SparkEngine, folder: Path, checkpoint: Path, take: Callable[[list[Path]], None], *, max_age_days: int
) -> None:  # fmt: skip
    """Hand over the files below a folder that were not handed over before, batch by batch, until there are no more.

    A file is handed over once under its name; what is written to it later is not seen. Names that begin with ``.`` or
    ``_`` are hidden. The bytes of a file are not read here.

    Args:
        engine: an open session.
        folder: an absolute path that the driver and every worker sees.
        checkpoint: a folder of Spark's own; it belongs to this input.
        take: called in this thread with the files of one batch.
        max_age_days: files that are so much older than the newest are passed over after the first batch.

    Raises:
        UpstreamError: Spark failed. What ``take`` raises.
    """
    asked: Queue[tuple[list[Path], Future[None]]] = Queue()
    over = Event()

    def heard(frame: Any, number: int) -> None:
        done: Future[None] = Future()
        asked.put(([_path(row.path) for row in frame.collect()], done))
        while not done.done():
            if over.wait(_LISTEN_S):
                raise RuntimeError("nobody takes this batch any more")
        done.result()

    try:
        files = (
            engine.session.readStream.format("binaryFile").schema(_FILES)
            .option("recursiveFileLookup", "true").option("maxFilesPerTrigger", MOST_FILES)
            .option("maxFileAge", f"{max_age_days}d").load(_literal(folder))
        )  # fmt: skip
        query = (
            files.select("path").writeStream.foreachBatch(heard).option("checkpointLocation", str(checkpoint))
            .trigger(availableNow=True).start()
        )  # fmt: skip
    except Exception as error:
        raise _failed(error) from None
    try:
        while query.isActive or not asked.empty():
            try:
                found, done = asked.get(timeout=_LISTEN_S)
            except Empty:
                continue
            try:
                take(found)
            except BaseException as error:
                done.set_exception(error)
                raise
            done.set_result(None)
        if (failure := query.exception()) is not None:
            raise _failed(failure)
    finally:
        over.set()
        query.stop()


def _failed(error: BaseException) -> UpstreamError:
    return UpstreamError(
        f"the file stream failed on Spark: {type(error).__name__}",
        hint="see that the folder is there, and look at the driver's log; a damaged checkpoint goes with the state",
    )


def _path(told: str) -> Path:
    """A path as Spark tells it.

    >>> _path("file:/logs/a b.jsonl"), _path("file:///logs/c")
    (PosixPath('/logs/a b.jsonl'), PosixPath('/logs/c'))
    """
    return Path(re.sub(r"^file:/+", "/", told))


def _literal(folder: Path) -> str:
    r"""A path of which no sign is a pattern.

    >>> _literal(Path("/logs/[a]"))
    '/logs/\\[a\\]'
    """
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", str(folder))
