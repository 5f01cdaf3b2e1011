"""A real LiteLLM proxy with the published configuration, in front of a fake model server."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import KEY
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
LITELLM = ROOT / ".cache/litellm/bin/litellm"
pytestmark = pytest.mark.skipif(
    not LITELLM.exists(), reason="there is no LiteLLM proxy here; `make litellm` installs it"
)
CANARY = "zebra-quartz-41"
TURN = [{"role": "user", "content": CANARY}]
FORGED = {
    "user_api_key_team_id": "t-denied",
    "user_api_key_user_id": "t-denied",
    "user_api_key_hash": "t-denied",
}
RULES = (
    HEAD + rule("no", when='account = ["t-denied"]', action="deny")
    + rule("slow", when='account = ["t-slow"]', action="throttle", more="throttle = { rate_per_min = 1, burst = 2 }\n")
)  # fmt: skip
KEYS = '''"""Keys without a database: `sk-NAME` is a key of team NAME."""

from litellm.proxy._types import UserAPIKeyAuth


async def teams(request, api_key):
    return UserAPIKeyAuth(api_key=api_key, team_id=api_key.removeprefix("sk-"), user_id="u-1")
'''


@contextmanager
def proxy(folder: Path, upstream: int, asked: int) -> Iterator[Process]:
    """The example's proxy on other ports, with keys of teams."""
    folder.mkdir()
    text = (ROOT / "examples/gateways/litellm/config.yaml").read_text()
    last = "general_settings:\n"
    for old, new in (
        (":8000/", f":{upstream}/"),
        (":8787", f":{asked}"),
        (last, f"{last}  custom_auth: keys.teams\n"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "config.yaml").write_text(text)
    (folder / "keys.py").write_text(KEYS)
    port = free_port()
    env = plain_environment(
        LITELLM_LOCAL_MODEL_COST_MAP="True", DEFAULT_FLUSH_INTERVAL_SECONDS="1", NO_PROXY="*",
        LITELLM_MASTER_KEY=f"sk-{KEY}",
    )  # fmt: skip
    args = [str(LITELLM), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with running(args, port, env=env, cwd=folder, until="running on http") as one:
        yield one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything lies."""
    return tmp_path_factory.mktemp("litellm")


@pytest.fixture(scope="module")
def behind() -> Iterator[Model]:
    """The model server."""
    with model() as one:
        yield one


@pytest.fixture(scope="module")
def asked(folder: Path) -> Iterator[Process]:
    """The gate."""
    with gate(folder / "g", RULES) as one:
        yield one
    assert CANARY not in "".join(one.said)


@pytest.fixture(scope="module")
def port(folder: Path, behind: Model, asked: Process) -> Iterator[int]:
    """Where the proxy listens; it says nothing of a failed guardrail or callback."""
    with proxy(folder / "p", behind.port, asked.port) as one:
        yield one.port
    assert "failed to make request" not in "".join(one.said)


def ask(port: int, team: str, path: str, **body: object) -> Reply:
    """One request of a team, which claims to be another."""
    return send(port, path, {"model": "m", "metadata": FORGED, **body}, authorization=f"Bearer sk-{team}")


def last(folder: Path) -> dict[str, object]:
    """The request of the last decision."""
    found: dict[str, object] = log_of(folder / "g")[-1]["request"]
    return found


def test_every_kind_of_call_is_decided_under_the_keys_account(port: int, behind: Model, folder: Path) -> None:
    """Chat, streams, messages and responses are served; what a client writes into its metadata counts for nothing."""
    chat = ask(port, "t-1", "/v1/chat/completions", messages=TURN)
    assert chat.json["choices"][0]["message"]["content"] == "fine"
    assert [last(folder)[k] for k in ("account_id", "org_id", "model")] == ["t-1", "t-1", "m"]
    stream = ask(port, "t-2", "/v1/chat/completions", messages=TURN, stream=True)
    assert stream.body.endswith(b"data: [DONE]\n\n")
    words = re.findall(rb'"content":"(\w+ ?)"', stream.body)
    assert b"".join(words) == b"one two three"
    assert last(folder)["account_id"] == "t-2"
    message = ask(port, "t-3", "/v1/messages", messages=TURN, max_tokens=9)
    assert message.json["content"][0]["text"] == "fine"
    assert last(folder)["account_id"] == "t-3"
    response = ask(port, "t-4", "/v1/responses", input=CANARY)
    assert response.json["output"][0]["content"][0]["text"] == "fine"
    assert last(folder)["account_id"] == "t-4"
    assert len(behind.seen) == 4
    assert CANARY not in json.dumps(log_of(folder / "g"))


@pytest.mark.parametrize(("path", "body"), [
    ("/v1/chat/completions", {"messages": TURN}), ("/v1/chat/completions", {"messages": TURN, "stream": True}),
    ("/v1/messages", {"messages": TURN, "max_tokens": 9}), ("/v1/responses", {"input": CANARY}),
])  # fmt: skip
def test_a_denied_account_reads_why(port: int, behind: Model, path: str, body: dict[str, object]) -> None:
    """Status 400 with reason and appeal, and nothing reaches the model server."""
    behind.seen.clear()
    reply = ask(port, "t-denied", path, **body)
    assert reply.status == 400
    assert b"access_terms" in reply.body
    assert b"https://example.com/appeal?d=D-" in reply.body
    assert behind.seen == []


def test_a_full_throttle_says_when_to_come_again(port: int) -> None:
    """In words, for LiteLLM knows no other way."""
    replies = [ask(port, "t-slow", "/v1/chat/completions", messages=TURN) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 400]
    assert re.search(r"Try again in \d+ seconds", replies[2].json["error"]["message"])


def test_what_was_served_is_told_afterwards(port: int, asked: Process) -> None:
    """The log of the calls arrives and is accepted."""
    assert ask(port, "t-1", "/v1/chat/completions", messages=TURN).status == 200
    wanted = 'stillwatch_gate_answers_total{door="litellm_log",status="200"}'
    end = time.monotonic() + 60
    while wanted not in (text := send(asked.port, "/metrics", method="GET").body.decode()):
        assert time.monotonic() < end, text
        time.sleep(0.2)
    assert CANARY not in text


def test_a_gate_that_is_gone_lets_calls_pass_as_configured(folder: Path, behind: Model) -> None:
    """`unreachable_fallback: fail_open`, as the example has it."""
    with proxy(folder / "gone", behind.port, free_port()) as one:
        assert ask(one.port, "t-denied", "/v1/chat/completions", messages=TURN).status == 200
