"""The audit record: append-only, each line chained to the one before by its digest.

Whoever changes or removes a line breaks the chain from there on; whoever cuts the end is found by the head, if the
head was written down elsewhere (``stillwatch respond check`` prints it). Whoever can write to the database and forge
the whole chain is found only by a head that was kept outside.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from stillwatch.errors import VerificationError
from stillwatch.records import AuditEntry, Page, Person
from stillwatch.respond import tables as t

FIRST = "0" * 64
_LONGEST = 4_000
_LONGEST_SUBJECT = 300
"""Short enough for an index, whatever the alphabet."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be recorded."""

    what: str
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)


def append(conn: Connection, person: Person, now: datetime, notes: Sequence[Note]) -> None:
    """Chain the notes to the record. The head's row is locked until the transaction ends, so the chain never forks."""
    if not notes:
        return
    head = conn.execute(select(t.audit_head).with_for_update()).one()
    seq, previous = int(head.seq), str(head.digest)
    rows = []
    for note in notes:
        seq += 1
        entry = _entry(seq, person, now, note, previous)
        previous = entry.digest
        rows.append({name: getattr(entry, name) for name in AuditEntry.__slots__})
    conn.execute(t.audit.insert(), rows)
    conn.execute(t.audit_head.update().values(seq=seq, digest=previous))


def _entry(seq: int, person: Person, now: datetime, note: Note, previous: str) -> AuditEntry:
    details = json.dumps(note.details, sort_keys=True, ensure_ascii=True, default=str, separators=(",", ":"))
    if len(details) > _LONGEST:
        whole = hashlib.sha256(details.encode()).hexdigest()
        details = json.dumps(
            {"too_long": len(details), "sha256": whole}, sort_keys=True, separators=(",", ":")
        )
    at = now.astimezone(UTC).isoformat(timespec="microseconds")
    fields = (
        seq,
        at,
        person.person_id or None,
        person.name,
        note.what,
        note.subject[:_LONGEST_SUBJECT],
        details,
        previous,
    )
    return AuditEntry(*fields, digest=digest_of(*fields))


def digest_of(*fields: object) -> str:
    """SHA-256 over the fields of a line, the digest of the line before among them."""
    text = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def entries(
    conn: Connection, *, what: str = "", subject: str = "", person_id: int | None = None, offset: int = 0,
    limit: int = 100,
) -> Page:  # fmt: skip
    """A page of the record, newest first."""
    where = []
    if what:
        where.append(t.audit.c.what.startswith(what, autoescape=True))
    if subject:
        where.append(t.audit.c.subject == subject)
    if person_id is not None:
        where.append(t.audit.c.person_id == person_id)
    total = conn.execute(select(func.count()).select_from(t.audit).where(*where)).scalar_one()
    found = conn.execute(
        select(t.audit).where(*where).order_by(t.audit.c.seq.desc()).offset(offset).limit(limit)
    )
    return Page(tuple(AuditEntry(**row._mapping) for row in found), total, offset, limit)


def head(conn: Connection) -> tuple[int, str]:
    """Length of the record, and the digest of its last line."""
    found = conn.execute(select(t.audit_head)).one()
    return int(found.seq), str(found.digest)


def lines(conn: Connection, first: int, last: int) -> Iterator[AuditEntry]:
    """Lines of the record in their order, both ends included."""
    found = conn.execution_options(yield_per=1_000).execute(
        select(t.audit).where(t.audit.c.seq.between(first, last)).order_by(t.audit.c.seq)
    )
    for row in found:
        yield AuditEntry(**row._mapping)


def verify(conn: Connection, *, head: str | None = None) -> tuple[int, str]:
    """Walk the whole chain; returns its length and its head.

    Parameters
    ----------
    head
        A head that was written down earlier; it must lie on the chain.

    Raises
    ------
    VerificationError
        A line was changed, removed or added, or the end was cut.
    """
    previous, last, seen = FIRST, 0, head in (None, FIRST)
    for entry in lines(conn, 1, 2**62):
        fields = tuple(getattr(entry, name) for name in AuditEntry.__slots__ if name != "digest")
        if entry.seq != last + 1 or entry.previous != previous or digest_of(*fields) != entry.digest:
            raise VerificationError(f"the audit record is broken at line {last + 1}",
                                    hint="compare with a backup; somebody wrote to the database")  # fmt: skip
        previous, last = entry.digest, entry.seq
        seen = seen or previous == head
    stored = conn.execute(select(t.audit_head)).one()
    if (stored.seq, stored.digest) != (last, previous):
        raise VerificationError(f"the audit record ends at line {last}, its head says {stored.seq}",
                                hint="lines were removed from the end; compare with a backup")  # fmt: skip
    if not seen:
        raise VerificationError("the head you named is not on the chain",
                                hint="the record was replaced since that head was written down")  # fmt: skip
    return last, previous
