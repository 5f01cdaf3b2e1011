"""Coming in through a provider: a real one, in a process of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stillwatch.console.serving import Places, first_admin, open_site
from stillwatch.errors import ConfigError, UpstreamError
from stillwatch.records import Role
from stillwatch.respond import audit, people
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


def test_a_person_without_a_password_is_not_joined_by_name_either(house: House, provider: str) -> None:
    """Somebody who was added on the command line stays out of reach of whoever has the name at the provider."""
    with house.site.work(house.someone("adam").person) as work:
        people.add(work, "ann-o-neill", [Role.APPROVER])
    assert come_in(house, provider, house.stranger(), claims=ANN).status_code == 403
    known = house.someone("ann-o-neill")
    assert (known.has_subject, known.person.roles) == (False, {Role.APPROVER})


def test_an_admin_adds_somebody_by_the_name_that_the_provider_has(house: House, provider: str) -> None:
    """The subject lets them in, under whatever name; without one, or with a known one, nobody is added."""
    adam = house.visitor("adam")
    new = {"csrf": house.csrf(adam), "name": "annie", "roles": "viewer", "sign_in": "provider"}
    assert adam.post("/people", new).status_code == 400
    assert house.site.kept.by_name("annie") is None
    assert adam.post("/people", new | {"subject": "u-1"}).status_code == 200
    assert adam.post("/people", new | {"subject": "u-1", "name": "other"}).status_code == 400
    assert house.site.kept.by_name("other") is None
    assert come_in(house, provider, house.stranger(), claims=ANN).status_code == 200
    assert house.someone("annie").person.roles == {Role.ANALYST}
    assert house.site.kept.by_name("ann-o-neill") is None


def test_nothing_is_kept_of_somebody_who_could_not_be_bound(
    house: House, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adding a person and binding them to the provider is one step."""

    def fails(*_: object) -> None:
        raise UpstreamError("the store went away")

    monkeypatch.setattr("stillwatch.console.pages.provider.bind", fails)
    assert come_in(house, provider, house.stranger(), claims=ANN).status_code == 503
    assert house.site.kept.by_name("ann-o-neill") is None


def test_where_no_admin_can_come_in_one_gets_a_password(house: House) -> None:
    """Also with a provider, which knows none of the store's admins by name."""
    house.site.kept.set_password(house.someone("adam").person.person_id, None)
    assert first_admin(house.site) is not None


def test_a_token_of_somebody_of_the_provider_ends_with_a_session(house: House, provider: str) -> None:
    """Who has left the provider's groups is out within hours, programs included."""
    ann = house.stranger()
    come_in(house, provider, ann, claims=ANN)
    made = ann.post("/me/token", {"csrf": house.csrf(ann), "label": "nightly"})
    token = re.search(r"<code>(swt_[\w-]+)</code>", made.text)
    assert token
    program = Visitor(house.app, {"authorization": f"Bearer {token[1]}"})
    assert program.get("/api/v1/me").status_code == 200
    house.clock.forward(hours=house.site.settings.console.session_h)
    assert program.get("/api/v1/me").status_code == 401


def test_another_key_of_the_provider_is_looked_up(house: House, provider: str) -> None:
    """Once a minute at most, so that made-up keys do not make the console ask and ask."""
    assert come_in(house, provider, house.stranger(), claims=ANN).status_code == 200
    turned = {"claims": ANN, "key": "two"}
    assert come_in(house, provider, house.stranger(), **turned).status_code == 400
    house.clock.forward(seconds=61)
    before = asked_for_keys(provider)
    assert come_in(house, provider, house.stranger(), **turned).status_code == 200
    for _ in range(3):
        assert come_in(house, provider, house.stranger(), **(turned | {"key": "three"})).status_code == 400
    assert asked_for_keys(provider) == before + 1


def asked_for_keys(provider: str) -> int:
    """How often the provider was asked for its keys."""
    return int(httpx.get(f"{provider}/asked").json()["keys"])


def test_coming_back_again_and_again_waits(house: House) -> None:
    """What strangers make up leaves a bounded number of lines, and others still come in."""
    answers = [house.stranger().get("/sign-in/oidc/back?code=x&state=y") for _ in range(40)]
    assert [a.status_code for a in answers] == [400] * 30 + [429] * 10
    assert int(answers[-1].headers["retry-after"]) > 0
    with house.site.desk.look(house.someone("otto").person) as work:
        assert audit.entries(work.conn, what="sign_in.refuse").total == 30
    assert Visitor(house.app, peer="192.0.2.9").get("/sign-in/oidc/back?code=x&state=y").status_code == 400


def test_a_provider_that_is_away_is_not_asked_at_every_click(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure holds for half a minute; nobody waits behind somebody who waits."""
    provider = house.site.provider
    assert provider is not None
    asked: list[int] = []

    def away() -> Any:
        asked.append(1)
        raise UpstreamError("the provider cannot be asked")

    monkeypatch.setattr(provider, "_ask", away)
    assert [house.stranger().get("/sign-in/oidc").status_code for _ in range(3)] == [503] * 3
    assert len(asked) == 1
    house.clock.forward(seconds=31)
    assert house.stranger().get("/sign-in/oidc").status_code == 503
    assert len(asked) == 2
    with provider._lock:
        assert "slow to answer" in house.stranger().get("/sign-in/oidc").text


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
