"""From facts to a decision: one pure function, the same at a gateway, in a simulation and in a replay.

Examples
--------
>>> from datetime import UTC, datetime
>>> from stillwatch.protect.policy import parse_policy
>>> from stillwatch.records import Facts, Request, Standing
>>> policy = parse_policy('''
... policy = "demo"
... version = "1"
... mode = "enforce"
... appeal = "https://example.com/appeal?d={decision}"
... [[rule]]
... id = "act"
... when = { hint = ["act"] }
... action = "hold"
... reason = "campaign_member"
... ''', where="policy.toml")
>>> facts = Facts(Request("r-1", "acct-1", "m"), Standing(hint="act"))
>>> answer = decide(policy, facts, datetime(2026, 1, 1, tzinfo=UTC))
>>> answer.action.value, answer.allowed, answer.rule
('hold', False, 'act')
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

from stillwatch.protect.conditions import LEVELS
from stillwatch.protect.keys import CAMPAIGN_KEY
from stillwatch.protect.modes import acts
from stillwatch.protect.policy import Policy
from stillwatch.protect.rule import Rule
from stillwatch.records import NO_TERMS, Action, Decision, Facts, Mode, Reason, Request, Terms, Would

_span = lru_cache(maxsize=256)(lambda seconds: timedelta(seconds=seconds))
RANK = {level: min(place, 4) for place, level in enumerate(LEVELS)}


def decide(
    policy: Policy,
    facts: Facts,
    now: datetime,
    *,
    off: Set[str] = frozenset(),
    settings_digest: str = "",
    run_digest: str = "",
) -> Decision:
    """The first rule that matches and acts decides; when none does, the fall-through does.

    A rule in shadow, or in a canary that the account is not in, is noted in ``would`` and passed over. State is
    not asked here: for ``throttle`` and ``verify`` the caller (``wiring.policy.Gate``) adds how long to wait and
    the challenge.

    Parameters
    ----------
    policy
        As loaded.
    facts
        The request, what the risk table says of its account, its grant, the signals that spoke.
    now
        Time of the decision, UTC.
    off
        Rules that a kill switch has taken out of force.
    settings_digest, run_digest
        Stamped on the decision.
    """
    would: list[Would] = []
    account = facts.request.account_id
    for rule in policy.index.matching(facts):
        if rule.id in off or _verified(rule, facts):
            continue
        if acts(rule, account, policy.name):
            return _decision(policy, facts, now, rule, tuple(would), settings_digest, run_digest)
        would.append(Would(rule.id, rule.action, rule.also))
    return _decision(policy, facts, now, None, tuple(would), settings_digest, run_digest)


def _verified(rule: Rule, facts: Facts) -> bool:
    """Whether a rule that asks for verification is answered by what the account already has."""
    if rule.action is not Action.VERIFY or rule.terms.level is None:
        return False
    has = facts.request.verification or facts.standing.verification or "none"
    return RANK.get(has, 0) >= RANK[rule.terms.level]


def _decision(
    policy: Policy, facts: Facts, now: datetime, rule: Rule | None, would: tuple[Would, ...], settings: str, run: str
) -> Decision:  # fmt: skip
    request, standing = facts.request, facts.standing
    name = decision_id(request.request_id, request.account_id, now, policy.digest)
    signals = tuple(hit.id for hit in facts.signals)
    if rule is None:
        return Decision(
            name, now, request.account_id, Action.OBSERVE, Reason.NO_RULE, Reason.NO_RULE.sentence, policy.version,
            policy.digest, settings, run, None, Mode.ENFORCE, standing.families, now + _span(policy.expires_s),
            policy.appeal.replace("{decision}", name), False, (), NO_TERMS, standing.campaign_id, signals, would,
        )  # fmt: skip
    terms = rule.terms
    if terms.key == CAMPAIGN_KEY:
        terms = _with_key(terms, standing.campaign_id)
    return Decision(
        name, now, request.account_id, rule.action, rule.reason, rule.sentence, policy.version, policy.digest,
        settings, run, rule.id, rule.mode, standing.families, now + _span(rule.expires_s),
        rule.appeal.replace("{decision}", name), rule.covert, rule.also, terms, standing.campaign_id, signals, would,
    )  # fmt: skip


def _with_key(terms: Terms, campaign_id: str | None) -> Terms:
    """The marking key of the account's campaign; no key where the account has none."""
    return replace(terms, key=f"campaign:{campaign_id}" if campaign_id else None)


def decision_id(request_id: str, account_id: str, now: datetime, policy_digest: str) -> str:
    """Name of a decision, made from what it answers, so that a replay gives the same.

    >>> from datetime import UTC, datetime
    >>> decision_id("r-1", "acct-1", datetime(2026, 1, 1, tzinfo=UTC), "00")
    'D-...'
    """
    seed = f"{request_id}\0{account_id}\0{now.timestamp()!r}\0{policy_digest}".encode(
        "utf-8", "surrogatepass"
    )
    return "D-" + blake2b(seed, digest_size=10, person=b"sw-decision").hexdigest()


def fault(
    request: Request, now: datetime, *, closed: bool, policy: Policy | None, settings_digest: str = "",
    run_digest: str = "", retry_s: float = 30.0,
) -> Decision:  # fmt: skip
    """The decision when none can be made: serve (``fail_open``) or not (``fail_closed``), said as such."""
    reason = Reason.FAIL_CLOSED if closed else Reason.FAIL_OPEN
    digest = policy.digest if policy else ""
    name = decision_id(request.request_id, request.account_id, now, digest)
    return Decision(
        name, now, request.account_id, Action.DENY if closed else Action.OBSERVE, reason, reason.sentence,
        policy.version if policy else "", digest, settings_digest, run_digest, None, Mode.ENFORCE, (),
        now + timedelta(seconds=retry_s), policy.appeal.replace("{decision}", name) if policy else "",
    )  # fmt: skip
