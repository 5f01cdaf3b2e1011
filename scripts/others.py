"""How much of the processor other programs used while something was measured, so that a page can say it."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path


class Others:
    """Runs from when it is made; ask once everything that was started here has ended."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.monotonic(), _busy(), _own()

    def cores(self) -> float | None:
        """Cores that other programs used on average; None where the system does not tell."""
        busy = _busy()
        if busy is None or self._busy is None:
            return None
        used = (busy - self._busy) - (_own() - self._own)
        return round(max(0.0, used / max(time.monotonic() - self._began, 1e-9)), 2)


def _busy() -> float | None:
    """Seconds of processor time that everything used since the start of the machine, as Linux counts them."""
    try:
        fields = Path("/proc/stat").read_text("ascii").partition("\n")[0].split()[1:]
    except OSError:
        return None
    idle = int(fields[3]) + int(fields[4])
    return float(sum(map(int, fields[:8])) - idle) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Seconds that this program used, and what it started and waited for."""
    found = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in found)
