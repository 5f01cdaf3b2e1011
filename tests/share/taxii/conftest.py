"""The same tests over SQLite and PostgreSQL."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[taxii]'")
pytest.importorskip("alembic", reason="pip install 'stillwatch[taxii]'")

import sqlalchemy as sa
from sqlalchemy import Engine

from stillwatch.store.sql import open_database
from tests.respond import postgres
from tests.share.taxii.making import Place, listens, place


@pytest.fixture(scope="session")
def database() -> Iterator[Callable[[str], str]]:
    """Addresses of empty databases of a kind."""
    count = itertools.count()
    servers: dict[str, str] = {}
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with ExitStack() as kept, tempfile.TemporaryDirectory(prefix="stillwatch-", dir=memory) as folder:

        def fresh(kind: str) -> str:
            name = f"t{next(count)}"
            if kind == "sqlite":
                return f"sqlite:///{Path(folder) / name}.db"
            if postgres.programs() is None:
                pytest.skip(postgres.REASON)
            if "server" not in servers:
                servers["server"] = kept.enter_context(postgres.server())
            engine = open_database(f"{servers['server']}/postgres")
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                conn.execute(sa.text(f"CREATE DATABASE {name}"))
            engine.dispose()
            return f"{servers['server']}/{name}"

        yield fresh


@pytest.fixture
def engine(request: pytest.FixtureRequest, database: Callable[[str], str]) -> Iterator[Engine]:
    """An empty database: SQLite, unless the test asks for both."""
    made = open_database(database(getattr(request, "param", "sqlite")))
    yield made
    made.dispose()


@pytest.fixture
def here(engine: Engine) -> Place:
    """A server with members."""
    return place(engine)


@pytest.fixture
def live(here: Place) -> Iterator[Place]:
    """The same server behind a socket."""
    with listens(here):
        yield here
