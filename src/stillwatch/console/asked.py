"""What a table of a page was asked for: search, order and place, and the addresses that ask for a little more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request

PAGE = 50
_FURTHEST = 10_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a table."""

    path: str
    q: str = ""
    tier: str = ""
    sort: str = ""
    down: bool = False
    offset: int = 0

    def turned(self, name: str) -> str:
        """The address that orders by a column; once more turns it round."""
        return self._address(sort=name, down=self.sort == name and not self.down, offset=0)

    def at(self, offset: int) -> str:
        """The address of another page of rows."""
        return self._address(offset=max(0, offset))

    def _address(self, **changed: object) -> str:
        values: dict[str, object] = {"q": self.q, "tier": self.tier, "sort": self.sort, "down": self.down,
                                     "offset": self.offset} | changed  # fmt: skip
        told = {k: ("1" if v is True else v) for k, v in values.items() if v}
        return f"{self.path}?{urlencode(told, errors='replace')}"


def asked(
    request: Request, q: str = "", tier: str = "", sort: str = "", down: str = "", offset: str = "0"
) -> Asked:
    """Read it from an address; nonsense is taken as not said."""
    place = int(offset) if offset.isascii() and offset.isdecimal() and len(offset) < 9 else 0
    return Asked(request.url.path, q[:200], tier[:20], sort[:40], down == "1", min(place, _FURTHEST))


AsAsked = Annotated[Asked, Depends(asked)]
