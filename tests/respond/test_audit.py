"""The audit record."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from stillwatch.errors import VerificationError
from stillwatch.respond import audit, cases
from stillwatch.respond import tables as t
from tests.respond.conftest import Office


def filled(office: Office) -> None:
    """A few lines."""
    with office.work() as work:
        number = cases.open_by_hand(work, "One").number
        cases.note(work, number, "secret words of a customer")


def lift(office: Office, conn: sa.Connection) -> None:
    """Take the triggers away, as somebody with the database's own password could."""
    if office.desk.engine.dialect.name == "postgresql":
        conn.execute(sa.text("DROP TRIGGER audit_append_only ON audit"))
    else:
        for verb in ("update", "delete"):
            conn.execute(sa.text(f"DROP TRIGGER audit_no_{verb}"))


def test_what_was_done_stands_in_the_record_in_the_same_transaction(office: Office) -> None:
    """Who, what and on what; a transaction that fails leaves no line, and notes are not quoted."""
    filled(office)
    with pytest.raises(RuntimeError), office.work() as work:
        cases.open_by_hand(work, "Two")
        raise RuntimeError
    with office.look("otto") as work:
        page = audit.entries(work.conn, what="case.")
        assert [(e.what, e.subject, e.person_name) for e in page.rows] == [
            ("case.note", "K-1", "ana"), ("case.open", "K-1", "ana"),
        ]  # fmt: skip
        assert "secret" not in json.dumps([e.details for e in page.rows])
        length, head = audit.verify(work.conn)
    assert length == len(office.team) + 2
    with office.look("otto") as work:
        assert audit.verify(work.conn, head=head) == (length, head)


@pytest.mark.parametrize("statement", ["UPDATE audit SET what = 'x'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_a_line(office: Office, statement: str) -> None:
    """Append-only for the program too."""
    filled(office)
    with pytest.raises(sa.exc.DBAPIError, match="never changed or removed"), office.work() as work:
        work.conn.execute(sa.text(statement))


@pytest.mark.parametrize("how", ["changed", "removed", "cut", "added", "replaced"])
def test_a_forged_record_is_found(office: Office, how: str) -> None:
    """Whatever was done to it; a record forged as a whole is found by a head kept elsewhere."""
    filled(office)
    with office.look() as work:
        _, head = audit.verify(work.conn)
    with office.desk.engine.begin() as conn:
        lift(office, conn)
        last = conn.execute(sa.select(sa.func.max(t.audit.c.seq))).scalar_one()
        if how == "changed":
            conn.execute(t.audit.update().where(t.audit.c.seq == 3).values(person_name="somebody else"))
        elif how == "removed":
            conn.execute(t.audit.delete().where(t.audit.c.seq == 3))
        elif how == "cut":
            conn.execute(t.audit.delete().where(t.audit.c.seq == last))
        elif how == "added":
            row = dict(conn.execute(sa.select(t.audit).where(t.audit.c.seq == last)).one()._mapping)
            conn.execute(t.audit.insert().values(**{**row, "seq": last + 1}))
        else:
            conn.execute(t.audit.delete())
            conn.execute(t.audit_head.update().values(seq=0, digest=audit.FIRST))
            audit.append(conn, office.team["ana"], office.clock(), [audit.Note("case.open", "K-1")])
    with pytest.raises(VerificationError), office.look() as work:
        audit.verify(work.conn, head=head)
