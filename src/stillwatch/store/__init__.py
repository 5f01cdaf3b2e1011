"""Where tables live: the embedded engine behind Ibis."""

from stillwatch.store.engine import open_backend

__all__ = ["open_backend"]
