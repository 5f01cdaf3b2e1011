"""Where tables and state live: the embedded engine behind Ibis, folders that are written while they are received, and
what a gate and a watch remember.

The engine and the folders are loaded when they are asked for: a gateway needs neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stillwatch.store.engine import open_backend
    from stillwatch.store.segments import Sealed, Segments

_WHERE = {"open_backend": "engine", "Sealed": "segments", "Segments": "segments"}

__all__ = ["Sealed", "Segments", "open_backend"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"stillwatch.store.{_WHERE[name]}"), name)
