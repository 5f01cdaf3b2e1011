"""Ids of what we share: random, never made from what they name, and kept from one version to the next.

An id that is computed from a value can be computed by everybody who guesses the value; `stix-id = hash(address)` gives
all addresses away. So ids are random, and a newer version of a bundle finds the ids of the older one by role.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID


class Ids:
    """Gives an object its id and the time when it was first made.

    >>> ids = Ids(lambda: UUID(int=1, version=4), "2026-01-01T00:00:00.000Z")
    >>> ids("campaign")
    {'id': 'campaign--00000000-0000-4000-8000-000000000001', 'created': '2026-01-01T00:00:00.000Z'}
    """

    def __init__(self, new: Callable[[], UUID], now: str, previous: Iterable[Mapping[str, Any]] = ()) -> None:
        self._new, self._now = new, now
        before = [o for o in previous if "created" in o]
        self._known = {(role_of(o)): (o["id"], o["created"]) for o in before}
        self._by_id = {str(o["id"]): o for o in before}

    def __call__(self, kind: str, *role: str) -> dict[str, str]:
        """``id`` and ``created`` of the object that has this role among those of its type."""
        found = self._known.get((kind, *role)) or (f"{kind}--{self._new()}", self._now)
        return {"id": found[0], "created": found[1]}

    def before(self, identity: str) -> Mapping[str, Any]:
        """The object of this id as it was shared before; empty when it was not."""
        return self._by_id.get(identity, {})


def role_of(stix: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes an object of a bundle the one it is."""
    kind = str(stix["type"])
    if kind == "relationship":
        return kind, str(stix["source_ref"]), str(stix["relationship_type"]), str(stix["target_ref"])
    if kind == "indicator":
        return kind, str(stix["pattern"])
    return (kind,)
