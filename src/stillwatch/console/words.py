"""Fixed words and small formats of the console."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from stillwatch.report.numbers import amount, short
from stillwatch.report.safe import Shown
from stillwatch.wiring import lead_view

LEAD_KINDS: Final = lead_view.KINDS
MOST_LEADS: Final = 50
"""Leads that a page shows."""
VERDICTS: Final = {
    "true_positive": "True positive: it was what it looked like",
    "benign_positive": "Benign positive: it was seen rightly, and it is allowed",
    "false_positive": "False positive: these accounts should not have been linked",
    "undetermined": "Undetermined: neither could be shown",
}
STATES: Final = {"open": "Open", "working": "In work", "closed": "Closed"}
ROLES: Final = {
    "viewer": "reads findings and cases",
    "analyst": "works on cases, writes plans",
    "approver": "approves plans, decides appeals, unlocks exemplars",
    "admin": "keeps people, grants, policy switches and the store; acts on no account, reads no prompt",
    "auditor": "reads everything and the audit log, changes nothing",
}


def ago(then: datetime | None, now: datetime) -> Shown:
    """How long ago, in the largest unit that fits.

    Example:
        >>> from datetime import UTC, timedelta
        >>> now = datetime(2026, 10, 1, tzinfo=UTC)
        >>> [ago(now - timedelta(seconds=s), now) for s in (5, 200, 9_000, 260_000)]
        ['just now', '3 min ago', '2 h ago', '3 days ago']
    """
    if then is None:
        return Shown("never")
    seconds = max(0.0, (now - then).total_seconds())
    for least, unit, word in ((172_800, 86_400, "days"), (5_400, 3_600, "h"), (90, 60, "min")):
        if seconds >= least:
            return Shown(f"{seconds / unit:.0f} {word} ago")
    return Shown("just now" if seconds < 45 else "1 min ago")


def hours(seconds: float) -> Shown:
    """A length of time for a clock that runs down.

    Example:
        >>> hours(90_000), hours(7_200), hours(-3_600)
        ('1 day 1 h', '2 h', 'overdue by 1 h')
    """
    late, whole = seconds < 0, int(abs(seconds) // 3600)
    days, rest = divmod(whole, 24)
    text = " ".join(
        t for t in (f"{days} day{'s' * (days != 1)}" if days else "", f"{rest} h" if rest else "") if t
    )
    text = text or f"{int(abs(seconds) // 60)} min"
    return Shown(f"overdue by {text}" if late else text)


def usd(value: float) -> Shown:
    """US dollars, in three digits.

    Example:
        >>> usd(120), usd(0.5), usd(0.001)
        ('$120', '$0.50', 'under $0.01')
    """
    if 0 < value < 0.01:
        return Shown("under $0.01")
    return Shown(f"${short(value) if value >= 1000 else f'{value:.2f}' if value < 10 else amount(value)}")


def because(reason: str) -> str:
    """The first words of a reason for belonging: what links, without its weight.

    Example:
        >>> because("payment: 10^2.5 for belonging"), because("exit address shared")
        ('payment', 'exit address shared')
    """
    return reason.partition(":")[0]


NAV: Final = (
    ("/", "Overview", "o", "case_read"),
    ("/accounts", "Accounts", "a", "case_read"),
    ("/cases", "Cases", "c", "case_read"),
    ("/plans", "Plans", "p", "plan_read"),
    ("/appeals", "Appeals", "e", "appeal_read"),
    ("/grants", "Grants", "r", "grant_read"),
    ("/exemplars", "Exemplars", "x", "case_read"),
    ("/policy", "Policy", "y", "policy_read"),
    ("/audit", "Audit log", "l", "audit_read"),
    ("/people", "People", "u", "people_read"),
)
"""Address, name, key after ``g``, permission."""
DONE: Final = {
    "assigned": "The case was assigned.",
    "noted": "The note was added.",
    "closed": "The case was closed.",
    "reopened": "The case is open again.",
    "opened": "The case was opened.",
    "changed": "Changed.",
    "signed-out": "Every session and token of that person has ended.",
    "ended": "Ended.",
    "filed": "Sent. You can add to it until it is decided.",
    "run": "The run was filed: each campaign and pool has its case.",
    "granted": "The grant was recorded.",
    "revoked": "The grant was revoked.",
    "planned": "The plan was made; it waits for somebody else to agree.",
    "decided": "Your decision was recorded.",
    "dropped": "The plan was withdrawn.",
    "running": "The plan is being carried out.",
    "undoing": "The plan is being taken back.",
    "appeal": "The appeal is decided; the customer is told.",
    "asked": "Asked; a second person has to agree.",
    "agreed": "Unlocked for a time.",
    "locked": "Locked.",
    "simulating": "The simulation has begun.",
    "mode": "The policy's file has a new version; gates that were started with it follow within seconds.",
    "switched": "Done; gates on that folder follow within a second.",
    "password": "Your password was changed; your other sessions have ended.",
}
"""What a page says after a change; the address names one of these."""
MEASURES: Final = {
    "block": "nothing is served",
    "verify": "served after step-up verification",
    "throttle": "served more slowly",
    "summarise": "served with reasoning summarised",
    "observe": "nothing changes; the notice alone",
}
EXECUTORS: Final = {
    "dry-run": "nobody; shows what would happen",
    "webhook": "your own system, by signed messages",
    "litellm": "the LiteLLM proxy",
}
APPEALS: Final = {
    "offered": "not answered yet",
    "filed": "waiting for a decision",
    "decided": "decided",
    "lapsed": "time is over",
}
OUTCOMES: Final = {
    "upheld": "Upheld: the action stands.",
    "overturned": "Overturned: the action was wrong and is taken back.",
    "eased": "Eased: the action is taken back; what was seen is not disputed.",
}
TOLD: Final = {
    "upheld": "The action stands.",
    "overturned": "The action was wrong. It is taken back.",
    "eased": "The action is taken back.",
}
"""A decision, to the customer."""
DOCUMENTS: Final = {
    "own_data": "an attestation that the data are our own",
    "research_programme": "a research programme",
    "contract": "a contract or licence",
    "other": "something else",
}
