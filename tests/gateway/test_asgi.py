"""The middleware decides, hardens, passes answers through untouched and records them, whatever it is sent."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import ConfigError
from stillwatch.gateway.asgi import Guard
from stillwatch.ingest.formats.openai import rows
from stillwatch.protect.dye import Desk, Master, Subject
from stillwatch.protect.envelope import keyring, wrap
from stillwatch.records import Request
from stillwatch.settings import ProtectSettings, Settings
from stillwatch.store.dye import DyeFolder
from stillwatch.wiring.gate_dye import Dyer
from stillwatch.wiring.gate_folder import LOG
from stillwatch.wiring.policy import Gate
from tests.gateway.asgi import Got, ask
from tests.gateway.conftest import gateway
from tests.protect.making import HEAD, rule

CANARY = "zebra-quartz-41"
CHAT = "/v1/chat/completions"
WHO = {"x-account-id": "a"}
HARDEN = 'also = ["harden"]\n'
HARDEN += 'throttle = { rate_per_min = 6000, burst = 1000 }\nharden = { strip = ["logprobs", "seed"] }\n'
HARDENING = rule(action="throttle", more=HARDEN)
Guards = Callable[..., Guard]


class Server:
    """A model server that remembers what reached it and answers in pieces."""

    def __init__(
        self,
        pieces: tuple[bytes, ...] = (b'{"usage": {"completion_tokens": 7}}',),
        kind: str = "application/json",
    ):
        self.pieces, self.kind = pieces, kind
        self.seen: list[tuple[dict[str, Any], bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, or run out of life."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.seen.append((scope, body))
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", self.kind.encode())]}
        )
        for number, piece in enumerate(self.pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(self.pieces)})

    @property
    def body(self) -> Any:
        """The last body, as a lenient server reads it."""
        return json.loads(self.seen[-1][1])

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The last headers."""
        return dict(self.seen[-1][0]["headers"])


@pytest.fixture
def guard(gate: Callable[..., Gate]) -> Iterator[Guards]:
    """Makes guards on rules, in front of a server that is at ``guard.server``."""
    made: list[Guard] = []

    def make(
        *rules: str, fail: str = "open", server: Server | None = None, protect: Any = None, **settings: Any
    ) -> Any:
        one = gate(*rules, fail=fail, protect=protect)
        held = Settings.model_validate({"protect": {"fail": fail}, "gateway": settings})
        at: Any = Guard(server or Server(), gate=one, settings=held)
        at.server = at._app
        at.gate = one
        made.append(at)
        return at

    yield make
    for each in made:
        each.close()


def lives(at: Guard, *events: str) -> list[str]:
    """What an app says when a server starts and ends it; a server takes an error for *it has no lifespan*."""
    said: list[str] = []
    waiting = iter(events)

    async def receive() -> dict[str, Any]:
        return {"type": next(waiting)}

    async def send(message: Any) -> None:
        said.append(message["type"])

    try:
        asyncio.run(at({"type": "lifespan"}, receive, send))
    except (RuntimeError, StopIteration):
        said.append("raised")
    return said


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    """The decision log."""
    return [json.loads(line) for line in (tmp_path / "gate" / LOG).read_text().splitlines()]


def chat(at: Guard, body: Any, headers: Any = WHO, path: str = CHAT, **more: Any) -> Got:
    """One request."""
    return ask(
        at,
        "POST",
        path,
        body if isinstance(body, (bytes, list)) else json.dumps(body).encode(),
        headers,
        **more,
    )


def test_what_is_served_reaches_the_server_as_it_was_sent(guard: Guards, tmp_path: Path) -> None:
    """Every byte of it; the decision is at hand there, and the customer of a plain request is told nothing."""
    at: Any = guard()
    raw = [b'{"model" : "m-1",', b'\n"messages": [{"role": "user", "content": "Hi"}]  }']
    got = chat(at, raw, {**WHO, "x-org-id": "o"})
    assert (got.status, got.body) == (200, b'{"usage": {"completion_tokens": 7}}')
    assert at.server.seen[0][1] == b"".join(raw)
    [line] = lines(tmp_path)
    asked = line["request"]
    assert [asked[k] for k in ("account_id", "org_id", "model", "operation")] == ["a", "o", "m-1", "chat"]
    assert at.server.seen[0][0]["state"]["stillwatch"].decision_id == line["decision"]["decision_id"]
    assert not [name for name in got.headers if "stillwatch" in name]


@pytest.mark.parametrize(("action", "more", "status"), [
    ("deny", "", 403), ("hold", "", 403), ("throttle", "throttle = { rate_per_min = 1, burst = 1 }\n", 429),
])  # fmt: skip
def test_what_is_not_served_does_not_reach_the_server(
    guard: Guards, action: str, more: str, status: int
) -> None:
    """The customer reads why, and when to come again."""
    at: Any = guard(rule(action=action, more=more))
    got = [chat(at, {"model": "m"}) for _ in range(2)][-1]
    assert got.status == status
    assert got.json["error"]["decision"]["action"] == action
    assert ("retry-after" in got.headers) == (status == 429)
    assert len(at.server.seen) == (1 if status == 429 else 0)


ENCODINGS = [
    lambda text: text.encode(), lambda text: text.encode("utf-16"), lambda text: b"\xef\xbb\xbf" + text.encode(),
    lambda text: text.encode("utf-32"), lambda text: text.replace("4}", "NaN}").encode(),
    lambda text: text.replace("4}", "1e999}").encode(), lambda text: text.replace('"Hi"', '"\\ud800"').encode(),
    lambda text: ('{"logprobs": false, ' + text[1:]).encode(),
]  # fmt: skip


@pytest.mark.parametrize("encoded", ENCODINGS, ids=range(len(ENCODINGS)))
def test_no_way_of_writing_json_leads_past_hardening(guard: Guards, encoded: Callable[[str], bytes]) -> None:
    """UTF-16 and 32, a byte-order mark, NaN, endless numbers, lone surrogates, a key given twice."""
    text = (
        '{"model": "m", "logprobs": true, "seed": 4, "messages": [{"role": "user", "content": "Hi"}], "x": 4}'
    )
    at: Any = guard(HARDENING)
    for kind in ("application/json", "text/plain", "", "multipart/form-data; boundary=x"):
        got = chat(at, encoded(text), {**WHO, "content-type": kind, "content-length": "5"} if kind else WHO)
        assert (got.status, got.headers["x-stillwatch-action"]) == (200, "throttle,harden")
        assert {"logprobs", "seed"}.isdisjoint(at.server.body)
        assert at.server.body["model"] == "m"
        assert int(at.server.headers[b"content-length"]) == len(at.server.seen[-1][1])


@pytest.mark.parametrize(("path", "headers", "status"), [
    (CHAT, {"content-encoding": "gzip"}, 415), ("/upload", {"content-type": "multipart/form-data; boundary=x"}, 415),
    ("/upload", {"content-type": "text/plain"}, 415), ("/upload", {"content-type": "application/json"}, 400),
    (CHAT, {"content-type": "text/plain"}, 400), (CHAT, {"content-type": "multipart/form-data; boundary=x"}, 400),
])  # fmt: skip
def test_what_cannot_be_hardened_is_not_served_to_whom_hardening_applies(
    guard: Guards, path: str, headers: dict[str, str], status: int
) -> None:
    """And says in which form it would be."""
    at: Any = guard(HARDENING)
    assert chat(at, b"\x1f\x8b no json", {**WHO, **headers}, path).status == status
    assert at.server.seen == []


def test_uploads_pass_by_unread(guard: Guards) -> None:
    """In parts, of any length, and other bodies that are no model call; decided by the account."""
    at: Any = guard(rule(when='account = ["bad"]', action="deny"), max_body_bytes=2_000)
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert chat(at, [b"x" * 5_000] * 2, {**WHO, **kind}, "/v1/audio/transcriptions").status == 200
    assert len(at.server.seen[0][1]) == 10_000
    assert chat(at, b"hello", {**WHO, "content-type": "text/plain"}, "/hook").status == 200
    assert chat(at, b"", WHO, "/v1/responses/r-1/cancel").status == 200
    assert chat(at, b"hello", {"x-account-id": "bad", **kind}, "/v1/audio/transcriptions").status == 403


@pytest.mark.parametrize("body", [
    b"", b"{", b"[1]", b"null", b'"x"', b"\xff\xff", b"\xed\xa0\x80", b"[" * 100_000,
    b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
])  # fmt: skip
def test_what_is_no_json_object_is_400(guard: Guards, body: bytes) -> None:
    """A clear error that quotes nothing, and the server is not asked."""
    at: Any = guard()
    got = chat(at, body)
    assert (got.status, got.json["error"]["type"]) == (400, "invalid_request_error")
    assert at.server.seen == []


def test_bounds_of_size_and_time(guard: Guards) -> None:
    """Fifty megabytes, declared or not; too many values; too much at one time; a client that dawdles or goes away."""
    at: Any = guard(max_body_bytes=1_000_000, max_waiting_bytes=1 << 20, read_timeout_s=0.05)
    for headers in ({"content-length": "52428800"}, {}, {"content-length": "7"}):
        assert chat(at, [b" " * 600_000] * 84, {**WHO, **headers}).status == 413
    assert at._budget.held == 0
    at._budget.take(900_000)
    got = chat(at, [b" " * 300_000])
    assert (got.status, got.headers["retry-after"]) == (429, "2")
    at._budget.give(900_000)
    assert chat(at, [b"half"], ends=False).status == 0
    assert at._budget.held == 0

    async def dawdling() -> list[Any]:
        sent: list[Any] = []
        scope = {"type": "http", "method": "POST", "path": CHAT, "headers": [], "client": ("127.0.0.1", 1)}

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(30)
            return {}

        async def send(message: Any) -> None:
            sent.append(message)

        await at(scope, receive, send)
        return sent

    assert asyncio.run(dawdling())[0]["status"] == 408
    assert at._budget.held == 0
    assert at.server.seen == []


def test_a_long_conversation_is_served(guard: Guards) -> None:
    """Ten thousand messages."""
    at: Any = guard(HARDENING)
    messages = [{"role": "user", "content": f"message {n}"} for n in range(10_000)]
    assert chat(at, {"model": "m", "seed": 1, "messages": messages}).status == 200
    assert at.server.body["messages"] == messages


STREAM = (
    b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n', b'data: {"choi',
    b'ces": [{"delta": {"content": "b"}}]}\n\ndata: {"choices": [], "usage": {"completion_tokens": 41}}\n\n',
    b"data: [DONE]\n\n",
)  # fmt: skip


def recorded(at: Any) -> list[Any]:
    """What was recorded, once the threads are done."""
    at.close()
    return list(at.kept)


def keep(at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember what is recorded."""
    at.kept = []
    monkeypatch.setattr(
        at.gate, "record", lambda request, answer: at.kept.append((request.account_id, answer))
    )


def test_a_stream_passes_piece_by_piece_and_is_counted(
    guard: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No piece is changed, joined or held back."""
    at: Any = guard(server=Server(STREAM, "text/event-stream; charset=utf-8"))
    keep(at, monkeypatch)
    assert chat(at, {"model": "m", "stream": True}).pieces == list(STREAM)
    [(account, answer)] = recorded(at)
    assert (account, answer.output_tokens, answer.sealed_out) == ("a", 41, ())


def test_a_block_that_was_issued_is_recognised_elsewhere(guard: Guards) -> None:
    """Recorded from a stream of the other API's shape."""
    block = "c2lnbmF0dXJl" * 4
    events = [
        {"type": "message_start", "message": {"usage": {"output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": block}},
        {"type": "message_delta", "usage": {"output_tokens": 12}},
    ]
    pieces = tuple(f"event: x\ndata: {json.dumps(event)}\n\n".encode() for event in events)
    at: Any = guard(
        rule(when='signals = ["sealed_replay"]', action="deny"), server=Server(pieces, "text/event-stream")
    )
    assert chat(at, {"model": "m"}, path="/v1/messages").status == 200
    at._desk.close()
    again: Any = Guard(Server(), gate=at.gate, settings=Settings())
    turn = {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": block}]}
    body = {"model": "m", "messages": [turn, {"role": "user", "content": "go on"}]}
    assert chat(again, body, path="/v1/messages").status == 200
    assert chat(again, body, {"x-account-id": "b"}, "/v1/messages").status == 403
    again.close()


@pytest.mark.parametrize(("pieces", "kind", "tokens"), [
    ((b'{"usage": {"output_tokens": 5}}',), "application/json", 5), ((b"not json",), "application/json", 0),
    ((b'data: {"a": 1}\n\n', b'data: {"a": 2}\n\n'), "text/event-stream", 2),
    ((b"data: {broken usage\n",), "text/event-stream", 1),
    ((b'data: {"response": {"usage": {"output_tokens": 8}}}',), "text/event-stream", 8),
    ((b"\xff" * 99,), "audio/mpeg", 0),
    ((b"x" * (9 << 20), b'\ndata: {"usage": {"output_tokens": 3}}\n'), "text/event-stream", 3),
    ((b'{"a": "' + b"x" * (9 << 20) + b'", "usage": {"output_tokens": 3}}',), "application/json", 0),
])  # fmt: skip
def test_answers_of_every_kind_are_counted(
    guard: Guards, monkeypatch: pytest.MonkeyPatch, pieces: tuple[bytes, ...], kind: str, tokens: int
) -> None:
    """By what they say, else by their events; what cannot be read counts nothing and passes as it is."""
    at: Any = guard(server=Server(pieces, kind))
    keep(at, monkeypatch)
    assert chat(at, {"model": "m"}).body == b"".join(pieces)
    [(_, answer)] = recorded(at)
    assert answer.output_tokens == tokens


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_a_failure_in_here_never_reaches_the_customer(
    guard: Guards,
    monkeypatch: pytest.MonkeyPatch,
    fail: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The request is served or not as settings say, and the log says which."""
    at: Any = guard(fail=fail)

    def broken(self: Any, request: Request) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr("stillwatch.gateway.desk.Desk.judge", broken)
    got = chat(at, {"model": "m", "messages": [{"role": "user", "content": CANARY}]})
    assert got.status == (200 if fail == "open" else 503)
    assert len(at.server.seen) == (1 if fail == "open" else 0)
    [line] = lines(tmp_path)
    assert line["decision"]["reason"] == f"fail_{fail}"
    assert CANARY not in caplog.text + json.dumps(line) + "".join(at.gate.said)


def test_a_client_does_not_choose_its_account(guard: Guards, tmp_path: Path) -> None:
    """Neither by the header, nor by claiming an address, nor in the body; two account headers are refused."""
    at: Any = guard()
    claims = [("x-account-id", "victim"), ("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1")]
    chat(at, {"model": "m", "user": "victim", "metadata": {"user_id": "victim"}}, claims, peer="203.0.113.7")
    twice = chat(at, {"model": "m"}, [("x-account-id", "victim"), ("x-account-id", "a")])
    assert (twice.status, twice.json["error"]["code"]) == (400, "two_accounts")
    assert [line["request"]["account_id"] for line in lines(tmp_path)] == [""]
    assert len(at.server.seen) == 1


def test_an_account_may_be_the_digest_of_its_key(gate: Callable[..., Gate], tmp_path: Path) -> None:
    """However the key is sent, by the name that a scan of the logs finds; two keys in one request are refused."""
    held = Settings.model_validate({"gateway": {"account_from": "credential"}})
    at = Guard(Server(), gate=gate(), settings=held)
    one, two = "sk-one-0123456789", "sk-two-0123456789"
    both = {"authorization": f"Bearer {one}", "x-api-key": two}
    for headers in ({"authorization": f"Bearer {one}"}, {"x-api-key": one}, {"x-api-key": two, **WHO}, WHO):
        chat(at, {"model": "m"}, headers, peer="203.0.113.7")
    got = chat(at, {"model": "m"}, both, peer="203.0.113.7")
    assert (got.status, got.json["error"]["message"]) == (
        400,
        "this request carries two different keys: send one",
    )
    at.close()
    names = [line["request"]["account_id"] for line in lines(tmp_path)]
    assert names == [scanned(one), scanned(one), scanned(two), ""]
    assert one not in (tmp_path / "gate" / LOG).read_text()


def scanned(key: str) -> str:
    """The account that a scan of a server's log finds for a key."""
    [row] = rows({"id": "r", "timestamp": 1795493462, "headers": {"Authorization": f"Bearer {key}"},
                  "request": {"model": "m", "messages": []}})  # fmt: skip
    assert isinstance(row, dict)
    return str(row["account_id"])


BLOCK = b64encode(b"sealed reasoning of the model").decode()
REPLAYED = rule(when='signals = ["sealed_replay"]', action="deny")
SEALED: dict[str, tuple[Server, Callable[[bytes], str], Callable[[str], Any]]] = {
    "messages": (
        Server((json.dumps({"type": "message", "content": [
            {"type": "redacted_thinking", "data": BLOCK}, {"type": "text", "text": "42"}]}).encode(),)),
        lambda raw: str(json.loads(raw)["content"][0]["data"]),
        lambda block: {"messages": [{"role": "assistant", "content": [{"type": "redacted_thinking", "data": block}]}]},
    ),
    "messages, streamed": (
        Server((b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta": {"type": "si',
                b'gnature_delta", "signature": "' + BLOCK.encode() + b'"}}\n\n',
                b'event: message_stop\ndata: {"type":  "message_stop"}\n\n'), "text/event-stream"),
        lambda raw: str(json.loads(raw.split(b"data: ")[1].split(b"\n")[0])["delta"]["signature"]),
        lambda block: {"messages": [{"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": block}]}]},
    ),
    "responses": (
        Server((json.dumps({"output": [{"type": "reasoning", "encrypted_content": BLOCK}]}).encode(),)),
        lambda raw: str(json.loads(raw)["output"][0]["encrypted_content"]),
        lambda block: {"input": [{"type": "reasoning", "encrypted_content": block}]},
    ),
    "gemini": (
        Server((json.dumps({"candidates": [{"content": {"parts": [
            {"text": "42", "thoughtSignature": BLOCK}]}}]}).encode(),)),
        lambda raw: str(json.loads(raw)["candidates"][0]["content"]["parts"][0]["thoughtSignature"]),
        lambda block: {"contents": [{"role": "model", "parts": [{"text": "42", "thoughtSignature": block}]}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SEALED)
def test_a_block_goes_out_in_an_envelope_and_comes_back_out_of_it(
    kind: str, guard: Guards, tmp_path: Path
) -> None:
    """The server gets its own block back from its owner; from another account the replay is seen, by what the block
    itself says: the gate that sees it has never heard of it."""
    server, found, presenting = SEALED[kind]
    server.seen.clear()
    at: Any = guard(REPLAYED, server=server, protect={"envelopes": True})
    got = chat(at, {"model": "m"})
    block = found(got.body)
    assert BLOCK.encode() not in got.body and BLOCK.encode() not in b64decode(block)
    assert b64decode(BLOCK) not in b64decode(block), "nobody takes the block out of its envelope"
    if "content-length" in got.headers:
        assert int(got.headers["content-length"]) == len(got.body)
    (tmp_path / "gate" / "state.sqlite").unlink()
    at = guard(REPLAYED, server=server, protect={"envelopes": True})
    assert chat(at, {"model": "m", **presenting(block)}).status == 200
    assert at.server.body == {"model": "m", **presenting(BLOCK)}
    asked = len(server.seen)
    assert chat(at, {"model": "m", **presenting(block)}, {"x-account-id": "thief"}).status == 403
    assert len(server.seen) == asked
    assert chat(at, {"model": "m", **presenting(BLOCK)}).status == 200, "a block of before envelopes passes"
    assert BLOCK not in (tmp_path / "gate" / LOG).read_text()


def test_a_changed_envelope_is_a_replay_and_one_of_another_key_is_not(guard: Guards) -> None:
    """Neither is opened: the server is left to refuse what it does not know."""
    server, found, presenting = SEALED["responses"]
    at: Any = guard(REPLAYED, server=server, protect={"envelopes": True})
    block = found(chat(at, {"model": "m"}).body)
    changed = block[:-8] + ("AAAAAAAA" if block[-8:] != "AAAAAAAA" else "BBBBBBBB")
    assert chat(at, {"model": "m", **presenting(changed)}).status == 403
    [strange] = keyring(b"z" * 32)
    foreign = wrap(BLOCK, Request("r", "a", "m"), keyring(b"z" * 32), strange, 0.0)
    assert chat(at, {"model": "m", **presenting(foreign)}).status == 200
    assert at.server.body == {"model": "m", **presenting(foreign)}


@pytest.mark.parametrize("depth", [200, 300, 450, 900])
def test_depth_around_a_block_is_no_way_round_a_decision(guard: Guards, tmp_path: Path, depth: int) -> None:
    """However deep a body is that can be read, its account is decided on; what cannot be read is refused."""
    at: Any = guard(rule(when='account = ["a"]', action="deny"), protect={"envelopes": True})
    body = b'{"model": "m", "input": [{"type": "reasoning", "encrypted_content": "c2ln"}], "x": %b%b}'
    got = chat(at, body % (b"[" * depth, b"]" * depth))
    assert got.status in (400, 403)
    assert at.server.seen == []


def test_blocks_of_nobody_and_what_cannot_be_read_go_without(guard: Guards) -> None:
    """There is nobody to bind them to; the operator is told of an answer that was not read."""
    server, found, _ = SEALED["responses"]
    at: Any = guard(server=server, protect={"envelopes": True})
    assert found(chat(at, {"model": "m"}, {}).body) == BLOCK
    at = guard(server=Server((b'{"signature": ',)), protect={"envelopes": True}, fail="closed")
    assert chat(at, {"model": "m"}).body == b'{"signature": '
    assert any("envelopes" in line for line in at.gate.said)
    at = guard(server=Server((b'{"a":  1}',)), protect={"envelopes": True})
    assert chat(at, {"model": "m"}).body == b'{"a":  1}'


def test_envelopes_need_the_digest_key(tmp_path: Path) -> None:
    """A gate without it does not start."""
    settings = Settings.model_validate({"protect": {"envelopes": True}})
    with pytest.raises(ConfigError, match="digest key"):
        Gate.open(None, tmp_path, settings=settings)


REASONED = {"choices": [{"index": 0, "message": {"reasoning_content": CANARY, "content": "42"}}]}
SUMMARISED = rule(when='account = ["a"]', action="summarise")


def test_visible_reasoning_is_withheld_from_a_whole_answer(guard: Guards) -> None:
    """Its length is right again, and no compressed answer is asked for; who is not concerned gets all of it."""
    raw = json.dumps(REASONED).encode()
    at: Any = guard(SUMMARISED, server=Server((raw[:30], raw[30:])))
    got = chat(at, {"model": "m"}, {**WHO, "accept-encoding": "gzip"})
    assert got.json["choices"][0]["message"] == {"reasoning_content": "", "content": "42"}
    assert int(got.headers["content-length"]) == len(got.body)
    assert b"accept-encoding" not in at.server.headers
    assert chat(at, {"model": "m"}, {"x-account-id": "other"}).body == raw


def test_visible_reasoning_is_withheld_from_a_stream_as_it_passes(guard: Guards) -> None:
    """Event by event, wherever it is cut; everything else goes by unchanged."""
    events = [{"choices": [{"index": 0, "delta": {"reasoning_content": word}}]} for word in CANARY.split("-")]
    events += [{"choices": [{"index": 0, "delta": {"content": "42"}}]}]
    whole = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events) + b"data: [DONE]\n\n"
    at: Any = guard(SUMMARISED, server=Server((whole[:50], whole[50:120], whole[120:]), "text/event-stream"))
    got = chat(at, {"model": "m", "stream": True})
    shown = [json.loads(line[6:]) for line in got.body.split(b"\n\n") if line.startswith(b"data: {")]
    assert [e["choices"][0]["delta"] for e in shown] == [{"reasoning_content": ""}] * 3 + [{"content": "42"}]
    assert got.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_an_answer_that_cannot_be_read_passes_or_not_as_settings_say(guard: Guards, fail: str) -> None:
    """The operator is told, and nothing is quoted."""
    raw = b'{"reasoning_content": "' + CANARY.encode()
    at: Any = guard(SUMMARISED, fail=fail, server=Server((raw,)))
    got = chat(at, {"model": "m"})
    assert (got.status, CANARY in got.body.decode()) == ((200, True) if fail == "open" else (503, False))
    assert any("withheld" in text for text in at.gate.said)
    assert CANARY not in "".join(at.gate.said)


def test_the_name_of_a_marking_key_goes_on_to_the_server(guard: Guards) -> None:
    """Under a header that nobody outside can set; the customer does not see it."""
    more = 'throttle = { rate_per_min = 6000, burst = 1000 }\nalso = ["mark"]\nmark = { key = "dye-7" }\n'
    at: Any = guard(rule(action="throttle", more=more))
    got = chat(at, {"model": "m"}, {**WHO, "x-stillwatch-mark": "mine"})
    assert at.server.headers[b"x-stillwatch-mark"] == b"dye-7"
    assert at.server.seen[0][0]["state"]["stillwatch"].terms.key == "dye-7"
    assert "x-stillwatch-mark" not in got.headers


def test_reading_requests_pass_and_sockets_are_decided(guard: Guards) -> None:
    """GET is not decided on; a socket of a denied account, or of two, is closed before it opens."""
    at: Any = guard(rule(when='account = ["bad"]', action="deny"))
    assert ask(at, "GET", "/v1/models", b"", {"x-account-id": "bad"}).status == 200

    async def opened(*names: bytes) -> list[Any]:
        sent: list[Any] = []
        scope = {
            "type": "websocket",
            "path": "/v1/realtime",
            "headers": [(b"x-account-id", who) for who in names],
            "client": ("::1", 1),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await at(scope, receive, send)
        return sent

    assert asyncio.run(opened(b"bad")) == ["websocket.close"]
    assert asyncio.run(opened(b"good")) == ["websocket.accept"]
    assert asyncio.run(opened(b"good", b"bad")) == ["websocket.close"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """A guard for many requests, whose server answers everything."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "p.toml").write_text(HEAD + HARDENING)
    with Gate.open(folder / "p.toml", folder / "gate", settings=Settings(protect=ProtectSettings())) as one:
        at = Guard(Server(), gate=one, settings=Settings(gateway=gateway(max_body_bytes=3_000)))
        yield at
        at.close()


INNER = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["seed", "role", "content", "n"]), inner)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["model", "messages", "logprobs", "seed", "extra_body", "input", "logit_bias", "n", "prompt"]
)


@given(body=st.binary(max_size=80) | st.dictionaries(KEYS, INNER).map(lambda value: json.dumps(value).encode()),
       path=st.sampled_from([CHAT, "/v1/responses", "/v1beta/models/m:generateContent", "/x"]),
       kind=st.sampled_from(["application/json", "text/plain", "multipart/form-data", ""]))  # fmt: skip
def test_nothing_that_is_sent_breaks_it(shared: Guard, body: bytes, path: str, kind: str) -> None:
    """Every request is answered, and what is served carries nothing that was to be taken out."""
    server: Any = shared._app
    server.seen.clear()
    got = ask(shared, "POST", path, body, {**WHO, "content-type": kind})
    assert got.status in (200, 400, 415)
    assert shared._budget.held == 0
    if server.seen and server.seen[-1][1]:
        assert {"logprobs", "seed"}.isdisjoint(server.body)


def test_the_engine_gets_the_key_and_no_opt_out(guard: Guards, tmp_path: Path) -> None:
    """With ``dye.inject`` a client's words on marks do not arrive, hardened or not, and policy's key does."""
    master, folder = tmp_path / "master", DyeFolder(tmp_path / "dye")
    master.write_text("ab" * 32)
    master.chmod(0o600)

    class Log:
        def commit(self, digest: str) -> dict[str, int]:
            return {"index": 0}

    dye = Desk(Master(bytes.fromhex("ab" * 32)), Log(), folder).issue(
        Subject("1", "tracer"), "sglang-gumbel", 2, at="2026-11-03"
    )
    more = 'also = ["mark", "harden"]\nmark = { key = "tracer" }\nharden = { strip = ["logprobs"] }\n'
    at: Any = guard(rule(action="throttle", more=more + "throttle = { rate_per_min = 6000, burst = 1000 }\n"))
    at._dyer = Dyer.open(
        Settings.model_validate(
            {"dye": {"folder": str(tmp_path / "dye"), "master_file": str(master), "inject": True}}
        )
    )
    sent = {"model": "m", "watermarking": False, "logprobs": True, "extra_body": {"watermark": None}}
    assert chat(at, sent).status == 200
    key = {"enabled": True, "key": dye.key, "context_window": 2}
    assert at.server.body == {"model": "m", "extra_body": {}, "watermark": key}
    assert int(at.server.headers[b"content-length"]) == len(at.server.seen[-1][1])
    chat(at, {"model": "m", "input": "x", "watermarking": False}, path="/v1/embeddings")
    assert at.server.body == {"model": "m", "input": "x"}
    assert str(dye.key) not in (tmp_path / "gate" / LOG).read_text()


@pytest.mark.parametrize("how", ["returns", "raises"])
def test_an_app_without_a_life_of_its_own_is_guarded_all_the_same(guard: Guards, how: str) -> None:
    """A server goes on when an app knows no lifespan; so does the gate, until it is told of the end."""

    class Plain(Server):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                if how == "raises":
                    raise RuntimeError("no lifespan here")
                return
            await super().__call__(scope, receive, send)

    at = guard(rule(action="deny"), server=Plain())
    assert lives(at, "lifespan.startup") == (["raised"] if how == "raises" else [])
    assert chat(at, {"model": "m", "messages": []}).status == 403


def test_the_gate_is_closed_when_the_app_has_ended(guard: Guards, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a shutdown, and after a start that failed, nothing is asked any more."""
    closed: list[str] = []
    monkeypatch.setattr(Guard, "close", lambda self: closed.append("closed"))

    class Living(Server):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": self.kind})
            if self.kind.endswith("complete"):
                await receive()
                await send({"type": "lifespan.shutdown.complete"})

    assert lives(
        guard(server=Living(kind="lifespan.startup.complete")), "lifespan.startup", "lifespan.shutdown"
    )[-1] == ("lifespan.shutdown.complete")
    assert closed == ["closed"]
    assert lives(guard(server=Living(kind="lifespan.startup.failed")), "lifespan.startup") == [
        "lifespan.startup.failed"
    ]
    assert closed == ["closed"] * 2
