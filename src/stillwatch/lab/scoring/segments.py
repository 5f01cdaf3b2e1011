"""Whom a detector wrongs: honest accounts and organisations flagged, by class, country, plan and size.

An account is flagged at four strengths: ``member`` of a group, member of a group that is called a campaign
(``claimed``), hinted ``review`` or ``act``, hinted ``act``. An organisation is flagged when one of its accounts is.
Both are counted, since one mistake about an organisation of five hundred accounts is not five hundred mistakes, and
is not one either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from stillwatch.lab.scoring.rates import rate_of
from stillwatch.lab.scoring.run import Run
from stillwatch.lab.scoring.truth import Truth

ORG_SIZES = ((1, "1 account"), (5, "2-5 accounts"), (20, "6-20 accounts"), (100, "21-100 accounts"))
VOLUMES = (
    (10, "1-10 exchanges"),
    (100, "11-100 exchanges"),
    (1000, "101-1,000 exchanges"),
    (10_000, "1,001-10,000 exchanges"),
)
NOT_STATED = "not stated"


def collateral(
    truth: Truth, run: Run, accounts: pa.Table | None = None
) -> dict[str, dict[str, dict[str, Any]]]:
    """Honest accounts and organisations flagged, by segment.

    Args
    ----
    truth, run: the world and what a detector said of it.
    accounts: the world's account table; without it nothing is said by country or plan.

    Returns
    -------
    For each of ``class``, ``size`` (accounts of the organisation), ``volume`` (exchanges of the account), and with an
    account table ``country`` and ``plan``: value to counts, rates and intervals. See `segment`.
    """
    flags = _flags(run)
    labels = {
        "class": truth.kind,
        "size": _org_sizes(truth),
        "volume": tuple(_label(n, VOLUMES, "more than 10,000 exchanges") for n in truth.exchanges.tolist()),
    }
    for name in ("country", "plan"):
        if accounts is not None and name in accounts.column_names:
            ids, values = accounts["account_id"].to_pylist(), accounts[name].to_pylist()
            known = dict(zip(ids, values, strict=True))
            labels[name] = tuple(str(known.get(a) or NOT_STATED) for a in truth.ids)
    return {name: _by(truth, values, flags) for name, values in labels.items()}


def everybody(truth: Truth, run: Run) -> dict[str, Any]:
    """All honest accounts as one segment."""
    rows = [(a, o) for a, o, c in zip(truth.ids, truth.org, truth.campaign, strict=True) if c is None]
    return segment(rows, _flags(run))


def segment(rows: list[tuple[str, str]], flags: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """One segment's counts.

    Args
    ----
    rows: (account, organisation) of honest accounts.
    flags: accounts flagged, by strength.

    Returns
    -------
    ``accounts`` and ``orgs``; per strength the accounts (``member``, ``claimed``, ``review_or_act``, ``act``) and
    organisations (``orgs_*``) flagged; shares of accounts with Wilson intervals and one-sided exact bounds
    (``fpr*``), and the same for organisations (``orgs_*_share``, ``_low``, ``_high``, ``_upper``).
    """
    orgs: dict[str, list[str]] = defaultdict(list)
    for account, org in rows:
        orgs[org].append(account)
    out: dict[str, Any] = {"accounts": len(rows), "orgs": len(orgs)}
    for strength, flagged in flags.items():
        tail = {"member": "", "claimed": "_claimed", "review_or_act": "_review", "act": "_act"}[strength]
        one = rate_of(sum(a in flagged for a, _ in rows), len(rows))
        many = rate_of(sum(any(a in flagged for a in mine) for mine in orgs.values()), len(orgs))
        out |= {
            strength: one.hits,
            f"fpr{tail}": one.share, f"fpr{tail}_low": one.low, f"fpr{tail}_high": one.high,
            f"fpr{tail}_upper": one.upper,
            f"orgs_{strength}": many.hits, f"orgs_{strength}_share": many.share, f"orgs_{strength}_low": many.low,
            f"orgs_{strength}_high": many.high, f"orgs_{strength}_upper": many.upper,
        }  # fmt: skip
    return out


def _flags(run: Run) -> dict[str, frozenset[str]]:
    return {
        "member": run.members,
        "claimed": run.claimed_members,
        "review_or_act": run.hinted("review", "act"),
        "act": run.hinted("act"),
    }


def _by(
    truth: Truth, labels: tuple[str, ...], flags: Mapping[str, frozenset[str]]
) -> dict[str, dict[str, Any]]:
    rows: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for account, org, campaign, label in zip(truth.ids, truth.org, truth.campaign, labels, strict=True):
        if campaign is None:
            rows[label].append((account, org))
    return {label: segment(mine, flags) for label, mine in sorted(rows.items())}


def _org_sizes(truth: Truth) -> tuple[str, ...]:
    sizes: dict[str, int] = defaultdict(int)
    for org in truth.org:
        sizes[org] += 1
    return tuple(_label(sizes[o], ORG_SIZES, "more than 100 accounts") for o in truth.org)


def _label(value: int, classes: tuple[tuple[int, str], ...], rest: str) -> str:
    return next((label for bound, label in classes if value <= bound), rest)


__all__ = ["NOT_STATED", "collateral", "everybody", "segment"]
