"""The same tests over SQLite and PostgreSQL: a fresh store for each, copied from one that was set up once."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[respond]'")
pytest.importorskip("alembic", reason="pip install 'stillwatch[respond]'")

import sqlalchemy as sa

from stillwatch.records import Person, Role
from stillwatch.respond import PROGRAM, people
from stillwatch.store.sql import migrate, open_database
from stillwatch.wiring.desk import Desk
from tests.protect.making import NOW
from tests.respond import postgres

KINDS = ("sqlite", "postgresql")
TEAM = {
    "vera": {Role.VIEWER}, "ana": {Role.ANALYST}, "bo": {Role.ANALYST}, "pia": {Role.APPROVER}, "quin": {Role.APPROVER},
    "adam": {Role.ADMIN}, "otto": {Role.AUDITOR},
}  # fmt: skip


@dataclass
class Clock:
    """Time that moves when it is told to."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        """Let time pass."""
        self.at += timedelta(**span)


@dataclass
class Office:
    """A store with people in it."""

    desk: Desk
    clock: Clock
    url: str
    team: dict[str, Person] = field(default_factory=dict)

    def work(self, name: str = "ana") -> Any:
        """A transaction of somebody."""
        return self.desk.work(self.team[name])

    def look(self, name: str = "vera") -> Any:
        """A view of somebody."""
        return self.desk.look(self.team[name])


class Servers:
    """Where fresh stores come from."""

    def __init__(self, folder: Path, kept: ExitStack) -> None:
        self._folder, self._kept = folder, kept
        self._count = itertools.count()
        self._templates: dict[str, str] = {}

    def fresh(self, kind: str) -> str:
        """The address of a store that is set up and empty."""
        return self._sqlite() if kind == "sqlite" else self._postgresql(template="ready")

    def bare(self, kind: str) -> str:
        """The address of a database with nothing in it."""
        if kind == "sqlite":
            return f"sqlite:///{self._folder}/bare-{next(self._count)}.db"
        return self._postgresql(template="template1")

    def _sqlite(self) -> str:
        first = self._folder / "ready.db"
        if not first.exists():
            _set_up(f"sqlite:///{first}")
        path = self._folder / f"store-{next(self._count)}.db"
        shutil.copy(first, path)
        return f"sqlite:///{path}"

    def _postgresql(self, template: str) -> str:
        if postgres.programs() is None:
            pytest.skip(postgres.REASON)
        if "server" not in self._templates:
            self._templates["server"] = self._kept.enter_context(postgres.server())
        server = self._templates["server"]
        if template == "ready" and "ready" not in self._templates:
            self._make(server, "ready", "template1")
            _set_up(f"{server}/ready")
            self._templates["ready"] = "ready"
        name = f"t{next(self._count)}"
        self._make(server, name, template)
        return f"{server}/{name}"

    def _make(self, server: str, name: str, template: str) -> None:
        engine = open_database(f"{server}/postgres")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()


def _set_up(url: str) -> None:
    engine = open_database(url)
    migrate(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Databases of both kinds."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with ExitStack() as kept, tempfile.TemporaryDirectory(prefix="stillwatch-", dir=memory) as folder:
        yield Servers(Path(folder), kept)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which database."""
    return str(request.param)


@pytest.fixture
def make_office(servers: Servers) -> Iterator[Callable[[str], Office]]:
    """Opens offices of a kind."""
    made: list[Office] = []

    def make(kind: str) -> Office:
        clock, url = Clock(), servers.fresh(kind)
        office = Office(Desk.open(url, env={}), clock, url)
        office.desk.now = clock
        with office.desk.work(PROGRAM) as work:
            first = people.add(work, "adam", TEAM["adam"])
        office.team["adam"] = first
        with office.desk.work(first) as work:
            office.team |= {n: people.add(work, n, roles) for n, roles in TEAM.items() if n != "adam"}
        made.append(office)
        return office

    yield make
    for office in made:
        office.desk.close()


@pytest.fixture
def office(kind: str, make_office: Callable[[str], Office]) -> Office:
    """A store with a team, on SQLite and on PostgreSQL."""
    return make_office(kind)
