"""The desk: hands out marking keys, each committed in a log before anybody can use it, and remembers them all.

The order is the promise: derive, commit, write down, hand out. A desk that dies in between has committed to a key that
was never used, and commits to the same one when it is asked again. Without a log nothing is handed out.

Examples
--------
>>> class Notes(list):
...     rows = lambda self: list(self)
...     add = list.append
>>> class Log:
...     def commit(self, digest): return {"index": 0}
>>> desk = Desk(Master(bytes(32)), Log(), Notes())
>>> dye = desk.issue(Subject("2026-11", "campaign:C-1"), "sglang-gumbel", 2, at="2026-11-03T00:00:00+00:00")
>>> dye.key_id, [d.key == dye.key for d in desk.issued()]
('2026-11/campaign:C-1', [True])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.protect.dye.issue import Dye, Issue, Subject, commitment, derived
from stillwatch.protect.dye.master import Master
from stillwatch.protect.dye.schemes import scheme_of


class Log(Protocol):
    """An append-only log that strangers can check."""

    def commit(self, digest: str) -> Mapping[str, Any]:
        """Make a digest part of the log; returns where it stands. Raises when that cannot be promised."""
        ...


class Journal(Protocol):
    """Rows that stay, in order."""

    def rows(self) -> list[dict[str, Any]]: ...
    def add(self, row: dict[str, Any]) -> None: ...


class Desk:
    """Issues keys from one master."""

    def __init__(self, master: Master, log: Log, journal: Journal) -> None:
        self._master, self._log, self._journal = master, log, journal

    def issue(self, subject: Subject, scheme: str, width: int | None = None, *, at: str) -> Dye:
        """The key of a subject; issued when it is not yet. One subject has one scheme in an epoch."""
        wanted = scheme_of(scheme).width if width is None else width
        scheme_of(scheme).server(0, wanted)
        for known in self.issued():
            if known.issue.subject == subject:
                if (known.issue.scheme, known.issue.width) != (scheme, wanted):
                    raise ConfigError(
                        f"{subject.key_id} was issued for {known.issue.scheme}, window {known.issue.width}",
                        hint="begin another epoch for another scheme",
                    )
                return known
        key, nonce = derived(self._master, subject, scheme, wanted)
        digest = commitment(key, nonce, subject, scheme, wanted)
        logged = dict(self._log.commit(digest))
        issue = Issue(subject, scheme, wanted, digest, at, logged)
        self._journal.add(issue.row())
        return Dye(issue, key, nonce)

    def issued(self) -> list[Dye]:
        """Every key that was ever issued, each held against its commitment."""
        return [self._dye(Issue.from_row(row)) for row in self._journal.rows()]

    def find(self, key_id: str) -> Dye:
        """An issued key by its name."""
        for dye in self.issued():
            if dye.key_id == key_id:
                return dye
        raise ConfigError("no such key was issued", hint="`stillwatch dye list` shows those that were")

    def salt(self, key_id: str) -> bytes:
        """Salt of the ledger of what was served under a key."""
        return self._master.derive(32, "served", key_id)

    def _dye(self, issue: Issue) -> Dye:
        key, nonce = derived(self._master, issue.subject, issue.scheme, issue.width)
        if commitment(key, nonce, issue.subject, issue.scheme, issue.width) != issue.commitment:
            raise VerificationError(
                f"{issue.subject.key_id} was not issued from this master, or its row was changed",
                hint="use the master of that time; never two masters with one folder",
            )
        return Dye(issue, key, nonce)
