"""A week that was built and scanned: the truth beside what the scan said.

Accounts count as found when their tier is ``member`` or ``associated``; a found group belongs to the truth
campaign that supplies most of its accounts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def shared() -> Path:
    """Where the text lies; skips the test where it does not."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no ../shared/data beside the repository: the week is made of the text kept there")
    return SHARED


class Null:
    """Progress that nobody watches."""

    def step(self, name: str, total: float | None = None) -> None: ...
    def advance(self, amount: float) -> None: ...
    def note(self, text: str) -> None: ...


@dataclass(frozen=True)
class Scanned:
    """The truth and what the scan said."""

    run: Path
    truth: dict[str, dict[str, Any]]
    campaigns: dict[str, dict[str, Any]]
    canaries: dict[str, list[str]]
    kinds: dict[str, str]
    groups: dict[str, set[str]]
    """Found groups: their accounts of tier member or associated."""
    dispositions: dict[str, str]

    def fragments(self, campaign: str) -> list[str]:
        """Found groups most of whose accounts are this campaign's."""
        return [g for g, accounts in self.groups.items() if self._owner(accounts) == campaign]

    def recall(self, campaign: str, kind: str) -> float:
        """Share of the campaign's accounts that are in a group of this kind which belongs to it."""
        wanted = set(self.campaigns[campaign]["accounts"])
        found = [self.groups[g] for g in self.fragments(campaign) if self.kinds[g] == kind]
        return len(wanted & set().union(*found)) / len(wanted)

    def purity(self, campaign: str) -> float:
        """Share of the accounts in the campaign's groups that are its own."""
        wanted = set(self.campaigns[campaign]["accounts"])
        found = [a for g in self.fragments(campaign) for a in self.groups[g]]
        return sum(a in wanted for a in found) / len(found) if found else 0.0

    def reviewed(self, klass: str) -> set[str]:
        """Organisations of an honest class with an account at ``review`` or beyond."""
        return {
            row["org_key"]
            for account, row in self.truth.items()
            if row["class"] == klass and self.dispositions.get(account) in ("review", "act")
        }

    def _owner(self, accounts: set[str]) -> str | None:
        owners = Counter(self.truth[a]["campaign_id"] for a in accounts)
        return owners.most_common(1)[0][0] if owners else None


def _lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def scan_week(week: Path) -> Scanned:
    """Scan a week that was built into a folder; the run lies beside it."""
    from stillwatch import wiring
    from stillwatch.settings import Settings

    run = week / "run"
    wiring.scan(
        [str(week / "exchanges")],
        settings=Settings(),
        out=run,
        accounts=[str(week / "accounts.parquet")],
        grants=str(week / "grants.jsonl"),
        releases=str(week / "releases.jsonl"),
        client_releases=str(week / "client_releases.jsonl"),
        progress=Null(),
        env={"STILLWATCH_KEY": "0" * 64},
    )
    truth = pq.read_table(week / "truth" / "accounts.parquet").to_pylist()
    found = pq.read_table(run / "campaigns.parquet").to_pylist()
    groups: dict[str, set[str]] = {row["campaign_id"]: set() for row in found}
    for row in pq.read_table(run / "members.parquet").to_pylist():
        if row["tier"] in ("member", "associated"):
            groups[row["campaign_id"]].add(row["account_id"])
    accounts = pq.read_table(run / "accounts.parquet").to_pylist()
    return Scanned(
        run=run,
        truth={row["account_id"]: row for row in truth},
        campaigns={row["campaign_id"]: row for row in _lines(week / "truth" / "campaigns.jsonl")},
        canaries={row["field"]: row["canaries"] for row in _lines(week / "truth" / "canaries.jsonl")},
        kinds={row["campaign_id"]: row["kind"] for row in found},
        groups=groups,
        dispositions={row["account_id"]: row["disposition_hint"] for row in accounts},
    )
