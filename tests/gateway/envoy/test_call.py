"""One call, message by message: what is decided, what goes on, and what is answered in the model's place."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.gateway.envoy.messages import BUFFERED, BUFFERED_PARTIAL, FULL_DUPLEX, NONE, STREAMED
from stillwatch.ingest.client import key_digest
from stillwatch.ingest.sealed import digest
from stillwatch.protect.dye import inject
from tests.gateway.envoy.talking import Clerk, Line, put
from tests.protect.making import rule

CANARY = "zebra-quartz-41"
HARDEN = rule(action="harden", more='harden = { strip = ["logprobs", "seed"], clamp = { n = 1 } }')
ASKED = b'{"model":"m","n":4,"logprobs":true,"messages":[{"role":"user","content":"zebra-quartz-41"}]}'
THINNED = {"model": "m", "n": 1, "messages": [{"role": "user", "content": CANARY}]}


def error(replies: list[Any]) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, JSON and headers of an answer in the model's place."""
    [reply] = replies
    said = reply.immediate_response
    return said.status.code, json.loads(said.body), put(said.headers)


def test_a_call_goes_on_with_the_decision_in_its_headers() -> None:
    """The body as it came, and headers of ours that a client sent are taken out."""
    clerk = Clerk(rule())
    line = Line(clerk)
    [head] = line.head({"x-stillwatch-decision": "forged"})
    assert set(head.request_headers.response.header_mutation.remove_headers) == {
        "x-stillwatch-decision",
        "accept-encoding",
    }
    [reply] = line.send("request_body", body=ASKED, end_of_stream=True)
    common = reply.request_body.response
    assert put(common.header_mutation)["x-stillwatch-action"] == "observe"
    assert common.body_mutation.WhichOneof("mutation") is None
    [asked] = clerk.asked
    assert (asked.account_id, asked.model, asked.operation, asked.logprobs, asked.n) == (
        "m0",
        "m",
        "chat",
        True,
        4,
    )


def test_a_hardened_body_goes_on_with_its_length() -> None:
    """Fields stripped and clamped; the customer is told on the answer."""
    line = Line(Clerk(HARDEN))
    [reply] = line.ask(ASKED)
    common = reply.request_body.response
    assert json.loads(common.body_mutation.body) == THINNED
    assert put(common.header_mutation)["content-length"] == str(len(common.body_mutation.body))
    [head] = line.send("response_headers", headers=[(":status", "200"), ("content-type", "application/json")])
    assert put(head.response_headers.response.header_mutation)["x-stillwatch-action"] == "harden"


class Dyes:
    """A desk that takes the client's words on marks out and puts a key into what writes text."""

    def dyed(self, body: dict[str, Any], decision: Any, *, writes: bool) -> dict[str, Any] | None:
        """As the desk does."""
        out, changed = inject(body, None)
        return {**out, "watermark": {"key": 7}} if writes else (out if changed else None)


@pytest.mark.parametrize("rules", [(HARDEN,), ()])
def test_the_engine_gets_the_key_and_no_opt_out(rules: tuple[str, ...]) -> None:
    """Hardened or not, with its length; where no text is written nothing is put in."""
    dyes: Any = Dyes()
    line = Line(Clerk(*rules))
    line.call._desk = replace(line.call._desk, dyer=dyes)
    [reply] = line.ask(b'{"model": "m", "watermarking": false, "messages": []}')
    common = reply.request_body.response
    assert json.loads(common.body_mutation.body) == {"model": "m", "messages": [], "watermark": {"key": 7}}
    assert put(common.header_mutation)["content-length"] == str(len(common.body_mutation.body))
    line = Line(Clerk(*rules))
    line.call._desk = replace(line.call._desk, dyer=dyes)
    [reply] = line.ask(b'{"model": "m", "watermarking": false, "input": "x"}', {":path": "/v1/embeddings"})
    assert json.loads(reply.request_body.response.body_mutation.body) == {"model": "m", "input": "x"}


def test_a_streamed_body_is_held_back_until_it_is_decided_on() -> None:
    """Every piece but the last is emptied, the last one carries the whole."""
    line = Line(Clerk(HARDEN), mode=STREAMED)
    [head] = line.head({"content-length": str(len(ASKED))})
    assert "content-length" in head.request_headers.response.header_mutation.remove_headers
    [held] = line.send("request_body", body=ASKED[:20])
    assert held.request_body.response.body_mutation.clear_body
    assert line.budget.held == 20
    [last] = line.send("request_body", body=ASKED[20:], end_of_stream=True)
    assert json.loads(last.request_body.response.body_mutation.body) == THINNED
    assert line.budget.held == 0


def test_full_duplex_holds_the_headers_as_well() -> None:
    """They carry the decision; the body comes back in pieces, and answers are sent back as they came."""
    line = Line(Clerk(rule()), mode=FULL_DUPLEX, answers=FULL_DUPLEX)
    body = json.dumps({"model": "m", "pad": "x" * 150_000}).encode()
    assert line.head() == []
    assert line.send("request_body", body=body[:100_000]) == []
    head, *pieces = line.send("request_body", body=body[100_000:], end_of_stream=True)
    assert put(head.request_headers.response.header_mutation)["x-stillwatch-decision"].startswith("D-")
    parts = [piece.request_body.response.body_mutation.streamed_response for piece in pieces]
    assert b"".join(part.body for part in parts) == body
    assert [part.end_of_stream for part in parts] == [False, False, True]
    line.send("response_headers", headers=[(":status", "200")])
    [echo] = line.send("response_body", body=b"abc", end_of_stream=True)
    back = echo.response_body.response.body_mutation.streamed_response
    assert (back.body, back.end_of_stream) == (b"abc", True)


def test_full_duplex_with_trailers() -> None:
    """The end of the body is in the trailers then."""
    clerk = Clerk(rule())
    line = Line(clerk, mode=FULL_DUPLEX)
    line.head()
    line.send("request_body", body=b'{"model":"m"}')
    head, piece, trailers = line.send("request_trailers")
    assert head.WhichOneof("response") == "request_headers"
    assert not piece.request_body.response.body_mutation.streamed_response.end_of_stream
    assert trailers.WhichOneof("response") == "request_trailers"
    assert len(clerk.asked) == 1


def test_a_throttled_customer_is_told_when_to_come_again() -> None:
    """429 with Retry-After and the customer's part of the decision."""
    clerk = Clerk(rule(action="throttle", more="throttle = { rate_per_min = 6, burst = 1 }"))
    assert not Line(clerk).ask(ASKED)[0].HasField("immediate_response")
    status, told, headers = error(Line(clerk).ask(ASKED))
    assert (status, headers["retry-after"], headers["content-type"]) == (429, "10", "application/json")
    assert told["error"]["type"] == "rate_limit_error"
    assert told["error"]["decision"]["appeal"].startswith("https://example.com/appeal?d=D-")


def test_a_denied_customer_is_told_why_and_a_covert_one_is_not() -> None:
    """403; a covert decision gives neither reason nor id."""
    status, told, headers = error(Line(Clerk(rule(action="deny"))).ask(ASKED))
    assert (status, told["error"]["code"]) == (403, "access_terms")
    assert headers["x-stillwatch-decision"] == told["error"]["decision"]["decision_id"]
    status, told, headers = error(Line(Clerk(rule(action="deny", more="covert = true"))).ask(ASKED))
    assert (status, told["error"]["code"]) == (403, "not_served")
    assert "decision" not in told["error"] and "x-stillwatch-decision" not in headers


@pytest.mark.parametrize(("body", "status"), [
    (b'{"model": ', 400), (b"\xff\xfe\xfd", 400), (b"[" * 100_000, 400), (b"[" + b"1," * 2_100_000 + b"1]", 413),
    (b"[1]", 400), (b"", 400),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_in_plain_words(body: bytes, status: int) -> None:
    """Broken, not UTF-8, nested too deeply, too many values."""
    clerk = Clerk(rule())
    got, told, _ = error(Line(clerk).ask(body))
    assert (got, told["error"]["code"]) == (status, "too_long" if status == 413 else "unreadable")
    assert clerk.asked == []


@pytest.mark.parametrize("body", [
    b'{"model":"m","n":4,"x":NaN}', b'{"model":"m","n":4,"x":"\\ud800"}', '{"model":"m","n":4}'.encode("utf-16"),
    b'{"model":"m","n":4,"x":' + b"[" * 300 + b"]" * 300 + b"}",
])  # fmt: skip
def test_what_a_lenient_server_would_read_is_read_and_hardened(body: bytes) -> None:
    """NaN, lone surrogates, UTF-16, deep but not too deep."""
    [reply] = Line(Clerk(HARDEN)).ask(body)
    new = json.loads(reply.request_body.response.body_mutation.body)
    assert (new["model"], new["n"]) == ("m", 1)


@pytest.mark.parametrize(
    "media", ["text/plain", "audio/wav", "application/jsonl", "multipart/form-data; boundary=x"]
)
def test_another_type_hides_no_json_and_excuses_what_is_none(media: str) -> None:
    """Hardened if it is JSON. If not: no call of a model API, elsewhere decided on by account, not for the hardened."""
    clerk, other = Clerk(HARDEN), b'{"a":1}\n{"a":2}\n\xff'
    [reply] = Line(clerk).ask(ASKED, {"content-type": media})
    assert json.loads(reply.request_body.response.body_mutation.body) == THINNED
    assert error(Line(clerk).ask(other, {"content-type": media}))[0] == 400
    upload = {"content-type": media, ":path": "/v1/audio/transcriptions"}
    assert error(Line(clerk).ask(other, upload))[0] == 415
    clerk = Clerk(rule())
    [reply] = Line(clerk).ask(other, upload)
    assert reply.request_body.response.body_mutation.WhichOneof("mutation") is None
    assert [(asked.model, asked.operation) for asked in clerk.asked] == [("", "audio")]


def test_ten_thousand_turns_are_read() -> None:
    """Within bounds, as one request."""
    clerk = Clerk(rule())
    turns = [{"role": "user", "content": str(i)} for i in range(10_000)]
    Line(clerk).ask(json.dumps({"model": "m", "messages": turns}).encode())
    assert clerk.asked[0].prompt == "9999"


def test_a_long_body_is_refused_as_soon_as_it_is_known() -> None:
    """By its declared length, by what came, or because Envoy cut it."""
    short: dict[str, Any] = {"max_body_bytes": 1024}
    assert error(Line(Clerk(rule()), **short).head({"content-length": "1025"}))[0] == 413
    assert error(Line(Clerk(rule()), **short).ask(b"x" * 1025))[0] == 413
    line = Line(Clerk(rule()), mode=STREAMED, **short)
    line.head()
    assert not line.send("request_body", body=b"x" * 1000)[0].HasField("immediate_response")
    assert error(line.send("request_body", body=b"x" * 1000))[0] == 413
    line.call.end()
    assert line.budget.held == 0
    line = Line(Clerk(rule()), mode=BUFFERED_PARTIAL)
    line.head()
    assert error(line.send("request_body", body=b'{"model"'))[0] == 413


def test_a_compressed_body_and_an_unfinished_one_are_refused() -> None:
    """415 and 408."""
    assert error(Line(Clerk(rule())).head({"content-encoding": "gzip"}))[0] == 415
    line = Line(Clerk(rule()))
    line.head()
    assert line.call.until is not None
    assert error([line.call.late()])[0] == 408
    assert line.call.over
    assert line.send("request_body", body=ASKED, end_of_stream=True) == []


def test_bodies_that_do_not_fit_are_asked_to_come_again() -> None:
    """503 with Retry-After."""
    line = Line(Clerk(rule()))
    line.budget.take(line.budget.most)
    status, _, headers = error(line.ask(ASKED))
    assert (status, headers["retry-after"]) == (503, "30")


def test_a_request_without_a_body_is_not_judged() -> None:
    """It asks nothing of a model; what is ours is taken out all the same."""
    clerk = Clerk(rule(action="deny"))
    [reply] = Line(clerk).head({"x-stillwatch-mark": "x"}, end=True)
    assert list(reply.request_headers.response.header_mutation.remove_headers) == ["x-stillwatch-mark"]
    assert clerk.asked == []


@pytest.mark.parametrize(("settings", "headers", "account"), [
    ({}, {"x-account-id": "a-1"}, "a-1"),
    ({}, {"x-account-id": "a" * 257}, ""),
    ({"account_header": "X-Team"}, {"x-team": "t-1"}, "t-1"),
    ({"account": "credential"}, {"authorization": "Bearer key-of-m0"}, key_digest({"x-api-key": "key-of-m0"})),
    ({"account": "credential"}, {}, ""),
    ({"account": "credential"}, {"authorization": "Bearer key-of-m0", "x-api-key": "key-of-m0"},
     key_digest({"x-api-key": "key-of-m0"})),
    ({"account": "address"}, {"x-forwarded-for": "198.51.100.66, 192.0.2.7"}, "192.0.2.7"),
    ({"account": "address", "forwarded_hops": 1}, {"x-forwarded-for": "192.0.2.66, 192.0.2.7, 10.0.0.1"}, "192.0.2.7"),
    ({"account": "address", "forwarded_hops": 1}, {"x-forwarded-for": "10.0.0.1"}, ""),
    ({"account": "address"}, [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "192.0.2.7")], "192.0.2.7"),
    ({"account": "address"}, {"x-forwarded-for": "2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"),
    ({"account": "address"}, {"x-forwarded-for": "127.0.0.1, not an address"}, ""),
])  # fmt: skip
def test_only_what_the_gateway_says_names_the_account(settings: Any, headers: Any, account: str) -> None:
    """An address further left than the trusted proxies, and what the body claims, count for nothing."""
    clerk = Clerk(rule())
    line = Line(clerk, **settings)
    line.ask(b'{"model":"m","account":"evil","user":"evil"}', headers)
    assert clerk.asked[0].account_id == account
    assert bool(line.told) is (account == "")


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(("settings", "headers", "code"), [
    ({}, [("x-account-id", "a-1"), ("x-account-id", "evil")], "two_accounts"),
    ({"org_header": "x-org"}, [("x-account-id", "a"), ("x-org", "o"), ("x-org", "o")], "two_accounts"),
    ({"account": "credential"}, [("authorization", "Bearer key-of-m0"), ("x-api-key", "key-of-m1")], "two_keys"),
    ({"account": "credential"}, [("x-api-key", "key-of-m0"), ("x-api-key", "key-of-m1")], "two_keys"),
])  # fmt: skip
def test_a_request_that_names_two_accounts_is_refused(
    settings: Any, headers: Any, code: str, closed: bool
) -> None:
    """Whatever settings say of faults: the server behind would serve one of the two, and nobody was judged."""
    clerk = Clerk(rule())
    status, told, _ = error(Line(clerk, closed=closed, **settings).ask(ASKED, headers))
    assert (status, told["error"]["code"]) == (400, code)
    assert clerk.asked == []


def test_without_an_account_a_closed_gate_serves_nobody() -> None:
    """And an open one decides as for an account of which nothing is known."""
    unnamed = {"x-account-id": ""}
    assert error(Line(Clerk(rule()), closed=True).ask(ASKED, unnamed))[0] == 503
    assert not Line(Clerk(rule())).ask(ASKED, unnamed)[0].HasField("immediate_response")


@pytest.mark.parametrize("mode", [BUFFERED, STREAMED, FULL_DUPLEX])
def test_a_fault_in_here_serves_or_not_as_settings_say(mode: int) -> None:
    """What was held back goes on as it came, but for headers of ours; the operator is told where, nothing is quoted."""
    line = Line(Clerk(broken=True), mode=mode)
    first = line.head({"x-stillwatch-mark": "forged"})
    if mode != BUFFERED:
        line.send("request_body", body=ASKED[:20])
    replies = line.send("request_body", body=ASKED if mode == BUFFERED else ASKED[20:], end_of_stream=True)
    head = replies[0] if mode == FULL_DUPLEX else first[0]
    assert "x-stillwatch-mark" in head.request_headers.response.header_mutation.remove_headers
    mutation = replies[-1].request_body.response.body_mutation
    sent = {STREAMED: mutation.body, FULL_DUPLEX: mutation.streamed_response.body, BUFFERED: ASKED}[mode]
    assert sent == ASKED
    assert (
        line.send("response_headers", headers=[(":status", "200")])[0].WhichOneof("response")
        == "response_headers"
    )
    assert "RuntimeError" in line.told[0] and CANARY not in line.told[0]
    line = Line(Clerk(broken=True), mode=mode, closed=True)
    status, told, _ = error(line.ask(ASKED))
    assert (status, told["error"]["code"]) == (503, "fail_closed")


@pytest.mark.parametrize("mode", [BUFFERED, STREAMED, FULL_DUPLEX])
def test_a_fault_at_the_headers_lets_none_of_ours_through(mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would pass for the decision that there is not."""

    def broken(*args: object) -> str:
        raise RuntimeError

    monkeypatch.setattr("stillwatch.gateway.envoy.call.every", broken)
    [head] = Line(Clerk(rule()), mode=mode).head({"x-stillwatch-mark": "forged"})
    assert list(head.request_headers.response.header_mutation.remove_headers) == ["x-stillwatch-mark"]


def served(clerk: Clerk, media: str, *pieces: bytes, end: bool = True, **headers: str) -> Line:
    """A call that is answered with these bytes."""
    line = Line(clerk)
    line.ask(ASKED)
    more = [(name.replace("_", "-"), value) for name, value in headers.items()]
    line.send("response_headers", headers=[(":status", "200"), ("content-type", media), *more])
    for place, piece in enumerate(pieces):
        [reply] = line.send("response_body", body=piece, end_of_stream=end and place == len(pieces) - 1)
        assert reply.response_body.response.body_mutation.WhichOneof("mutation") is None
    return line


def test_a_whole_answer_is_recorded_with_its_tokens_and_blocks() -> None:
    """Split anywhere."""
    block = {"type": "redacted_thinking", "data": "EmwKAhgB"}
    body = json.dumps({"content": [block], "usage": {"output_tokens": 812}}).encode()
    clerk = Clerk(rule())
    served(clerk, "application/json", body[:30], body[30:])
    [answer] = clerk.recorded
    assert (answer.output_tokens, answer.sealed_out) == (812, (digest("EmwKAhgB"),))


EVENTS = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"output_tokens":1}}}\r\n\r\n'
    b'data: {"type":"content_block_delta","delta":{"type":"signature_delta","signature":"c2ln"}}\n\n'
    b'data: {"type":"response.completed","response":{"usage":{"output_tokens":44},"output":[{"type":"reasoning",'
    b'"encrypted_content":"gAAA"}]}}\n\ndata: [DONE]\n\n'
)


@given(st.lists(st.integers(0, len(EVENTS)), max_size=6))
def test_events_are_read_wherever_they_are_cut(cuts: list[int]) -> None:
    """The most tokens of any event, and every block once."""
    clerk = Clerk(rule())
    edges = [0, *sorted(cuts), len(EVENTS)]
    served(
        clerk,
        "text/event-stream; charset=utf-8",
        *(EVENTS[a:b] for a, b in pairwise(edges)),
    )
    assert clerk.recorded[0].output_tokens == 44
    assert clerk.recorded[0].sealed_out == (digest("c2ln"), digest("gAAA"))


def test_an_answer_that_breaks_off_is_recorded_once_as_far_as_it_went() -> None:
    """The client went away; the end may be told twice."""
    clerk = Clerk(rule())
    line = served(clerk, "text/event-stream", EVENTS[:110], end=False)
    assert clerk.recorded == []
    line.call.end()
    line.call.end()
    assert [answer.output_tokens for answer in clerk.recorded] == [1]


def test_what_cannot_be_read_of_an_answer_is_counted() -> None:
    """Compressed, or longer than is held; it passes all the same."""
    clerk = Clerk(rule())
    line = served(clerk, "application/json", b"\x1f\x8b", content_encoding="gzip")
    assert line.metrics.answers.labels("no")._value.get() == 1
    line = Line(clerk, max_event_bytes=1024)
    line.ask(ASKED)
    line.send("response_headers", headers=[(":status", "200"), ("content-type", "application/json")])
    line.send("response_body", body=b"x" * 2000, end_of_stream=True)
    assert line.metrics.answers.labels("no")._value.get() == 1
    assert [answer.output_tokens for answer in clerk.recorded] == [0, 0]


def test_an_error_of_the_model_is_not_an_answer() -> None:
    """Nothing was served, so nothing is counted against anybody."""
    clerk = Clerk(rule())
    line = Line(clerk)
    line.ask(ASKED)
    line.send("response_headers", headers=[(":status", "500")])
    line.send("response_body", body=b"{}", end_of_stream=True)
    line.call.end()
    assert clerk.recorded == []


REPLAYED = rule(when='signals = ["sealed_replay"]', action="deny")
SIGNED = b'data: {"type":"content_block_delta","delta":{"type":"signature_delta","signature":"c2ln"}}\n\n'


@pytest.mark.parametrize("mode", [BUFFERED, STREAMED, FULL_DUPLEX])
@pytest.mark.parametrize("streamed", [True, False])
def test_blocks_go_out_in_envelopes_and_come_back_out_of_them(mode: int, streamed: bool) -> None:
    """In every mode; the model server gets its own block, and another account's replay is seen with no memory."""
    whole = json.dumps({"content": [{"type": "thinking", "thinking": "", "signature": "c2ln"}]}).encode()
    line = Line(Clerk(REPLAYED, envelopes=True), answers=mode)
    line.ask(ASKED)
    media = "text/event-stream" if streamed else "application/json"
    raw = SIGNED if streamed else whole
    line.send("response_headers", headers=[(":status", "200"), ("content-type", media)])
    sent = b""
    for at, piece in enumerate([raw] if mode == BUFFERED else [raw[:30], raw[30:]]):
        for reply in line.send("response_body", body=piece, end_of_stream=at == 1 or mode == BUFFERED):
            mutation = reply.response_body.response.body_mutation
            sent += mutation.streamed_response.body if mode == FULL_DUPLEX else mutation.body
    told = json.loads(sent.removeprefix(b"data: "))
    block = told["delta"]["signature"] if streamed else told["content"][0]["signature"]
    assert block != "c2ln"
    kept = [{"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": block}]}]
    body = json.dumps({"model": "m", "messages": kept}).encode()
    [reply] = Line(Clerk(REPLAYED, envelopes=True)).ask(body)
    common = reply.request_body.response
    assert json.loads(common.body_mutation.body)["messages"][0]["content"][0]["signature"] == "c2ln"
    assert put(common.header_mutation)["content-length"] == str(len(common.body_mutation.body))
    assert error(Line(Clerk(REPLAYED, envelopes=True)).ask(body, {"x-account-id": "thief"}))[0] == 403


def test_answers_that_are_not_seen_have_no_envelopes() -> None:
    """With `response_body_mode: NONE`; the operator is told."""
    line = Line(Clerk(envelopes=True), answers=NONE)
    line.ask(ASKED)
    line.send("response_headers", headers=[(":status", "200"), ("content-type", "application/json")])
    assert any("envelopes" in text for text in line.told)


def test_text_of_a_kind_that_is_not_read_is_counted() -> None:
    """It may show reasoning; with `closed` it is kept back."""
    line = Line(Clerk(SUMMARISED))
    line.ask(ASKED)
    line.send("response_headers", headers=[(":status", "200"), ("content-type", "text/plain")])
    [reply] = line.send("response_body", body=b"x", end_of_stream=True)
    assert reply.response_body.response.body_mutation.WhichOneof("mutation") is None
    assert line.metrics.unapplied.labels("summarise")._value.get() == 1
    line = Line(Clerk(SUMMARISED), closed=True)
    line.ask(ASKED)
    line.send("response_headers", headers=[(":status", "200"), ("content-type", "text/plain")])
    [reply] = line.send("response_body", body=b"zebra", end_of_stream=True)
    assert b"zebra" not in reply.response_body.response.body_mutation.body


SUMMARISED = rule(action="summarise")
SHOWN = {"choices": [{"message": {"reasoning": CANARY, "content": "42"}}], "usage": {"completion_tokens": 9}}


@pytest.mark.parametrize("mode", [BUFFERED, STREAMED, FULL_DUPLEX])
@pytest.mark.parametrize("declared", [True, False])
def test_visible_reasoning_is_withheld_from_a_whole_answer(mode: int, declared: bool) -> None:
    """In every mode in which answers are seen; its length is right, and it is recorded as it was."""
    clerk, raw = Clerk(SUMMARISED), json.dumps(SHOWN).encode()
    line = Line(clerk, answers=mode)
    line.ask(ASKED)
    length = [("content-length", str(len(raw)))] if declared else []
    [head] = line.send(
        "response_headers", headers=[(":status", "200"), ("content-type", "application/json"), *length]
    )
    removed = head.response_headers.response.header_mutation.remove_headers
    assert ("content-length" in removed) is (mode != BUFFERED)
    pieces = [raw] if mode == BUFFERED else [raw[:40], raw[40:], b""]
    sent, put_length = b"", ""
    for place, piece in enumerate(pieces):
        for reply in line.send("response_body", body=piece, end_of_stream=place == len(pieces) - 1):
            common = reply.response_body.response
            put_length = put(common.header_mutation).get("content-length", put_length)
            sent += common.body_mutation.body or common.body_mutation.streamed_response.body
    assert json.loads(sent)["choices"][0]["message"] == {"reasoning": "", "content": "42"}
    assert put_length == (str(len(sent)) if mode == BUFFERED else "")
    assert [answer.output_tokens for answer in clerk.recorded] == [9]


@pytest.mark.parametrize("mode", [BUFFERED, FULL_DUPLEX])
def test_an_answer_that_ends_with_trailers_is_whole(mode: int) -> None:
    """The end of its body is in no piece of its own then."""
    line = Line(Clerk(SUMMARISED), answers=mode)
    line.ask(ASKED)
    line.send("response_headers", headers=[(":status", "200"), ("content-type", "application/json")])
    replies = line.send("response_body", body=json.dumps(SHOWN).encode()) + line.send("response_trailers")
    commons = [reply.response_body.response.body_mutation for reply in replies[:-1]]
    sent = b"".join(common.body or common.streamed_response.body for common in commons)
    assert json.loads(sent)["choices"][0]["message"] == {"reasoning": "", "content": "42"}
    assert replies[-1].WhichOneof("response") == "response_trailers"


def test_visible_reasoning_is_withheld_from_a_stream() -> None:
    """Event by event; half an event waits for its other half."""
    line = Line(Clerk(SUMMARISED))
    line.ask(ASKED)
    line.send("response_headers", headers=[(":status", "200"), ("content-type", "text/event-stream")])
    event = b"data: " + json.dumps({"delta": {"thinking": CANARY}}).encode() + b"\n\n"
    [held] = line.send("response_body", body=event[:20])
    assert held.response_body.response.body_mutation.clear_body
    [rest] = line.send("response_body", body=event[20:])
    assert rest.response_body.response.body_mutation.body == b'data: {"delta":{"thinking":""}}\n\n'
    [end] = line.send("response_body", body=b"data: [DONE]\n\n", end_of_stream=True)
    assert end.response_body.response.body_mutation.body == b"data: [DONE]\n\n"


def test_reasoning_that_cannot_be_withheld_is_counted_or_kept_back() -> None:
    """An answer that is compressed, or not shown to the processor at all."""
    for closed in (False, True):
        line = Line(Clerk(SUMMARISED), answers=BUFFERED, closed=closed)
        line.ask(ASKED)
        kind = [(":status", "200"), ("content-type", "application/json"), ("content-encoding", "gzip")]
        line.send("response_headers", headers=kind)
        replies = line.send("response_body", body=b"\x1f\x8b", end_of_stream=True)
        if closed:
            assert error(replies)[0] == 503
        else:
            assert replies[0].response_body.response.body_mutation.body == b"\x1f\x8b"
        assert line.metrics.unapplied.labels("summarise")._value.get() == 1
    line = Line(Clerk(SUMMARISED), answers=NONE)
    line.ask(ASKED)
    line.send("response_headers", headers=[(":status", "200"), ("content-type", "application/json")])
    assert line.metrics.unapplied.labels("summarise")._value.get() == 1
    assert any("withheld" in text for text in line.told)


KINDS = [
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
]


@given(
    st.sampled_from([BUFFERED, STREAMED, BUFFERED_PARTIAL, FULL_DUPLEX, 0, 9]),
    st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=30), st.booleans()), max_size=8),
)
def test_no_order_of_messages_makes_it_stumble(mode: int, steps: list[tuple[str, bytes, bool]]) -> None:
    """Every message gets an answer of its kind, or an answer in the model's place; nothing stays held."""
    line = Line(Clerk(rule()), mode=mode)
    for kind, body, end in steps:
        fields: dict[str, Any] = {} if kind.endswith("trailers") else {"end_of_stream": end}
        fields |= {"body": body} if kind.endswith("body") else {}
        replies = line.send(kind, **fields)
        assert all(reply.WhichOneof("response") for reply in replies)
        if line.call.over:
            break
    line.call.end()
    assert line.budget.held == 0
    assert line.metrics.failures._value.get() == 0
