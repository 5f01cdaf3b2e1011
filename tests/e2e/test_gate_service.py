"""`stillwatch gate` as users run it: bounds, bad input, many at once, and its end."""

from __future__ import annotations

import json
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.driving import process
from tests.e2e.gating import Process, gate, log_of, send
from tests.protect.making import HEAD, rule

GUARDRAIL = "/beta/litellm_basic_guardrail_api"
CANARY = "zebra-quartz-41"
SETTINGS = "[gateway]\nread_timeout_s = 1.0\nmax_body_bytes = 1048576\nmax_waiting_bytes = 2097152\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it works."""
    return tmp_path_factory.mktemp("service") / "g"


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Process]:
    """One gate that the tests of bad input share; it must outlive them all and end in good order."""
    with gate(folder, HEAD + rule(when='account = ["bad"]', action="deny"), settings=SETTINGS) as one:
        yield one
        assert send(one.port, "/check", method="GET", x_account_id="a").status == 200
        one.handle.send_signal(signal.SIGTERM)
        assert one.handle.wait(30) == 0
    said = "".join(one.said)
    assert "Traceback" not in said
    assert CANARY not in said + json.dumps(log_of(folder))


def raw(port: int, data: bytes) -> bytes:
    """Send bytes as they are and read until the other side hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        pieces = []
        try:
            line.sendall(data)
            while piece := line.recv(65_536):
                pieces.append(piece)
        except ConnectionError:
            pass
    return b"".join(pieces)


def test_a_slow_client_is_sent_away(served: Process) -> None:
    """After the time that is set, in the head and in the body."""
    began = time.monotonic()
    half = b"POST /litellm HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n" + CANARY.encode()
    for data in (b"GET /check HTTP/1.1\r\nx-acc", half):
        assert raw(served.port, data).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 30


def test_what_is_too_long_is_refused_within_bounds_of_memory(served: Process) -> None:
    """Fifty megabytes, declared and in chunks; a head without end."""
    before = peak_of(served)
    head = f"POST {GUARDRAIL} HTTP/1.1\r\nhost: x\r\n".encode()
    declared = raw(served.port, head + b"content-length: 52428800\r\n\r\n" + b"x" * 65_536)
    assert declared.startswith(b"HTTP/1.1 413 ")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    raw(served.port, head + b"transfer-encoding: chunked\r\n\r\n" + chunk * 800)
    assert raw(served.port, b"GET /check HTTP/1.1\r\nx: " + b"y" * 100_000).startswith(b"HTTP/1.1 431 ")
    assert send(served.port, "/healthz", method="GET").status == 200
    assert peak_of(served) - before < 64 * 2**20


def peak_of(one: Process) -> int:
    """Most memory it has had, in bytes; nothing where the system does not say."""
    status = Path(f"/proc/{one.handle.pid}/status")
    if sys.platform != "linux" or not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("body", [
    b"", b"{", b"\xff" * 100, b'{"a":' * 20_000, b"[" * 500_000, b'{"model": "' + CANARY.encode() + b'", ',
])  # fmt: skip
def test_bad_bodies_are_400(served: Process, body: bytes) -> None:
    """Told in words that quote nothing."""
    reply = send(served.port, GUARDRAIL, body)
    assert reply.status == 400
    assert CANARY.encode() not in reply.body


def test_many_at_once_are_all_decided(served: Process, folder: Path) -> None:
    """Every answer is right and every decision is in the log."""
    before = len(log_of(folder))

    def ask(number: int) -> int:
        return send(
            served.port, "/check", method="GET", x_account_id="bad" if number % 3 == 0 else f"a{number}"
        ).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(300)))
    assert statuses == [403 if number % 3 == 0 else 200 for number in range(300)]
    assert len(log_of(folder)) == before + 300


def test_a_policy_that_does_not_load_stops_the_start(tmp_path: Path) -> None:
    """With the file, the line and a hint; so does an address that makes no sense, and a network that is none."""
    (tmp_path / "p.toml").write_text(HEAD + rule(action="explode"))
    ended = process(
        "gate", "--policy", tmp_path / "p.toml", "--dir", tmp_path / "g", "--listen", "127.0.0.1:0"
    )
    assert ended.status == 2
    assert "p.toml:" in ended.err
    ended = process("gate", "--dir", tmp_path / "g", "--listen", "nowhere")
    assert (ended.status, "hint:" in ended.err) == (2, True)
    (tmp_path / "s.toml").write_text('[gateway]\ntrusted_proxies = ["10.0.0.0/99"]\n')
    ended = process("gate", "--dir", tmp_path / "g", "--settings", tmp_path / "s.toml")
    assert ended.status == 2
    assert "gateway.trusted_proxies" in ended.err
