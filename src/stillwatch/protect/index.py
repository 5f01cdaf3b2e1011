"""The rules of a policy by what they can match, so that a request meets few of them.

Facts of few values make a profile; which rules fit it is worked out once and remembered. Some of those facts are
the customer's own words (model, operation, plan), so the memory is bounded: a flood of new profiles costs time,
never memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.protect.rule import Matcher, Profile, Rule

MOST_PROFILES = 4_096


class Index:
    """Rules in order, and the memory of which of them fit which profile."""

    __slots__ = ("_known", "matchers")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.matchers = tuple(Matcher(rule) for rule in rules)
        self._known: dict[Profile, tuple[Matcher, ...]] = {}

    def candidates(self, seen: Profile) -> tuple[Matcher, ...]:
        """Rules whose conditions on the profile hold, in order."""
        found = self._known.get(seen)
        if found is None:
            found = tuple(m for m in self.matchers if m.fits_profile(seen))
            if len(self._known) >= MOST_PROFILES:
                self._known = {}
            self._known[seen] = found
        return found
