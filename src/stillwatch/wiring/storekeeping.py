"""Care of the store: set it up, bring it up to date, copy it, restore it, check it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, SourceError
from stillwatch.records import Permission, Person, Role
from stillwatch.respond import PROGRAM, audit, copies, people
from stillwatch.respond.errors import NotFound, NotNow
from stillwatch.settings import Settings
from stillwatch.store.sql import migrate, reading, revision, writing
from stillwatch.wiring.desk import Desk
from stillwatch.wiring.evidence_audit import check_sealed


def set_up(desk: Desk, admin: str) -> dict[str, Any]:
    """Make the tables and the first person, an admin."""
    before, after = migrate(desk.engine)
    with reading(desk.engine) as conn:
        if people.everybody(conn):
            raise NotNow("the store has been set up already", hint="`stillwatch respond person` adds people")
    with desk.work(PROGRAM) as work:
        person = people.add(work, admin, {Role.ADMIN})
    return {"was": before, "is": after, "admin": person.name}


def bring_up_to_date(desk: Desk) -> dict[str, Any]:
    """Give the tables the form of this version."""
    before, after = migrate(desk.engine)
    return {"was": before, "is": after}


def put_person(desk: Desk, by: Person, name: str, roles: Sequence[str], *, active: bool = True) -> Person:
    """Add somebody, or give somebody these roles and no others."""
    wanted = frozenset(map(Role, roles))
    with desk.work(by) as work:
        try:
            there = people.by_name(work.conn, name)
        except NotFound:
            return people.add(work, name, wanted)
        return people.change(work, there, roles=wanted, active=active)


def back_up(desk: Desk, by: Person, out: Path) -> dict[str, Any]:
    """Write a copy of the store to a file that only its owner can read; whole or not at all."""
    desk.ready()
    if out.exists():
        raise ConfigError(f"{out.name} exists and is not replaced", hint="name another file")
    with desk.work(by) as work:
        work.need(Permission.STORE_CARE)
        work.note("store.backup", out.name[:200])
    form = str(revision(desk.engine)[0])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=out.parent, prefix=".backup-")
        try:
            with os.fdopen(handle, "w+b") as sink, reading(desk.engine) as conn:
                counts = copies.save(conn, form, sink)
                sink.flush()
                os.fsync(sink.fileno())
            os.replace(name, out)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{out.name}: {(error.strerror or 'cannot be written').lower()}",
                          hint="name a file that you can write") from error  # fmt: skip
    return {"file": str(out), "rows": sum(counts.values()), "tables": counts, "bytes": out.stat().st_size}


def restore(desk: Desk, source: Path) -> dict[str, Any]:
    """Fill an empty store from a copy; sets it up first where it is not."""
    migrate(desk.engine)
    form = str(revision(desk.engine)[0])
    try:
        with source.open("rb") as file, writing(desk.engine) as conn:
            counts = copies.load(conn, form, file)
    except OSError as error:
        raise SourceError(
            str(source), (error.strerror or "cannot be read").lower(), hint="name a backup"
        ) from error
    return {"rows": sum(counts.values()), "tables": counts}


def check_store(desk: Desk, *, head: str | None = None, settings: Settings | None = None) -> dict[str, Any]:
    """Walk the audit record, and hold it against the log that seals it; its head is worth writing down elsewhere."""
    desk.ready()
    with reading(desk.engine) as conn:
        length, found = audit.verify(conn, head=head)
    sealed = check_sealed(desk, settings) if settings is not None else None
    return {"form": revision(desk.engine)[0], "audit_lines": length, "head": found, "sealed": sealed}
