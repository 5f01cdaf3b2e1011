"""How often somebody may try: by name, by address, and by both; in memory of bounded size.

A name alone is bounded loosely, so that a stranger cannot keep an analyst out by failing in her name; name and address
together are bounded tightly.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass

_MOST_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """Failures allowed within a window."""

    pair: int = 5
    name: int = 50
    place: int = 30
    window_s: float = 900.0


class Throttle:
    """Counts failures; a success clears those of its name at its address.

    Example:
        >>> throttle = Throttle(Bounds(pair=2, window_s=60))
        >>> for _ in range(2): throttle.failed("ann", "192.0.2.1", 0.0)
        >>> throttle.wait_s("ann", "192.0.2.1", 1.0), throttle.wait_s("ann", "192.0.2.9", 1.0)
        (59, 0)
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._seen: OrderedDict[tuple[str, ...], list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, name: str, place: str, now: float) -> int:
        """Seconds until the next try is heard; 0 = now."""
        with self._lock:
            return max(self._wait(key, most, now) for key, most in self._keys(name, place))

    def failed(self, name: str, place: str, now: float) -> None:
        """Note a failure."""
        with self._lock:
            for key, most in self._keys(name, place):
                times = self._recent(key, now)
                self._seen[key] = [*times, now][-most:]
                self._seen.move_to_end(key)
            while len(self._seen) > _MOST_KEYS:
                self._seen.popitem(last=False)

    def passed(self, name: str, place: str) -> None:
        """Forget the failures of this name at this address."""
        with self._lock:
            self._seen.pop(("pair", _name(name), place), None)

    def _keys(self, name: str, place: str) -> tuple[tuple[tuple[str, ...], int], ...]:
        b, name = self._bounds, _name(name)
        return ((("pair", name, place), b.pair), (("name", name), b.name), (("place", place), b.place))

    def _recent(self, key: tuple[str, ...], now: float) -> list[float]:
        return [t for t in self._seen.get(key, ()) if now - t < self._bounds.window_s]

    def _wait(self, key: tuple[str, ...], most: int, now: float) -> int:
        times = self._recent(key, now)
        return math.ceil(times[-most] + self._bounds.window_s - now) if len(times) >= most else 0


def _name(name: str) -> str:
    return name.strip().casefold()[:200]
