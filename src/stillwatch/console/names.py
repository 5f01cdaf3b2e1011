"""Names in addresses and names of people."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from stillwatch.records import number_of
from stillwatch.respond import tables as t
from stillwatch.respond.errors import NotFound


def case_number(name: str) -> int:
    """The number of a case from its name."""
    return _number(name, "K", "case")


def plan_number(name: str) -> int:
    """The number of a plan from its name."""
    return _number(name, "P", "plan")


def appeal_number(name: str) -> int:
    """The number of an appeal from its name."""
    return _number(name, "A", "appeal")


def _number(name: str, letter: str, what: str) -> int:
    found = number_of(name, letter)
    if found is None:
        raise NotFound(f"{what} {name[:40]}", hint=f"{what}s are named {letter}-1, {letter}-2, …")
    return found


def names(conn: Connection, people: Iterable[int | None]) -> dict[int | None, str]:
    """What people are called; the program where nobody did it."""
    wanted = sorted({p for p in people if p is not None})
    found: dict[int | None, str] = {None: "stillwatch"}
    if wanted:
        asked = select(t.people.c.person_id, t.people.c.name).where(t.people.c.person_id.in_(wanted))
        found |= {row.person_id: row.name for row in conn.execute(asked)}
    return found
