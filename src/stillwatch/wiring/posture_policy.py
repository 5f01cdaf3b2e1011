"""What a policy does to a campaign, told by asking it: the decision that gates make, for an imagined member.

A rule that is there may never be reached, may be switched off, or may act in shadow only. So nothing is read off rules:
the policy decides, as a gate would, on the firm member of a campaign that a scan puts forward for action, on a sweep of
logits, and on both inside a permission.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from stillwatch.practice.posture import Value
from stillwatch.protect.decide import decide
from stillwatch.protect.policy import Policy
from stillwatch.records import Action, Facts, Mode, Request, SignalHit, Standing

LIMITS = frozenset({Action.THROTTLE, Action.HOLD, Action.DENY})
LESS = LIMITS | {Action.VERIFY, Action.SUMMARISE, Action.HARDEN}
"""Actions by which a customer gets less."""
EXAMPLES = ("example.com", "example.org", "example.net", "example", "invalid", "test", "localhost")
"""Domains at which nobody reads (RFC 2606), and what is below them."""
_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_MEMBER = Facts(
    Request("posture", "posture", "posture", verification="none"),
    Standing(
        "member",
        "campaign",
        "act",
        "high",
        ("content", "identity", "infrastructure"),
        "posture",
        100.0,
        1.0,
        1e-6,
    ),
)
_SWEEP = Facts(
    replace(_MEMBER.request, logprobs=True), signals=(SignalHit("logit_harvest", 1.0, "imagined"),)
)
_FURTHEST = (Mode.ENFORCE, Mode.CANARY, Mode.SHADOW)


def asked(policy: Policy, off: Set[str]) -> dict[str, Value]:
    """Facts of a policy with some rules switched off."""
    modes = {rule.id: rule.mode for rule in policy.rules}
    facts = (_MEMBER, _SWEEP, replace(_MEMBER, grant="inside"), replace(_SWEEP, grant="inside"))
    member, sweep, inside, swept = (_answers(policy, each, off, modes) for each in facts)
    all_on = [_answers(policy, each, frozenset(), modes) for each in facts]

    def best(wanted: Set[Action], *answers: dict[Action, Mode]) -> str:
        """``enforce``, ``canary``, ``shadow``; ``off`` when only a switched-off rule would; ``none``."""
        found = {answer[action] for answer in answers for action in wanted & set(answer)}
        for mode in _FURTHEST:
            if mode in found:
                return mode.value
        return "off" if any(wanted & set(answer) for answer in all_on[: len(answers)]) else "none"

    return {
        "policy.digest": policy.digest,
        "policy.limits_campaigns": best(LIMITS, member),
        "policy.summarises_campaigns": best(frozenset({Action.SUMMARISE}), member),
        "policy.marks_campaigns": best(frozenset({Action.MARK}), member),
        "policy.hardens": best(frozenset({Action.HARDEN}), member, sweep),
        "policy.covert_rules": sum(rule.covert for rule in policy.rules if rule.id not in off),
        "policy.appeal_is_yours": _yours(policy),
        "policy.grant_first": not LESS & {*inside, *swept},
    }


def _answers(policy: Policy, facts: Facts, off: Set[str], modes: dict[str, Mode]) -> dict[Action, Mode]:
    """What is done or would be done, and in which mode: the furthest of each action."""
    decision = decide(policy, facts, _MOMENT, off=off)
    done = [(action, modes.get(decision.rule or "", Mode.ENFORCE)) for action in decision.actions]
    done += [(action, modes[w.rule]) for w in decision.would for action in (w.action, *w.also)]
    found: dict[Action, Mode] = {}
    for action, mode in done:
        if action not in found or _FURTHEST.index(mode) < _FURTHEST.index(found[action]):
            found[action] = mode
    return found


def _yours(policy: Policy) -> bool:
    """Whether every address for appeals is somebody's: not missing, and not an example's."""
    addresses = [address.lower() for address in (policy.appeal, *(rule.appeal for rule in policy.rules))]
    hosts = [_host(address) for address in addresses]
    return all(hosts) and not any(
        f".{host}".endswith(tuple(f".{each}" for each in EXAMPLES)) for host in hosts
    )


def _host(address: str) -> str:
    """The domain of an address of the web or of mail; empty when there is none.

    >>> _host("https://lab.example.com:443/a?d={decision}"), _host("mailto:a@example.com?s={decision}")
    ('lab.example.com', 'example.com')
    """
    try:
        parts = urlsplit(address)
        found = parts.path.rpartition("@")[2] if parts.scheme == "mailto" else parts.hostname or ""
    except ValueError:
        return ""
    return found.rstrip(".")


__all__ = ["asked"]
