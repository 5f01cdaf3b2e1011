"""From what is posted to what is kept: rounds of posts become one durable write, and only then are they answered.

One thread does the work. While it reads and writes one round, the next gathers behind it, so that many posts share one
sync. A post that was answered with 200 is on the disk; one that was not is the sender's to send again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from stillwatch.detect.digest import Key
from stillwatch.detect.features import Featurizer, portable
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.errors import where_it_failed
from stillwatch.ingest import (
    KEPT_REJECTED,
    REJECTED,
    Limits,
    PostBounds,
    Posted,
    Unusable,
    derive_text,
    from_rows,
    read_posted,
)
from stillwatch.receive import Denied, Metrics, Post, Taken
from stillwatch.records import EXCHANGE_REQUIRED, EXCHANGE_SCHEMA, Rejected
from stillwatch.report.files import rejected_line
from stillwatch.store import Segments

log = logging.getLogger("stillwatch.receive")
_EPOCH = datetime.fromtimestamp(0, UTC)
_ROUND_POSTS = 256
_PORTION_BYTES = 16 * 2**20
"""Unpacked bytes of posts whose rows are held at one time, the last of them left aside."""
_TICK_S = 0.5
"""How often an idle receiver looks whether its journal is old."""

Answered = tuple["asyncio.Future[Taken | Denied]", Taken | Denied]


@dataclass(slots=True)
class _Job:
    """One post on its way, with what was read of it."""

    post: Post
    future: asyncio.Future[Taken | Denied]
    posted: Posted = field(default_factory=lambda: Posted([], []))
    refused: list[tuple[int, str]] = field(default_factory=list)
    """Number and reason of rows that are not exchanges."""

    def taken(self) -> Taken:
        """What was made of it."""
        refused = Counter(reason for _, reason in self.posted.refused + self.refused)
        return Taken(len(self.posted.rows) - len(self.refused), self.posted.skipped, refused)


class Receiver:
    """Keeps posts in a folder. `take` belongs to the event loop, everything else to one thread.

    Args:
        segments: the folder.
        key: under which digests are made; None keeps exchanges as they are.
        limits: what an exchange must be like.
        bounds: how far a body may go.
        batch_rows: exchanges handled at a time.
        metrics: where it is counted.
    """

    def __init__(
        self,
        segments: Segments,
        key: Key | None,
        limits: Limits,
        bounds: PostBounds,
        batch_rows: int,
        metrics: Metrics,
    ) -> None:
        self._segments, self._key, self._limits, self._bounds = segments, key, limits, bounds
        self._batch_rows, self._metrics = batch_rows, metrics
        self._lexicon = load_lexicon()
        self._posts: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._sealer = ThreadPoolExecutor(1, "seal")
        self._refusals = _Refusals(segments.folder / REJECTED)
        self._thread = threading.Thread(target=self._work, name="keep", daemon=True)
        self._trouble: str | None = None

    async def take(self, post: Post) -> Taken | Denied:
        """Keep a post; what it held is durable when this returns."""
        future: asyncio.Future[Taken | Denied] = asyncio.get_running_loop().create_future()
        self._posts.put(_Job(post, future))
        return await future

    @property
    def alive(self) -> bool:
        """Whether the thread is at work."""
        return self._thread.is_alive()

    @property
    def trouble(self) -> str | None:
        """Why nothing can be kept at present."""
        return self._trouble if self.alive else "the receiver has stopped"

    def start(self) -> None:
        """Seal what an earlier process left, compile what has to be compiled, then begin."""
        self._seal_waiting()
        read_posted(b"{}", "traces-json", "identity", self._bounds)
        row = {"exchange_id": "e", "account_id": "a", "model": "m", "prompt": "first", "messages": "[]"}
        self._table(pa.RecordBatch.from_pylist([row | {"started_at": _EPOCH}], schema=EXCHANGE_SCHEMA))
        self._thread.start()

    def stop(self) -> None:
        """Keep what has been posted, seal everything, and end."""
        self._posts.put(None)
        self._thread.join()
        self._segments.roll()
        self._sealer.submit(self._seal_waiting).result()
        self._sealer.shutdown()
        self._refusals.close()

    def _work(self) -> None:
        going = True
        while going:
            jobs, going = self._gathered()
            if jobs:
                self._round(jobs)
            elif self._trouble is not None:
                self._probe()
            if self._segments.due():
                self._segments.roll()
                self._sealer.submit(self._seal_waiting)

    def _gathered(self) -> tuple[list[_Job], bool]:
        """The posts of the next round, and whether more may come."""
        jobs: list[_Job] = []
        with suppress(queue.Empty):
            job = self._posts.get(timeout=_TICK_S)
            while job is not None:
                jobs.append(job)
                if len(jobs) >= _ROUND_POSTS:
                    return jobs, True
                job = self._posts.get_nowait()
            return jobs, False
        return jobs, True

    def _round(self, jobs: Iterable[_Job]) -> None:
        """Read posts and keep them, in portions that bound the memory."""
        portion: list[_Job] = []
        rows = size = 0
        for job in jobs:
            try:
                job.posted = read_posted(job.post.body, job.post.kind, job.post.encoding, self._bounds)
            except Unusable as error:
                self._answer([(job.future, Denied(413 if error.too_large else 400, error.reason))])
                continue
            except Exception as error:
                self._answer([(job.future, self._failed(error))])
                continue
            portion.append(job)
            rows, size = rows + len(job.posted.rows), size + job.posted.size
            if rows >= self._batch_rows or size >= _PORTION_BYTES:
                self._keep(portion)
                for kept in portion:
                    kept.posted = Posted([], [])
                portion, rows, size = [], 0, 0
        if portion:
            self._keep(portion)

    def _keep(self, jobs: Sequence[_Job]) -> None:
        """Make a portion durable and answer it. A post that breaks something does not take its neighbours along."""
        try:
            for job in jobs:
                job.refused.clear()
            for table in self._tables(jobs):
                began = time.perf_counter()
                self._segments.append(table)
                self._metrics.commits.observe(time.perf_counter() - began)
                self._trouble = None
        except OSError as error:
            self._broken("write", error)
            self._answer([(job.future, Denied(503, self._trouble or "")) for job in jobs])
        except Exception as error:
            if len(jobs) > 1:
                for job in jobs:
                    self._keep([job])
            else:
                self._answer([(jobs[0].future, self._failed(error))])
        else:
            self._refusals.add(jobs)
            self._answer([(job.future, job.taken()) for job in jobs])

    def _tables(self, jobs: Sequence[_Job]) -> Iterator[pa.Table]:
        """What is kept of the posts' rows."""
        places = [(job, line) for job in jobs for line in job.posted.lines]
        rows = [row for job in jobs for row in job.posted.rows]
        for start in range(0, len(rows), self._batch_rows):
            batch, reasons = from_rows(
                rows[start : start + self._batch_rows], EXCHANGE_SCHEMA, EXCHANGE_REQUIRED, self._limits
            )
            for at, reason in reasons.items():
                job, line = places[start + at]
                job.refused.append((line, reason))
            if batch.num_rows:
                yield self._table(derive_text(batch))

    def _table(self, batch: pa.RecordBatch) -> pa.Table:
        if self._key is None:
            return pa.Table.from_batches([batch])
        feat = Featurizer(self._key, self._lexicon)
        table = portable(feat.batch(batch), feat.names, self._key.key_id)
        seen = ",".join(sorted(feat.seen_fields)).encode()
        return table.replace_schema_metadata({**(table.schema.metadata or {}), b"fields": seen})

    def _answer(self, answers: Sequence[Answered]) -> None:
        """Hand answers to the event loop, unless it is gone with those who asked."""
        with suppress(RuntimeError):
            answers[0][0].get_loop().call_soon_threadsafe(_resolve, answers)

    def _failed(self, error: Exception) -> Denied:
        self._metrics.failures.labels("keep").inc()
        log.error("a request failed: %s", where_it_failed(error))
        return Denied(500, "it failed in here; the receiver's log says where")

    def _broken(self, what: str, error: OSError) -> None:
        self._metrics.failures.labels(what).inc()
        reason = (error.strerror or type(error).__name__).lower()
        if self._trouble is None:
            log.error("nothing can be kept: %s", reason)
        self._trouble = f"nothing can be kept at present ({reason}): send it again later"

    def _probe(self) -> None:
        try:
            self._segments.probe()
        except OSError:
            return
        log.warning("what comes can be kept again")
        self._trouble = None

    def _seal_waiting(self) -> None:
        for journal in self._segments.waiting():
            try:
                sealed = self._segments.seal(journal)
            except Exception as error:
                self._metrics.failures.labels("seal").inc()
                log.error("%s stays a journal: %s", journal.name, where_it_failed(error))
                continue
            if sealed is None:
                continue
            self._metrics.segments.inc()
            if sealed.torn:
                log.warning("%s: %d bytes cut off that nobody was told of", sealed.path.name, sealed.torn)
            if sealed.damaged:
                log.error("%s: %d records are damaged; the journal is kept", sealed.path.name, sealed.damaged)


def _resolve(answers: Sequence[Answered]) -> None:
    for future, outcome in answers:
        if not future.done():
            future.set_result(outcome)


class _Refusals:
    """Refused records as lines of ``rejected.jsonl``, up to a number; beyond it they are only counted."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = open(descriptor, "a", encoding="utf-8", errors="replace", newline="\n")
        self._left = KEPT_REJECTED

    def add(self, jobs: Sequence[_Job]) -> None:
        """Keep those of a portion. A full disk is no reason to fail: the sender was told."""
        with suppress(OSError):
            for job in jobs:
                for line, reason in sorted(job.posted.refused + job.refused)[: self._left]:
                    self._file.write(rejected_line(Rejected(job.post.path, line, reason)) + "\n")
                    self._left -= 1
            self._file.flush()

    def close(self) -> None:
        """Write what is left."""
        with suppress(OSError):
            self._file.close()
