"""Where tables live: the embedded engine behind Ibis, and folders that are written while they are received."""

from stillwatch.store.engine import open_backend
from stillwatch.store.segments import Sealed, Segments

__all__ = ["Sealed", "Segments", "open_backend"]
