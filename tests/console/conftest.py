"""A console over a run full of hostile text and a store with a team; asked in this process, without a socket."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[console]'")
pytest.importorskip("alembic", reason="pip install 'stillwatch[console]'")
pytest.importorskip("fastapi", reason="pip install 'stillwatch[console]'")
pytest.importorskip("argon2", reason="pip install 'stillwatch[console]'")
pytest.importorskip("pyotp", reason="pip install 'stillwatch[console]'")
pytest.importorskip("segno", reason="pip install 'stillwatch[console]'")
pytest.importorskip("joserfc", reason="pip install 'stillwatch[console]'")

import httpx
import pyotp

from stillwatch.console.app import make_app
from stillwatch.console.serving import Places, open_site
from stillwatch.console.signin import passwords
from stillwatch.console.signin.register import PROGRAM as API
from stillwatch.console.site import Site
from stillwatch.records import Role
from stillwatch.report import write_result
from stillwatch.respond import PROGRAM, people
from stillwatch.settings import ConsoleSettings, Settings
from stillwatch.store.sql import migrate, open_database
from stillwatch.wiring.desk import Desk
from tests.protect.making import NOW
from tests.report.factory import make_result

TEAM = {
    "vera": Role.VIEWER,
    "ana": Role.ANALYST,
    "pia": Role.APPROVER,
    "adam": Role.ADMIN,
    "otto": Role.AUDITOR,
}
PASSWORD = "four words of one's own"
BASE = "http://localhost"
SAME = {"sec-fetch-site": "same-origin", "origin": BASE}


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
class Visitor:
    """A browser, or a program with a token."""

    app: Any
    headers: dict[str, str] = field(default_factory=dict)
    peer: str = "192.0.2.7"
    """Where its connection comes from."""
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request; redirects are not followed."""

        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(self.peer, 1))
            async with httpx.AsyncClient(transport=transport, base_url=BASE, cookies=self.cookies) as client:
                answer = await client.request(
                    method, path, headers=self.headers | more.pop("headers", {}), **more
                )
                self.cookies = client.cookies
                return answer

        return asyncio.run(once())

    def get(self, path: str, **more: Any) -> httpx.Response:
        """A page."""
        return self.ask("GET", path, **more)

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        """A form, as a browser sends it."""
        return self.ask("POST", path, data=data or {}, headers=SAME | more.pop("headers", {}), **more)


@dataclass
class House:
    """The console with everything around it."""

    site: Site
    app: Any
    clock: Clock
    secrets: dict[str, str]

    def stranger(self) -> Visitor:
        """Somebody who is not signed in."""
        return Visitor(self.app)

    def visitor(self, name: str) -> Visitor:
        """Somebody signed in, without the ceremony."""
        token = self.site.sessions.open(self.someone(name), "192.0.2.7", self.clock())
        made = Visitor(self.app)
        made.cookies.set("stillwatch", token, domain="localhost.local")
        return made

    def program(self, name: str) -> Visitor:
        """A program of somebody's."""
        token = self.site.sessions.open(self.someone(name), "192.0.2.8", self.clock(), kind=API, label="test")
        return Visitor(self.app, {"authorization": f"Bearer {token}"})

    def csrf(self, visitor: Visitor) -> str:
        """The token that this session's forms carry."""
        return self.site.sessions.seals.token(visitor.cookies["stillwatch"])

    def someone(self, name: str) -> Any:
        """A person as sign-in knows them."""
        found = self.site.kept.by_name(name)
        assert found is not None
        return found

    def code(self, name: str) -> str:
        """What the authenticator of a person shows now."""
        return pyotp.TOTP(self.secrets[name]).at(self.clock())


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample run of the report's tests, hostile names included."""
    folder = tmp_path_factory.mktemp("run") / "report"
    write_result(make_result(), folder, (), "page")
    return folder


@pytest.fixture(scope="session")
def first_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that is set up, to be copied."""
    path = tmp_path_factory.mktemp("store") / "first.db"
    engine = open_database(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def kept_password() -> str:
    """The team's password, hashed once: it takes its time on purpose."""
    return passwords.hashed(PASSWORD)


def furnish(
    places: Places, settings: Settings, kept_password: str, clock: Clock, env: dict[str, str] | None = None
) -> House:
    """A console with a team."""
    desk = Desk.open(places.store, env={})
    desk.now = clock
    site = open_site(places, settings, env or {}, desk)
    with site.work(PROGRAM) as work:
        admin = people.add(work, "adam", [Role.ADMIN])
    with site.work(admin) as work:
        for name, role in TEAM.items():
            if name != "adam":
                people.add(work, name, [role])
    secrets = {name: pyotp.random_base32(32) for name in TEAM}
    for name, secret in secrets.items():
        known = site.kept.by_name(name)
        assert known is not None
        site.kept.set_password(known.person.person_id, kept_password)
        site.kept.set_factor(known.person.person_id, site.sessions.seals.sealed(secret), 0)
    return House(site, make_app(site, ("localhost",)), clock, secrets)


@pytest.fixture
def house(tmp_path: Path, run_folder: Path, first_store: Path, kept_password: str) -> Iterator[House]:
    """A fresh console."""
    shutil.copy(first_store, tmp_path / "store.db")
    places = Places(run_folder, f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    made = furnish(places, Settings(), kept_password, Clock())
    yield made
    made.site.desk.close()


def with_console(**values: Any) -> Settings:
    """Settings with another console section."""
    return Settings(console=ConsoleSettings.model_validate(values))
