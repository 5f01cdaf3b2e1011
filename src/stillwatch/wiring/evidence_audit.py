"""The audit record of people's work, sealed in the log of evidence: verdicts, approvals, actions, appeals, grants.

The store knows nothing of the log. Each line of its audit record is written in the transaction that it speaks of, so
the record itself is the list of what has yet to enter the log, and sealing is reading on from where it stopped:

1. Under the log's lock, write down up to which line leaves will be appended, and how long the log is.
2. Append one leaf for each line that a stranger may one day have to be shown, and one for the last line, the head:
   the chain carries every line before it.
3. Sign a checkpoint, and write down that these lines are sealed.

After a crash anywhere between, the leaves are computed again (they follow from the lines), looked for behind the
length that was written down, and only those that are missing are appended: each line enters once. Where the note
itself is lost, every head in the log must still follow from the record, or nothing more is sealed.

A leaf holds a commitment to its line: an HMAC of the line's digest under a salt of its own, since an account id in a
line could be guessed from a bare digest. The salts come from one secret beside the keys.

Limits: a log seals one store. Who holds the database, the log's folder and its key can make all three anew; that is
seen by whoever kept a checkpoint, as with any leaf.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.records import AuditEntry
from stillwatch.records.evidence import LeafKind
from stillwatch.settings import Settings
from stillwatch.wiring import evidence_log
from stillwatch.wiring.desk import Desk
from stillwatch.wiring.evidence_run import log_is_kept
from stillwatch.wiring.evidence_salts import commitment, salt_of, secret_of

if TYPE_CHECKING:
    from stillwatch.evidence.log import Log

STATE, SALT = "audit.json", "audit.salt"
PART = 5_000
"""Lines that are sealed at a time."""
KINDS = {
    "run.import": LeafKind.RUN,
    "case.close": LeafKind.VERDICT, "case.reopen": LeafKind.VERDICT,
    "plan.approve": LeafKind.APPROVAL, "plan.refuse": LeafKind.APPROVAL,
    "plan.run": LeafKind.ACTION, "plan.resume": LeafKind.ACTION, "plan.undo": LeafKind.ACTION,
    "plan.end": LeafKind.ACTION, "step.done": LeafKind.ACTION, "step.failed": LeafKind.ACTION,
    "appeal.decide": LeafKind.APPEAL,
    "content.agree": LeafKind.UNLOCK, "content.end": LeafKind.UNLOCK, "content.read": LeafKind.UNLOCK,
    "account.correct": LeafKind.WITHDRAWAL, "case.correct": LeafKind.WITHDRAWAL,
    "grant.add": LeafKind.GRANT, "grant.revoke": LeafKind.GRANT,
}  # fmt: skip
"""Lines that have a leaf of their own, by what they say was done. All are sealed by the next head."""
_ANOTHER = (
    "another store, an older copy, or a forged record: compare with a backup; a store that was really restored goes on "
    "with a log of its own (evidence.log)"
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """How far sealing has come."""

    lines: int = 0
    """Lines of the record that are sealed."""
    head: str = ""
    """Digest of the last of them."""
    upto: int = 0
    """Last line of the part under way; ``lines`` when none is."""
    since: int = 0
    """Length of the log before anything of that part was appended."""

    @property
    def at_rest(self) -> bool:
        """Whether no part is under way."""
        return self.upto == self.lines


def seal_audit(desk: Desk, settings: Settings, env: Mapping[str, str] = os.environ) -> int:
    """Seal what the audit record has gained; returns the number of lines. Does nothing when no log is kept.

    Raises:
        StillwatchError: the log cannot be written now. Nothing is lost: the next call goes on from here.
        VerificationError: the record is not the one that the log has sealed before.
    """
    if not log_is_kept(settings):
        return 0
    last, digest = _head(desk)
    state = _read(settings)
    if state.lines and state.at_rest and (state.lines, state.head) == (last, digest):
        return 0
    key = evidence_log.log_key(settings, env)
    with evidence_log.opened(settings) as log:
        before = state = _read(settings)
        heads = set() if state.upto else _heads(log)
        secret = secret_of(settings, SALT, fresh=not state.upto and not heads)
        if state.upto:
            _same_record(desk, state)
        else:
            _all_follow(desk, heads, secret)
        while not state.at_rest or state.lines < last:
            if state.at_rest:
                since = log.size if before.lines else 0  # a state that was lost is no reason to append twice
                state = _write(log, Sealed(state.lines, state.head, min(last, state.lines + PART), since))
            head = _append_missing(desk, log, state, secret)
            evidence_log.publish(settings, log, key)
            state = _write(log, Sealed(state.upto, head, state.upto, log.size))
        return state.lines - before.lines


def check_sealed(desk: Desk, settings: Settings) -> dict[str, Any] | None:
    """Hold the audit record against the log; None when no log is kept.

    Returns:
        dict: ``lines`` that the log has sealed, the ``head`` at the last of them, and how many ``leaves`` they have.

    Raises:
        VerificationError: a line that was sealed is gone or is another one now, or its leaf is not in the log.
    """
    if not log_is_kept(settings):
        return None
    with evidence_log.opened(settings) as log:
        state = _read(settings)
        if not state.upto and _heads(log):
            raise VerificationError(
                f"the log has sealed lines of an audit record, and {STATE} in its folder is gone",
                hint="take it from a backup; without one, the next command of case, plan, appeal or grant looks for "
                "each sealed line in the log again",
            )
        if not state.lines:
            return {"lines": 0, "head": None, "leaves": 0}
        _same_record(desk, state)
        entries, _ = _leaves(desk, 1, state.lines, secret_of(settings, SALT, fresh=False))
        missing = set(entries)
        missing.difference_update(log.entries())
    if missing:
        raise VerificationError(f"the log does not hold {len(missing):,} of the record's {len(entries):,} sealed lines",
                                hint="one of them was changed since; compare both with backups")  # fmt: skip
    return {"lines": state.lines, "head": state.head, "leaves": len(entries)}


def _append_missing(desk: Desk, log: Log, state: Sealed, secret: bytes) -> str:
    """Append the leaves of the part under way that are not there; returns the digest of its last line."""
    entries, head = _leaves(desk, state.lines + 1, state.upto, secret)
    there = set(entries).intersection(log.entries(state.since))
    missing = [entry for entry in entries if entry not in there]
    if missing:
        log.append(missing)
    return head


def _leaves(desk: Desk, first: int, last: int, secret: bytes) -> tuple[list[bytes], str]:
    """Entries of the log for these lines, and the digest of the last line."""
    from stillwatch.respond import audit
    from stillwatch.store.sql import reading

    made, digest = [], ""
    with reading(desk.engine) as conn:
        for line in audit.lines(conn, first, last):
            kinds = [
                kind for kind in (KINDS.get(line.what), LeafKind.AUDIT if line.seq == last else None) if kind
            ]
            made += [_leaf(kind, line, secret) for kind in kinds]
            digest = line.digest
    return made, digest


def _heads(log: Log) -> set[bytes]:
    """The heads of audit records that are in the log; nothing else makes leaves of that kind."""
    return {entry for entry in log.entries() if entry.endswith(b'"kind":"audit"}')}


def _all_follow(desk: Desk, heads: set[bytes], secret: bytes) -> None:
    """Raise unless each head in the log is that of a line of this record."""
    from stillwatch.respond import audit
    from stillwatch.store.sql import reading

    if not heads:
        return
    missing = set(heads)
    with reading(desk.engine) as conn:
        for line in audit.lines(conn, 1, audit.head(conn)[0]):
            missing.discard(_leaf(LeafKind.AUDIT, line, secret))
    if missing:
        raise VerificationError(
            f"{len(missing):,} of {len(heads):,} heads in the log are not those of lines of the audit record",
            hint=_ANOTHER,
        )


def _leaf(kind: LeafKind, line: AuditEntry, secret: bytes) -> bytes:
    from stillwatch.evidence.leaf import leaf

    salt = salt_of(secret, f"audit line {line.seq}")
    return leaf(kind, commitment(line.digest, salt), datetime.fromisoformat(line.at))


def _same_record(desk: Desk, state: Sealed) -> None:
    """Raise unless the last sealed line still stands where it stood: the chain carries all lines before it."""
    from stillwatch.respond import audit
    from stillwatch.store.sql import reading

    with reading(desk.engine) as conn:
        length, _ = audit.head(conn)
        found = next((line.digest for line in audit.lines(conn, state.lines, state.lines)), "")
    if found != state.head or length < state.upto:
        what = "are gone" if length < state.upto else "end otherwise now"
        raise VerificationError(
            f"{state.upto:,} lines of the audit record are in the log, and they {what}",
            hint=_ANOTHER,
        )


def _head(desk: Desk) -> tuple[int, str]:
    from stillwatch.respond import audit
    from stillwatch.store.sql import reading

    with reading(desk.engine) as conn:
        return audit.head(conn)


def _read(settings: Settings) -> Sealed:
    path = Path(settings.evidence.log) / STATE
    try:
        return Sealed(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Sealed()
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{STATE} in the log's folder cannot be read", hint="take it from a backup, or remove it: what is in the "
            "log is then found there, and not appended again",
        ) from error  # fmt: skip


def _write(log: Log, state: Sealed) -> Sealed:
    log.files.put(STATE, json.dumps(asdict(state)).encode())
    return state


__all__ = ["KINDS", "check_sealed", "seal_audit"]
