"""The LiteLLM executor against a real proxy with its database: who is blocked is refused; undone, all works again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx", reason="pip install 'stillwatch[respond]'")
pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[respond]'")

import sqlalchemy as sa

from stillwatch.records import Measure, PlanState, StepState
from stillwatch.respond import planning
from stillwatch.respond.planning import Wanted
from stillwatch.settings import RespondSettings, Settings
from stillwatch.store.sql import open_database
from stillwatch.wiring.executors import LiteLLM
from stillwatch.wiring.progress import Unheard
from stillwatch.wiring.takedown import run_plan, undo_plan
from tests.e2e import proxying
from tests.e2e.driving import command
from tests.e2e.proxying import ADMIN, CACHED_S, Proxy
from tests.respond.conftest import Office, Servers, make_office, servers  # noqa: F401
from tests.respond.making import CARD, campaign, filed, names, planned, result

pytestmark = pytest.mark.skipif(bool(proxying.missing()), reason=proxying.missing())
COUNT = 24


@dataclass(frozen=True, slots=True)
class Site:
    """A proxy, and its database."""

    proxy: Proxy
    database: str

    def key_of(self, **owner: str) -> tuple[str, str]:
        """A new key and its hash."""
        made = self.proxy.admin("/key/generate", **owner)
        return made["key"], made["token"]

    def blocked(self, table: str) -> int:
        """How many rows the proxy's own table holds as blocked."""
        engine = open_database(self.database)
        with engine.connect() as conn:
            count = conn.execute(sa.text(f'SELECT count(*) FROM "{table}" WHERE blocked')).scalar_one()
        engine.dispose()
        return int(count)


@pytest.fixture(scope="module")
def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:  # noqa: F811
    """One proxy for all tests; whatever its engine complained of fails the last of them."""
    database = servers.bare("postgresql")
    with proxying.proxy(tmp_path_factory.mktemp("litellm"), database) as proxy:
        yield Site(proxy, database)
        assert proxy.complaints() == []


@pytest.fixture
def hands(site: Site) -> Iterator[Callable[..., StepState]]:
    """Sends steps, and says what became of them."""
    executor = LiteLLM(site.proxy.url, ADMIN, "team", 30.0)

    def send(**more: object) -> StepState:
        return executor.send({"key": "k", "kind": "act", "undo": False, "measure": "block", **more}).state

    yield send
    executor.close()


def until(site: Site, status: int, key: str) -> int:
    """What a key is answered, once the proxy has forgotten what it knew."""
    end = time.monotonic() + 30 * CACHED_S
    while (got := site.proxy.ask(key).status) != status and time.monotonic() < end:
        time.sleep(0.1)
    return got


def test_a_blocked_key_is_refused_at_once_and_works_again(
    site: Site, hands: Callable[..., StepState]
) -> None:
    """Named by its hash, as logs name it; its owner's other key is left alone, and doing it twice is doing it once."""
    site.proxy.admin("/user/new", user_id="owner", auto_create_key=False)
    key, digest = site.key_of(user_id="owner")
    other, _ = site.key_of(user_id="owner")
    assert site.proxy.ask(key).status == 200
    for _ in range(2):
        assert hands(kind="revoke", account_id="owner", credential=digest) is StepState.DONE
        refused = site.proxy.ask(key)
        assert (refused.status, b"Key is blocked" in refused.body) == (401, True)
        assert site.proxy.ask(other).status == 200
    for _ in range(2):
        assert hands(kind="revoke", account_id="owner", credential=digest, undo=True) is StepState.DONE
        assert site.proxy.ask(key).status == 200


def test_a_blocked_team_is_refused_with_every_key_and_works_again(
    site: Site, hands: Callable[..., StepState]
) -> None:
    """Once the proxy has forgotten what it knew; a key that is made meanwhile is refused too, other teams are not."""
    for team in ("bad", "good"):
        site.proxy.admin("/team/new", team_id=team)
    (first, _), (good, _) = site.key_of(team_id="bad"), site.key_of(team_id="good")
    assert site.proxy.ask(first).status == 200
    for _ in range(2):
        assert hands(account_id="bad") is StepState.DONE
    second, _ = site.key_of(team_id="bad")
    for key in (first, second):
        assert until(site, 401, key) == 401
        assert b"Team=bad is blocked" in site.proxy.ask(key).body
    assert site.proxy.ask(good).status == 200
    for _ in range(2):
        assert hands(account_id="bad", undo=True) is StepState.DONE
    assert until(site, 200, first) == 200


def test_what_the_proxy_does_not_have_has_failed(site: Site, hands: Callable[..., StepState]) -> None:
    """For good, and never done."""
    assert hands(account_id="nobody") is StepState.FAILED
    assert hands(kind="revoke", account_id="nobody", credential="0" * 64) is StepState.FAILED


def test_a_killed_takedown_goes_on_at_a_real_proxy_and_is_undone(
    site: Site, tmp_path: Path, make_office: Callable[[str], Office]  # noqa: F811
) -> None:  # fmt: skip
    """Killed while it blocks and while it takes back: in the end every team and key is refused, then everyone works."""
    teams = names("a", COUNT)
    keys = {}
    for team in (*teams, "z-innocent"):
        site.proxy.admin("/team/new", team_id=team)
        keys[team] = site.key_of(team_id=team)
    office = make_office("sqlite")
    office.desk.now = lambda: datetime.now(UTC)
    filed(office, result([(campaign("G-1", teams, [CARD]), teams)]))
    digests = {team: [keys[team][1]] for team in teams}
    wanted = Wanted(Measure.BLOCK, "litellm", notices=False, credentials=digests)
    plan = planned(office, 1, wanted, two_above=1000)
    (tmp_path / "stillwatch.toml").write_text(
        f'[respond]\nstore = "{office.url}"\nlitellm_url = "{site.proxy.url}"\nhold_s = 1.0\nparallel = 2\n'
    )
    before = [site.blocked(table) for table in TABLES]
    _killed(tmp_path, lambda: site.blocked(TABLES[0]) >= before[0] + 5, "run", plan.id)
    assert site.blocked(TABLES[0]) < before[0] + COUNT
    _ends(_start(tmp_path, "run", plan.id))
    assert [site.blocked(table) for table in TABLES] == [count + COUNT for count in before]
    for team in teams:
        assert until(site, 401, keys[team][0]) == 401
    assert site.proxy.ask(keys["z-innocent"][0]).status == 200
    _killed(
        tmp_path, lambda: site.blocked(TABLES[0]) <= before[0] + COUNT - 5, "undo", plan.id, "wrong people"
    )
    assert site.blocked(TABLES[0]) > before[0]
    _ends(_start(tmp_path, "run", plan.id))
    assert [site.blocked(table) for table in TABLES] == before
    for team in teams:
        assert until(site, 200, keys[team][0]) == 200
    with office.look() as work:
        assert planning.read(work, plan.number).state is PlanState.UNDONE


def test_of_an_owner_every_key_is_refused_and_exactly_those_are_given_back(
    site: Site, make_office: Callable[[str], Office]  # noqa: F811
) -> None:  # fmt: skip
    """A key of a team, one of a namesake and one that was blocked before are left as they were, both ways."""
    site.proxy.admin("/team/new", team_id="crew")
    for user in ("b000", "b0001"):
        site.proxy.admin("/user/new", user_id=user, auto_create_key=False)
    own = [site.key_of(user_id="b000")[0] for _ in range(2)]
    leaked, digest = site.key_of(user_id="b000")
    others = [site.key_of(user_id="b000", team_id="crew")[0], site.key_of(user_id="b0001")[0]]
    site.proxy.admin("/key/block", key=digest)
    office = make_office("sqlite")
    filed(office, result([(campaign("G-1", ["b000"], [CARD]), ["b000"])]))
    plan = planned(office, 1, Wanted(Measure.BLOCK, "litellm", notices=False))
    settings = Settings(respond=RespondSettings(litellm_url=site.proxy.url, litellm_account="user"))

    def answers() -> list[int]:
        return [site.proxy.ask(key).status for key in (*own, leaked, *others)]

    how: dict[str, Any] = {
        "settings": settings, "progress": Unheard(), "env": {"LITELLM_MASTER_KEY": ADMIN}
    }  # fmt: skip
    assert answers() == [200, 200, 401, 200, 200]
    run_plan(office.desk, office.team["pia"], plan.number, **how)
    assert answers() == [401, 401, 401, 200, 200]
    undo_plan(office.desk, office.team["pia"], plan.number, "a class of students", **how)
    assert answers() == [200, 200, 401, 200, 200]


TABLES = ("LiteLLM_TeamTable", "LiteLLM_VerificationToken")


def _start(folder: Path, *words: str) -> subprocess.Popen[str]:
    env = {**os.environ, "LITELLM_MASTER_KEY": ADMIN, "STILLWATCH_PERSON": "pia", "NO_COLOR": "1"}
    return subprocess.Popen(command("plan", *words), cwd=folder, env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def _killed(folder: Path, enough: Callable[[], bool], *words: str) -> None:
    """Run until enough has come of it, then kill -9."""
    one, end = _start(folder, *words), time.monotonic() + 120
    while not enough():
        assert one.poll() is None, one.communicate()
        assert time.monotonic() < end, "nothing came of it"
    one.send_signal(signal.SIGKILL)
    one.communicate()
    assert one.returncode == -signal.SIGKILL


def _ends(one: subprocess.Popen[str]) -> None:
    said, complained = one.communicate(timeout=180)
    assert one.returncode == 0, said + complained
