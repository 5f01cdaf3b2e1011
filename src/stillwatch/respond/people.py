"""People: who may work here, with which roles. How they sign in is not decided here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, func, select

from stillwatch.records import Permission, Person, Role
from stillwatch.respond import tables as t
from stillwatch.respond.errors import NotAllowed, NotFound, Unfit
from stillwatch.respond.work import Work, added, changed

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


def add(work: Work, name: str, roles: Iterable[Role], *, full_name: str = "", email: str = "") -> Person:
    """Add a person. The first one may be added by the program, with whatever roles; later ones by an admin."""
    if work.person.person_id or _any(work.conn):
        work.need(Permission.PEOPLE_EDIT)
    if not _NAME.fullmatch(name):
        raise Unfit(
            f"{name!r:.80} cannot be a name to sign in with", hint="lower-case letters, digits and . _ @ + -"
        )
    if work.conn.execute(select(t.people.c.person_id).where(t.people.c.name == name)).first():
        raise Unfit(f"there is already somebody called {name}", hint="choose another name")
    wanted = frozenset(roles)
    number = added(
        work.conn,
        t.people.insert().values(
            name=name, full_name=full_name[:200], email=email[:200], active=True, added_at=work.now, version=1,
        )
    )  # fmt: skip
    _put_roles(work.conn, number, wanted)
    work.note("person.add", name, roles=sorted(wanted))
    return Person(number, name, wanted, True, full_name[:200], email[:200])


def change(
    work: Work, person: Person, *, roles: Iterable[Role] | None = None, active: bool | None = None
) -> Person:
    """Change roles, or let somebody in or out. The last active admin stays."""
    work.need(Permission.PEOPLE_EDIT)
    wanted = person.roles if roles is None else frozenset(roles)
    stays = person.active if active is None else active
    if Role.ADMIN in person.roles and person.active and not (stays and Role.ADMIN in wanted):
        _another_admin(work.conn, person.person_id)
    changed(work, t.people, {"person_id": person.person_id}, person.version, person.name, active=stays)
    work.conn.execute(t.person_roles.delete().where(t.person_roles.c.person_id == person.person_id))
    _put_roles(work.conn, person.person_id, wanted)
    if not stays:
        work.conn.execute(
            t.sessions.update()
            .where(t.sessions.c.person_id == person.person_id, t.sessions.c.revoked_at.is_(None))
            .values(revoked_at=work.now)
        )
    work.note("person.change", person.name, roles=sorted(wanted), active=stays)
    return by_id(work.conn, person.person_id)


def by_name(conn: Connection, name: str) -> Person:
    """Somebody by name.

    Raises
    ------
    NotFound
        Nobody has that name.
    """
    row = conn.execute(select(t.people).where(t.people.c.name == name)).first()
    if row is None:
        raise NotFound(f"person called {name[:80]}", hint="`stillwatch respond person` lists who is known")
    return _person(conn, row)


def by_id(conn: Connection, person_id: int) -> Person:
    """Somebody by number."""
    row = conn.execute(select(t.people).where(t.people.c.person_id == person_id)).first()
    if row is None:
        raise NotFound(f"person {person_id}")
    return _person(conn, row)


def everybody(conn: Connection) -> list[Person]:
    """All people, by name."""
    roles: dict[int, set[Role]] = {}
    for person_id, role in conn.execute(select(t.person_roles)):
        roles.setdefault(person_id, set()).add(Role(role))
    return [
        _made(row, roles.get(row.person_id, ()))
        for row in conn.execute(select(t.people).order_by(t.people.c.name))
    ]


def _person(conn: Connection, row: Any) -> Person:
    held = conn.execute(
        select(t.person_roles.c.role).where(t.person_roles.c.person_id == row.person_id)
    ).scalars()
    return _made(row, map(Role, held))


def _made(row: Any, roles: Iterable[Role]) -> Person:
    return Person(
        row.person_id, row.name, frozenset(roles), row.active, row.full_name, row.email, row.version
    )


def _any(conn: Connection) -> bool:
    return conn.execute(select(func.count()).select_from(t.people)).scalar_one() > 0


def _put_roles(conn: Connection, person_id: int, roles: frozenset[Role]) -> None:
    if roles:
        conn.execute(
            t.person_roles.insert(), [{"person_id": person_id, "role": r.value} for r in sorted(roles)]
        )


def _another_admin(conn: Connection, person_id: int) -> None:
    others = conn.execute(
        select(t.people.c.person_id)
        .join(t.person_roles, t.person_roles.c.person_id == t.people.c.person_id)
        .where(
            t.person_roles.c.role == Role.ADMIN.value, t.people.c.active, t.people.c.person_id != person_id
        )
        .with_for_update()
    ).first()
    if others is None:
        raise NotAllowed("this is the last admin", hint="make somebody else an admin first")
