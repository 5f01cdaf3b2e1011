"""Coming in through a provider: a real one, in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stillwatch.console.serving import Places, open_site
from stillwatch.errors import ConfigError
from stillwatch.records import Role
from tests.console.conftest import BASE, Clock, House, Visitor, furnish, with_console
from tests.console.provider import CLIENT, SECRET

ANN = {
    "sub": "u-1",
    "preferred_username": "Ann O'Neill",
    "name": "Ann O'Neill",
    "email": "ann@example.com",
    "groups": ["team", "x"],
}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Address of a provider."""
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("provider.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        assert process.stdin
        process.stdin.close()


def settings(provider: str, **more: Any) -> Any:
    roles = {"team": "analyst", "leads": "approver"}
    return with_console(
        oidc_issuer=provider, public_url=BASE, oidc_client_id=CLIENT, oidc_roles=roles, **more
    )


@pytest.fixture
def house(
    tmp_path: Path, run_folder: Path, first_store: Path, kept_password: str, provider: str
) -> Iterator[House]:
    """A console with a provider."""
    shutil.copy(first_store, tmp_path / "store.db")
    places = Places(run_folder, f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    made = furnish(places, settings(provider), kept_password, Clock(), {"STILLWATCH_OIDC_SECRET": SECRET})
    yield made
    made.site.desk.close()


def come_in(house: House, provider: str, visitor: Visitor, **told: Any) -> httpx.Response:
    """The whole way: to the provider, back, and what the console then says."""
    httpx.post(f"{provider}/next", json={"at": house.clock().timestamp(), **told}).raise_for_status()
    away = visitor.get("/sign-in/oidc?next=/cases")
    assert away.status_code == 303
    back = httpx.get(away.headers["location"]).headers["location"]
    assert back.startswith(f"{BASE}/sign-in/oidc/back?")
    return visitor.get(back.removeprefix(BASE))


def test_somebody_comes_in_with_the_roles_of_their_groups(house: House, provider: str) -> None:
    """Added at the first sign-in, known by subject afterwards; roles follow the groups; a browser session stands."""
    visitor = house.stranger()
    assert "single sign-on" in visitor.get("/sign-in").text
    answer = come_in(house, provider, visitor, claims=ANN)
    assert answer.status_code == 200
    assert "url=/cases" in answer.text
    assert visitor.get("/cases").status_code == 200
    ann = house.someone("ann-o-neill").person
    assert ann.roles == {Role.ANALYST}
    again = come_in(
        house, provider, house.stranger(), claims=ANN | {"groups": ["leads"], "preferred_username": "renamed"}
    )
    assert again.status_code == 200
    assert house.someone("ann-o-neill").person.roles == {Role.APPROVER}
    assert house.site.kept.by_name("renamed") is None


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"claims": ANN | {"groups": ["others"]}}, 400),
        ({"claims": ANN | {"groups": "nonsense"}}, 400),
        ({"claims": ANN, "forged": True}, 400),
        ({"claims": ANN | {"aud": "another client"}}, 400),
        ({"claims": ANN | {"iss": "http://evil.example"}}, 400),
        ({"claims": ANN | {"nonce": "of another sign-in"}}, 400),
        ({"claims": ANN | {"exp": 1}}, 400),
        ({"claims": {**ANN, "preferred_username": "ana"}}, 403),
    ],
    ids=["no group", "odd groups", "forged", "audience", "issuer", "nonce", "old", "name of a local account"],
)
def test_what_does_not_hold_lets_nobody_in(
    house: House, provider: str, told: dict[str, Any], status: int
) -> None:
    """Nobody is added, no session is opened, the page says why in general."""
    visitor = house.stranger()
    assert come_in(house, provider, visitor, **told).status_code == status
    assert visitor.get("/cases").status_code == 303
    assert house.site.kept.by_name("ann-o-neill") is None


def test_a_sign_in_that_was_not_begun_here_is_refused(house: House, provider: str) -> None:
    """Somebody else's code, another state, a code used twice, and one that took too long."""
    httpx.post(f"{provider}/next", json={"at": house.clock().timestamp(), "claims": ANN}).raise_for_status()
    mine, theirs = house.stranger(), house.stranger()
    there = httpx.get(mine.get("/sign-in/oidc").headers["location"]).headers["location"].removeprefix(BASE)
    assert theirs.get(there).status_code == 400
    theirs.get("/sign-in/oidc")
    assert theirs.get(there).status_code == 400
    house.clock.forward(minutes=11)
    assert mine.get(there).status_code == 400
    assert house.site.kept.by_name("ann-o-neill") is None


def test_nobody_takes_the_account_of_another_by_its_name(house: House, provider: str) -> None:
    """A second person whom the provider calls by the same name is another person, and does not come in as the first."""
    assert come_in(house, provider, house.stranger(), claims=ANN).status_code == 200
    assert come_in(house, provider, house.stranger(), claims=ANN | {"sub": "u-2"}).status_code == 403


def test_an_admin_keeps_somebody_of_the_provider_out(house: House, provider: str) -> None:
    """Who may no longer come in does not, whatever the provider says."""
    assert come_in(house, provider, house.stranger(), claims=ANN).status_code == 200
    adam = house.visitor("adam")
    adam.post("/people/ann-o-neill/roles", {"csrf": house.csrf(adam), "roles": "analyst"})
    assert come_in(house, provider, house.stranger(), claims=ANN).status_code == 403


def test_settings_that_cannot_work_stop_the_start(tmp_path: Path, run_folder: Path, provider: str) -> None:
    """A provider without our own address, without a role, or with one that does not exist."""
    places = Places(run_folder, f"sqlite:///{tmp_path / 's.db'}", tmp_path)
    wrong: dict[str, Any]
    for wrong in ({"public_url": None}, {"oidc_roles": {}}, {"oidc_roles": {"team": "boss"}}):
        console: dict[str, Any] = {
            "oidc_issuer": provider,
            "public_url": BASE,
            "oidc_roles": {"team": "analyst"},
        } | wrong
        with pytest.raises(ConfigError, match=r"console\.oidc"):
            open_site(places, with_console(**console), {})
