"""Work of several threads over parts of a whole, for numeric code that lets go of the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Made = TypeVar("Made")


def spread(work: Callable[[Part], Made], parts: Sequence[Part], threads: int) -> list[Made]:
    """What ``work`` makes of each part, in their order, whoever is done first.

    >>> spread(lambda n: n * n, [3, 1, 2], 2)
    [9, 1, 4]
    """
    if threads < 2 or len(parts) < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        return list(pool.map(work, parts))
