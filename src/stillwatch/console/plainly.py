"""What happened, how often such a report is wrong and whom it may wrong, in sentences that need no glossary."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stillwatch.console.exposure import Exposure
from stillwatch.protect.estimate import strangers
from stillwatch.records import Campaign, Kind
from stillwatch.report.numbers import count, moment, plural, share, short
from stillwatch.report.safe import Shown, shown
from stillwatch.report.words import label


def happened(c: Campaign, taken: Exposure) -> Shown:
    """Who, how much, when, and what of it looks like collecting training data."""
    said = (
        f"{plural(c.account_count, 'account')} sent {plural(c.exchange_count, 'exchange')} between "
        f"{moment(c.first_seen)} and {moment(c.last_seen)} UTC and got {short(c.output_tokens)} output tokens. "
    )
    if c.granted:
        return Shown(f"{said}A recorded grant covers this use.")
    if c.kind is Kind.POOL:
        return Shown(f"{said}One hand seems to run them; what for is not known.")
    for_what = _for_what(c)
    return Shown(
        f"{said}{share(c.extraction_share_low)} to {share(c.extraction_share_high)} of that "
        f"({short(taken.exchanges_low)} to {short(taken.exchanges_high)} exchanges) looks like collecting training "
        f"data{f', above all for {for_what}' if for_what else ''}."
    )


def _for_what(c: Campaign) -> str:
    """Up to three capabilities, the one with most exchanges first."""
    counted = sorted(c.taken, key=lambda row: -row[1])
    names = [shown(label(name), 40) for name, _, _ in counted][:3]
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def often_wrong(c: Campaign) -> Shown | None:
    """How many reports like this one are false alarms, by the rate that the run states; None where it states none."""
    if c.kind is not Kind.CAMPAIGN:
        return None
    return Shown(f"By the stated rate at most {_odds(c)} campaigns reported like this one are false alarms.")


def _odds(c: Campaign) -> str:
    of = 100 if c.false_discovery_rate >= 0.01 else 1_000 if c.false_discovery_rate >= 0.001 else 10_000
    most = max(1, math.ceil(c.false_discovery_rate * of - 1e-9))
    return f"{most} of {count(of)}"


def maybe_innocent(c: Campaign, bits: Sequence[float], accounts: int, groups: int) -> Shown | None:
    """How many of its firm members may be innocent, by the run's own rates.

    Args:
        c: as found. bits: of membership, of its firm members. accounts, groups: that the run saw, and that it found.
    """
    if c.granted or not bits:
        return None
    if c.kind is Kind.POOL:
        return Shown("For a pool no rate is stated: as far as is known, all of its accounts may be innocent.")
    among, firm = strangers(bits, accounts, groups), plural(len(bits), "firm member")
    caught = (
        f"up to {count(among)} of its {firm} may be strangers"
        if among
        else f"none of its {firm} need be a stranger"
    )
    return Shown(
        f"All of them, if this is a false alarm: at most {_odds(c)} such campaigns are. If it is real, {caught} caught "
        "with the others."
    )


__all__ = ["happened", "maybe_innocent", "often_wrong"]
