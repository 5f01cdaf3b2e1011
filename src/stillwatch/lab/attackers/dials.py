"""The ladder of evasion as dials: what each rung gives up, and at what price to the attacker.

Rungs 0-6 follow the adaptive attacker ladder of the design notes: payment and sign-up cohorts go first,
then the client stack, then the pivot on release, then fixed wording, then sessions and schedules, and at
last the share of extraction itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Dials:
    """How a campaign hides."""

    cards: bool = True
    """Cards are pooled over 5 to 40 accounts."""
    cohort: bool = True
    """Accounts are signed up in a few bursts, often under one programme; False: aged and spread like anybody's."""
    one_client: bool = True
    """One frozen client build; False: a realistic client of its own per account."""
    exits_per_block: int = 12
    """Accounts per /24 of proxy exits."""
    pivot: bool = True
    """Half of extraction moves to a new model within a day of its release."""
    paraphrase: bool = False
    """Instructions are worded anew for each request."""
    sessions: bool = True
    """Sticky least-recently-used rotation with fail-over; False: fresh context, random choice, jitter."""
    duplicate_share: float = 0.0
    """Share of payloads asked twice at random."""
    extraction_share: float = 0.5
    """Share of exchanges that serve extraction; the rest is the traffic of ordinary customers."""
    ban_share: float = 0.06
    heartbeat_h: float = 8.0


_L0 = Dials()
_L1 = replace(_L0, cards=False, cohort=False, exits_per_block=8, ban_share=0.05)
_L2 = replace(_L1, one_client=False, exits_per_block=4, ban_share=0.04)
_L3 = replace(_L2, pivot=False, exits_per_block=3, heartbeat_h=0.0)
_L4 = replace(_L3, paraphrase=True, exits_per_block=2, ban_share=0.03)
_L5 = replace(_L4, sessions=False, duplicate_share=0.04, exits_per_block=1)
_L6 = replace(_L5, extraction_share=0.08)

LEVELS: tuple[Dials, ...] = (_L0, _L1, _L2, _L3, _L4, _L5, _L6)
"""Rungs 0 to 6; each keeps what the rung below gave up."""
