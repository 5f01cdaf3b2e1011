"""Finding the campaign or account that somebody asks about, and near ids when there is none."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from stillwatch.errors import StillwatchError
from stillwatch.records import Campaign, Disposition, Member, ScanResult
from stillwatch.report.safe import shown

_CANDIDATES = 4_000
_NEAR = 5


@dataclass(frozen=True, slots=True)
class AccountView:
    """Everything a result holds about one account."""

    account_id: str
    exchange_count: int
    disposition_hint: Disposition
    memberships: tuple[tuple[Member, Campaign], ...]
    abstentions: tuple[str, ...]


def find_subject(result: ScanResult, subject: str) -> Campaign | AccountView:
    """Return the campaign, or what is known about the account, that ``subject`` names.

    Raises:
        StillwatchError: neither; the hint names near ids.
    """
    for campaign in result.campaigns:
        if campaign.campaign_id == subject:
            return campaign
    by_id = {campaign.campaign_id: campaign for campaign in result.campaigns}
    own = [m for m in result.members if m.account_id == subject and m.campaign_id in by_id]
    rows = _account_rows(result, subject)
    if not own and not rows:
        near = near_ids(result, subject)
        hint = (
            f"did you mean {', '.join(near)}?"
            if near
            else "ids are listed in campaigns.parquet and accounts.parquet"
        )
        raise StillwatchError(f"no campaign and no account is called {shown(subject, 80)}", hint=hint)
    row = rows[0] if rows else {}
    listed = tuple(row.get("abstentions") or ())
    noted = tuple(f"{a.trait}: {a.reason}" for a in result.abstentions if a.subject == subject)
    return AccountView(
        account_id=subject,
        exchange_count=int(row.get("exchange_count") or sum(m.exchange_count for m in own)),
        disposition_hint=Disposition(row.get("disposition_hint") or "none"),
        memberships=tuple((m, by_id[m.campaign_id]) for m in sorted(own, key=lambda m: m.campaign_id)),
        abstentions=tuple(dict.fromkeys(listed + noted)),
    )


def _account_rows(result: ScanResult, subject: str) -> list[dict[str, Any]]:
    try:
        subject.encode("utf-8")
    except UnicodeEncodeError:
        return []
    found: list[dict[str, Any]] = result.accounts.filter(
        pc.equal(result.accounts["account_id"], subject)
    ).to_pylist()
    return found


def near_ids(result: ScanResult, subject: str) -> list[str]:
    """Up to five ids that look like ``subject``, safe to print; bounded work on millions of accounts."""
    names = [c.campaign_id for c in result.campaigns] + [m.account_id for m in result.members[:_CANDIDATES]]
    column = result.accounts["account_id"]
    wanted = subject.encode("utf-8", "replace").decode("utf-8")
    for pattern in (wanted, wanted[:6], wanted[:3]):
        if pattern:
            hits = column.filter(pc.match_substring(column, pattern, ignore_case=True))
            names += hits.slice(0, _CANDIDATES).to_pylist()
    lower = {name.lower(): name for name in sorted(set(names))}
    inside = sorted(name for name in lower if len(wanted) > 2 and wanted.lower() in name)
    close = difflib.get_close_matches(subject.lower(), lower, n=_NEAR, cutoff=0.7)
    chosen = dict.fromkeys([*inside[:_NEAR], *close])
    return [shown(lower[name], 60) for name in list(chosen)[:_NEAR]]
