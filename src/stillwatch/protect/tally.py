"""Who a policy touches, by action, by rule and by segment: the sum of decisions over recorded exchanges."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from stillwatch.protect.estimate import by_campaign, estimate
from stillwatch.records import Action, Decision, Standing

SIZES = ((10, "under 10 exchanges"), (100, "10 to 99"), (1_000, "100 to 999"), (10_000, "1,000 to 9,999"))
SEGMENTS = ("programme", "plan", "verification", "channel", "size")
NOT_KNOWN = "not known"


@dataclass(slots=True)
class Tally:
    """Decisions of one policy, added up. An account is touched when any of its requests met more than observe."""

    requests: int = 0
    not_served: int = 0
    faults: int = 0
    by_action: dict[str, set[str]] = field(default_factory=dict)
    """Accounts by action."""
    by_rule: dict[str, set[str]] = field(default_factory=dict)
    requests_by_action: Counter[str] = field(default_factory=Counter)
    unserved: set[str] = field(default_factory=set)
    """Accounts that had a request refused."""
    touched: set[str] = field(default_factory=set)

    def add(self, decision: Decision) -> None:
        """Count one decision."""
        account = decision.account_id
        self.requests += 1
        self.faults += decision.reason.value.startswith("fail_")
        for action in decision.actions:
            self.requests_by_action[action.value] += 1
            self.by_action.setdefault(action.value, set()).add(account)
        if decision.rule is not None:
            self.by_rule.setdefault(decision.rule, set()).add(account)
        if decision.actions != (Action.OBSERVE,):
            self.touched.add(account)
        if not decision.allowed:
            self.not_served += 1
            self.unserved.add(account)


def size_of(exchanges: int) -> str:
    """Segment of a customer's size.

    >>> size_of(3), size_of(10_000)
    ('under 10 exchanges', '10,000 and more')
    """
    return next((name for limit, name in SIZES if exchanges < limit), "10,000 and more")


def summary(
    tally: Tally, standings: dict[str, Standing], segments: dict[str, dict[str, str]], groups: int
) -> dict[str, Any]:
    """A tally as figures: by action, by rule, by segment, and how many of the touched are innocent.

    Parameters
    ----------
    tally
        The decisions.
    standings
        What the run says of every account that was seen.
    segments
        Account -> segment -> value.
    groups
        Pools and campaigns of the run.
    """
    rated = {
        a: (s.campaign_id, s.false_discovery_rate, s.membership_bits)
        for a in tally.touched
        if (s := standings[a]).kind == "campaign" and s.tier == "member" and s.campaign_id is not None
    }
    innocent = estimate(
        by_campaign(rated), len(tally.touched) - len(rated), accounts=len(standings), groups=groups
    )
    return {
        "requests": tally.requests,
        "requests_not_served": tally.not_served,
        "accounts": len(standings),
        "touched": len(tally.touched),
        "refused_some": len(tally.unserved),
        "faults": tally.faults,
        "by_action": {
            a.value: {"accounts": len(tally.by_action.get(a.value, ())), "requests": tally.requests_by_action[a.value]}
            for a in Action
        },
        "by_rule": {rule: len(accounts) for rule, accounts in sorted(tally.by_rule.items())},
        "by_segment": _by_segment(tally.touched, segments),
        "innocent": {
            "rated": innocent.rated, "expected": round(innocent.expected, 4),
            "strangers": innocent.strangers, "low": innocent.low,
            "high": innocent.high, "unrated": innocent.unrated,
        },
    }  # fmt: skip


def _by_segment(
    touched: set[str], segments: dict[str, dict[str, str]]
) -> dict[str, dict[str, dict[str, int]]]:
    out: dict[str, dict[str, dict[str, int]]] = {}
    for name in SEGMENTS:
        seen: Counter[str] = Counter()
        met: Counter[str] = Counter()
        for account, values in segments.items():
            value = values.get(name) or NOT_KNOWN
            seen[value] += 1
            met[value] += account in touched
        rank = {size: place for place, (_, size) in enumerate(SIZES)} if name == "size" else {}
        ordered = sorted(seen, key=lambda v: (v == NOT_KNOWN, rank.get(v, len(rank)), v))
        out[name] = {v: {"accounts": seen[v], "touched": met[v]} for v in ordered}
    return out
