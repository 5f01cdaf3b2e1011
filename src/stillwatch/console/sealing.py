"""Sealing what people do: while the console serves, the log of evidence takes up the audit record now and then.

Without a log nothing happens. When the log cannot be written, what was done stays done: that is said once in the
console's own output, and the next turn makes up for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from stillwatch.errors import StillwatchError, where_it_failed

EVERY_S = 30.0
"""Seconds between two turns."""


class Sealing:
    """Calls ``seal`` from a thread of its own until the block ends, and once more then."""

    def __init__(self, seal: Callable[[], int], every_s: float = EVERY_S) -> None:
        self._seal, self._every_s = seal, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="sealing", daemon=True)
        self._well = True

    def __enter__(self) -> Sealing:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._once()

    def _go_on(self) -> None:
        while not self._ended.wait(self._every_s):
            self._once()

    def _once(self) -> None:
        try:
            self._seal()
        except Exception as error:
            if self._well:
                why = (
                    f"{error}; {error.hint}" if isinstance(error, StillwatchError) else where_it_failed(error)
                )
                logging.getLogger("stillwatch.console").error("the log of evidence is behind: %s", why)
            self._well = False
            return
        self._well = True


__all__ = ["EVERY_S", "Sealing"]
