"""Grants as a gate sees them: does one cover this request, now, within its volume?

The volume is what this gate has served since it began to count; what was served before is not known here, and
the scan, which sees the whole log, has the last word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stillwatch.protect.state import EVER, State
from stillwatch.records import Answer, Request


@dataclass(frozen=True, slots=True)
class LiveGrant:
    """One grant; times in seconds since 1970, UTC; half-open."""

    grant_id: str
    account_id: str | None
    org_id: str | None
    models: tuple[str, ...]
    """Empty means every model."""
    valid_from: float
    valid_until: float
    max_exchanges: int | None = None
    max_output_tokens: int | None = None

    def covers(self, request: Request, state: State, now: float) -> bool:
        """Whether the request is inside its models, time and volume."""
        if not self.valid_from <= now < self.valid_until or (
            self.models and request.model not in self.models
        ):
            return False
        if self.max_exchanges is not None and state.count(self._key("exchanges"), now) >= self.max_exchanges:
            return False
        most = self.max_output_tokens
        return most is None or state.count(self._key("tokens"), now) < most

    def spend(self, answer: Answer, state: State, now: float) -> None:
        """Count what was served against it."""
        if self.max_exchanges is not None:
            state.add(self._key("exchanges"), 1, EVER, now)
        if self.max_output_tokens is not None and answer.output_tokens > 0:
            state.add(self._key("tokens"), answer.output_tokens, EVER, now)

    def _key(self, what: str) -> str:
        return f"grant:{self.grant_id}:{what}"


class Grants:
    """Grants by who holds them."""

    def __init__(self, grants: Iterable[LiveGrant] = ()) -> None:
        self._by: dict[tuple[str, str], list[LiveGrant]] = {}
        for grant in sorted(grants, key=lambda g: (g.valid_until, g.grant_id)):
            for kind, name in (("account", grant.account_id), ("org", grant.org_id)):
                if name:
                    self._by.setdefault((kind, name), []).append(grant)

    def of(self, request: Request) -> list[LiveGrant]:
        """Grants of the account and of its organisation, those that end first in front."""
        if not self._by:
            return []
        found = self._by.get(("account", request.account_id), [])
        if request.org_id:
            found = found + [g for g in self._by.get(("org", request.org_id), []) if g not in found]
        return found

    def covering(self, request: Request, state: State, now: float) -> LiveGrant | None:
        """The grant that this request draws on."""
        return next((g for g in self.of(request) if g.covers(request, state, now)), None)

    def place(self, request: Request, state: State, now: float) -> str:
        """``none``, ``inside`` or ``outside``."""
        if not self.of(request):
            return "none"
        return "inside" if self.covering(request, state, now) else "outside"


def grants_from(rows: Iterable[Mapping[str, Any]]) -> list[LiveGrant]:
    """Grants from rows of GRANT_SCHEMA."""
    return [
        LiveGrant(
            row["grant_id"], row.get("account_id"), row.get("org_id"),
            () if not row.get("models") or "*" in row["models"] else tuple(row["models"]),
            row["valid_from"].timestamp(), row["valid_until"].timestamp(), row.get("max_exchanges"),
            row.get("max_output_tokens"),
        )
        for row in rows
    ]  # fmt: skip
