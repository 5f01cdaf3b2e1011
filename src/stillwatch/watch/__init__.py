"""What a watch decides between two looks: what of a file is new, how much error a look may spend, which group is which.

Nothing here reads a file or the clock. The state of a watch lives in ``store``, its work in ``wiring.watching``.
"""

from __future__ import annotations

from stillwatch.watch.levels import Levels, Schedule, Spent
from stillwatch.watch.lineage import Standing, firm, first_names, follow
from stillwatch.watch.tailing import Mark, Part, next_part

__all__ = [
    "Levels",
    "Mark",
    "Part",
    "Schedule",
    "Spent",
    "Standing",
    "firm",
    "first_names",
    "follow",
    "next_part",
]
