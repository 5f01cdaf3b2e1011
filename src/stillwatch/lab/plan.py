"""The plan of a world: every exchange as 75 bytes of integers, in time order, on disk when there are many.

Batches come in the order in which the classes were built. They are held in memory up to a limit, then dealt
out over windows of time, one scratch file per window. :meth:`Plan.sealed` sorts window after window, so that
memory depends on the fullest window and not on the length of the plan. The order is that of one stable sort
by time over all batches, whatever the limit was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

EVENT_TYPES: dict[str, Any] = {
    "t": np.int64,
    "account": np.int32,
    "stream": np.int32,
    "seed": np.uint64,
    "nonce": np.uint64,
    "turn": np.int16,
    "ip": np.uint32,
    "client": np.int64,
    "model": np.int8,
    "status": np.int16,
    "extraction": np.bool_,
    "end_user": np.uint64,
    "sealed_in": np.uint64,
    "device": np.uint64,
    "key_no": np.int8,
}
"""One planned exchange. ``turn`` is -1 outside conversations; zero means absent for the 64-bit fields."""

ROW = np.dtype(list(EVENT_TYPES.items()))
"""The same as one packed record."""

Columns = dict[str, npt.NDArray[Any]]
Rows = npt.NDArray[np.void]

HOLD_ROWS = 1_000_000
"""Rows kept in memory before they go to scratch: 75 MB."""
_WINDOWS = 64


class Plan:
    """Planned exchanges of one world.

    Args
    ----
    start_us, end_us: the world's time span; every row lies inside.
    scratch: folder for windows and the sorted plan; ``None`` keeps everything in memory.
    hold: rows kept in memory before they are written out.
    """

    def __init__(
        self, start_us: int, end_us: int, scratch: Path | None = None, hold: int = HOLD_ROWS
    ) -> None:
        self._start, self._span = start_us, max(1, end_us - start_us)
        self._scratch, self._hold = scratch, hold
        self._kept: list[Rows] = []
        self._held = 0
        self._watched: list[Columns] | None = None
        self.rows = 0
        """Exchanges planned so far."""

    def __len__(self) -> int:
        """Exchanges planned so far."""
        return self.rows

    @contextmanager
    def watched(self) -> Iterator[list[Columns]]:
        """Batches that are planned inside the ``with``; earlier ones may be on disk already."""
        before, self._watched = self._watched, []
        try:
            yield self._watched
        finally:
            self._watched = before

    def append(self, batch: Columns) -> None:
        """Take one batch of equally long columns."""
        rows = np.empty(len(batch["t"]), dtype=ROW)
        for name in EVENT_TYPES:
            rows[name] = batch[name]
        if self._watched is not None:
            self._watched.append(batch)
        self._kept.append(rows)
        self._held += len(rows)
        self.rows += len(rows)
        if self._scratch is not None and self._held > self._hold:
            self._spill(self._scratch)

    def sealed(self) -> SortedPlan:
        """All rows in time order; equal times keep the order of planning. The plan is empty afterwards."""
        spilled = self._scratch is not None and any(self._scratch.glob("window-*.bin"))
        if self._scratch is None or not spilled:
            rows = _in_order(np.concatenate(self._kept)) if self._kept else np.empty(0, dtype=ROW)
            self._kept, self._held = [], 0
            return SortedPlan(rows)
        self._spill(self._scratch)
        path = self._scratch / "plan.bin"
        with path.open("wb") as out:
            for window in range(_WINDOWS):
                part = self._scratch / f"window-{window:02d}.bin"
                if part.exists():
                    _in_order(np.fromfile(part, dtype=ROW)).tofile(out)
                    part.unlink()
        return SortedPlan(path)

    def _spill(self, scratch: Path) -> None:
        rows = np.concatenate(self._kept) if self._kept else np.empty(0, dtype=ROW)
        self._kept, self._held = [], 0
        window = ((rows["t"] - self._start) * _WINDOWS // self._span).astype(np.int8)
        order = np.argsort(window, kind="stable")
        cuts = np.searchsorted(window[order], np.arange(_WINDOWS + 1))
        for number in range(_WINDOWS):
            chosen = order[cuts[number] : cuts[number + 1]]
            if len(chosen):
                with (scratch / f"window-{number:02d}.bin").open("ab") as out:
                    rows[chosen].tofile(out)


class SortedPlan:
    """A finished plan, read slice by slice from an array or from its file."""

    def __init__(self, source: Rows | Path) -> None:
        self._source = source
        size = source.stat().st_size // ROW.itemsize if isinstance(source, Path) else len(source)
        self.rows = int(size)
        """Exchanges in the plan."""

    def __len__(self) -> int:
        """Exchanges in the plan."""
        return self.rows

    def cut(self, first: int, last: int) -> Columns:
        """Rows ``first`` to ``last`` (past the end is fine), one contiguous array per field."""
        last = min(last, self.rows)
        if isinstance(self._source, Path):
            rows = np.fromfile(
                self._source, dtype=ROW, count=max(0, last - first), offset=first * ROW.itemsize
            )
        else:
            rows = self._source[first:last]
        return {name: np.ascontiguousarray(rows[name]) for name in EVENT_TYPES}

    def batches(self, size: int) -> Iterator[tuple[int, Columns]]:
        """First row number and columns, ``size`` rows at a time."""
        for first in range(0, self.rows, size):
            yield first, self.cut(first, first + size)

    def save(self, path: Path) -> Path:
        """The plan as a file: where it is, or written to ``path``."""
        if isinstance(self._source, Path):
            return self._source
        self._source.tofile(path)
        return path


def _in_order(rows: Rows) -> Rows:
    return rows[np.argsort(rows["t"], kind="stable")]
