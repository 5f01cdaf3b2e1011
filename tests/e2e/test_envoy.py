"""Live decisions behind a real Envoy, as the example sets it up: served, changed, refused, broken, killed."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.envoying import Proxied, envoy, proxied

pytestmark = pytest.mark.skipif(envoy() is None, reason="no Envoy: `make envoy` puts one into .cache/envoy")
CANARY = "zebra-quartz-41"
CHAT = {"model": "m", "messages": [{"role": "user", "content": CANARY}]}
LEAKY = CHAT | {"logprobs": True, "top_logprobs": 5, "n": 4, "seed": 7}
QUICK = "[envoy]\nmax_body_bytes = 1048576\nbody_timeout_s = 4.0\n[protect]\nenvelopes = true\n"
OPEN, SHUT = "failure_mode_allow: true", "failure_mode_allow: false"
MODES = {
    "BUFFERED": {},
    "STREAMED": {"request_body_mode: BUFFERED": "request_body_mode: STREAMED"},
    "FULL_DUPLEX_STREAMED": {
        "request_body_mode: BUFFERED": "request_body_mode: FULL_DUPLEX_STREAMED",
        "response_body_mode: STREAMED": "response_body_mode: FULL_DUPLEX_STREAMED",
        "request_trailer_mode: SKIP": "request_trailer_mode: SEND",
        "response_trailer_mode: SKIP": "response_trailer_mode: SEND",
    },
    "answers BUFFERED": {"response_body_mode: STREAMED": "response_body_mode: BUFFERED"},
}


@pytest.fixture(scope="module", params=MODES)
def at(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """One Envoy for each mode; processor and proxy must outlive all tests, and no prompt may be anywhere after them."""
    place = tmp_path_factory.mktemp("envoy")
    with proxied(place, settings=QUICK, changes={OPEN: SHUT, **MODES[request.param]}) as at:
        at.mode = request.param  # type: ignore[attr-defined]
        yield at
        assert at.proxy.poll() is None
        text = at.counted()
        assert "stillwatch_envoy_failures_total 0.0" in text
        assert "stillwatch_envoy_calls 0.0" in text
        at.processor.send_signal(signal.SIGTERM)
        assert at.processor.wait(60) == 0
    written = (
        "".join(at.said) + text + "".join(p.read_text("utf-8", "replace") for p in place.rglob("*.jsonl"))
    )
    assert at.decisions()
    assert CANARY not in written
    assert "Traceback" not in written
    assert CANARY.encode() not in (place / "gate" / "state.sqlite").read_bytes()
    assert CANARY not in (place / "envoy.log").read_text("utf-8", "replace")


def seen(body: bytes) -> dict[str, Any]:
    """What the model server saw, from its answer, whole or streamed."""
    if body.startswith(b"data:"):
        body = next(line[6:] for line in body.split(b"\n") if b'"seen"' in line)
    found: dict[str, Any] = json.loads(body)["seen"]
    return found


def test_a_chat_is_served_and_hardened(at: Proxied) -> None:
    """The account is the key's, whatever the client says; the model server gets the thinner body."""
    status, headers, body = at.ask(LEAKY, x_account_id="evil", x_stillwatch_decision="forged")
    assert status == 200, body
    asked = seen(body)
    assert asked["asked"] == CHAT | {"n": 1}
    assert headers["x-stillwatch-action"] == "harden"
    last = at.decisions()[-1]
    assert last["decision"]["decision_id"] == headers["x-stillwatch-decision"]
    assert last["decision"]["account_id"] == "m0"
    told = asked["headers"].get("x-stillwatch-decision")
    assert told == (None if at.mode == "STREAMED" else headers["x-stillwatch-decision"])  # type: ignore[attr-defined]
    assert "evil" not in json.dumps(last)


def test_a_stream_passes_unchanged(at: Proxied) -> None:
    """Every event, in order."""
    status, headers, body = at.ask(CHAT | {"stream": True})
    assert (status, headers["content-type"]) == (200, "text/event-stream")
    events = [line for line in body.split(b"\n") if line.startswith(b"data:")]
    assert [json.loads(e[6:])["choices"][0]["delta"]["content"] for e in events[:2]] == ["Hel", "lo."]
    assert events[-1] == b"data: [DONE]"
    assert 'stillwatch_envoy_answers_total{read="yes"}' in at.counted()


@pytest.mark.parametrize("stream", [False, True])
def test_a_sealed_block_goes_out_in_an_envelope(at: Proxied, stream: bool) -> None:
    """The model server gets its own block back; another account that presents it is not served."""
    _, _, body = at.ask(CHAT | {"think": True, "stream": stream})
    found = re.search(rb'"reasoning.encrypted", *"data": *"([^"]+)"', body)
    assert found is not None and b"c2VhbGVk" not in found[1]
    kept = {
        "role": "assistant",
        "reasoning_details": [{"type": "reasoning.encrypted", "data": found[1].decode()}],
    }
    again = CHAT | {"messages": [kept, *CHAT["messages"]], "stream": stream}
    assert not seen(body)["knows_its_block"]
    assert seen(at.ask(again)[2])["knows_its_block"]
    assert at.ask(again, account="r0")[0] == 403


def test_reasoning_is_withheld_from_whom_the_policy_says(at: Proxied) -> None:
    """In a whole answer and in a stream; others see it. The marking key's name goes to the model server alone."""
    thinks = CHAT | {"think": True}
    for stream in (False, True):
        _, headers, body = at.ask(thinks | {"stream": stream}, account="r0")
        assert b"First" not in body
        assert b"".join(re.findall(rb'"content": ?"(\w+\.?)"', body)) == b"Hello."
        assert headers["x-stillwatch-action"] == "summarise,mark"
        assert "x-stillwatch-mark" not in headers
        told = seen(body)["headers"].get("x-stillwatch-mark")
        assert told == (None if at.mode == "STREAMED" else "dye-7")  # type: ignore[attr-defined]
        assert b"First" in at.ask(thinks | {"stream": stream})[2]


def test_a_throttled_account_is_told_when_to_come_again(at: Proxied) -> None:
    """429 with Retry-After and JSON; the model server is not asked."""
    answers = [at.ask(CHAT, account="o0") for _ in range(3)]
    _, headers, body = answers[-1]
    assert [a[0] for a in answers] == [200, 200, 429]
    assert 1 <= int(headers["retry-after"]) <= 10
    told = json.loads(body)
    assert (told["error"]["type"], told["error"]["decision"]["action"]) == ("rate_limit_error", "throttle")
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(("body", "status"), [
    (b'{"model": "zebra-quartz-41', 400), (b"\xff\xfe zebra-quartz-41", 400), (b"[" * 100_000, 400),
    (b'{"x": "' + b"zebra-quartz-41 " * 100_000 + b'"}', 413),
])  # fmt: skip
def test_a_bad_body_is_refused_in_plain_words(at: Proxied, body: bytes, status: int) -> None:
    """Broken, not UTF-8, too deep, too long; the next request is served."""
    got, _, answer = at.ask(body)
    assert got == status
    assert json.loads(answer)["error"]["message"]
    assert at.ask(CHAT)[0] == 200


def test_fifty_megabytes_are_refused_without_being_read(at: Proxied) -> None:
    """By their declared length."""
    with socket.create_connection(("127.0.0.1", at.port), timeout=60) as line:
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-of-m0\r\n"
        line.sendall(f"{head}content-type: application/json\r\ncontent-length: 52428800\r\n\r\n".encode())
        assert line.recv(65_536).startswith(b"HTTP/1.1 413")


def test_a_long_body_of_unsaid_length_is_refused(at: Proxied) -> None:
    """Also where it is longer than gRPC's usual message."""
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-of-m0\r\n"
    with socket.create_connection(("127.0.0.1", at.port), timeout=60) as line:
        line.sendall(f"{head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        with suppress(OSError):
            for _ in range(6):
                line.sendall(b"100000\r\n" + b"z" * 0x100000 + b"\r\n")
            line.sendall(b"0\r\n\r\n")
        assert line.recv(65_536).startswith(b"HTTP/1.1 413")


def test_what_a_lenient_server_reads_is_hardened(at: Proxied) -> None:
    """A lone surrogate and ten thousand turns."""
    turns = [{"role": "user", "content": "\ud83d"}] * 10_000
    status, _, body = at.ask(json.dumps({"model": "m", "n": 9, "messages": turns}).encode())
    assert status == 200
    assert (seen(body)["asked"]["n"], len(seen(body)["asked"]["messages"])) == (1, 10_000)


def test_a_slow_client_is_ended(at: Proxied) -> None:
    """408 after the time that settings give."""
    with socket.create_connection(("127.0.0.1", at.port), timeout=60) as line:
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-of-m0\r\n"
        line.sendall(f"{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{".encode())
        assert line.recv(65_536).startswith(b"HTTP/1.1 408")


def test_who_is_not_known_is_not_let_in_and_who_asks_no_model_is(at: Proxied) -> None:
    """Envoy refuses an unknown key; a request without a body is passed on undecided."""
    before = len(at.decisions())
    assert at.ask(CHAT, account="nobody")[0] == 401
    assert at.ask(b"", method="GET", path="/v1/models")[0] == 501
    assert len(at.decisions()) == before


@pytest.mark.parametrize(("mode", "status"), [(OPEN, 200), (SHUT, 500)])
def test_a_killed_processor_is_what_envoy_was_told_it_is(tmp_path: Path, mode: str, status: int) -> None:
    """Under load: every request is answered, served or refused as `failure_mode_allow` says, and Envoy lives on."""
    with proxied(tmp_path, changes={OPEN: mode}) as at:
        assert at.ask(CHAT)[0] == 200
        ready = threading.Barrier(5)
        got: list[int] = []

        def load() -> None:
            ready.wait()
            got.extend(at.ask(CHAT)[0] for _ in range(20))

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        ready.wait()
        at.processor.kill()
        for thread in threads:
            thread.join()
        assert len(got) == 80
        assert set(got) <= {200, status}
        assert at.ask(CHAT)[0] == status
        assert at.proxy.poll() is None
