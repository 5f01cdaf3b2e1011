"""A real FastAPI application under uvicorn, with the middleware added as vLLM's server adds it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="FastAPI is not installed: it is in the extra `dev`")

from tests.e2e.driving import environment
from tests.e2e.gating import Reply, free_port, log_of, running, send
from tests.protect.making import HEAD, rule

ROOT = Path(__file__).resolve().parents[2]
CHAT = "/v1/chat/completions"
REASONING = "zebra-quartz-41"
ROOM = "throttle = { rate_per_min = 6000, burst = 1000 }\n"
RULES = (
    HEAD + rule("replayed", when='signals = ["sealed_replay"], score_at_least = 1.0', action="hold")
    + rule("no", when='account = ["denied"]', action="deny")
    + rule("short", when='account = ["a"]', action="throttle",
           more=ROOM + 'also = ["summarise", "harden", "mark"]\nmark = { key = "dye-7" }\n')
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the settings lie."""
    folder = tmp_path_factory.mktemp("fastapi")
    (folder / "policy.toml").write_text(RULES)
    (folder / "stillwatch.toml").write_text(
        '[gateway]\npolicy = "policy.toml"\nfolder = "gate"\n[protect]\nenvelopes = true\n'
    )
    return folder


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """The server's port; what it said holds neither what was asked nor a traceback."""
    free = free_port()
    args = [sys.executable, "-m", "uvicorn", "tests.e2e.fastapi_server:app", "--app-dir", str(ROOT),
            "--port", str(free), "--no-proxy-headers", "--no-access-log"]  # fmt: skip
    env = environment(MIDDLEWARE="stillwatch.gateway.asgi.Guard", CHECK_KEYS="1")
    with running(args, free, env=env, cwd=folder, until="running on") as one:
        yield free
    assert "Traceback" not in "".join(one.said)
    assert REASONING not in "".join(one.said)


def ask(port: int, account: str, *, key: str = "sk-known-0123456789", **body: object) -> Reply:
    """One chat request."""
    whole = {"model": "m", "messages": [{"role": "user", "content": REASONING}], "logprobs": True, **body}
    return send(port, CHAT, whole, x_account_id=account, authorization=f"Bearer {key}")


def test_a_decision_reaches_the_application(port: int) -> None:
    """Hardened, marked, without visible reasoning, as the state of the request and its headers say."""
    reply = ask(port, "a")
    message = reply.json["choices"][0]["message"]
    said = json.loads(message["content"])
    assert (reply.status, message["reasoning_content"]) == (200, "")
    assert said == {"asked": ["messages", "model"], "action": "throttle", "mark": "dye-7", "own": False}
    assert reply.headers["x-stillwatch-action"] == "throttle,summarise,harden,mark"
    plain = ask(port, "b").json["choices"][0]["message"]
    assert plain["reasoning_content"] == REASONING
    assert json.loads(plain["content"])["asked"] == ["logprobs", "messages", "model"]


def test_a_sealed_block_goes_out_in_an_envelope(port: int) -> None:
    """The server gets its own block back; another account that presents it is not served."""
    message = ask(port, "b").json["choices"][0]["message"]
    [block] = message.pop("thinking_blocks")
    assert block["type"] == "redacted_thinking" and "c2VhbGVk" not in block["data"]
    kept = {"role": "assistant", "content": [block]}
    again = ask(port, "b", messages=[kept, {"role": "user", "content": "go on"}])
    assert json.loads(again.json["choices"][0]["message"]["content"])["own"] is True
    assert ask(port, "a", messages=[kept, {"role": "user", "content": "go on"}]).status == 403


def test_a_stream_of_the_application_shows_no_reasoning(port: int) -> None:
    """To whom it is withheld from; the words are whole."""
    for account, shown in (("a", ""), ("b", REASONING)):
        reply = ask(port, account, stream=True)
        deltas = [json.loads(line[6:])["choices"][0]["delta"] for line in reply.body.split(b"\n\n")
                  if line.startswith(b"data: {")]  # fmt: skip
        assert "".join(delta.get("reasoning_content", "") for delta in deltas) == shown
        assert json.loads("".join(delta.get("content", "") for delta in deltas))["action"]
        assert reply.body.endswith(b"data: [DONE]\n\n")


def test_the_middleware_stands_before_the_servers_own_check_of_keys(port: int, folder: Path) -> None:
    """As in vLLM: an unknown key is decided on, and refused behind the middleware."""
    before = len(log_of(folder))
    assert ask(port, "b", key="sk-unknown-012345").status == 401
    assert ask(port, "denied", key="sk-unknown-012345").status == 403
    assert len(log_of(folder)) == before + 2
    assert REASONING not in json.dumps(log_of(folder))
