"""A real nginx with the configuration that is published as the example, in front of a fake model server."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.e2e.gating import (
    Model,
    Process,
    Reply,
    free_port,
    gate,
    log_of,
    model,
    plain_environment,
    running,
    send,
)
from tests.protect.making import HEAD, rule

ROOT = Path(__file__).resolve().parents[2]
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx here; `make nginx` installs it")
CANARY = "zebra-quartz-41"
CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": CANARY}]}
RULES = HEAD + rule("no", when='account = ["acct-2"]', action="deny") + rule(
    "slow", action="throttle", more='also = ["mark"]\nmark = { key = "k-7" }\n'
    "throttle = { rate_per_min = 1, burst = 3 }\n")  # fmt: skip


@contextmanager
def nginx(folder: Path, upstream: int, asked: int, *, closed: bool = False) -> Iterator[Process]:
    """The example's nginx, on other ports."""
    folder.mkdir()
    port = free_port()
    text = (ROOT / "examples/gateways/nginx/nginx.conf").read_text()
    for old, new in (("8080", port), ("8000", upstream), ("8787", asked)):
        assert f"127.0.0.1:{old}" in text
        text = text.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
    if closed:
        text = text.replace("            # fail open:", "            return 503;\n            # fail open:")
    (folder / "nginx.conf").write_text(text)
    args = [str(NGINX), "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off; master_process off;"]
    with running(args, port, env=plain_environment(), cwd=folder, until="") as one:
        yield one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything lies."""
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def behind() -> Iterator[Model]:
    """The model server."""
    with model() as one:
        yield one


@pytest.fixture(scope="module")
def front(folder: Path, behind: Model) -> Iterator[int]:
    """nginx and the gate; the port to ask."""
    with gate(folder / "g", RULES) as asked, nginx(folder / "n", behind.port, asked.port) as proxy:
        yield proxy.port
        assert CANARY not in "".join(asked.said)


def chat(port: int, who: str = "acct-1", **headers: str) -> Reply:
    """One chat request with a key."""
    return send(port, f"{CHAT}?note={CANARY}", BODY, authorization=f"Bearer key-of-{who}", **headers)


def test_a_request_is_served_until_the_throttle_is_full(front: int, behind: Model, folder: Path) -> None:
    """What a client claims in its own headers reaches neither the gate nor the model server."""
    behind.seen.clear()
    forged = {"x_account_id": "acct-9", "x_stillwatch_mark": "none", "x_forwarded_for": "127.0.0.1",
              "x_original_uri": "/free"}  # fmt: skip
    replies = [chat(front, **forged) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    assert replies[0].json["choices"][0]["message"]["content"] == "fine"
    assert 1 <= int(replies[3].headers["retry-after"]) <= 60
    assert replies[3].json["error"]["type"] == "rate_limit_error"
    assert [seen["headers"]["x-account-id"] for seen in behind.seen] == ["acct-1"] * 3
    assert [seen["headers"]["x-stillwatch-mark"] for seen in behind.seen] == ["k-7"] * 3
    assert behind.seen[0]["body"] == BODY
    logged = log_of(folder / "g")
    assert {line["request"]["account_id"] for line in logged} == {"acct-1"}
    assert {line["request"]["operation"] for line in logged} == {"chat"}
    assert behind.seen[0]["headers"]["x-stillwatch-decision"] == logged[0]["decision"]["decision_id"]
    assert CANARY not in json.dumps(logged)


def test_a_denied_account_reads_why(front: int, behind: Model) -> None:
    """403 with the customer's JSON, and nothing reaches the model server."""
    behind.seen.clear()
    reply = chat(front, "acct-2")
    assert (reply.status, reply.headers["content-type"]) == (403, "application/json")
    assert reply.json["error"]["decision"]["decision_id"] == reply.headers["x-stillwatch-decision"]
    assert "appeal" in reply.json["error"]["decision"]
    assert behind.seen == []


@pytest.mark.parametrize("path", [
    b"/v1/\xff\xfe", b"/%00/%0d%0aX-Account-Id:%20a", b'/"{}\'<>', b"/" + b"a" * 7_000, b"//..//v1/./x",
    b"/a?" + b"&" * 3_000,
])  # fmt: skip
def test_no_odd_path_leads_past_the_gate(front: int, behind: Model, path: bytes) -> None:
    """A question that breaks would be taken for a gate that is gone, and the request be served."""
    behind.seen.clear()
    with socket.create_connection(("127.0.0.1", front), timeout=30) as line:
        head = b" HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-of-acct-2\r\nconnection: close\r\n\r\n"
        line.sendall(b"GET " + path + head)
        first = line.makefile("rb").readline()
    assert first.split()[1] in (b"403", b"400")
    assert behind.seen == []


def test_who_is_not_known_is_not_asked_about(front: int, folder: Path) -> None:
    """401 is nginx's own answer."""
    before = len(log_of(folder / "g"))
    assert send(front, CHAT, BODY).status == 401
    assert len(log_of(folder / "g")) == before


def test_streams_pass_as_they_come(folder: Path, behind: Model) -> None:
    """The first event arrives while the model server still works on the second."""
    with gate(folder / "s", HEAD) as asked, nginx(folder / "sn", behind.port, asked.port) as proxy:
        behind.hold.clear()
        connection = HTTPConnection("127.0.0.1", proxy.port, timeout=30)
        body = json.dumps({**BODY, "stream": True})
        connection.request(
            "POST", CHAT, body, {"authorization": "Bearer key-of-acct-1", "content-type": "application/json"}
        )
        response = connection.getresponse()
        assert b"one" in response.readline()
        behind.hold.set()
        rest = response.read()
        assert rest.endswith(b"data: [DONE]\n\n")
        connection.close()


@pytest.mark.parametrize("closed", [False, True])
def test_a_gate_that_is_gone_lets_all_or_nobody_pass(folder: Path, behind: Model, closed: bool) -> None:
    """As the configuration says."""
    name = f"gone-{closed}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with nginx(folder / name, behind.port, port, closed=closed) as proxy:
        behind.seen.clear()
        assert chat(proxy.port).status == (503 if closed else 200)
        assert len(behind.seen) == (0 if closed else 1)


def test_a_gate_that_cannot_decide_answers_503_when_closed(folder: Path, behind: Model) -> None:
    """The store is gone and settings say closed: the customer is told to come again."""
    settings = f'[protect]\nfail = "closed"\nstore = "valkey://127.0.0.1:{free_port()}/0"\n'
    limited = HEAD + rule(action="throttle", more="throttle = { rate_per_min = 1, burst = 3 }\n")
    with gate(folder / "c", limited, settings=settings) as asked:
        with nginx(folder / "cn", behind.port, asked.port) as proxy:
            reply = chat(proxy.port)
            assert (reply.status, reply.headers["retry-after"]) == (503, "30")
            assert reply.json["error"]["code"] == "fail_closed"
