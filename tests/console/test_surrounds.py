"""What surrounds every answer, and whom the doors let through."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stillwatch.console.headers import CONTENT_POLICY
from stillwatch.respond import audit
from tests.console.conftest import BASE, TEAM, House

PAGES = ("/", "/accounts", "/cases", "/audit", "/people", "/me", "/sign-in", "/no-such-page")


def test_the_content_policy_allows_files_of_this_server_alone() -> None:
    """No inline script or style, no other host, no frame, no eval."""
    assert "unsafe" not in CONTENT_POLICY
    assert "http" not in CONTENT_POLICY
    for rule in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert rule in CONTENT_POLICY


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_carries_the_headers_and_no_page_needs_an_exception(house: House, path: str) -> None:
    """Errors too; no page holds a style attribute, an event attribute or an inline script."""
    answer = house.visitor("adam").get(path) if path != "/sign-in" else house.stranger().get(path)
    assert answer.headers["content-security-policy"] == CONTENT_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<[^>]+\s(style|on[a-z]+)\s*=", answer.text)
    assert not re.search(r"<script(?![^>]*\b(src|type=\"application/json\"))", answer.text)
    assert "<style" not in answer.text


def test_another_name_for_this_server_is_refused(house: House) -> None:
    """So that no foreign name can be made to point here."""
    assert house.visitor("ana").get("/", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": BASE, "sec-fetch-site": "same-site"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"origin": f"{BASE}.evil.example"},
        {},
    ],
)
def test_a_change_from_another_site_is_refused(house: House, headers: dict[str, str]) -> None:
    """Even with the cookie and the right token."""
    visitor = house.visitor("ana")
    data = {"csrf": house.csrf(visitor), "label": "x"}
    assert visitor.ask("POST", "/me/token", data=data, headers=headers).status_code == 403


def test_a_change_without_the_token_of_its_session_is_refused(house: House) -> None:
    """Missing, wrong, and another person's."""
    visitor, other = house.visitor("ana"), house.visitor("vera")
    for token in ("", "x", house.csrf(other)):
        assert visitor.post("/me/token", {"csrf": token, "label": "x"}).status_code == 403
    assert visitor.post("/me/token", {"csrf": house.csrf(visitor), "label": "x"}).status_code == 200


def test_a_body_that_is_too_long_is_refused(house: House) -> None:
    """By its stated length, and by what arrives when none is stated."""
    visitor = house.visitor("ana")
    most = house.site.settings.console.max_body_bytes
    assert visitor.post("/me/token", headers={"content-length": str(most + 1)}).status_code == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(most // 2**20 + 2):
            yield b"x" * 2**20

    told = {"content-type": "application/json"}
    answer = house.program("ana").ask("POST", "/api/v1/cases", content=endless(), headers=told)
    assert answer.status_code == 413


OPEN_TO = {
    "/": set(TEAM), "/accounts": set(TEAM), "/cases": set(TEAM), "/me": set(TEAM), "/people": {"adam", "otto"},
    "/audit": {"adam", "otto"}, "/audit.csv": {"adam", "otto"}, "/api/v1/people": {"adam", "otto"},
    "/api/v1/audit": {"adam", "otto"}, "/api/v1/cases": set(TEAM), "/api/openapi.json": set(TEAM),
}  # fmt: skip


def test_roles_open_what_they_are_for(house: House) -> None:
    """Each page to each role, and to nobody who is not signed in."""
    for name in TEAM:
        visitor = house.visitor(name)
        opened = {path for path in OPEN_TO if visitor.get(path).status_code == 200}
        assert opened == {path for path, who in OPEN_TO.items() if name in who}, name
    stranger = house.stranger()
    assert {stranger.get(path).status_code for path in OPEN_TO} == {303, 401}


def test_the_record_is_exported_whole_while_lines_are_added(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line once, in its order, up to the one that says that it was taken."""
    monkeypatch.setattr("stillwatch.console.pages.audit._PIECE", 2)
    lines = audit.lines

    def busy(*args: Any) -> Any:
        found = list(lines(*args))
        house.site.record(None, "busy", "somebody goes on working")
        return iter(found)

    monkeypatch.setattr(audit, "lines", busy)
    rows = list(csv.DictReader(io.StringIO(house.visitor("otto").get("/audit.csv").text)))
    assert [int(r["seq"]) for r in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == 6
    assert rows[-1]["what"] == "audit.export"


def test_what_failed_inside_is_not_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says that it failed; the message, which may quote input, stays inside."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret prompt text")

    monkeypatch.setattr("stillwatch.console.pages.overview.waiting", fail)
    answer = house.visitor("ana").get("/")
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_pages_say_what_is_missing_when_browser_files_are(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice stands on the page, and no address of a missing file."""
    monkeypatch.setitem(
        __import__("stillwatch.console.render", fromlist=["x"]).environment().globals,
        "vendored",
        lambda: False,
    )
    text = house.visitor("ana").get("/").text
    assert "Drawings are plain" in text
    assert "vendor/" not in text
