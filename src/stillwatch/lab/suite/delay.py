"""How much a campaign takes before a detector says so: the log is cut at growing prefixes and judged each time.

A prefix is what a provider would have had at that hour: exchanges before it, accounts that existed, and bans and
releases that had happened. Between two looks nobody looked, so a figure is an interval: more than what had been
taken at the look before, at most what had been taken at the look that saw it.

Looks are costly: one run of the detector each. A campaign that has been seen is not looked for again, and when all
have been seen nobody looks any more. What was sent after the last look is then neither found nor missed: every
figure says how many looks it rests on.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.lab.discipline.opening import Opened
from stillwatch.lab.scoring import rate_of, read_run
from stillwatch.lab.suite.log import Array, Log, read_log
from stillwatch.lab.suite.plan import SHARES
from stillwatch.lab.suite.prefix import iso, write_prefix
from stillwatch.lab.suite.successors import successors

Detect = Callable[[Path, Path], None]
"""Judges the traffic in the first folder and writes its output into the second."""
VERDICTS = ("member", "review")
HOUR_US = 3_600_000_000


@dataclass(slots=True)
class _Campaign:
    id: str
    rows: Array
    """Its exchanges, as rows of the log."""
    accounts: frozenset[str]
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By verdict: the look that saw it first and the look before, microseconds."""


def detection_delay(
    traffic: Path, opened: Opened, detect: Detect, work: Path, *, shares: Sequence[float] = SHARES,
    hours: Sequence[float] = (),
) -> dict[str, Any]:  # fmt: skip
    """Exchanges and tokens taken before a detector's first verdict on each campaign.

    Args
    ----
    traffic: exchanges, accounts and releases of a world.
    opened: its truth.
    detect: the detector; called once per look.
    work: an existing folder for prefixes; they are removed again.
    shares: looks, as shares of each campaign's exchanges, in (0, 1].
    hours: further looks, hours after the log's first exchange, above 0.

    Returns
    -------
    ``campaigns``: per campaign the number of ``looks`` since it began, the share of its exchanges before the last of
    them (``looked_until``), and per verdict (``member``: some account is member of a group; ``review``: some account is
    hinted review or act) the hour and what had been taken; None when no look saw it. ``by_account``: see `_by_account`.
    ``successors``: see `successors`. ``looks``: per look, honest accounts called member, so that an early verdict can
    be held against what it cost.

    Raises
    ------
    ConfigError: no looks, or a look that cannot be. SourceError: the traffic holds no exchanges. What ``detect`` and
    `read_run` raise.
    """
    if not (shares or hours) or not all(0 < s <= 1 for s in shares):
        raise ConfigError("looks are shares in (0, 1], or hours", hint="give at least one of them")
    if not all(0 < h < math.inf for h in hours):
        raise ConfigError("a look is a number of hours above 0", hint="count from the log's first exchange")
    log = read_log(traffic, opened)
    campaigns = _campaigns(log, opened)
    honest = {a for a, c in zip(opened.truth.ids, opened.truth.campaign, strict=True) if c is None}
    member: dict[str, tuple[int, int]] = {}
    looks: list[dict[str, Any]] = []
    made = [int(log.time[0])]
    for cut, wanted in _cuts(log, campaigns, shares, hours):
        if all(set(VERDICTS) <= campaigns[name].seen.keys() for name in wanted):
            continue
        run = _look(traffic, detect, work, cut)
        verdicts = {"member": run.members, "review": run.hinted("review", "act")}
        for account in run.members - member.keys():
            member[account] = (cut, made[-1])
        for campaign in campaigns.values():
            for name, flagged in verdicts.items():
                if flagged & campaign.accounts:
                    campaign.seen.setdefault(name, (cut, made[-1]))
        present = {a for a, i in log.names.items() if a in honest and int(log.first[i]) < cut}
        looks.append(
            {"at": iso(cut), "honest_members": rate_of(len(run.members & present), len(present)).row()}
        )
        made.append(cut)
    names = {c.id: c.accounts for c in campaigns.values()}
    return {
        "looks": looks,
        "campaigns": [_told(c, log, made[1:]) for c in campaigns.values()],
        "by_account": [_by_account(c, log, made[1:], member) for c in campaigns.values()],
        "successors": successors(traffic, log, opened, names, made[1:], member),
    }


def _campaigns(log: Log, opened: Opened) -> dict[str, _Campaign]:
    truth = opened.truth
    owner = {a: c for a, c in zip(truth.ids, truth.campaign, strict=True) if c in truth.attacks}
    found = {}
    for name in sorted({c for c in owner.values() if c}):
        mine = frozenset(a for a, c in owner.items() if c == name and a in log.names)
        if mine:
            found[name] = _Campaign(name, log.rows_of(mine), mine)
    return found


def _cuts(
    log: Log, campaigns: dict[str, _Campaign], shares: Sequence[float], hours: Sequence[float]
) -> list[tuple[int, set[str]]]:
    """Looks in order of time, and the campaigns each is meant for."""
    wanted: dict[int, set[str]] = {}
    for campaign in campaigns.values():
        for share in shares:
            last = campaign.rows[min(len(campaign.rows), math.ceil(share * len(campaign.rows))) - 1]
            wanted.setdefault(int(log.time[last]) + 1, set()).add(campaign.id)
    for hour in hours:
        wanted.setdefault(int(log.time[0]) + int(hour * HOUR_US), set()).update(campaigns)
    return sorted(wanted.items())


def _look(traffic: Path, detect: Detect, work: Path, cut: int) -> Any:
    prefix, out = work / "prefix", work / "prefix-run"
    try:
        write_prefix(traffic, prefix, cut)
        detect(prefix, out)
        return read_run(out)
    finally:
        shutil.rmtree(prefix, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)


def _told(campaign: _Campaign, log: Log, looks: Sequence[int]) -> dict[str, Any]:
    times = log.time[campaign.rows]
    since = [cut for cut in looks if cut > int(times[0])]
    return {
        "campaign_id": campaign.id,
        **log.taken(campaign.rows),
        "looks": len(since),
        "looked_until": int((times < since[-1]).sum()) / len(times) if since else 0.0,
        **{v: _moment(campaign, log, campaign.seen[v]) if v in campaign.seen else None for v in VERDICTS},
    }


def _moment(campaign: _Campaign, log: Log, seen: tuple[int, int]) -> dict[str, Any]:
    cut, before = seen
    rows, times = campaign.rows, log.time[campaign.rows]
    at_most = log.taken(rows[times < cut])
    return {
        "at": iso(cut),
        "hours": max(0.0, (cut - int(times[0])) / HOUR_US),
        "taken_at_most": at_most,
        "taken_more_than": log.taken(rows[times < before]),
        "share_at_most": at_most["exchanges"] / len(rows),
    }


def _by_account(
    campaign: _Campaign, log: Log, looks: Sequence[int], member: Mapping[str, tuple[int, int]]
) -> dict[str, Any]:
    """What a campaign took while every account counts until the look that called it member, up to the last look.

    ``share`` is of the exchanges before the last look, None when there were none. ``accounts_looked_for`` had begun by
    then, ``accounts_member`` of them were member at some look. What came after the last look is ``not_looked_for`` and
    counts neither way.
    """
    last = looks[-1] if looks else int(log.time[0])
    limit = np.full(len(log.names), last)
    mine = {a: member[a][0] for a in campaign.accounts if a in member}
    limit[[log.names[a] for a in mine]] = list(mine.values())
    rows, times = campaign.rows, log.time[campaign.rows]
    judged = rows[times < last]
    open_ = judged[log.time[judged] < limit[log.account[judged]]]
    begun = [a for a in campaign.accounts if log.first[log.names[a]] < last]
    return {
        "campaign_id": campaign.id,
        **log.taken(open_),
        "share": len(open_) / len(judged) if len(judged) else None,
        "accounts": len(campaign.accounts),
        "accounts_looked_for": len(begun),
        "accounts_member": len(mine),
        "not_looked_for": log.taken(rows[times >= last]),
    }


__all__ = ["Detect", "detection_delay"]
