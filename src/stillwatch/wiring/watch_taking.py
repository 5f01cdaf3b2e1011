"""What one log gives, into a portion of the state of a watch: here, or on a worker of a cluster."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from stillwatch.detect.digest import Key
from stillwatch.detect.features import portable
from stillwatch.errors import SourceError
from stillwatch.ingest import KEPT_REJECTED, Source
from stillwatch.records import Rejected
from stillwatch.settings import Settings
from stillwatch.store.watch_state import Portion
from stillwatch.wiring.features import with_fields
from stillwatch.wiring.intake import Intake, micro
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.refusals import Refusals

_EDGE = 4096
_FUTURE = "started_at lies more than a day ahead"


class Named(Refusals):
    """Refusals of one part of a log, under the log's own name and lines."""

    def __init__(self, path: Path, name: str, lines: int) -> None:
        super().__init__(path)
        self.name, self._lines = name, lines

    def add(self, one: Rejected) -> None:
        """Keep one."""
        own = one.source == "-"
        super().add(Rejected(self.name, one.line + self._lines if own else one.line, one.reason))


@dataclass(frozen=True)
class Taking:
    """How logs become features of a state; the same for every log of a visit."""

    settings: Settings
    key: Key
    mapping: Path | None
    root: Path
    """Where feature files go."""
    oldest_us: int
    """What is older is counted and left."""
    latest: datetime
    """What is not older than this is refused: nobody may push on what is kept."""

    def __call__(
        self, given: Source, stdin: BinaryIO | None, refused: Named, told: str | None, portion: Portion,
        progress: Progress,
    ) -> tuple[str, str]:  # fmt: skip
        """Read a source, or ``stdin`` in its place: the format that was recognised, and why it was of no use.

        Args:
            given: what to read.
            stdin: a part of it, when it is not read whole.
            refused: where refusals are kept, under the name of the log.
            told: the format, when it is known.
            portion: takes rows, refusals and counts; its mark is the caller's.
            progress: of the visit.
        """
        note = ""
        with refused:
            intake = None
            try:
                intake = Intake(
                    [given] if stdin is None else ["-"], self._until(), self.key, format=told, mapping=self.mapping,
                    stdin=stdin, progress=Within(progress), refused=refused,
                )  # fmt: skip
                for batch in intake.batches():
                    self._keep(batch, intake, portion, refused)
            except SourceError as error:
                note = error.message.removeprefix(f"{error.where}: ")
                refused.add(Rejected(refused.name, 0, note))
            for one in refused:
                if len(portion.refused) < KEPT_REJECTED:
                    portion.refused.append((one.source, one.line, one.reason))
            for reason, count in refused.reasons.items():
                portion.reasons[reason] = portion.reasons.get(reason, 0) + count
        reader = intake.reader if intake else None
        portion.skipped += reader.total.skipped if reader else 0
        return reader.recognised[0].format if reader and reader.recognised else "", note

    def alone(self) -> Taking:
        """The same with one thread, for a task beside others."""
        run = self.settings.run.model_copy(update={"threads": 1})
        return replace(self, settings=self.settings.model_copy(update={"run": run}))

    def _keep(self, batch: pa.RecordBatch, intake: Intake, portion: Portion, refused: Named) -> None:
        """Features of a batch into the portion."""
        ahead = np.asarray(batch.column("ts").to_numpy() >= micro(self.latest))
        if ahead.any():  # a reader refuses these itself; feature files hold what another process let pass
            for _ in range(int(ahead.sum())):
                refused.add(Rejected(refused.name, 0, _FUTURE))
            batch = batch.filter(pa.array(~ahead))
        table = with_fields(portable(batch, intake.feat.names, self.key.key_id), intake)
        portion.keep(table, self.oldest_us, self.root)

    def _until(self) -> Settings:
        told = self.settings.ingest.latest
        latest = min(told, self.latest) if told else self.latest
        return self.settings.model_copy(
            update={"ingest": self.settings.ingest.model_copy(update={"latest": latest})}
        )


def edges(file: BinaryIO, offset: int) -> tuple[str, str]:
    """Digests of the first and the last bytes before a place in a file."""
    digests = []
    for start in (0, max(offset - _EDGE, 0)):
        file.seek(start)
        digests.append(hashlib.blake2b(file.read(min(_EDGE, offset)), digest_size=8).hexdigest())
    return digests[0], digests[1]


class Within:
    """Progress of one part: it moves the bar of the visit and begins no phase of its own."""

    def __init__(self, outer: Progress) -> None:
        self._outer = outer

    def step(self, name: str, total: float | None = None) -> None:
        """Keep the visit's phase."""
        self._outer.advance(0.0)

    def advance(self, amount: float) -> None:
        """Move on within it."""
        self._outer.advance(amount)

    def note(self, text: str) -> None:
        """Say something once."""
        self._outer.note(text)
