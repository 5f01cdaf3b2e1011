"""Executors: what is posted, how it is signed, and what every kind of answer leads to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("httpx", reason="pip install 'stillwatch[respond]'")
pytest.importorskip("sqlalchemy", reason="pip install 'stillwatch[respond]'")

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.records import Sent, StepState
from stillwatch.respond import signing
from stillwatch.settings import RespondSettings, Settings
from stillwatch.wiring.executors import LiteLLM, Webhook, may_notify

SECRET = b"s" * 32
STEP = {"key": "k1", "kind": "act", "undo": False, "account_id": "t\u00e9am\r\n", "measure": "block"}


@dataclass
class Receiver:
    """Answers as it is told, and remembers."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """What a GET is answered, one after the other; the last again and again."""
    url: str = ""
    wait_s: float = 0.0


@contextmanager
def receiver(*answers: tuple[int, dict[str, str]]) -> Iterator[Receiver]:
    """A server on a free port of this machine."""
    kept = Receiver(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.seen.append((self.path, dict(self.headers), body))
            time.sleep(kept.wait_s)
            status, headers = kept.answers.pop(0) if kept.answers else (200, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            kept.seen.append((self.path, dict(self.headers), b""))
            status, _ = kept.answers.pop(0) if kept.answers else (200, {})
            body = kept.bodies.pop(0) if len(kept.bodies) > 1 else kept.bodies[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_is_posted_is_signed_and_carries_its_key() -> None:
    """The receiver checks it with the shared secret; a changed body does not pass."""
    with receiver() as there:
        hands = Webhook(there.url, SECRET, 5.0)
        assert hands.send(STEP).state is StepState.DONE
        hands.close()
    _, headers, body = there.seen[0]
    assert json.loads(body) == STEP
    assert headers["Idempotency-Key"] == "k1"
    signing.check(SECRET, body, headers[signing.HEADER], time.time())
    wrongs: tuple[Callable[[], None], ...] = (
        lambda: signing.check(b"other" * 8, body, headers[signing.HEADER], time.time()),
        lambda: signing.check(SECRET, body + b" ", headers[signing.HEADER], time.time()),
        lambda: signing.check(SECRET, body, headers[signing.HEADER], time.time() + 301),
        lambda: signing.check(SECRET, body, "v1=", time.time()),
    )
    for wrong in wrongs:
        with pytest.raises(VerificationError):
            wrong()


@pytest.mark.parametrize(
    ("status", "headers", "state", "after"),
    [
        (204, {}, StepState.DONE, 0.0),
        (503, {"Retry-After": "7"}, StepState.WAITING, 7.0),
        (429, {}, StepState.WAITING, 0.0),
        (409, {}, StepState.WAITING, 0.0),
        (500, {"Retry-After": "tomorrow"}, StepState.WAITING, 0.0),
        (404, {}, StepState.FAILED, 0.0),
        (302, {"Location": "http://127.0.0.1:1/"}, StepState.FAILED, 0.0),
    ],
)
def test_every_kind_of_answer_leads_somewhere(
    status: int, headers: dict[str, str], state: StepState, after: float
) -> None:
    """Done, again later, or refused for good; no redirect is followed."""
    with receiver((status, headers)) as there:
        hands = Webhook(there.url, SECRET, 5.0)
        sent = hands.send(STEP)
        hands.close()
    assert (sent.state, sent.retry_after_s, len(there.seen)) == (state, after, 1)


def test_who_cannot_be_reached_or_does_not_answer_is_tried_again() -> None:
    """Nothing is raised into a plan."""
    hands = Webhook("http://127.0.0.1:1/", SECRET, 0.2)
    assert hands.send(STEP).state is StepState.WAITING
    hands.close()
    with receiver() as there:
        there.wait_s = 1.0
        hands = Webhook(there.url, SECRET, 0.2)
        assert hands.send(STEP).error == "no answer in time"
        hands.close()


def test_litellm_is_asked_to_block_teams_and_keys_and_to_unblock_them() -> None:
    """Routes, bodies and the admin key as its management API takes them."""
    with receiver() as there:
        notices = Webhook(f"{there.url}/told", SECRET, 5.0)
        hands = LiteLLM(f"{there.url}/", "sk-admin", "team", 5.0, notices)
        for more in ({}, {"undo": True}, {"kind": "revoke", "credential": "h1"},
                     {"kind": "revoke", "credential": "h1", "undo": True}, {"kind": "notice"}):  # fmt: skip
            assert hands.send({**STEP, "account_id": "t1", **more}).state is StepState.DONE
        hands.close()
    assert [(path, json.loads(body)) for path, _, body in there.seen[:4]] == [
        ("/team/block", {"team_id": "t1"}), ("/team/unblock", {"team_id": "t1"}), ("/key/block", {"key": "h1"}),
        ("/key/unblock", {"key": "h1"}),
    ]  # fmt: skip
    assert there.seen[0][1]["Authorization"] == "Bearer sk-admin"
    assert (there.seen[4][0], "Authorization" in there.seen[4][1]) == ("/told", False)


def listed(*rows: dict[str, Any], pages: int = 1) -> bytes:
    """A page of LiteLLM's list of keys."""
    plain = {"user_id": "o&1", "team_id": None, "blocked": None}
    return json.dumps({"keys": [plain | row for row in rows], "total_pages": pages}).encode()


def test_of_an_owner_the_keys_that_work_and_belong_to_no_team_are_found() -> None:
    """On every page; never another's, a team's, or one that is blocked already, whatever the proxy lists."""
    first = listed(
        {"token": "h1"}, {"token": "h2", "team_id": "t"}, {"token": "h3", "blocked": True}, pages=2
    )
    with receiver() as there:
        there.bodies = [
            first,
            listed({"token": "h1"}, {"token": "h4"}, {"token": "h5", "user_id": "o&12"}, pages=2),
        ]
        hands = LiteLLM(there.url, "sk-admin", "user", 5.0)
        sent = hands.send({**STEP, "account_id": "o&1"})
        assert (sent.state, sent.credentials) == (StepState.DONE, ("h1", "h4"))
        assert hands.send({**STEP, "account_id": "o&1", "undo": True}) == Sent(StepState.DONE)
        hands.close()
    assert [path.partition("?")[0] for path, *_ in there.seen] == ["/key/list"] * 2
    assert all("user_id=o%261&status=active" in path for path, *_ in there.seen)


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, listed(), StepState.FAILED),
        (200, listed({"token": "h", "blocked": True}), StepState.FAILED),
        (200, listed({"token": "h"}, pages=1_000_000), StepState.FAILED),
        (200, b"<html>", StepState.WAITING),
        (200, b"[" * 100_000, StepState.WAITING),
        (200, b'{"keys": ["h1"], "total_pages": 1}', StepState.WAITING),
        (200, b'{"keys": [], "total_pages": 1e999}', StepState.WAITING),
        (200, b'{"keys": [{"token": "h1"}], "total_pages": 1}', StepState.WAITING),
        (404, b"{}", StepState.FAILED),
        (503, b"{}", StepState.WAITING),
    ],
)
def test_an_owner_whose_keys_are_not_known_is_never_done(status: int, body: bytes, state: StepState) -> None:
    """None that works, more than can be asked for, or an answer that cannot be read."""
    with receiver((status, {})) as there:
        there.bodies = [body]
        hands = LiteLLM(there.url, "sk-admin", "user", 5.0)
        sent = hands.send({**STEP, "account_id": "o&1"})
        hands.close()
    assert (sent.state, sent.credentials) == (state, ())


def test_secrets_and_addresses_are_checked_before_anything_is_sent() -> None:
    """Not in the clear over a network, and nobody is acted on in secret by mistake."""
    with pytest.raises(ConfigError, match="not encrypted"):
        Webhook("http://example.com/hook", SECRET, 5.0)
    with pytest.raises(ConfigError, match=r"customers could not be told: respond.webhook_url"):
        may_notify("litellm", Settings())
    with pytest.raises(ConfigError, match=r"respond.appeal_url"):
        may_notify("webhook", Settings(respond=RespondSettings(webhook_url="https://example.com/hook")))
