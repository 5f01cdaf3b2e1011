"""Modes: which accounts a canary acts for. The same account is in or out for every rule of a policy.

Examples
--------
>>> sum(in_canary(f"acct-{i}", "default", 0.05) for i in range(10_000))
472
>>> all(in_canary("a", "default", 1.0) for _ in range(3)), in_canary("a", "default", 0.0)
(True, False)
"""

from __future__ import annotations

from hashlib import blake2b

from stillwatch.protect.rule import Rule
from stillwatch.records import Action, Mode


def in_canary(account_id: str, policy: str, share: float) -> bool:
    """Whether a canary of this share acts for an account.

    Drawn by digest, so that every replica agrees and a larger share keeps the accounts of a smaller one.
    """
    seed = f"{policy}\0{account_id}".encode("utf-8", "surrogatepass")
    drawn = int.from_bytes(blake2b(seed, digest_size=8, person=b"sw-canary").digest(), "big")
    return drawn < share * 2.0**64


def acts(rule: Rule, account_id: str, policy: str) -> bool:
    """Whether a rule that matches takes effect for an account, or only says what it would have done.

    A rule that observes always takes effect: it does nothing but end the search, as it will when enforced.
    """
    if rule.mode is Mode.ENFORCE or rule.action is Action.OBSERVE:
        return True
    return rule.mode is Mode.CANARY and in_canary(account_id, policy, rule.canary_share)
