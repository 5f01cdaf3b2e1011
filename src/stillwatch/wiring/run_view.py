"""A run folder as pages need it: its campaigns at hand, its members and accounts asked page by page."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import SourceError, StillwatchError
from stillwatch.records import Campaign, ScanResult
from stillwatch.report.facts import Facts, read_facts
from stillwatch.report.html import in_order
from stillwatch.report.tables import ACCOUNTS, campaign_from
from stillwatch.store.run_tables import RunTables

FILES = ("summary.json", "campaigns.parquet", "members.parquet", "accounts.parquet")


@dataclass(frozen=True, slots=True)
class RunView:
    """One run: what was found, by id, and the tables behind it."""

    folder: Path
    digest: str
    """Of the files that pages are made from; it names the run."""
    facts: Facts
    campaigns: dict[str, Campaign]
    """In reading order: campaigns first, surest first."""
    tables: RunTables
    summary: dict[str, Any]

    def campaign(self, campaign_id: str) -> Campaign:
        """One campaign.

        Raises:
            StillwatchError: the run has none of this id.
        """
        if campaign_id not in self.campaigns:
            raise StillwatchError("this run has no such campaign", hint="the overview lists all of them")
        return self.campaigns[campaign_id]


def open_run(folder: Path) -> RunView:
    """Open the output folder of a scan.

    Raises:
        SourceError: a file is missing or is not what it claims.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise SourceError(str(folder), f"{name} is missing", hint="name the output folder of a scan")
    try:
        summary = json.loads((folder / "summary.json").read_text("utf-8"))
        rows: Iterable[dict[str, Any]] = pq.read_table(folder / "campaigns.parquet").to_pylist()
        campaigns = tuple(map(campaign_from, rows))
        digest = _digest(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        raise SourceError(
            str(folder), f"not a readable output of stillwatch ({type(error).__name__})",
            hint="run the scan again",
        ) from error  # fmt: skip
    # a lone ScanResult without its million rows: facts need the summary and the campaigns alone
    told = ScanResult(
        campaigns, (), (), (), pa.table({n: [] for n in ACCOUNTS.names}, schema=ACCOUNTS), summary
    )
    return RunView(
        folder,
        digest,
        read_facts(told),
        {c.campaign_id: c for c in in_order(campaigns)},
        RunTables(folder),
        summary,
    )


def _digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for name in FILES[1:]:
        with (folder / name).open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


class LatestRun:
    """The run in a folder, opened again when a new scan was put in its place."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._view: RunView | None = None

    def view(self) -> RunView:
        """The run as it is now.

        Raises:
            SourceError: as :func:`open_run`.
        """
        with self._lock:
            stamp = self._seen()
            if self._view is None or (stamp and stamp != self._stamp):
                # the old one is left to those who still read from it
                self._view, self._stamp = open_run(self._folder), stamp
            return self._view

    def _seen(self) -> tuple[int, ...]:
        try:
            state = (self._folder / "summary.json").stat()
        except OSError:
            return ()
        return state.st_ino, state.st_mtime_ns, state.st_size
