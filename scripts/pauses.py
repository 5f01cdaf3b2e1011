"""Where a call's time went: in work, in waiting for a core that others had, in waiting for a thread of the program.

Linux counts for each thread how long it ran and how long it stood ready without a core (``schedstat``). A call that
took longer than its thread ran or stood ready was asleep: it waited for the interpreter, a lock or the disk. If the
thread beside it, which follows what is published, itself stood ready without a core meanwhile, so much of that sleep is
the fault of whoever had the core. Whoever sleeps gives the core away, which is counted as well: a thread that neither
ran nor stood ready nor gave anything away did not sleep, the whole machine stood still under its hypervisor. The rest
is the program's own, at most: what the other thread ran while this one stood ready is in it, and a core that runs
slowly, for whatever reason. A loop that does as much and
waits for nobody, measured in the same way, shows how much that is.

A second process does nothing but sleep a millisecond at a time and note when that took much longer (as jHiccup does):
whether the machine stood still, seen from outside.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

LONG_NS = 5_000_000
"""A pause: five milliseconds."""
_WHO = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)
_HICCUP = """
import time
last = time.monotonic_ns()
while True:
    time.sleep(0.001)  # who wakes late was not let on: that is what is looked for
    now = time.monotonic_ns()
    if now - last > 3_000_000:
        print(last, now, flush=True)
    last = now
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """What the kernel has counted so far, in nanoseconds: of the calling thread, and of the one beside it."""

    at: int
    ran: int
    queued: int
    given: int
    beside_ran: int
    beside_queued: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Where the time of one call went, in nanoseconds."""

    began: int
    wall: int
    ran: int
    queued: int
    """Ready, without a core."""
    given: int
    """How often the thread gave its core away to wait."""
    beside_ran: int
    beside_queued: int

    @property
    def missing(self) -> int:
        """Neither running nor ready."""
        return max(0, self.wall - self.ran - self.queued)

    @property
    def asleep(self) -> int:
        """Waiting for something."""
        return self.missing if self.given else 0

    @property
    def own(self) -> int:
        """At most so much is the program's own."""
        behind = min(self.queued, self.beside_ran)  # perhaps on the core that this thread was ready for
        return self.ran + behind + max(0, self.asleep - self.beside_queued)

    @property
    def cause(self) -> str:
        """What most of a pause was."""
        shares = {
            "its own": self.own,
            "waited for a core": self.queued - min(self.queued, self.beside_ran),
            "the machine stood still": self.missing - self.asleep,
            "the other thread waited for a core": min(self.asleep, self.beside_queued),
        }
        return "its own" if self.own > LONG_NS else max(shares, key=shares.__getitem__)

    def told(self) -> dict[str, Any]:
        """In milliseconds, and the cause."""
        parts = {**asdict(self), "asleep": self.asleep, "own": self.own}
        counted = {"began", "given"}
        return {
            "cause": self.cause,
            **{f"{n}_ms": round(ns / 1e6, 2) for n, ns in parts.items() if n not in counted},
        }


class Meter:
    """Reads the counts; made by the thread whose calls are measured."""

    def __init__(self, beside: str) -> None:
        """``beside`` is the name of the other thread."""
        found = [t.native_id for t in threading.enumerate() if t.name == beside]
        self._own = _counts("/proc/thread-self/schedstat")
        self._beside = _counts(f"/proc/self/task/{found[0]}/schedstat") if found else _nothing

    def now(self) -> Moment:
        """The counts, the clock last."""
        beside, (_, queued), given = self._beside(), self._own(), _given()
        ran = time.thread_time_ns()
        return Moment(time.monotonic_ns(), ran, queued, given, *beside)

    def since(self, before: Moment) -> Spent:
        """What was spent, the clock first."""
        at, ran = time.monotonic_ns(), time.thread_time_ns()
        (_, queued), (beside_ran, beside_queued) = self._own(), self._beside()
        return Spent(before.at, at - before.at, ran - before.ran, queued - before.queued, _given() - before.given,
                     beside_ran - before.beside_ran, beside_queued - before.beside_queued)  # fmt: skip


def _nothing() -> tuple[int, int]:
    return 0, 0


def _counts(path: str) -> Callable[[], tuple[int, int]]:
    """Nanoseconds that a thread ran and stood ready so far; nothing where the system does not tell."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return _nothing

    def read() -> tuple[int, int]:
        ran, queued = os.pread(handle, 80, 0).split()[:2]
        return int(ran), int(queued)

    return read


def _given() -> int:
    return resource.getrusage(_WHO).ru_nvcsw


def faults() -> dict[str, int]:
    """Page faults and switches of the calling thread so far."""
    found = resource.getrusage(_WHO)
    return {"minor_faults": found.ru_minflt, "major_faults": found.ru_majflt,
            "switches_taken": found.ru_nivcsw, "switches_given": found.ru_nvcsw}  # fmt: skip


def stolen_s() -> float:
    """Seconds that a hypervisor kept from this machine so far, as it tells."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0


@contextmanager
def hiccups() -> Iterator[list[tuple[int, int]]]:
    """Times (nanoseconds, monotonic) at which the machine let another process wait; filled in at the end."""
    found: list[tuple[int, int]] = []
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen([sys.executable, "-c", _HICCUP], stdout=said) as meter:
            try:
                yield found
            finally:
                meter.terminate()
        said.seek(0)
        for line in said.read().splitlines(keepends=True):
            if line.endswith("\n"):  # the last may be cut
                begin, end = map(int, line.split())
                found.append((begin, end))


def met(began: int, took: int, found: list[tuple[int, int]]) -> bool:
    """Whether the machine stood still for another process during a call."""
    return any(begin < began + took and began < end for begin, end in found)
