"""What a rule may ask: the closed list of conditions. All conditions of a rule must hold.

A *basis* is a condition that rests on a scan, on a grant or on the operator's own list. Prompt signals without
a basis never do more than observe: words convict nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.records import Confidence, Disposition, Family, Kind, Tier

NONE = "none"
LEVELS = ("none", "email", "phone", "card", "identity", "business")
"""Verification, weakest first; ``identity`` and ``business`` count alike."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of ``when``."""

    name: str
    shape: str
    """``choice``, ``text`` and ``pattern``: a list, any of which fits; ``every``: a list, all of which must be
    there; ``at_least`` and ``at_most``: a number; ``flag``: true."""
    help: str
    choices: tuple[str, ...] = ()
    limits: tuple[float, float] = (0.0, float("inf"))
    basis: bool = False
    group: bool = False
    """Speaks of the account's group, so that there is one when it holds."""


def _words(kind: type[Tier] | type[Kind] | type[Confidence]) -> tuple[str, ...]:
    return (NONE, *(word.value for word in kind))


CONDITIONS: tuple[Condition, ...] = (
    Condition("everyone", "flag", "`true`: every request. The only way to say so; an empty `when` is refused."),
    Condition("tier", "choice", "How firmly the account belongs to a pool or campaign.", _words(Tier),
              basis=True, group=True),
    Condition("kind", "choice", "What it belongs to.", _words(Kind), basis=True, group=True),
    Condition("hint", "choice", "Disposition hint of the account.", tuple(d.value for d in Disposition), basis=True),
    Condition("confidence", "choice", "Confidence in the group.", _words(Confidence),
              basis=True, group=True),
    Condition("campaign", "text", "Ids of pools or campaigns.", basis=True, group=True),
    Condition("families", "every", "Evidence families that the group must rest on, ten bits each.",
              tuple(f.value for f in Family), basis=True, group=True),
    Condition("families_at_least", "at_least", "How many evidence families the group must rest on.", limits=(1, 5),
              basis=True, group=True),
    Condition("membership_bits_at_least", "at_least", "Weight of evidence that the account belongs.", basis=True),
    Condition("extraction_share_at_least", "at_least", "Share of the account's own exchanges in the linked stream.",
              limits=(0, 1), basis=True),
    Condition("false_discovery_rate_at_most", "at_most", "Stated rate of the group.", limits=(0, 1), basis=True),
    Condition("grant", "choice", "Where the request stands towards the account's grants.",
              (NONE, "inside", "outside"), basis=True),
    Condition("account", "text", "Account ids, named by the operator.", basis=True),
    Condition("org", "text", "Organisation ids, named by the operator.", basis=True),
    Condition("verification", "choice", "Verification of the account; `unknown` when nothing says.",
              (*LEVELS, "unknown")),
    Condition("plan", "text", "Plans."),
    Condition("programme", "text", "Programmes."),
    Condition("channel", "text", "Channels."),
    Condition("model", "pattern", "Models; `*` stands for anything."),
    Condition("operation", "text", "Operations."),
    Condition("signals", "choice", "Live signals, any of which spoke."),
    Condition("score_at_least", "at_least", "Least score of such a signal.", limits=(0, 1)),
)  # fmt: skip
BY_NAME = {condition.name: condition for condition in CONDITIONS}


def is_basis(condition: Condition, wanted: object) -> bool:
    """Whether what is asked rests on evidence or on the operator: ``hint = ["none", "act"]`` does not.

    >>> is_basis(BY_NAME["hint"], ("act",)), is_basis(BY_NAME["hint"], ("none", "act"))
    (True, False)
    >>> is_basis(BY_NAME["grant"], ("inside",)), is_basis(BY_NAME["plan"], ("free",))
    (False, False)
    """
    if not condition.basis:
        return False
    if condition.name == "grant":
        return wanted == ("outside",)
    if condition.shape == "at_least":
        return isinstance(wanted, (int, float)) and wanted > 0
    if condition.shape == "at_most":
        return isinstance(wanted, (int, float)) and wanted < 1
    return isinstance(wanted, tuple) and NONE not in wanted
