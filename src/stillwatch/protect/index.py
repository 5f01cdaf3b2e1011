"""The rules of a policy by what they can match, so that a request meets few of them.

Facts of few values make a profile; which rules fit it is worked out once and remembered. Some of those facts are
the customer's own words (model, operation, plan), so the memory is bounded: a flood of new profiles costs time,
never memory. Rules that list accounts, organisations or campaigns are found by the name alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stillwatch.protect.rule import Matcher, Rule, name_of, profile
from stillwatch.records import Facts

MOST_PROFILES = 4_096


class Index:
    """Rules in order, and the memory of which of them fit which profile."""

    __slots__ = ("_keyed", "_known", "_open", "matchers")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.matchers = tuple(Matcher(rule) for rule in rules)
        self._open = tuple(pair for pair in enumerate(self.matchers) if pair[1].keyed is None)
        self._keyed: dict[str, dict[str, list[int]]] = {}
        for place, matcher in enumerate(self.matchers):
            if matcher.keyed is not None:
                by_name = self._keyed.setdefault(matcher.keyed, {})
                for name in matcher.names(matcher.keyed):
                    by_name.setdefault(name, []).append(place)
        self._known: dict[object, tuple[tuple[int, Matcher], ...]] = {}

    def matching(self, facts: Facts) -> Iterator[Rule]:
        """Rules that fit, in order."""
        seen = profile(facts)
        found = self._known.get(seen)
        if found is None:
            found = tuple(pair for pair in self._open if pair[1].fits_profile(seen))
            if len(self._known) >= MOST_PROFILES:
                self._known = {}
            self._known[seen] = found
        if self._keyed and (named := self._named(facts)):
            also = [(p, m) for p in named if (m := self.matchers[p]).fits_profile(seen)]
            found = tuple(sorted((*found, *also), key=lambda pair: pair[0]))
        for _, matcher in found:
            if matcher.plain or matcher.fits_rest(facts):
                yield matcher.rule

    def _named(self, facts: Facts) -> list[int]:
        """Places of rules that list the request's account, organisation or campaign."""
        out: list[int] = []
        for kind, by_name in self._keyed.items():
            name = name_of(facts, kind)
            if name is not None:
                out += by_name.get(name, ())
        return out
