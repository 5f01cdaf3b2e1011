"""What a search for leads left beside a run, read back: for `explain`, for the console, for the page.

The file is ours and the words in it are strangers': it is checked as it is read, and bounded. It counts only beside the
very run that it was made for.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.errors import SourceError
from stillwatch.wiring.runs import run_id_of

BESIDE, PAGE = "leads.json", "leads.html"
"""What lies beside a run: for programs, and for people."""
WHAT = "Leads from others. They stand beside the findings and changed none of them; bits are not added up."
KINDS = {"asn": "AS number", "ipv4": "IPv4 addresses", "ipv6": "IPv6 addresses", "ja4": "JA4, a client's TLS",
         "user_agent": "User agent"}  # fmt: skip
MOST_BYTES = 256 * 2**20
MOST_ACCOUNTS = 10_000
"""Accounts that are named for a lead, members of groups first; what more accounts show tells nobody apart."""


@dataclass(frozen=True, slots=True)
class LeadBeside:
    """A lead that met the traffic of a run."""

    kind: str
    value: str
    source: str
    reliability: float
    """How often the source was right, as whoever listens to it states."""
    bits: float
    """What one account would weigh for somebody who believes the source; never added up."""
    level: str
    object_id: str
    since: datetime
    until: datetime
    accounts: frozenset[str] = field(repr=False)
    """At most `MOST_ACCOUNTS` of those that it met."""
    met: int
    """Accounts that it met."""
    exchanges: int
    campaigns: Mapping[str, int]
    """How many accounts of each group it met."""

    def days_old(self, now: datetime) -> int:
        """Whole days since it began to hold."""
        return max(0, (now - self.since).days)

    def ended(self, now: datetime) -> bool:
        """Whether it holds no more, by its own word."""
        return self.until <= now


@dataclass(frozen=True, slots=True)
class Beside:
    """A search for leads."""

    run: str
    looked_at: datetime | None
    leads: int
    """Leads that were looked for."""
    accounts: int
    """Accounts that were looked at."""
    matches: tuple[LeadBeside, ...]
    not_used: Mapping[str, int]

    def of_campaign(self, campaign_id: str) -> list[LeadBeside]:
        """Leads that met a group."""
        return [m for m in self.matches if campaign_id in m.campaigns]

    def of_account(self, account_id: str) -> list[LeadBeside]:
        """Leads that met an account."""
        return [m for m in self.matches if account_id in m.accounts]


def read_beside(told: Any) -> Beside:
    """What a file of leads says.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, OverflowError: it is none.
    """
    if told["what"] != WHAT:
        raise ValueError("another kind of file")
    at = told.get("looked_at")
    return Beside(
        str(told.get("run", "")), datetime.fromisoformat(at).astimezone(UTC) if at else None, int(told["leads"]),
        int(told["accounts_looked_at"]), tuple(_row(row) for row in told["matches"]),
        {str(why): int(n) for why, n in told["not_used"].items()},
    )  # fmt: skip


def _row(row: Mapping[str, Any]) -> LeadBeside:
    accounts = frozenset(map(str, row["accounts"]))
    return LeadBeside(
        **{name: str(row[name]) for name in ("kind", "value", "source", "level", "object_id")},
        reliability=float(row["reliability"]), bits=float(row["bits"]), since=_time(row["valid_from_us"]),
        until=_time(row["valid_until_us"]), accounts=accounts, met=int(row.get("met", len(accounts))),
        exchanges=int(row["exchanges"]), campaigns={str(c): int(n) for c, n in row["campaigns"].items()},
    )  # fmt: skip


def _time(micros: Any) -> datetime:
    return datetime.fromtimestamp(int(micros) / 1e6, UTC)


def beside(run: Path) -> Beside | None:
    """What lies beside a run; None when nobody looked.

    Raises:
        SourceError: it cannot be read, or was made for another run.
    """
    path = run / BESIDE
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("too long")
        found = read_beside(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise SourceError(
            str(path), "cannot be read", hint="scan with --leads again, or remove it"
        ) from error
    if found.run != run_id_of(run):
        raise SourceError(str(path), "was made for another run", hint="scan with --leads again, or remove it")
    return found


def is_ours(path: Path) -> bool:
    """Whether a file was written by a search for leads: it begins as all of them do."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(len(WHAT) + 40).startswith(f'{{\n "what": "{WHAT}"')
    except OSError:
        return False


class LatestLeads:
    """Leads beside the latest run, read again when run or file was replaced."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: tuple[Any, ...] = ()
        self._held: tuple[Beside | None, str] = (None, "")

    def of(self, run: Path) -> tuple[Beside | None, str]:
        """What lies there, or why it cannot be shown."""
        with self._lock:
            stamp = (run, *_stamp(run / BESIDE), *_stamp(run / "summary.json"))
            if stamp != self._stamp:
                try:
                    self._held = beside(run), ""
                except SourceError as error:
                    self._held = None, f"{error}: {error.hint}"
                self._stamp = stamp
            return self._held


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        state = path.stat()
    except OSError:
        return ()
    return state.st_ino, state.st_mtime_ns, state.st_size


def leads_beside(run: Path, subject: str) -> str:
    """What to say of the leads that met a campaign or an account of a run; empty when there are none."""
    from stillwatch.report.safe import shown as safe

    found = beside(run)
    if found is None:
        return ""
    if rows := found.of_campaign(subject):
        lines = [
            "Leads from others (beside the findings, not in them; they changed nothing, and are no verdict):"
        ]
    elif rows := [m for m in found.of_account(subject) if not m.ended(datetime.now(UTC))]:
        lines = [
            "What others shared about a network or a program that this account used, not about the account. Honest "
            "customers share both with many: it is no verdict, changed nothing, and nothing follows from it:"
        ]
    for m in rows:
        group = subject in m.campaigns
        here = f"{m.campaigns[subject]} of its accounts here, " if group else ""
        worth = f"; worth {m.bits} bits to whoever believes it" if group else ""
        lines.append(
            f"  {safe(m.kind)} {safe(m.value)}, shared by {safe(m.source)} (right in {m.reliability:.0%} of cases, as "
            f"you state), held since {m.since:%Y-%m-%d} until {m.until:%Y-%m-%d}: {here}{m.met} of {found.accounts} "
            f"accounts in all{worth}: {safe(m.object_id)}"
        )
    return "\n".join(lines) if rows else ""


__all__ = [
    "BESIDE", "KINDS", "MOST_ACCOUNTS", "PAGE", "WHAT", "Beside", "LatestLeads", "LeadBeside", "beside", "is_ours",
    "leads_beside", "read_beside",
]  # fmt: skip
