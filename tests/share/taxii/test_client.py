"""The client trusts no server: where it points, how much it sends, what it says."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from stillwatch.errors import ConfigError, UpstreamError
from stillwatch.share.taxii.client import Client
from stillwatch.share.taxii.media import TAXII
from tests.share.taxii.making import SIGNALS, Place, stix

ROOT = "https://hub.example/community/"
TOKEN = "swx_secret"


def client(answer: Callable[[httpx.Request], httpx.Response], root: str = ROOT, **more: Any) -> Client:
    """A client whose server is a function."""
    return Client(httpx.Client(transport=httpx.MockTransport(answer)), root, TOKEN, **more)


def said(value: Any, status: int = 200, **headers: str) -> httpx.Response:
    """An answer in TAXII."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    names = {k.replace("_", "-"): v for k, v in headers.items()}
    return httpx.Response(status, content=content, headers={"content-type": TAXII} | names)


def packed(body: bytes, how: str = "gzip") -> httpx.Response:
    """An answer in TAXII that comes as it is packed."""
    return httpx.Response(200, content=iter([body]), headers={"content-type": TAXII, "content-encoding": how})


def test_it_pulls_and_pushes_with_our_own_server(live: Place) -> None:
    """Pages, from a time of adding, and a status with a failure among successes."""
    many = [stix(n) for n in range(25)]
    with httpx.Client() as http:
        ours = Client(http, f"{live.door.address}/community/", live.tokens["north"], "north")
        assert [c["title"] for c in ours.collections()] == ["Closed", "Signals"]
        pushed = ours.push(str(SIGNALS), [*many, stix(40, revoked="no")])
        assert (pushed.taken, pushed.pending) == (25, 0)
        assert pushed.failures == ((stix(40)["id"], "revoked is true or false"),)
        pages = list(ours.pages(str(SIGNALS), limit=10))
        assert [len(p.objects) for p in pages] == [10, 10, 5]
        assert [o for p in pages for o in p.objects] == many
        rest = list(ours.pages(str(SIGNALS), added_after=pages[1].added_last))
        assert [o for p in rest for o in p.objects] == many[20:]
        assert next(iter(ours.pages(str(SIGNALS), type="campaign"))).objects == ()
        bearer = Client(http, f"{live.door.address}/community", live.tokens["north"])
        assert len(bearer.collections()) == 2


@pytest.mark.parametrize(
    "root",
    ["http://hub.example/community/", "ftp://hub.example/", "https://me:pw@hub.example/", "https:///x/",
     "https://hub.example/?a=1", "hub.example"],
)  # fmt: skip
def test_an_address_that_gives_a_token_away_is_refused(root: str) -> None:
    """Not https, with a password, without a host."""
    with pytest.raises(ConfigError):
        client(lambda _: said({}), root)


def test_a_token_goes_nowhere_else() -> None:
    """A redirect is not followed, a collection's id does not lead out of its place."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(302, headers={"location": "https://evil.example/"})

    ours = client(answer)
    with pytest.raises(UpstreamError, match="answered 302"):
        list(ours.pages("x"))
    for name in ("https://evil.example/", "//evil.example", "../../x"):
        with pytest.raises(UpstreamError):
            list(ours.pages(name))
    assert {r.url.host for r in asked} == {"hub.example"}
    assert all(r.url.path.startswith("/community/collections/") for r in asked)
    assert TOKEN not in repr(ours)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"[", "not JSON"), (b"[]", "with no object"), (b'{"a":1,"a":2}', "stands twice"), (b"[" * 9999, "nested"),
        ({"objects": {}}, "no list"), ({"objects": [1]}, "no list"), ({"more": True}, "not where"),
        ({"more": True, "next": 5}, "not where"), (b"\xff", "not UTF-8"), (b'{"a":NaN}', "NaN"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_is_left(body: Any, told: str) -> None:
    """With what is wrong, and not what it said."""
    with pytest.raises(UpstreamError, match=told):
        list(client(lambda _: said(body)).pages("x"))


def test_a_server_that_never_ends_is_left() -> None:
    """The same cursor twice is no progress, nor is a time of adding that stands still."""
    with pytest.raises(UpstreamError, match="not where"):
        list(client(lambda _: said({"more": True, "next": "a"})).pages("x"))
    still = said({"more": True, "objects": [stix(1)]}, x_taxii_date_added_last="2026-01-01T00:00:00Z")
    with pytest.raises(UpstreamError, match="not where"):
        list(client(lambda _: still).pages("x"))


def test_a_body_is_bounded_while_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed or not."""
    monkeypatch.setattr("stillwatch.share.taxii.client.MOST_BYTES", 1000)
    with pytest.raises(UpstreamError, match="more than 1000 bytes"):
        list(client(lambda _: said(b" " * 2000)).pages("x"))
    bomb = gzip.compress(b" " * 200_000)
    assert len(bomb) < 1000
    with pytest.raises(UpstreamError, match="more than 1000 bytes"):
        list(client(lambda _: packed(bomb)).pages("x"))


def test_what_is_packed_takes_no_more_memory_than_it_may() -> None:
    """A few bytes that unpack to a great many are left while they unpack; packed twice, they are not unpacked at all;
    a packed page is read, one that is broken off or damaged is not."""
    once = gzip.compress(bytes(128 * 2**20))
    for bomb, how, told in (
        (once, "gzip", "bytes at a time"), (gzip.compress(once), "gzip, gzip", "not asked for"),
        (once, "br", "not asked for"), (gzip.compress(b"{}")[:-8] + bytes(8), "gzip", "unpacked"),
        (b"no gzip", "gzip", "unpacked"),
        (gzip.compress(b"{}")[:-1], "gzip", "before it is whole"),
    ):  # fmt: skip
        tracemalloc.start()
        try:
            with pytest.raises(UpstreamError, match=told):
                list(client(lambda _, b=bomb, h=how: packed(b, h)).pages("x"))  # type: ignore[misc]
            assert tracemalloc.get_traced_memory()[1] < 80 * 2**20
        finally:
            tracemalloc.stop()
    page = gzip.compress(json.dumps({"objects": [stix(1)]}).encode())
    assert next(iter(client(lambda _: packed(page)).pages("x"))).objects == (stix(1),)


def test_what_went_wrong_is_told_with_what_to_do() -> None:
    """Each status has its advice; a server that cannot be reached, and one that speaks another language, as well."""
    for status, hint in ((401, "token"), (403, "may not"), (404, "no such root"), (500, "later")):
        answer = said({}, status)
        with pytest.raises(UpstreamError) as got:
            list(client(lambda _, a=answer: a).pages("x"))  # type: ignore[misc]
        assert hint in got.value.hint

    def gone(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"no {TOKEN}")

    with pytest.raises(UpstreamError, match=r"hub\.example cannot be reached \(ConnectError\)") as got:
        list(client(gone).pages("x"))
    assert TOKEN not in str(got.value)
    with pytest.raises(UpstreamError, match=r"not answer in TAXII 2\.1"):
        list(client(lambda _: httpx.Response(200, json={})).pages("x"))


def test_a_status_that_is_pending_is_asked_for() -> None:
    """Once; what is still pending then is told."""
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        done = {"success_count": 1, "failure_count": 0, "pending_count": 1, "total_count": 2}
        return said({"id": "a/b", "status": "pending", **done}, 202 if request.method == "POST" else 200)

    pushed = client(answer).push("x", [stix(1)])
    assert (pushed.taken, pushed.pending) == (1, 1)
    assert paths == ["/community/collections/x/objects/", "/community/status/a/b/"]
    with pytest.raises(UpstreamError, match="status cannot be read"):
        client(lambda _: said({"success_count": "1"}, 202)).push("x", [stix(1)])
