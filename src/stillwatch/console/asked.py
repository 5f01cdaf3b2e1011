"""What a table of a page was asked for: search, order and place, and the addresses that ask for a little more.

Those addresses are queries alone, so that they hold for the page that the table stands on; ``path`` is where the table
can be had without the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request

PAGE = 50
_FURTHEST = 10_000_000
_NARROWS = frozenset({"all", "mine", "state", "subject"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a table."""

    path: str
    q: str = ""
    tier: str = ""
    sort: str = ""
    down: bool = False
    offset: int = 0
    more: tuple[tuple[str, str], ...] = ()
    """What else narrows this table."""

    def turned(self, name: str) -> str:
        """The query that orders by a column; once more turns it round."""
        return self._address(sort=name, down=self.sort == name and not self.down, offset=0)

    def at(self, offset: int) -> str:
        """The query for another page of rows."""
        return self._address(offset=max(0, offset))

    def _address(self, **changed: object) -> str:
        values: dict[str, object] = {"q": self.q, "tier": self.tier, "sort": self.sort, "down": self.down,
                                     "offset": self.offset} | changed  # fmt: skip
        told = dict(self.more) | {k: ("1" if v is True else v) for k, v in values.items() if v}
        return f"?{urlencode(told, errors='replace')}"


def asked(
    request: Request, q: str = "", tier: str = "", sort: str = "", down: str = "", offset: str = "0"
) -> Asked:
    """Read it from an address; nonsense is taken as not said."""
    place = int(offset) if offset.isascii() and offset.isdecimal() and len(offset) < 9 else 0
    more = tuple((k, v[:600]) for k, v in request.query_params.items() if k in _NARROWS)
    return Asked(request.url.path, q[:200], tier[:20], sort[:40], down == "1", min(place, _FURTHEST), more)


AsAsked = Annotated[Asked, Depends(asked)]
