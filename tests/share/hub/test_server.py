"""A hub and its key holders behind their doors: who gets in, within which bounds, and what strangers are told."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from stillwatch.errors import ConfigError
from stillwatch.share.hub.door import Door
from stillwatch.share.hub.holder_server import HolderSite
from stillwatch.share.hub.holder_server import make_app as holder_app
from stillwatch.share.hub.server import Site, make_app
from stillwatch.share.hub.signing import FRESH_S, MemberKey
from stillwatch.share.join import group
from stillwatch.share.join.holder import epoch_of
from stillwatch.store.nonces import Nonces
from stillwatch.wiring.hub_holder import HolderFolder, holder_member
from tests.share.hub.making import Hub

AUTHORITY = "hub.test"


@dataclass
class Asked:
    """An application, and how to ask it."""

    app: Any
    authority: str = AUTHORITY

    def __call__(
        self, method: str, path: str, key: MemberKey | None = None, body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx.Response:  # fmt: skip
        """One request."""
        signed = key.headers(method, self.authority, path, "", body, int(time.time())) if key else {}
        return asyncio.run(self._ask(method, path, {**signed, **headers}, body))

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"https://{AUTHORITY}") as client:
            return await client.request(method, path, headers=headers, content=body or None)


async def _no_objects(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def ask(here: Hub, tmp_path: Path) -> Asked:
    """The hub as an application."""
    used = Nonces(tmp_path / "nonces.db")
    door = Door(
        AUTHORITY, here.desk.who, used, lambda: int(time.time()), logging.getLogger("t"), body_bytes=50_000
    )
    about = {
        "name": "Test hub",
        "contact": "",
        "log": here.log.vkey,
        "objects": "",
        "collection": "",
        "witnesses": [],
    }
    return Asked(make_app(Site(door, here.desk, about, here.log.file, here.log.grown), _no_objects))


def test_a_member_is_heard_once(here: Hub, ask: Asked) -> None:
    """The very same request is not heard a second time; a new one is."""
    key = here.keys["north"]
    headers = key.headers("GET", AUTHORITY, "/hub/v1/inbox", "", b"", int(time.time()))
    assert ask("GET", "/hub/v1/inbox", None, headers=headers).json()["member"] == "north"
    again = ask("GET", "/hub/v1/inbox", None, headers=headers)
    assert (again.status_code, again.json()["error"]) == (401, "this request was heard before")
    assert ask("GET", "/hub/v1/inbox", key).status_code == 200


def test_strangers_are_told_nothing(here: Hub, ask: Asked) -> None:
    """No signature, an unknown key, another server's signature, an old one, a suspended member: all are 401."""
    stranger, north = MemberKey.new(), here.keys["north"]
    now = int(time.time())
    for key, at, authority in (
        (None, now, AUTHORITY), (stranger, now, AUTHORITY), (north, now, "one.test"),
        (north, now - FRESH_S - 9, AUTHORITY),
    ):  # fmt: skip
        signed = key.headers("GET", authority, "/hub/v1/inbox", "", b"", at) if key else {}
        got = ask("GET", "/hub/v1/inbox", None, headers=signed)
        assert got.status_code == 401 and "www-authenticate" in got.headers
    here.desk.note(_suspended("north"))
    assert ask("GET", "/hub/v1/inbox", north).status_code == 401


def _suspended(name: str) -> Any:
    from stillwatch.share.hub.asked import Draft

    return Draft("member", {"name": name, "organisation": "North Lab", "clearance": 2, "active": False})


def test_bounds_hold_before_and_while_a_body_is_read(here: Hub, ask: Asked) -> None:
    """Too long, said or not, is 413; packed is 415; JSON bombs, double keys and NaN are 400 and not repeated."""
    key = here.keys["north"]
    assert ask("POST", "/hub/v1/feedback", key, b"x" * 60_000).status_code == 413
    packed = {"content-encoding": "gzip"}
    assert ask("POST", "/hub/v1/feedback", key, b"{}", packed).status_code == 415
    for body in (
        b"[" * 20_000,
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b"\xff",
        b'{"a":99999999999999999999}',
    ):
        got = ask("POST", "/hub/v1/feedback", key, body)
        assert got.status_code == 400, body[:20]
        assert set(got.json()) == {"error", "hint"}


def test_a_request_that_needs_no_body_has_none(here: Hub, ask: Asked) -> None:
    """A body with a look costs no memory: it is not read."""
    assert ask("GET", "/hub/v1/inbox", here.keys["north"], b"x").status_code == 413


def test_whoever_sends_slowly_holds_nobody_up(here: Hub, ask: Asked) -> None:
    """One key's bodies that never end leave room for those of others, and are refused from the fifth on."""

    def scope(key: MemberKey, body: bytes) -> dict[str, Any]:
        path = "/hub/v1/feedback"
        headers = key.headers("POST", AUTHORITY, path, "", body, int(time.time())) | {"content-length": "40"}
        return {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip

    async def sent(key: MemberKey, body: bytes, ends: asyncio.Event | None) -> int:
        told: list[int] = []

        async def receive() -> dict[str, Any]:
            if ends is not None:
                await ends.wait()
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message.get("status", 0))

        await ask.app(scope(key, body), receive, send)
        return told[0]

    async def all_at_once() -> tuple[list[int], int]:
        ends, slow = asyncio.Event(), here.keys["north"]
        held = [asyncio.create_task(sent(slow, b"{}", ends)) for _ in range(20)]
        try:
            other = await asyncio.wait_for(sent(here.keys["south"], b"{}", None), 60)
        finally:
            ends.set()
        return [await one for one in held], other

    held, other = asyncio.run(all_at_once())
    assert other == 400 and (held.count(429), held.count(400)) == (16, 4)


def test_what_is_signed_is_what_is_done(here: Hub, ask: Asked) -> None:
    """A body that was changed on the way is not read."""
    key = here.keys["south"]
    what = here.submit("north")
    body = json.dumps({"object": what, "verb": "seen"}).encode()
    headers = key.headers("POST", AUTHORITY, "/hub/v1/feedback", "", body, int(time.time()))
    assert (
        ask("POST", "/hub/v1/feedback", None, body.replace(b"seen", b"outdated"), headers).status_code == 401
    )
    assert ask("POST", "/hub/v1/feedback", key, body).json()["already"] is False


def test_receipts_are_for_whoever_did_it(here: Hub, ask: Asked) -> None:
    """Entries of others, and numbers that are not there, answer the same."""
    what = here.submit("north")
    seq = here.desk.state.submissions[what].seq
    assert ask("GET", f"/hub/v1/receipts/{seq}", here.keys["north"]).json()["entry"]["kind"] == "submission"
    other = ask("GET", f"/hub/v1/receipts/{seq}", here.keys["south"])
    assert other.status_code == 404
    assert ask("GET", "/hub/v1/receipts/99999", here.keys["south"]).json() == other.json()


def test_the_public_gets_a_page_and_the_log_and_no_more(here: Hub, ask: Asked) -> None:
    """No place of members answers without a signature; paths lead nowhere else; the page runs nothing."""
    here.submit("north")
    page = ask("GET", "/")
    assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    assert "north" not in page.text.lower()
    assert ask("GET", "/log/checkpoint").text.startswith("hub.example/log\n")
    for path in (
        "/log/../log.pem",
        "/log/%2e%2e/log.pem",
        "/log/pending/0",
        "/log/tile/0/000/../../../log.pem",
    ):
        assert ask("GET", path).status_code in (401, 404, 418), path
    for path in (
        "/hub/v1/inbox",
        "/hub/v1/round",
        "/hub/v1/objects/x",
        "/hub/v1/cases/x",
        "/hub/v1/receipts/1",
    ):
        assert ask("GET", path).status_code == 401, path
    assert ask("POST", "/hub/v1/submissions", None, b"{}").status_code == 401
    assert ask("DELETE", "/hub/v1/submissions").status_code == 405
    assert ask("GET", "/taxii2/").status_code == 418


def test_an_unknown_deed_is_refused(here: Hub, ask: Asked) -> None:
    """A name that no rule has, and names of rules that only the hub itself follows."""
    for what in ("everything", "member", "key", "joined", "round"):
        assert ask("POST", f"/hub/v1/{what}", here.keys["north"], b"{}").status_code in (404, 405)


@pytest.fixture
def holder(tmp_path: Path) -> tuple[Asked, MemberKey, HolderFolder]:
    """A key holder with one member and a budget of ten."""
    key = MemberKey.new()
    folder = tmp_path / "holder"
    holder_member(folder, "north", key=key.public, budget=10, end=False)
    found = HolderFolder.open(folder)
    door = Door(
        AUTHORITY, found.known, Nonces(folder / "n.db"), lambda: int(time.time()), logging.getLogger("t")
    )
    return Asked(holder_app(HolderSite(door, found.holder))), key, found


def test_a_share_is_drawn_whole_or_not_at_all(
    holder: tuple[Asked, MemberKey, HolderFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key holder that stops while it writes the week's share draws another one when it starts again."""
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("stopped")))
        with pytest.raises(OSError, match="stopped"):
            holder[2].holder()
    assert holder[2].holder()


def test_a_key_is_one_members_key(holder: tuple[Asked, MemberKey, HolderFolder], tmp_path: Path) -> None:
    """Else one member would spend another's budget."""
    with pytest.raises(ConfigError, match="another member's"):
        holder_member(tmp_path / "holder", "south", key=holder[1].public, budget=10, end=False)
    holder_member(tmp_path / "holder", "north", key=holder[1].public, budget=20, end=False)


def _path(what: str) -> str:
    from datetime import UTC, datetime

    return f"/kh/v1/epochs/{epoch_of(datetime.now(UTC))}{what}"


def test_a_budget_holds_for_calls_at_once_and_after_a_restart(holder) -> None:
    """Twelve parallel calls for one evaluation each get ten answers; a holder opened again gives none."""
    ask, key, found = holder
    wire = group.generated(group.random_scalar())
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda _: ask("POST", _path("/evaluate"), key, wire).status_code, range(12)))
    assert sorted(codes) == [200] * 10 + [429] * 2
    assert ask("GET", _path("/usage"), key).json()["left"] == 0
    share = found.holder().public(epoch_of_now())
    again = HolderFolder.open(found._folder)
    assert again.holder().public(epoch_of_now()) == share
    assert again.holder().left("north", epoch_of_now()) == 0


def epoch_of_now() -> str:
    """This week."""
    return _path("").rsplit("/", 1)[1]


@pytest.mark.parametrize(
    ("wire", "status"), [(bytes(32), 422), (b"\xff" * 32, 422), (b"x" * 31, 422), (b"", 413), (b"", 413)]
)
def test_what_is_no_element_costs_nothing(holder, wire, status) -> None:
    """The identity, a string that is no point, half an element, nothing: refused, and the budget stays."""
    ask, key, _ = holder
    assert ask("POST", _path("/evaluate"), key, wire).status_code == status
    assert ask("GET", _path("/usage"), key).json()["left"] == 10


def test_a_key_holder_answers_members_in_this_week_only(holder) -> None:
    """Strangers get 401, another week 404, an ended member 401; its public key is for everybody."""
    ask, key, found = holder
    wire = group.generated(group.random_scalar())
    assert ask("POST", _path("/evaluate"), MemberKey.new(), wire).status_code == 401
    assert ask("POST", "/kh/v1/epochs/2020-W01/evaluate", key, wire).status_code == 404
    assert len(ask("GET", _path("")).json()["public"]) == 64
    holder_member(found._folder, "north", key=None, budget=None, end=True)
    assert ask("POST", _path("/evaluate"), key, wire).status_code == 401


def test_the_share_of_another_week_is_destroyed(holder) -> None:
    """What is left of an old week goes when the holder is next asked."""
    ask, _, found = holder
    ask("GET", _path(""))
    place = found._folder / "shares"
    (place / "2020-W01").write_bytes(bytes(32))
    ask("GET", _path(""))
    assert [p.name for p in place.iterdir()] == [epoch_of_now()]
    assert (place / epoch_of_now()).stat().st_mode & 0o077 == 0
