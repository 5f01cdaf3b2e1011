"""A unit of work: one person, one moment, one transaction, and the record of what was done in it.

Services take a :class:`Work` first. They ask :meth:`Work.need` before they touch anything and :meth:`Work.note` what
they did; the notes enter the hash-chained audit record in the same transaction, so that nothing is done without its
line and no line stands for something that was not done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Insert, Table, select

from stillwatch.records import Permission, Person
from stillwatch.respond import audit
from stillwatch.respond.errors import Conflict, NotAllowed, NotFound

PROGRAM = Person(0, "stillwatch")
"""The program itself, for what no person did: a customer's appeal, a step of a plan under way."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a service needs to know about its surroundings."""

    conn: Connection
    person: Person
    now: datetime
    notes: list[audit.Note] = field(default_factory=list)

    def need(self, permission: Permission) -> None:
        """Raise unless the person may."""
        if not self.person.may(permission):
            roles = ", ".join(sorted(self.person.roles)) or "none"
            raise NotAllowed(
                f"{self.person.name} may not do this: it needs {permission.value}, and the roles are {roles}",
                hint="ask an admin for the role, or somebody who has it",
            )

    def note(self, what: str, subject: str, **details: Any) -> None:
        """Put a line into the audit record when the transaction is kept. Never prompt text."""
        self.notes.append(audit.Note(what, subject, details))

    @property
    def by(self) -> int | None:
        """The person for a column; None for the program."""
        return self.person.person_id or None


@contextmanager
def work(conn: Connection, person: Person, now: datetime) -> Iterator[Work]:
    """Work inside a transaction that the caller opened; the audit lines are written at its end."""
    made = Work(conn, person, now)
    yield made
    audit.append(conn, made.person, now, made.notes)


def changed(
    work: Work, table: Table, key: Mapping[str, Any], version: int, what: str, /, **values: Any
) -> int:
    """Change one row that still has the version it was read at; returns its new version.

    Raises
    ------
    Conflict
        Somebody changed it in between.
    NotFound
        It is not there.
    """
    where = [table.c[name] == value for name, value in key.items()]
    done = work.conn.execute(
        table.update().where(*where, table.c.version == version).values(**values, version=version + 1)
    )
    if done.rowcount == 1:
        return version + 1
    now = work.conn.execute(select(table.c.version).where(*where)).scalar()
    if now is None:
        raise NotFound(what)
    raise Conflict(what, had=version, now=int(now))


def added(conn: Connection, row: Insert) -> int:
    """Insert one row; returns the number the database gave it."""
    key = conn.execute(row).inserted_primary_key
    assert key is not None  # noqa: S101  one row was inserted
    return int(key[0])
