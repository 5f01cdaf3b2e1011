"""Where tables and state live: the embedded engine behind Ibis, and what a gate remembers.

The engine is loaded when it is asked for: a gateway needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stillwatch.store.engine import open_backend

__all__ = ["open_backend"]


def __getattr__(name: str) -> Any:
    if name == "open_backend":
        from stillwatch.store.engine import open_backend

        return open_backend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
