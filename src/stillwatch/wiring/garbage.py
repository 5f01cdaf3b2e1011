"""When the interpreter looks for garbage: its longest looks take tens of milliseconds, in which nothing is decided."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def settled() -> None:
    """A process has loaded what it will keep: never look through that again, and seldom through the rest.

    Requests and rows come in thousands and hold no cycles. Only for processes of our own: a server in which we are
    guests decides this for itself.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@contextmanager
def uncollected() -> Iterator[None]:
    """Nobody looks while something loads; what is loaded lasts, or goes by itself."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
