"""The desk at which people work: the store, opened; a clock; and transactions with a person behind them.

>>> desk = Desk.open("sqlite:////nowhere/stillwatch.db")
>>> desk.ready()
Traceback (most recent call last):
...
stillwatch.errors.ConfigError: the store has not been set up
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError
from stillwatch.records import Person

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from stillwatch.respond.work import Work

EXTRA_HINT = "install them: pip install 'stillwatch[respond]'"
DEFAULT_STORE = "sqlite:///stillwatch.db"
PASSWORD_ENV = "STILLWATCH_DATABASE_PASSWORD"  # noqa: S105  the name of a variable


class Desk:
    """One store and everything that is done with it. Safe to share between threads."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.engine = engine
        self.now = now

    @classmethod
    def open(
        cls,
        url: str = DEFAULT_STORE,
        *,
        password_env: str = PASSWORD_ENV,
        env: Mapping[str, str] = os.environ,
    ) -> Desk:
        """A desk on the store of this address; a password comes from the environment."""
        try:
            from stillwatch.store.sql import open_database
        except ImportError as error:
            raise ConfigError(
                f"the parts that keep cases are missing ({error.name})", hint=EXTRA_HINT
            ) from error
        return cls(open_database(url, password=env.get(password_env)))

    def ready(self) -> Desk:
        """The desk itself, once the store has the form that this version needs."""
        from stillwatch.store.sql import check_revision

        check_revision(self.engine)
        return self

    @contextmanager
    def work(self, person: Person) -> Iterator[Work]:
        """A transaction in which a person changes things: all is kept, with its audit lines, or nothing."""
        from stillwatch.respond.work import work
        from stillwatch.store.sql import writing

        with writing(self.engine) as conn, work(conn, person, self.now()) as made:
            yield made

    @contextmanager
    def look(self, person: Person) -> Iterator[Work]:
        """A view of one moment in which a person reads. Reading content is a change: it leaves an audit line."""
        from stillwatch.respond.work import Work
        from stillwatch.store.sql import reading

        with reading(self.engine) as conn:
            made = Work(conn, person, self.now())
            yield made
            if made.notes:
                raise RuntimeError("a view cannot leave an audit line; use work()")

    def person(self, name: str) -> Person:
        """Somebody by name; must be active."""
        from stillwatch.respond import people
        from stillwatch.respond.errors import NotAllowed
        from stillwatch.store.sql import reading

        with reading(self.engine) as conn:
            found = people.by_name(conn, name)
        if not found.active:
            raise NotAllowed(f"{name} is not active", hint="ask an admin")
        return found

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
