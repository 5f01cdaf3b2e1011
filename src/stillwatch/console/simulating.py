"""Simulations of the policy, beside the pages: in a process of its own, so that no page waits for one.

What was found is kept in memory for the policy and the run that it was made of, and is gone when the console ends.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections import OrderedDict
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeAlias

from stillwatch.console.running import Quiet
from stillwatch.errors import StillwatchError, where_it_failed
from stillwatch.settings import Settings
from stillwatch.wiring import simulate_policy

Of: TypeAlias = tuple[str, str]
"""Digests of the policy and of the run."""
_KEPT = 8


class Simulations:
    """One at a time; the newest results."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[Of, dict[str, Any]] = OrderedDict()
        self._under_way: tuple[Of, BaseProcess] | None = None

    def begin(self, of: Of, policy: Path | None, run: Path, settings: Settings) -> bool:
        """Begin one, unless one is under way; says whether it was begun."""
        with self._lock:
            if self._under_way is not None:
                return False
            spawn = multiprocessing.get_context("spawn")  # a fork would copy threads and database handles
            near, far = spawn.Pipe(duplex=False)
            process = spawn.Process(target=_simulate, args=(far, policy, run, settings), daemon=True)
            process.start()
            far.close()
            self._under_way = (of, process)
            threading.Thread(
                target=self._wait, args=(of, process, near), name="simulation", daemon=True
            ).start()
            return True

    def found(self, of: Of) -> dict[str, Any] | None:
        """What a simulation said, or ``failed`` with the reason; None when there is none of these."""
        with self._lock:
            return self._found.get(of)

    def under_way(self, of: Of) -> bool:
        """Whether it is being made now."""
        with self._lock:
            return self._under_way is not None and self._under_way[0] == of

    def close(self) -> None:
        """End what is under way."""
        with self._lock:
            process = self._under_way[1] if self._under_way else None
        if process is not None:
            process.terminate()
            process.join()

    def _wait(self, of: Of, process: BaseProcess, near: Connection) -> None:
        try:
            said = near.recv()
        except EOFError:
            said = {"failed": "it ended before it was done"}
        process.join()
        near.close()
        with self._lock:
            self._under_way = None
            self._found[of] = said
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)


def _simulate(far: Connection, policy: Path | None, run: Path, settings: Settings) -> None:
    """The other process; pages come first."""
    if hasattr(os, "nice"):
        os.nice(10)
    try:
        said = simulate_policy(policy, run, in_force=policy, settings=settings, progress=Quiet())
    except StillwatchError as error:
        said = {"failed": f"{error.message}. {error.hint}"}
    except Exception as error:
        logging.getLogger("stillwatch.console").error("simulation: %s", where_it_failed(error))
        said = {"failed": "something failed in here"}
    far.send(said)
    far.close()


__all__ = ["Simulations"]
