"""The SQL database: SQLite in a file by default, PostgreSQL for teams; opened, migrated and used in transactions.

A transaction that writes takes SQLite's write lock at its beginning, so two writers wait for one another instead of
failing half way. On PostgreSQL rows are compared with the version they were read at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError

from stillwatch.errors import ConfigError, UpstreamError

MIGRATIONS = Path(__file__).parent / "migrations"
URL_HINT = "sqlite:///FILE, or postgresql://USER@HOST:PORT/DATABASE with the password in the environment"
WAIT_S = 20.0
"""How long a writer waits for another before it gives up."""


def open_database(url: str, *, password: str | None = None) -> Engine:
    """An engine for the address. Nothing is read or written yet.

    Raises
    ------
    ConfigError
        The address is of no known kind, or holds a password.
    """
    try:
        made = make_url(url)
    except ArgumentError as error:
        raise ConfigError("the database's address cannot be read", hint=URL_HINT) from error
    if made.password:
        raise ConfigError(
            "the database's address holds a password", hint="put it into the environment instead"
        )
    if made.drivername == "sqlite":
        if not made.database or made.database == ":memory:":
            raise ConfigError("the database's address names no file", hint=URL_HINT)
        engine = create_engine(made, connect_args={"timeout": WAIT_S})
        event.listen(engine, "connect", _sqlite_connection)
        event.listen(engine, "begin", _sqlite_begin)
        return engine
    if made.drivername not in ("postgresql", "postgresql+pg8000"):
        raise ConfigError(f"no such database: {made.drivername}", hint=URL_HINT)
    made = made.set(drivername="postgresql+pg8000", password=password)
    try:
        return create_engine(made, pool_pre_ping=True, connect_args={"timeout": WAIT_S})
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            "the PostgreSQL driver is missing", hint="pip install 'stillwatch[respond]'"
        ) from error


def _sqlite_connection(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by hand, below
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction: all of it is kept, or nothing.

    Raises
    ------
    UpstreamError
        The database cannot be reached, or another writer held it too long.
    """
    with _reached(engine), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A view of one moment; waits for nobody."""
    with _reached(engine), engine.connect() as raw:
        level = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
        connection = raw.execution_options(reads=True, **level)
        with connection.begin():
            yield connection


@contextmanager
def _reached(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if _in_the_way(error):
            raise UpstreamError(
                "somebody else's change got in the way; nothing was written", hint="try again"
            ) from error
        if not isinstance(error, OperationalError | InterfaceError):
            raise
        raise UpstreamError(
            f"the database cannot be used: {_plainly(error)}", hint=_advice(engine, error)
        ) from error


def _in_the_way(error: DBAPIError) -> bool:
    """PostgreSQL gave up one of two transactions that waited for one another, or that cannot both be true."""
    said = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return isinstance(said, dict) and said.get("C") in ("40P01", "40001", "55P03")


def _plainly(error: DBAPIError) -> str:
    """What went wrong, without the statement and its values."""
    text = str(error.orig).splitlines()[0] if error.orig is not None else type(error).__name__
    return text[:200]


def _advice(engine: Engine, error: DBAPIError) -> str:
    text = str(error.orig)
    if "no such table" in text or "does not exist" in text:
        return "stillwatch respond init"
    if "locked" in text:
        return "another process is writing; try again"
    return "see that it runs and that the address, user and password are right"


def migrate(engine: Engine, *, to: str = "head") -> tuple[str | None, str | None]:
    """Bring the tables to the newest form; says what they were and what they are.

    Raises
    ------
    ConfigError
        The database was written by a newer version.
    """
    script = _scripts()
    _private(engine)
    with writing(engine) as connection:
        _lock(connection)
        before = _revision(connection)
        _known(script, before)

        def steps(now: Any, _context: MigrationContext) -> Any:
            return script._upgrade_revs(to, now)

        with EnvironmentContext(_config(), script, fn=steps) as environment:
            environment.configure(connection=connection, render_as_batch=True)
            environment.run_migrations()
        return before, _revision(connection)


def set_up_tables(engine: Engine, make: Callable[[Connection], None]) -> None:
    """Make what is missing of a database that is not the store of cases; two at once wait for one another."""
    _private(engine)
    with writing(engine) as connection:
        _lock(connection)
        make(connection)


def revision(engine: Engine) -> tuple[str | None, str]:
    """What form the tables have, and what the newest is. Looking does not make a file."""
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        return None, str(_scripts().get_current_head())
    with reading(engine) as connection:
        return _revision(connection), str(_scripts().get_current_head())


def check_revision(engine: Engine) -> None:
    """Raise unless the tables have the form that this version works with."""
    now, newest = revision(engine)
    if now is None:
        raise ConfigError("the store has not been set up", hint="stillwatch respond init")
    if now != newest:
        _known(_scripts(), now)
        raise ConfigError(
            f"the store has form {now}, this version needs {newest}", hint="stillwatch respond migrate"
        )


def _private(engine: Engine) -> None:
    """A new SQLite file can be read by its owner alone: it will hold documents and password hashes."""
    if engine.dialect.name != "sqlite":
        return
    try:
        os.close(os.open(str(engine.url.database), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigError(f"{engine.url.database}: {(error.strerror or 'cannot be made').lower()}",
                          hint="name a file in a folder that you can write to") from error  # fmt: skip


def _known(script: ScriptDirectory, found: str | None) -> None:
    if found is not None and found not in {r.revision for r in script.walk_revisions()}:
        raise ConfigError(
            f"the store was written by a newer version (form {found})", hint="update stillwatch"
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _lock(connection: Connection) -> None:
    """Two that migrate at once wait for one another; on SQLite the transaction itself sees to that."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5417246)")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
