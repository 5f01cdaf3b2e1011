"""How much a campaign takes before a detector says so: the log is cut at growing prefixes and judged each time.

A prefix is what a provider would have had at that hour: exchanges before it, accounts that existed, and bans and
releases that had happened. Between two looks nobody looked, so a figure is an interval: more than what had been
taken at the look before, at most what had been taken at the look that saw it.

Looks are costly: one run of the detector each. A campaign that has been seen is not looked for again.
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from stillwatch.errors import SourceError
from stillwatch.lab.discipline.opening import Opened
from stillwatch.lab.scoring import rate_of, read_run
from stillwatch.lab.suite.plan import SHARES
from stillwatch.lab.suite.prefix import iso, write_prefix

Detect = Callable[[Path, Path], None]
"""Judges the traffic in the first folder and writes its output into the second."""
VERDICTS = ("member", "review")
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class _Log:
    """The log as arrays, in order of time."""

    time: np.ndarray[Any, Any]
    account: np.ndarray[Any, Any]
    extraction: np.ndarray[Any, Any]
    output: np.ndarray[Any, Any]
    names: dict[str, int]
    """Account id to its code in ``account``."""
    first: np.ndarray[Any, Any]
    """By code: the account's first exchange."""


@dataclass(slots=True)
class _Campaign:
    id: str
    rows: np.ndarray[Any, Any]
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
    hours: further looks, hours after the log's first exchange.

    Returns
    -------
    ``campaigns``: per campaign and verdict (``member``: some account is member of a group; ``review``: some account is
    hinted review or act) the hour and what had been taken; None when it was never seen. ``by_account``: what was
    taken when every account is counted until it is member itself. ``successors``: per replacement of a banned
    account its exchanges before it was member. ``looks``: per look, honest accounts called member, so that an early
    verdict can be held against what it cost.

    Raises
    ------
    SourceError: the traffic holds no exchanges. What ``detect`` and `read_run` raise.
    """
    log = _read_log(traffic, opened)
    campaigns = _campaigns(log, opened)
    cuts = _cuts(log, campaigns, shares, hours)
    first_member: dict[str, tuple[int, int]] = {}
    looks = []
    before = int(log.time[0])
    for cut, wanted in cuts:
        if all(set(VERDICTS) <= campaigns[name].seen.keys() for name in wanted):
            continue
        run = _look(traffic, detect, work, cut)
        verdicts = {"member": run.members, "review": run.hinted("review", "act")}
        for account in run.members - first_member.keys():
            first_member[account] = (cut, before)
        for campaign in campaigns.values():
            for name, flagged in verdicts.items():
                if flagged & campaign.accounts:
                    campaign.seen.setdefault(name, (cut, before))
        honest = {a for a, c in zip(opened.truth.ids, opened.truth.campaign, strict=True) if c is None}
        present = {a for a, i in log.names.items() if a in honest and int(log.first[i]) < cut}
        looks.append(
            {"at": iso(cut), "honest_members": rate_of(len(run.members & present), len(present)).row()}
        )
        before = cut
    return {
        "looks": looks,
        "campaigns": [_told(c, log) for c in campaigns.values()],
        "by_account": _by_account(log, campaigns, first_member),
        "successors": _successors(traffic, log, opened, campaigns, first_member),
    }


def _read_log(traffic: Path, opened: Opened) -> _Log:
    files = sorted((traffic / "exchanges").glob("*.parquet"))
    if not files:
        raise SourceError(str(traffic), "holds no exchanges", hint="give a folder of `lab generate`")
    table = ds.dataset(files).to_table(["exchange_id", "started_at", "account_id", "output_tokens"])
    table = table.sort_by("started_at")
    coded = table["account_id"].combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    names = {name: i for i, name in enumerate(coded.dictionary.to_pylist())}
    account = coded.indices.to_numpy()
    started = table["started_at"].cast(pa.int64()).to_numpy()
    return _Log(
        started,
        account,
        _extraction(table["exchange_id"], account, names, opened),
        pc.fill_null(table["output_tokens"].cast(pa.int64()), 0).to_numpy(),
        names,
        started[np.unique(account, return_index=True)[1]],
    )


def _extraction(
    ids: pa.ChunkedArray, account: np.ndarray[Any, Any], names: dict[str, int], opened: Opened
) -> np.ndarray[Any, Any]:
    """bool[exchanges]; where the truth does not tell exchanges apart, every one of an extractor."""
    try:
        marks = pq.read_table(io.BytesIO(opened.file("exchanges.parquet")))
    except FileNotFoundError:
        truth = opened.truth
        guilty = {a for a, x in zip(truth.ids, truth.extractor.tolist(), strict=True) if x}
        flags = np.array([a in guilty for a in names], np.bool_)
        return np.asarray(flags[account])
    taken = marks.filter(marks["extraction"])["exchange_id"]
    return np.asarray(pc.is_in(ids, value_set=taken.combine_chunks()).to_numpy())


def _campaigns(log: _Log, opened: Opened) -> dict[str, _Campaign]:
    truth = opened.truth
    owner = {a: c for a, c in zip(truth.ids, truth.campaign, strict=True) if c in truth.attacks}
    found = {}
    for name in sorted({c for c in owner.values() if c}):
        mine = frozenset(a for a, c in owner.items() if c == name and a in log.names)
        codes = np.array([log.names[a] for a in sorted(mine)])
        rows = np.flatnonzero(np.isin(log.account, codes))
        if len(rows):
            found[name] = _Campaign(name, rows, mine)
    return found


def _cuts(
    log: _Log, campaigns: dict[str, _Campaign], shares: Sequence[float], hours: Sequence[float]
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


def _told(campaign: _Campaign, log: _Log) -> dict[str, Any]:
    return {
        "campaign_id": campaign.id,
        **_taken(campaign.rows, log),
        **{v: _moment(campaign, log, campaign.seen[v]) if v in campaign.seen else None for v in VERDICTS},
    }


def _moment(campaign: _Campaign, log: _Log, seen: tuple[int, int]) -> dict[str, Any]:
    cut, before = seen
    rows, times = campaign.rows, log.time[campaign.rows]
    at_most = _taken(rows[times < cut], log)
    return {
        "at": iso(cut),
        "hours": max(0.0, (cut - int(times[0])) / HOUR_US),
        "taken_at_most": at_most,
        "taken_more_than": _taken(rows[times < before], log),
        "share_at_most": at_most["exchanges"] / len(rows),
    }


def _taken(rows: np.ndarray[Any, Any], log: _Log) -> dict[str, int]:
    marked = log.extraction[rows]
    return {
        "exchanges": len(rows),
        "extraction_exchanges": int(marked.sum()),
        "output_tokens": int(log.output[rows].sum()),
        "extraction_output_tokens": int(log.output[rows][marked].sum()),
    }


def _by_account(
    log: _Log, campaigns: dict[str, _Campaign], first_member: dict[str, tuple[int, int]]
) -> list[dict[str, Any]]:
    """Per campaign: taken while every account counts until the look that called it member."""
    limit = np.full(len(log.names), np.iinfo(np.int64).max)
    for account, (cut, _) in first_member.items():
        if account in log.names:
            limit[log.names[account]] = cut
    out = []
    for campaign in campaigns.values():
        rows = campaign.rows
        open_ = rows[log.time[rows] < limit[log.account[rows]]]
        taken = _taken(open_, log)
        out.append({"campaign_id": campaign.id, **taken, "share": len(open_) / len(rows)})
    return out


def _successors(
    traffic: Path, log: _Log, opened: Opened, campaigns: dict[str, _Campaign],
    first_member: dict[str, tuple[int, int]],
) -> list[dict[str, Any]]:  # fmt: skip
    """Replacements of banned accounts, and how much each sent before it was linked.

    Which account replaces which is the truth's to say (column ``replaces``). Where it does not, a ban is matched
    with the campaign's next account that had not been seen before it.
    """
    out = []
    for account, banned in sorted(_replacements(traffic, log, opened, campaigns).items()):
        times = log.time[log.account == log.names[account]]
        linked = first_member.get(account)
        out.append(
            {
                "account_id": account,
                "replaces": banned,
                "exchanges": len(times),
                "linked": linked is not None,
                "sent_at_most": int((times < linked[0]).sum()) if linked else len(times),
                "sent_more_than": int((times < linked[1]).sum()) if linked else len(times),
            }
        )
    return out


def _replacements(
    traffic: Path, log: _Log, opened: Opened, campaigns: dict[str, _Campaign]
) -> dict[str, str]:
    truth = opened.truth
    stated = {a: r for a, r in zip(truth.ids, truth.replaces, strict=True) if r and a in log.names}
    if stated or not (traffic / "accounts.parquet").exists():
        return stated
    table = pq.read_table(traffic / "accounts.parquet")
    if not {"status", "status_changed_at"} <= set(table.column_names):
        return {}
    bans = {
        r["account_id"]: int(r["status_changed_at"].timestamp() * 1e6)
        for r in table.select(["account_id", "status", "status_changed_at"]).to_pylist()
        if r["status"] == "banned" and r["status_changed_at"] is not None
    }
    found: dict[str, str] = {}
    for campaign in campaigns.values():
        fresh = sorted((int(log.first[log.names[a]]), a) for a in campaign.accounts)
        for at, banned in sorted((bans[a], a) for a in campaign.accounts if a in bans):
            later = next((a for first, a in fresh if first >= at and a not in found), None)
            if later is not None:
                found[later] = banned
    return found


__all__ = ["Detect", "detection_delay"]
