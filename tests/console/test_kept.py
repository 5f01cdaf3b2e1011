"""What is kept of people's secrets and sessions, over SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import pytest

from stillwatch.console.signin.kept import Kept, bind
from stillwatch.console.signin.seals import Seals
from stillwatch.console.signin.sessions import Sessions
from stillwatch.records import Role
from stillwatch.respond import PROGRAM, Unfit, people
from stillwatch.wiring.desk import Desk
from tests.protect.making import NOW
from tests.respond.conftest import KINDS, Servers


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A store with one person, of either kind."""
    with ExitStack() as kept:
        made = Desk.open(Servers(tmp_path_factory.mktemp("stores"), kept).fresh(request.param), env={})
        kept.callback(made.close)
        with made.work(PROGRAM) as work:
            people.add(work, "ana", [Role.ANALYST])
        yield made


def test_secrets_and_sessions_come_back_as_they_were(desk: Desk) -> None:
    """By name, by id, by a provider's subject; a session that was ended is nobody's."""
    kept = Kept(desk.engine)
    ana = kept.by_name("Ana ")
    assert ana is not None
    assert (ana.person.roles, ana.must_enrol) == (frozenset({Role.ANALYST}), False)
    kept.set_password(ana.person.person_id, "hash")
    kept.set_factor(ana.person.person_id, "sealed", 7)
    with desk.work(PROGRAM) as work:
        bind(work, ana.person, "https://login.example.com", "u-1")
    with pytest.raises(Unfit, match="already known"), desk.work(PROGRAM) as work:
        bind(work, ana.person, "https://login.example.com", " u-1 ")
    again = kept.by_subject("https://login.example.com", "u-1")
    assert again is not None
    assert (again.password_hash, again.totp_sealed, again.totp_step, again.has_subject) == (
        "hash",
        "sealed",
        7,
        True,
    )
    sessions = Sessions(kept, Seals(b"k" * 32))
    token = sessions.open(again, "2001:db8::1", NOW, agent="\x00 odd \ud800 agent")
    seen = sessions.seen(token, NOW + timedelta(minutes=5))
    assert seen is not None
    assert seen.session.place == "2001:db8::1"
    assert kept.end_all(ana.person.person_id, NOW) == 1
    assert sessions.seen(token, NOW) is None
    assert kept.by_name("nobody \x00 \ud800") is None


def test_two_at_once_cannot_use_the_same_code(desk: Desk) -> None:
    """Of many that take a time step together, one has it."""
    kept = Kept(desk.engine)
    ana = kept.by_name("ana")
    assert ana is not None
    with ThreadPoolExecutor(8) as pool:
        took = list(pool.map(lambda _: kept.use_step(ana.person.person_id, 100), range(16)))
    assert took.count(True) == 1
    assert not kept.use_step(ana.person.person_id, 99)
