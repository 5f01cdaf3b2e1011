"""Ctrl-C that is not lost: some libraries swallow the first one, or turn it into an error of their own.

The signal is noted, then raised as `KeyboardInterrupt` as always. Whoever reports progress asks again, so that
a swallowed one ends the run at the next step and not never; and an error that a library made of it is told as
what it was.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Noted:
    """What has been asked for and done in this process."""

    asked = False
    settled = False


def asked() -> bool:
    """Whether the person at the terminal has asked to stop."""
    return _Noted.asked


def check() -> None:
    """Stop here when asked to, unless the work is done already."""
    if _Noted.asked and not _Noted.settled:
        raise KeyboardInterrupt


def settle() -> None:
    """Everything is in place: stopping now undoes nothing."""
    _Noted.settled = True


def farewell() -> str:
    """One line about what an interrupted run leaves behind."""
    return (
        "interrupted: everything had been written" if _Noted.settled else "interrupted: nothing was written"
    )


@contextmanager
def noted() -> Iterator[None]:
    """Note SIGINT while inside; only where the default handler stands, and only in the main thread."""
    _Noted.asked = _Noted.settled = False
    own = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not own or threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        _Noted.asked = True
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
