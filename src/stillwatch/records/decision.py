"""Policy's answer to one request: closed vocabularies of actions, reasons and modes, and the decision itself.

Examples
--------
>>> [action.value for action in Action]
['observe', 'throttle', 'verify', 'summarise', 'harden', 'mark', 'hold', 'deny']
>>> Reason.NO_RULE.sentence
'No rule applies to this request; it is served as usual.'
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class _Told(StrEnum):
    """A word of a closed vocabulary with its meaning."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> _Told:
        word = str.__new__(cls, value)
        word._value_ = value
        word.meaning = meaning
        return word


class Action(_Told):
    """What policy may ask of a gateway."""

    OBSERVE = "observe", "Serve as usual; the decision is recorded."
    THROTTLE = (
        "throttle",
        "Serve at a limited rate, with a burst; beyond it answer 429 with the time to wait.",
    )
    VERIFY = "verify", "Ask for step-up verification: a challenge that your own sign-up flow answers."
    SUMMARISE = (
        "summarise",
        "Serve, but withhold visible reasoning: the answer carries a summary of it at most.",
    )
    HARDEN = "harden", "Serve, with fields that leak logits or samples stripped or clamped."
    MARK = "mark", "Serve, with the output-marking key that is named."
    HOLD = "hold", "Do not serve until a person has looked."
    DENY = "deny", "Do not serve."


SERVED = frozenset({Action.OBSERVE, Action.THROTTLE, Action.SUMMARISE, Action.HARDEN, Action.MARK})
"""Actions under which the request is served; throttle only while there is room."""


class Mode(_Told):
    """How far a rule's action takes effect."""

    SHADOW = "shadow", "What would have been done is recorded; nothing is done."
    CANARY = "canary", "Done for a stated share of accounts, chosen by digest; shadow for the others."
    ENFORCE = "enforce", "Done."


class Reason(StrEnum):
    """Why, as a code for programs and a sentence for the customer. A rule may put its own sentence in place."""

    meaning: str
    sentence: str

    def __new__(cls, value: str, meaning: str, sentence: str) -> Reason:
        word = str.__new__(cls, value)
        word._value_ = value
        word.meaning = meaning
        word.sentence = sentence
        return word

    NO_RULE = (
        "no_rule", "No rule matched: the fall-through.", "No rule applies to this request; it is served as usual.",
    )  # fmt: skip
    WITHIN_GRANT = (
        "within_grant", "The request is inside a recorded grant.",
        "This request is covered by a permission recorded for your account.",
    )  # fmt: skip
    OUTSIDE_GRANT = (
        "outside_grant", "The account holds a grant and the request is outside its scope.",
        "This request is outside the models, time or volume of the permission recorded for your account.",
    )  # fmt: skip
    CAMPAIGN_MEMBER = (
        "campaign_member", "A scan counts the account as part of a campaign.",
        "Your account appears to act together with others whose joint use looks like collecting training data.",
    )  # fmt: skip
    POOL_MEMBER = (
        "pool_member", "A scan counts the account as part of a pool, use unknown.",
        "Your account appears to be run together with others that declare no common organisation.",
    )  # fmt: skip
    LINKED_ACCOUNT = (
        "linked_account", "A scan links the account with a group, not firmly.",
        "Your account shows some signs of being used together with others; a person has not looked at it yet.",
    )  # fmt: skip
    ACCOUNT_LISTED = (
        "account_listed", "The operator names the account or organisation.",
        "The operator of this service has set a special rule for your account.",
    )  # fmt: skip
    VERIFICATION_NEEDED = (
        "verification_needed", "The request asks for more verification than the account has.",
        "This use asks for a higher level of verification than your account has.",
    )  # fmt: skip
    SEALED_REPLAY = (
        "sealed_replay", "A sealed reasoning block was presented where it was not issued.",
        "The request carries a reasoning block that was issued to another account, conversation or model.",
    )  # fmt: skip
    LOGIT_HARVEST = (
        "logit_harvest", "Log-probabilities are swept with changing biases.",
        "The request asks for log-probabilities under changing biases more often than this service allows.",
    )  # fmt: skip
    PROMPT_PATTERN = (
        "prompt_pattern", "A prompt family spoke.",
        "The wording of this request belongs to a family that this service takes note of.",
    )  # fmt: skip
    ACCESS_TERMS = (
        "access_terms", "The operator's terms for a model, operation, plan or channel.",
        "This model or operation is offered under special terms.",
    )  # fmt: skip
    FAIL_OPEN = (
        "fail_open", "The decision could not be made and settings say: serve.",
        "This request is served as usual.",
    )  # fmt: skip
    FAIL_CLOSED = (
        "fail_closed", "The decision could not be made and settings say: do not serve.",
        "This request cannot be checked at the moment; please try again shortly.",
    )  # fmt: skip


GIVEN_BY_RULES = tuple(r for r in Reason if r not in (Reason.NO_RULE, Reason.FAIL_OPEN, Reason.FAIL_CLOSED))
"""Reasons that a rule may give; the others belong to the machinery."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The details of an action; only those of the decision's own actions are set."""

    rate_per_min: float | None = None
    """throttle: requests a minute in the long run."""
    burst: int | None = None
    """throttle: requests at once."""
    per: str = "account"
    """throttle: whose requests count together: ``account``, ``campaign`` or ``org``."""
    level: str | None = None
    """verify: the verification asked for."""
    url: str | None = None
    """verify: where the operator's own flow begins."""
    strip: tuple[str, ...] = ()
    """harden: fields to remove."""
    clamp: tuple[tuple[str, int], ...] = ()
    """harden: (field, largest value)."""
    key: str | None = None
    """mark: name of the marking key."""


NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Would:
    """What a rule in shadow would have done."""

    rule: str
    action: Action
    also: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Policy's answer: action, reason, what the customer is told, what it rests on, until when.

    A gateway serves the request when ``allowed``; applies ``actions`` under ``terms``; tells the customer
    ``for_customer()``; waits for nothing else.
    """

    decision_id: str
    at: datetime
    account_id: str
    action: Action
    reason: Reason
    sentence: str
    """For the customer, in plain words."""
    policy_version: str
    policy_digest: str
    settings_digest: str
    run_digest: str
    """Which scan the risk table was made from; empty without one."""
    rule: str | None
    """The rule that decided; None for the fall-through and for faults."""
    mode: Mode
    families: tuple[str, ...]
    """Evidence families that the account's group rests on."""
    expires_at: datetime
    """No answer is for ever: ask again after this."""
    appeal: str
    """Where the customer asks a person to look."""
    covert: bool = False
    """The customer is not told; only where the policy says so in so many words."""
    also: tuple[Action, ...] = ()
    """Further actions that go with it."""
    terms: Terms = NO_TERMS
    campaign_id: str | None = None
    signals: tuple[str, ...] = ()
    """Live signals that spoke."""
    would: tuple[Would, ...] = ()
    """What rules in shadow would have done."""
    retry_after_s: float = 0.0
    """throttle: seconds to wait; 0 while there is room."""
    challenge: str | None = None
    """verify: what the operator's flow hands back once it is answered."""

    @property
    def allowed(self) -> bool:
        """Whether the request is served now."""
        return self.action in SERVED and self.retry_after_s <= 0.0

    @property
    def actions(self) -> tuple[Action, ...]:
        """The action and those that go with it."""
        return (self.action, *self.also)

    def for_customer(self) -> dict[str, object] | None:
        """What the customer is told; None when there is nothing to tell or the policy is covert here.

        Every action that is in effect is named, those that go along as well. It names neither rule, campaign, family
        nor signal: they would teach how to evade.
        """
        if self.covert or self.actions == (Action.OBSERVE,):
            return None
        told: dict[str, object] = {
            "decision_id": self.decision_id,
            "action": self.action.value,
            "actions": [action.value for action in self.actions],
            "reason": self.reason.value,
            "message": self.sentence,
            "policy_version": self.policy_version,
            "expires_at": self.expires_at.isoformat(),
            "appeal": self.appeal,
        }
        if self.retry_after_s > 0.0:
            told["retry_after_s"] = round(self.retry_after_s, 3)
        if self.challenge is not None:
            told |= {
                "challenge": self.challenge,
                "verify_at": self.terms.url,
                "verify_level": self.terms.level,
            }
        return told
