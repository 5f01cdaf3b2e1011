"""The published example of the middleware, as a real server process, asked over a socket."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.driving import environment
from tests.e2e.gating import Reply, free_port, log_of, running, send

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/gateways/asgi"
CHAT = "/v1/chat/completions"
CANARY = "zebra-quartz-41"
BODY = {"model": "m", "messages": [{"role": "user", "content": CANARY}], "logprobs": True, "top_logprobs": 5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example."""
    folder = tmp_path_factory.mktemp("asgi") / "example"
    shutil.copytree(EXAMPLE, folder)
    return folder


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """The server's port; what it said holds no prompt and no traceback."""
    port = free_port()
    args = [
        sys.executable,
        "-m",
        "uvicorn",
        "server:app",
        "--port",
        str(port),
        "--no-proxy-headers",
        "--no-access-log",
    ]
    with running(args, port, env=environment(), cwd=folder, until="running on") as one:
        yield port
        one.handle.terminate()
        assert one.handle.wait(30) in (0, -15)
    assert CANARY not in "".join(one.said)
    assert "Traceback" not in "".join(one.said)


def chat(port: int, account: str, **body: object) -> Reply:
    """One chat request of an account."""
    return send(port, CHAT, {**BODY, **body}, x_account_id=account)


def test_bodies_are_hardened_and_accounts_throttled(port: int, folder: Path) -> None:
    """No log-probabilities reach the server; the sixth request at once is asked to wait; the log quotes no prompt."""
    replies = [chat(port, "acct-1") for _ in range(6)]
    assert [reply.status for reply in replies] == [200] * 5 + [429]
    assert replies[0].json["asked"] == ["messages", "model"]
    assert replies[0].headers["x-stillwatch-action"] == "throttle,harden"
    assert replies[0].headers["x-stillwatch-decision"] == replies[0].json["id"]
    assert int(replies[5].headers["retry-after"]) >= 1
    assert CANARY not in json.dumps(log_of(folder))
    assert log_of(folder)[0]["request"]["logprobs"] is True


def test_streams_arrive_whole(port: int) -> None:
    """Every event, and the headers of the decision."""
    reply = chat(port, "acct-3", stream=True)
    assert reply.body.count(b"data: ") == 6
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert reply.headers["x-stillwatch-reason"] == "access_terms"


def test_what_is_not_served_says_why(port: int) -> None:
    """A listed account, a damaged body, a body that is too long: never a failure of the server."""
    assert chat(port, "acct-2").json["error"]["code"] == "account_listed"
    assert send(port, CHAT, b'{"model": ', x_account_id="acct-4").status == 400
    assert send(port, CHAT, b'{"a": "' + b"x" * (21 << 20) + b'"}', x_account_id="acct-4").status == 413
    assert chat(port, "acct-4").status == 200
