"""One rule, and whether it fits the facts of a request.

Conditions on facts of few values (tier, hint, model, ...) form the *profile*: a policy remembers which rules fit
a profile, so that a request meets only those, and of them only what is left is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import translate

from stillwatch.protect.conditions import PROFILE
from stillwatch.records import Action, Facts, Mode, Reason, Terms

Profile = tuple[str, ...]


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


def profile(facts: Facts) -> Profile:
    """The facts of few values, in the order of PROFILE."""
    r, s = facts.request, facts.standing
    return (
        s.tier, s.kind, s.hint, s.confidence, facts.grant, r.verification or s.verification or "unknown",
        r.plan or s.plan or "", r.programme or s.programme or "", r.channel or "", r.model, r.operation,
    )  # fmt: skip


class Matcher:
    """A rule with its conditions made ready."""

    __slots__ = ("_models", "_numbers", "_profile", "_rest", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        wanted = dict(rule.when)
        self._profile: list[tuple[int, frozenset[str]]] = []
        for place, name in enumerate(PROFILE):
            value = wanted.get(name)
            if name != "model" and isinstance(value, tuple):
                self._profile.append((place, frozenset(value)))
        models = wanted.get("model")
        self._models = (
            re.compile("|".join(translate(m) for m in models)) if isinstance(models, tuple) else None
        )
        self._rest = {
            k: _set(v) for k, v in rule.when if k in ("account", "org", "campaign", "families", "signals")
        }
        self._numbers = {k: float(v) for k, v in rule.when if isinstance(v, (int, float)) and k != "everyone"}

    def fits_profile(self, seen: Profile) -> bool:
        """Whether the conditions on facts of few values hold."""
        if any(seen[place] not in values for place, values in self._profile):
            return False
        return self._models is None or self._models.match(seen[PROFILE.index("model")]) is not None

    @property
    def plain(self) -> bool:
        """Whether the profile is all there is to check."""
        return not self._rest and not self._numbers

    def fits_rest(self, facts: Facts) -> bool:
        """Whether what the profile does not hold is so as well."""
        return not any(True for _ in self._missing(facts))

    def missing(self, facts: Facts) -> list[str]:
        """Conditions that do not hold, for a person to read."""
        seen = profile(facts)
        out = [PROFILE[place] for place, values in self._profile if seen[place] not in values]
        if self._models is not None and not self._models.match(facts.request.model):
            out.append("model")
        return out + list(self._missing(facts))

    def _missing(self, facts: Facts) -> Iterator[str]:
        r, s = facts.request, facts.standing
        for name, wanted in self._rest.items():
            if name == "account":
                ok = r.account_id in wanted
            elif name == "org":
                ok = r.org_id in wanted
            elif name == "campaign":
                ok = s.campaign_id in wanted
            elif name == "families":
                ok = wanted <= set(s.families)
            else:
                least = self._numbers.get("score_at_least", 0.0)
                ok = any(hit.id in wanted and hit.score >= least for hit in facts.signals)
            if not ok:
                yield name
        for name, bound in self._numbers.items():
            if name == "families_at_least":
                ok = len(s.families) >= bound
            elif name == "membership_bits_at_least":
                ok = s.membership_bits >= bound
            elif name == "extraction_share_at_least":
                ok = s.extraction_share >= bound
            elif name == "false_discovery_rate_at_most":
                ok = s.false_discovery_rate <= bound
            else:
                ok = True
            if not ok:
                yield name


def _set(value: object) -> frozenset[str]:
    return frozenset(value) if isinstance(value, tuple) else frozenset()
