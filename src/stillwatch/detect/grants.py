"""Grants: permission to distil, what it covers, and what goes beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.detect.traffic import Traffic
from stillwatch.records import Family, Finding


@dataclass(frozen=True, slots=True)
class Covered:
    """Which exchanges are inside a grant's scope, and where use went beyond one."""

    seqs: np.ndarray
    """int64: ``seq`` of each, ascending."""
    accounts: np.ndarray
    """bool[accounts]: named by a grant and within it."""
    beyond: tuple[Finding, ...]


def apply_grants(traffic: Traffic, grants: pa.Table | None) -> Covered:
    """Match exchanges with grants. Use inside a scope never raises a finding; use outside every one does.

    Volume limits cover the first exchanges in time; what comes after is outside. What one grant covers does
    not draw on another, so that a renewal or an extension adds to it; grants are spent in order of their end.
    """
    named = np.zeros(len(traffic.names.account.names), np.bool_)
    broken = named.copy()
    findings: list[Finding] = []
    if grants is None or not len(grants):
        return Covered(np.zeros(0, np.int64), named, ())
    told = sorted(grants.to_pylist(), key=lambda g: (str(g["valid_until"]), str(g["grant_id"])))
    granted = [(grant, mine) for grant in told if (mine := _accounts_of(traffic, grant)).any()]
    sent = _sent(traffic, [mine for _, mine in granted])
    acct, ts, model = sent["acct"], sent["ts"], sent["model"]
    tokens = np.maximum(sent["output_tokens"], 0)
    rows = np.zeros(len(ts), np.bool_)
    holders: list[tuple[dict[str, Any], np.ndarray]] = []
    for grant, mine in granted:
        own = np.flatnonzero(mine[acct])
        order = own[np.argsort(ts[own], kind="stable")]
        since = _micro(grant["valid_from"], traffic.start)
        until = _micro(grant["valid_until"], traffic.end)
        models = grant.get("models")
        inside = (ts[order] >= since) & (ts[order] < until) & ~rows[order]
        if models and "*" not in models:
            allowed = [traffic.names.model.index[m] for m in models if m in traffic.names.model.index]
            inside &= np.isin(model[order], allowed)
        used = np.cumsum(inside)
        spent = np.cumsum(np.where(inside, tokens[order], 0))
        if grant.get("max_exchanges") is not None:
            inside &= used <= grant["max_exchanges"]
        if grant.get("max_output_tokens") is not None:
            inside &= spent <= grant["max_output_tokens"]
        rows[order[inside]] = True
        named |= mine
        holders.append((grant, own))
    for grant, own in holders:
        outside = own[~rows[own]]
        if len(outside):
            broken[acct[outside]] = True
            findings.append(
                Finding(
                    f"grant:{grant['grant_id']}", "grant_scope", Family.BEHAVIOUR, str(grant["grant_id"]),
                    float(len(outside)), "exchanges", "the grant's own terms", None, None,
                    (f"{len(outside)} of {len(own)} exchanges are outside the grant's models, time or volume",),
                    ("a renewal that has not been recorded yet", "use of the account for something else"),
                )
            )  # fmt: skip
    return Covered(sent["seq"][rows], named & ~broken, tuple(findings))


def _sent(traffic: Traffic, holders: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The exchanges of all accounts that hold a grant, in order of input."""
    t = traffic.table()
    codes = np.flatnonzero(np.any(holders, axis=0)) if holders else np.zeros(0, np.int64)
    theirs = t.semi_join(traffic.engine.local(pa.table({"acct": pa.array(codes, pa.int32())})), "acct")
    return traffic.fetch(theirs.select("seq", "acct", "ts", "model", "output_tokens").order_by("seq"))


def _accounts_of(traffic: Traffic, grant: dict[str, object]) -> np.ndarray:
    names = traffic.names
    mine = np.zeros(len(names.account.names), np.bool_)
    account, org = grant.get("account_id"), grant.get("org_id")
    if isinstance(account, str) and account in names.account.index:
        mine[names.account.index[account]] = True
    if isinstance(org, str) and org in names.org.index:
        mine |= traffic.accounts.org == names.org.index[org]
    return mine


def _micro(value: object, default: int) -> int:
    stamp = getattr(value, "timestamp", None)
    return int(stamp() * 1_000_000) if stamp else default
