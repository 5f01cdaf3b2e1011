"""What a run cost, step by step: time, processor time, memory, and what lies in the engine and on the disk.

Memory is the process's high-water mark, which the system keeps, so no peak between two looks is missed; a step that
did not raise it peaked at or below the mark that it found.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from stillwatch import __version__
from stillwatch.settings import Settings
from stillwatch.wiring.progress import Progress

FORMAT = 1
"""Of ``profile.json``."""


@dataclass(slots=True)
class Step:
    """One step of a run."""

    name: str
    seconds: float = 0.0
    cpu_s: float = 0.0
    """Of all threads."""
    rows: int | None = None
    """What the step took in or made, whichever says more; None where nothing is counted."""
    bytes: int | None = None
    """What it read, as it lay there."""
    peak_memory_bytes: int = 0
    """High-water mark of the process when the step ended."""
    raised_peak: bool = False
    """Whether the mark was set in this step."""
    engine_bytes: int = 0
    """What the engine held in memory when the step ended."""
    spilled_bytes: int = 0
    """What the engine had put on the disk by then."""


class Clock:
    """Seconds, processor time and memory per step."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.engine: Any = None
        """The embedded engine, once there is one; None on Spark, whose memory is not this process's."""
        self.steps: list[Step] = []
        self.begun = time.perf_counter()
        self._cpu_begun = time.process_time()
        self._now: Step | None = None
        self._mark = (self.begun, self._cpu_begun, peak_memory())

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds per name of a step."""
        out: dict[str, float] = {}
        for step in self.steps:
            out[step.name] = round(out.get(step.name, 0.0) + step.seconds, 3)
        return out

    def step(self, name: str, total: float | None = None) -> None:
        """End the step and begin another; an empty name only ends it."""
        self._end()
        if name:
            self._now = Step(name)
            self._mark = (time.perf_counter(), time.process_time(), peak_memory())
            self.progress.step(name, total)

    def count(self, *, rows: int | None = None, bytes: int | None = None) -> None:
        """What the present step handles."""
        if self._now is not None:
            self._now.rows = rows if rows is not None else self._now.rows
            self._now.bytes = bytes if bytes is not None else self._now.bytes

    def _end(self) -> None:
        step = self._now
        if step is None:
            return
        wall, cpu, peak = self._mark
        step.seconds = round(time.perf_counter() - wall, 3)
        step.cpu_s = round(time.process_time() - cpu, 3)
        step.peak_memory_bytes = peak_memory()
        step.raised_peak = step.peak_memory_bytes > peak
        step.engine_bytes, step.spilled_bytes = engine_use(self.engine)
        self.steps.append(step)
        self._now = None

    def profile(self, settings: Settings) -> dict[str, Any]:
        """What ``profile.json`` holds."""
        return {
            "format": FORMAT,
            "stillwatch": __version__,
            "machine": machine(),
            "settings": {"threads": settings.run.threads, "memory_limit": settings.run.memory_limit},
            "steps": [asdict(step) for step in self.steps],
            "total": {
                "seconds": round(time.perf_counter() - self.begun, 3),
                "cpu_s": round(time.process_time() - self._cpu_begun, 3),
                "peak_memory_bytes": peak_memory(),
                "spilled_bytes": max((step.spilled_bytes for step in self.steps), default=0),
            },
        }


def peak_memory() -> int:
    """High-water mark of the process's resident memory, in bytes.

    Linux keeps it for the program that runs; what ``getrusage`` gives there is never below that of the process which
    started this one.
    """
    try:
        status = Path("/proc/self/status").read_text("ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def engine_use(engine: Any) -> tuple[int, int]:
    """Bytes that the engine holds in memory, and on the disk."""
    if engine is None:
        return 0, 0
    question = "SELECT sum(memory_usage_bytes), sum(temporary_storage_bytes) FROM duckdb_memory()"
    try:
        with engine.con.cursor() as beside:  # an open answer would hold up the run's own statements
            ((held, spilled),) = beside.execute(question).fetchall()
    except duckdb.ConnectionException:  # the engine was closed: it holds nothing
        return 0, 0
    return int(held or 0), int(spilled or 0)


def machine() -> dict[str, Any]:
    """What it ran on, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(), "memory_bytes": memory, "system": platform.system(),
        "architecture": platform.machine(), "python": platform.python_version(),
    }  # fmt: skip
