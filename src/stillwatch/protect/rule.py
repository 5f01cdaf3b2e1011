"""One rule, and whether it fits the facts of a request.

Conditions on facts of few values (tier, hint, model, ...) form the *profile*: a policy remembers which rules fit
a profile, so that a request meets only those, and of them only what is left is checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

from stillwatch.records import Action, Facts, Mode, Reason, Terms

Profile = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as read: what it asks, what it does, what it says."""

    id: str
    when: tuple[tuple[str, object], ...]
    """(condition, wanted) pairs, wanted in the shape of the condition."""
    action: Action
    also: tuple[Action, ...]
    reason: Reason
    sentence: str
    mode: Mode
    canary_share: float
    expires_s: float
    appeal: str
    terms: Terms
    covert: bool
    line: int
    """Where it stands in its file."""


PROFILE = (
    "tier", "kind", "hint", "confidence", "families", "grant", "verification", "plan", "programme", "channel", "model",
    "operation", "signals",
)  # fmt: skip
"""What `profile` gives, in order."""
_AT = {name: place for place, name in enumerate(PROFILE)} | {"families_at_least": PROFILE.index("families")}


def profile(facts: Facts) -> Profile:
    """The facts of few values, in the order of PROFILE."""
    r, s, hits = facts.request, facts.standing, facts.signals
    return (
        s.tier, s.kind, s.hint, s.confidence, s.families, facts.grant, r.verification or s.verification or "unknown",
        r.plan or s.plan, r.programme or s.programme, r.channel, r.model, r.operation,
        tuple([hit.id for hit in hits]) if hits else (),
    )  # fmt: skip


class Matcher:
    """A rule with its conditions made ready."""

    __slots__ = ("_bits", "_in_profile", "_names", "_rate", "_score", "_share", "keyed", "plain", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        wanted = dict(rule.when)
        self._in_profile = [(name, _AT[name], _test(name, v)) for name, v in rule.when if name in _AT]
        self.keyed = next((name for name in ("account", "org", "campaign") if name in wanted), None)
        """A list of names that decides whether the rule is looked at, at all."""
        self._names = [
            (k, frozenset(v))
            for k, v in rule.when
            if k in ("account", "org", "campaign") and isinstance(v, tuple)
        ]
        self._bits = _number(wanted.get("membership_bits_at_least"), 0.0)
        self._share = _number(wanted.get("extraction_share_at_least"), 0.0)
        self._rate = _number(wanted.get("false_discovery_rate_at_most"), 1.0)
        asked = wanted.get("signals")
        self._score = (
            (frozenset(asked), _number(wanted.get("score_at_least"), 0.0))
            if isinstance(asked, tuple)
            else None
        )
        self.plain = not (self._names or self._bits > 0 or self._share > 0 or self._rate < 1 or self._score)
        """The profile is all there is to check."""

    def fits_profile(self, seen: Profile) -> bool:
        """Whether the conditions on facts of few values hold."""
        return all(test(seen[place]) for _, place, test in self._in_profile)

    def fits_rest(self, facts: Facts) -> bool:
        """Whether what the profile does not hold is so as well."""
        s = facts.standing
        if (
            s.membership_bits < self._bits
            or s.extraction_share < self._share
            or s.false_discovery_rate > self._rate
        ):
            return False
        return (not self._names or self._named(facts)) and (self._score is None or self._spoke(facts))

    def _named(self, facts: Facts) -> bool:
        return all(name_of(facts, kind) in names for kind, names in self._names)

    def _spoke(self, facts: Facts) -> bool:
        assert self._score is not None  # noqa: S101  asked only where there is one
        wanted, least = self._score
        return any(hit.id in wanted and hit.score >= least for hit in facts.signals)

    def names(self, kind: str) -> frozenset[str]:
        """The names of one kind that the rule lists."""
        return next((names for name, names in self._names if name == kind), frozenset())

    def missing(self, facts: Facts) -> list[str]:
        """Conditions that do not hold, for a person to read."""
        seen = profile(facts)
        return [name for name, place, test in self._in_profile if not test(seen[place])] + list(
            self._rest(facts)
        )

    def _rest(self, facts: Facts) -> Iterator[str]:
        s = facts.standing
        yield from (kind for kind, names in self._names if name_of(facts, kind) not in names)
        if s.membership_bits < self._bits:
            yield "membership_bits_at_least"
        if s.extraction_share < self._share:
            yield "extraction_share_at_least"
        if s.false_discovery_rate > self._rate:
            yield "false_discovery_rate_at_most"
        if (
            self._score is not None
            and any(h.id in self._score[0] for h in facts.signals)
            and not self._spoke(facts)
        ):
            yield "score_at_least"


def name_of(facts: Facts, kind: str) -> str | None:
    """The account, organisation or campaign of a request."""
    if kind == "account":
        return facts.request.account_id
    return facts.request.org_id if kind == "org" else facts.standing.campaign_id


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, (int, float)) else default


def _test(name: str, wanted: object) -> Callable[[Any], bool]:
    """How one fact of the profile is compared with what a rule wants."""
    if name == "families_at_least":
        least = _number(wanted, 0.0)
        return lambda families: len(families) >= least
    values = frozenset(wanted) if isinstance(wanted, tuple) else frozenset()
    if name == "families":
        return values.issubset
    if name == "signals":
        return lambda ids: not values.isdisjoint(ids)
    if name == "model":
        pattern = re.compile("|".join(translate(str(glob)) for glob in sorted(values)))
        return lambda model: pattern.match(model) is not None
    return values.__contains__
