"""The store itself: its form, its copies, and people who work in it at once."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from stillwatch.errors import ConfigError, StillwatchError, UpstreamError, VerificationError
from stillwatch.records import Role
from stillwatch.respond import (
    PROGRAM,
    Conflict,
    NotAllowed,
    NotNow,
    Unfit,
    audit,
    cases,
    copies,
    people,
    sheets,
)
from stillwatch.respond import tables as t
from stillwatch.store import sql
from stillwatch.wiring.desk import Desk
from tests.respond.conftest import Office, Servers
from tests.respond.making import CARD, campaign, filed, names, result
from tests.respond.test_cases import HOSTILE, opened


def test_migrations_make_exactly_the_tables_that_services_use(servers: Servers, kind: str) -> None:
    """Nothing is missing and nothing is left over; doing it twice changes nothing."""
    engine = sql.open_database(servers.bare(kind))
    with pytest.raises(ConfigError, match="has not been set up"):
        sql.check_revision(engine)
    assert sql.migrate(engine)[0] is None
    assert sql.migrate(engine) == ("0001", "0001")
    sql.check_revision(engine)
    with engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), t.METADATA) == []
    engine.dispose()


def test_a_store_of_a_newer_version_is_left_alone(servers: Servers, kind: str) -> None:
    """The error says to update."""
    engine = sql.open_database(servers.fresh(kind))
    with engine.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for attempt in (sql.check_revision, sql.migrate):
        with pytest.raises(ConfigError, match="newer version"):
            attempt(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("oracle://x/y", "no such database"),
        ("sqlite://", "names no file"),
        ("postgresql://u:secret@h/d", "holds a password"),
        ("nonsense", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, match: str) -> None:
    """Before anything is opened, and a password is not quoted."""
    with pytest.raises(ConfigError, match=match) as caught:
        sql.open_database(url)
    assert "secret" not in str(caught.value) + caught.value.hint


def test_a_database_that_is_gone_says_so() -> None:
    """Without the statement or its values."""
    engine = sql.open_database("postgresql://u@127.0.0.1:1/d")
    with pytest.raises(UpstreamError, match="cannot be used") as caught, sql.writing(engine):
        pass
    assert "SELECT" not in str(caught.value)


def test_a_copy_restores_the_whole_store_on_either_database(
    kind: str, make_office: Callable[[str], Office], servers: Servers
) -> None:
    """Rows, numbers that go on, hostile text, and the audit record; into an empty store alone."""
    office = make_office("sqlite")
    filed(office, result([(campaign("G-1", [*names("a", 3), HOSTILE], [CARD]), [*names("a", 3), HOSTILE])]))
    sink = io.BytesIO()
    with sql.reading(office.desk.engine) as conn:
        counts = copies.save(conn, "0001", sink)
        head = audit.verify(conn)
    desk = Desk.open(servers.fresh(kind), env={})
    with sql.writing(desk.engine) as conn:
        assert copies.load(conn, "0001", sink) == counts
    with sql.reading(desk.engine) as conn:
        assert audit.verify(conn) == head
    with desk.work(office.team["ana"]) as work:
        assert HOSTILE in {a.account_id for a in cases.accounts(work, 1).rows}
        assert cases.open_by_hand(work, "goes on").number == 2
    with pytest.raises(NotNow, match="not empty"), sql.writing(desk.engine) as conn:
        copies.load(conn, "0001", sink)
    desk.close()


@pytest.mark.parametrize("how", ["cut", "changed", "not one", "other form"])
def test_a_damaged_copy_is_refused_and_nothing_is_kept(
    make_office: Callable[[str], Office], servers: Servers, how: str
) -> None:
    """Whole or not at all."""
    office = make_office("sqlite")
    opened(office)
    sink = io.BytesIO()
    with sql.reading(office.desk.engine) as conn:
        copies.save(conn, "0001", sink)
    data = sink.getvalue()
    if how == "cut":
        data = data[: len(data) // 2]
    elif how == "not one":
        data = b"hello"
    elif how == "changed":
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            for name in old.namelist():
                body = old.read(name)
                new.writestr(name, body.replace(b'"title":"One"', b'"title":"Two"'))
        data = out.getvalue()
    engine = sql.open_database(servers.fresh("sqlite"))
    form = "0000" if how == "other form" else "0001"
    with pytest.raises(StillwatchError) as caught, sql.writing(engine) as conn:
        copies.load(conn, form, io.BytesIO(data))
    assert isinstance(caught.value, NotNow if how == "other form" else VerificationError)
    with sql.reading(engine) as conn:
        assert people.everybody(conn) == []
    engine.dispose()


def test_people_are_added_by_admins_and_the_last_admin_stays(office: Office) -> None:
    """Roles are checked, names are plain, and an inactive person may do nothing."""
    with pytest.raises(NotAllowed), office.work("pia") as work:
        people.add(work, "eve", {Role.ADMIN})
    with pytest.raises(NotAllowed, match="people_edit"), office.desk.work(PROGRAM) as work:
        people.add(work, "eve", {Role.ADMIN})
    with office.work("adam") as work:
        for name in ("", "Eve", "a b", "x" * 65, "../x", "\x1b[2J"):
            with pytest.raises(Unfit):
                people.add(work, name, {Role.VIEWER})
        with pytest.raises(NotAllowed, match="last admin"):
            people.change(work, office.team["adam"], roles={Role.VIEWER})
        out = people.change(work, office.team["bo"], active=False)
    assert not out.active
    with pytest.raises(NotAllowed), office.desk.work(out) as work:
        cases.open_by_hand(work, "x")
    with pytest.raises(NotAllowed, match="bo is not active"):
        office.desk.person("bo")


def test_many_at_once_lose_nothing_and_the_record_stays_whole(office: Office) -> None:
    """Eight people write notes; as many change one case from the same version, and one of them wins."""
    number = opened(office)
    won: list[str] = []
    lost: list[Exception] = []

    def notes(name: str) -> None:
        for k in range(5):
            with office.work(name) as work:
                cases.note(work, number, f"{name} {k}", hours=0.25)

    def race(name: str) -> None:
        try:
            with office.work(name) as work:
                cases.assign(work, number, office.team[name].person_id, version=1)
            won.append(name)
        except Conflict as error:
            lost.append(error)

    threads = [
        threading.Thread(target=job, args=(name,))
        for name in ("ana", "bo", "pia", "quin")
        for job in (notes, race)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(120)
    assert (len(won), len(lost)) == (1, 3)
    with office.look() as work:
        assert cases.get(work, number).hours == 5.0
        assert cases.timeline(work, number, limit=99).total == 1 + 20 + 1
        audit.verify(work.conn)


def test_cells_of_a_spreadsheet_cannot_act(tmp_path: Path) -> None:
    """Formulas, controls and right-to-left overrides stay text."""
    sink = io.StringIO()
    bad: list[Any] = [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "\r=1",
        "  =1",
        "\uff1d1",
        "|x",
        "a\x1b[2J",
        "a\u202eb",
        'q"q,',
        -3,
        0.5,
    ]
    assert sheets.write(sink, ("id",), [(b,) for b in bad]) == len(bad)
    lines = sink.getvalue().split("\r\n")[1:-1]
    assert lines == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@x",
        "' =1",
        "' =1",
        "'  =1",
        "'\uff1d1",
        "'|x",
        "a [2J",
        "a b",
        '"q""q,"',
        "-3",
        "0.5",
    ]
