"""What a stranger's endpoint may send: it costs a reply at most, never the audit, and never the key."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.suspects.endpoint import Calls, Endpoint, key_of
from stillwatch.prove.suspects.plan import Model, read_plan
from stillwatch.prove.suspects.transcript import Said
from tests.prove.suspects import world

pytest.importorskip("tokenizers")
HEAD = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def raw(parts: list[bytes], pause_s: float = 0.0) -> Iterator[str]:
    """An address that sends these bytes, piece by piece, to whoever asks, and then hangs up."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    for part in parts:
                        connection.sendall(part)
                        time.sleep(pause_s)
                except OSError:
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def ask(folder: Path, url: str, **budget: int) -> Said:
    """One prompt, with one call to spend."""
    path = world.plan(folder, url, prompts=1)
    lines = "".join(f"{name} = {value}\n" for name, value in budget.items())
    path.write_text(path.read_text("utf-8").replace("[budget]\n", f"[budget]\n{lines}"), encoding="utf-8")
    plan = read_plan(path)
    heard: list[Said] = []
    Endpoint(plan.suspect, plan, "", Calls(5)).ask_all([(0, "w1 w2")], lambda _, said: heard.append(said))
    (said,) = heard
    return said


def whole(body: bytes) -> list[bytes]:
    """An answer with its length."""
    return [HEAD + b"content-length: %d\r\n\r\n" % len(body) + body]


@pytest.mark.parametrize("count", ["1e999", "-4", '"many"', "[]", "true", "1" * 4_000, "0.5"])
def test_a_count_of_tokens_that_is_none_costs_no_reply(tmp_path: Path, count: str) -> None:
    """Usage is the suspect's word: what cannot be a count is none."""
    body = f'{{"choices": [{{"text": " w3"}}], "usage": {{"prompt_tokens": {count}}}}}'.encode()
    with raw(whole(body)) as url:
        assert ask(tmp_path, url) == Said(" w3", 0, 0)


def test_half_a_character_is_no_reply(tmp_path: Path) -> None:
    """No tokeniser takes a lone surrogate: kept as a reply, it would stop every judging."""
    with raw(whole(b'{"choices": [{"text": "w3 \\ud800"}]}')) as url:
        assert ask(tmp_path, url) == Said(None, failed="an answer that is no completion")


def test_a_refusal_is_not_waited_for(tmp_path: Path) -> None:
    """Of an answer that refuses the status counts; a body that never comes holds nobody up and stops nothing."""
    head = b"HTTP/1.1 400 Bad\r\ntransfer-encoding: chunked\r\n\r\n"
    with raw([head + b"zz\r\n", b""]) as url:
        assert ask(tmp_path, url) == Said(None, failed="HTTP 400")


def test_an_answer_that_drips_is_given_up(tmp_path: Path) -> None:
    """Each byte comes in time and the whole never does: the time-out is for the answer."""
    drips = [HEAD + b"content-length: 4000000\r\n\r\n", *([b" "] * 60)]
    with raw(drips, pause_s=0.05) as url:
        path = world.plan(tmp_path, url, prompts=1)
        text = path.read_text("utf-8").replace("[budget]\n", "[budget]\ntimeout_s = 1\n")
        path.write_text(text, encoding="utf-8")
        plan = read_plan(path)
        endpoint = Endpoint(plan.suspect, plan, "", Calls(1))
        assert endpoint._post(b"{}") == (0, b"", None)


@pytest.mark.parametrize(
    "key", ["sk-canary-91\n", "sk-canary-91 x", "sk-canary-91\u2019", "sk-canary-91\r\nx: y"]
)
def test_a_key_that_no_header_takes_is_refused_without_being_told(key: str) -> None:
    """The variable is named; the key is in no error."""
    model = Model("m", "https://api.example.com/v1", "m", "chat", "SUSPECT_KEY", "")
    with pytest.raises(ConfigError, match="SUSPECT_KEY") as caught:
        key_of(model, {"SUSPECT_KEY": key})
    assert "canary" not in f"{caught.value} {caught.value.hint}"
