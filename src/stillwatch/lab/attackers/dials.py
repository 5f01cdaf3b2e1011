"""The dials of evasion: how a campaign hides, each a number between giving nothing up and giving all of it up.

Rungs 0-8 of the ladder are settings of the dials. Payment and sign-up cohorts go first, then the client stack,
then the pivot on release, then fixed wording, then sessions and schedules, then the share of extraction itself;
rung 7 adds verified shells and a decoy product, rung 8 people who work on their own. What each dial costs is in
:mod:`stillwatch.lab.cost`.

Example
-------
>>> override(LEVELS[4], {"extraction_share": 0.2}).extraction_share
0.2
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from stillwatch.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Dials:
    """How a campaign hides. Shares are in ``[0, 1]``."""

    own_card: float = 0.0
    """Share of accounts with a card of their own; the others pool one card over 5 to 40 accounts."""
    aged: float = 0.0
    """Share of accounts signed up over years like anybody's; the others come in bursts, often under one programme."""
    own_client: float = 0.0
    """Share of accounts with a realistic client of their own; the others run one frozen build."""
    one_device: float = 1.0
    """Share of accounts that claim the relay's one device, in every second campaign; the others leave it off."""
    passed_devices: float = 0.4
    """Share of cover customers whose own device shines through, where the relay does not claim one for everybody."""
    residential: float = 0.6
    """Share of proxy exits at homes; the others are in data centres."""
    exits_per_block: float = 12.0
    """Accounts per /24 of proxy exits, at least 1."""
    pivot: float = 0.5
    """Share of extraction that moves to a new model within a day of its release; the rest moves like anybody's."""
    paraphrase: float = 0.0
    """Share of work lines whose instructions are worded anew for each request."""
    templates: float = 0.0
    """Instruction templates written by hand; 0 keeps the campaign's own number."""
    sticky_s: float = 3600.0
    """Seconds a work line stays on an account; 0 gives every request a fresh context."""
    rotation: float = 1.0
    """Share of choices of account that take the least recently used."""
    failover: float = 1.0
    """Share of errors after which the same request goes to another account within seconds."""
    jitter_s: float = 0.0
    """Random delay before each session, seconds."""
    duplicate_share: float = 0.0
    """Share of payloads asked twice at random."""
    extraction_share: float = 0.5
    """Share of exchanges that serve extraction; the rest is the traffic of ordinary customers."""
    human_hours: float = 0.0
    """Share of work lines that keep office hours."""
    daily_cap: float = 0.0
    """Most exchanges per account and day, cover included; 0 for no cap."""
    padding: float = 0.0
    """Share of single-turn extraction that is wrapped in small talk."""
    staged: float = 0.0
    """Share of the campaign's time over which accounts join one by one; 0 has all of them at the start."""
    cloud_share: float = 0.0
    """Share of accounts that are tenants of partner clouds."""
    shells: float = 0.0
    """Verified shell accounts per account of the relay, that show the campaign's traits in harmless traffic."""
    decoy: float = 0.0
    """Honest users, per account of the relay, of a decoy product with the campaign's system prompt and client."""
    natural: float = 0.0
    """Share of accounts worked by independent people: own wording, client, line, hours and questions."""
    ban_share: float = 0.06
    """Share of accounts banned on the way and replaced. What befalls a campaign, not a choice."""
    heartbeat_h: float = 8.0
    """Hours between heartbeats per account; 0 for none."""


_L0 = Dials()
_L1 = replace(_L0, own_card=1.0, aged=1.0, one_device=0.0, exits_per_block=8.0, ban_share=0.05)
_L2 = replace(_L1, own_client=1.0, exits_per_block=4.0, ban_share=0.04)
_L3 = replace(_L2, pivot=0.0, passed_devices=0.0, exits_per_block=3.0, heartbeat_h=0.0)
_L4 = replace(_L3, paraphrase=1.0, exits_per_block=2.0, ban_share=0.03)
_L5 = replace(
    _L4, sticky_s=0.0, rotation=0.0, failover=0.0, jitter_s=1800.0, duplicate_share=0.04, exits_per_block=1.0
)
_L6 = replace(_L5, extraction_share=0.08)
_L7 = replace(_L6, shells=0.25, decoy=1.0)
_L8 = replace(_L7, natural=1.0)

LEVELS: tuple[Dials, ...] = (_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8)
"""Rungs 0 to 8; each keeps what the rung below gave up."""

BOUNDS: Mapping[str, tuple[float, float]] = {
    **{f.name: (0.0, 1.0) for f in fields(Dials)},
    "exits_per_block": (1.0, 256.0),
    "templates": (0.0, 500.0),
    "sticky_s": (0.0, 86_400.0),
    "jitter_s": (0.0, 86_400.0),
    "daily_cap": (0.0, 1_000_000.0),
    "shells": (0.0, 4.0),
    "decoy": (0.0, 20.0),
    "heartbeat_h": (0.0, 1000.0),
}
"""Lowest and highest value of every dial."""


def override(dials: Dials, changes: Mapping[str, float]) -> Dials:
    """These dials with some of them set otherwise.

    Raises
    ------
    ConfigError
        A dial that does not exist, or a value outside its bounds.
    """
    for name, value in changes.items():
        if name not in BOUNDS:
            raise ConfigError(f"unknown dial {name}", hint=f"dials: {', '.join(sorted(BOUNDS))}")
        low, high = BOUNDS[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ConfigError(f"dial {name} is {value!r}", hint=f"between {low:g} and {high:g}")
    return replace(dials, **{name: float(value) for name, value in changes.items()})


__all__ = ["BOUNDS", "LEVELS", "Dials", "override"]
