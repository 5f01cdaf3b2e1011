"""When the interpreter looks for garbage: its longest looks take tens of milliseconds, in which nothing is decided."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = 100_000, 20, 50
"""Thresholds of the three generations."""


def settled() -> None:
    """A process has loaded what it will keep: never look through that again, and seldom through the rest.

    Requests and rows come in thousands and hold no cycles. Only for processes of our own: a server in which we are
    guests decides this for itself.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)


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


@contextmanager
def seldom() -> Iterator[None]:
    """Looks are rare while a job runs that makes many objects and few cycles; afterwards they are as before.

    >>> before = gc.get_threshold()
    >>> with seldom():
    ...     gc.get_threshold() == before
    False
    >>> gc.get_threshold() == before
    True
    """
    was = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*was)
