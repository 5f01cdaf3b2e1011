"""Accounts opened to replace banned ones: who replaces whom, and how much each sent before it was linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stillwatch.lab.discipline.opening import Opened
from stillwatch.lab.suite.log import Log


def successors(
    traffic: Path, log: Log, opened: Opened, campaigns: Mapping[str, frozenset[str]], looks: Sequence[int],
    member: Mapping[str, tuple[int, int]],
) -> list[dict[str, Any]]:  # fmt: skip
    """One row per replacement of a banned account.

    Args
    ----
    campaigns: accounts of each campaign.
    looks: moments of the looks, in order.
    member: by account, the look that called it member first and the look before.

    Returns
    -------
    ``looks`` (after the account's first exchange) and ``linked``: True, False, or None when nobody looked after it had
    begun. What it had sent: more than ``sent_more_than`` (None without a look), at most ``sent_at_most`` (None unless
    it was linked: what it sent after the last look was never judged).
    """
    out = []
    for account, banned in sorted(replacements(traffic, log, opened, campaigns).items()):
        times = log.time[log.rows_of([account])]
        after = sum(cut > int(times[0]) for cut in looks)
        linked = member.get(account)
        since = linked[1] if linked else looks[-1] if after else None
        out.append(
            {
                "account_id": account,
                "replaces": banned,
                "exchanges": len(times),
                "looks": after,
                "linked": linked is not None if after else None,
                "sent_more_than": None if since is None else int((times < since).sum()),
                "sent_at_most": int((times < linked[0]).sum()) if linked else None,
            }
        )
    return out


def replacements(
    traffic: Path, log: Log, opened: Opened, campaigns: Mapping[str, frozenset[str]]
) -> dict[str, str]:
    """Replacement to banned account.

    Which account replaces which is the truth's to say (column ``replaces``). Where it does not, a ban is matched
    with the campaign's next account that had not been seen before it.
    """
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
    for mine in campaigns.values():
        fresh = sorted((int(log.first[log.names[a]]), a) for a in mine)
        for at, banned in sorted((bans[a], a) for a in mine if a in bans):
            later = next((a for first, a in fresh if first >= at and a not in found), None)
            if later is not None:
                found[later] = banned
    return found


__all__ = ["replacements", "successors"]
