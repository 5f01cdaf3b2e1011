"""What was refused, in order and complete: on disk, so that any number of bad records costs no memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from stillwatch.records import Rejected
from stillwatch.report.files import rejected_line


class Sink(Protocol):
    """Where refused records go."""

    def add(self, one: Rejected) -> None:
        """Keep one."""


class Refusals:
    """Lines of ``rejected.jsonl``, written as they come and read back when the output is written."""

    def __init__(self, path: Path) -> None:
        self.reasons: Counter[str] = Counter()
        """How often each reason was given."""
        self._file = path.open("w+", encoding="utf-8", errors="replace", newline="\n")

    def __enter__(self) -> Refusals:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, one: Rejected) -> None:
        """Keep one."""
        self.reasons[one.reason] += 1
        self._file.write(rejected_line(one) + "\n")

    def extend(self, more: Iterable[Rejected]) -> None:
        """Keep several."""
        for one in more:
            self.add(one)

    def __len__(self) -> int:
        return self.reasons.total()

    def __iter__(self) -> Iterator[Rejected]:
        self._file.flush()
        self._file.seek(0)
        for line in self._file:
            yield Rejected(**json.loads(line))
