"""The door answers every request with a status it promised, and says 200 only for what was taken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from stillwatch.receive import Denied, Taken
from tests.receive.asgi import Keeper, ask, door

PROTOBUF, JSON = "application/x-protobuf", "application/json"
DOORS = [
    ("/v1/traces", PROTOBUF, "traces-proto"), ("/v1/traces", JSON, "traces-json"), ("/v1/logs", PROTOBUF, "logs-proto"),
    ("/v1/logs", JSON, "logs-json"), ("/litellm", JSON, "litellm"), ("/litellm", "application/x-ndjson", "litellm"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "media", "kind"), DOORS)
def test_a_post_is_handed_on_as_it_came(path: str, media: str, kind: str) -> None:
    """Path, kind, encoding and every byte; the answer is of the sender's type."""
    keeper = Keeper()
    headers = {"Content-Type": f"{media.upper()}; charset=utf-8", "Content-Encoding": "GZIP"}
    got = ask(door(keeper), "POST", path, [b"ab", b"", b"cd"], headers)
    assert got.status == 200
    assert got.headers["content-type"] == (media if path != "/litellm" else JSON)
    [post] = keeper.posts
    assert (post.path, post.kind, post.encoding, post.body) == (path, kind, "gzip", b"abcd")
    assert "ab" not in repr(post)


def test_what_was_refused_is_told_in_otlps_own_words() -> None:
    """As a partial success, in protobuf and in JSON, with numbers and reasons."""
    keeper = Keeper(Taken(2, refused={"model is missing": 1, "account_id is missing": 3}))
    words = "3: account_id is missing; 1: model is missing"
    traces = ask(door(keeper), "POST", "/v1/traces", b"x", {"content-type": PROTOBUF})
    partial = ExportTraceServiceResponse.FromString(traces.body).partial_success
    assert (partial.rejected_spans, partial.error_message) == (4, words)
    logs = ask(door(keeper), "POST", "/v1/logs", b"x", {"content-type": PROTOBUF})
    refused = ExportLogsServiceResponse.FromString(logs.body).partial_success
    assert (refused.rejected_log_records, refused.error_message) == (4, words)
    told = ask(door(keeper), "POST", "/v1/traces", b"x", {"content-type": JSON}).json
    assert told == {"partialSuccess": {"rejectedSpans": "4", "errorMessage": words}}
    told = ask(door(keeper), "POST", "/litellm", b"x", {"content-type": JSON}).json
    assert told == {
        "accepted": 2,
        "skipped": 0,
        "refused": {"model is missing": 1, "account_id is missing": 3},
    }


def test_a_whole_success_says_nothing_more() -> None:
    """OTLP wants an empty message then."""
    assert ask(door(), "POST", "/v1/traces", b"x", {"content-type": PROTOBUF}).body == b""
    assert ask(door(), "POST", "/v1/logs", b"x", {"content-type": JSON}).json == {}


@pytest.mark.parametrize("status", [429, 503])
def test_who_may_come_again_is_told_when(status: int) -> None:
    """With Retry-After; nobody else is."""
    keeper = Keeper(Denied(status, "later"))
    assert (
        ask(door(keeper), "POST", "/litellm", b"x", {"content-type": JSON}).headers.get("retry-after") == "3"
    )
    keeper = Keeper(Denied(400, "never"))
    assert "retry-after" not in ask(door(keeper), "POST", "/litellm", b"x", {"content-type": JSON}).headers


def test_an_error_is_a_status_message_in_the_senders_form() -> None:
    """google.rpc.Status: code and message, in protobuf or JSON."""
    keeper = Keeper(Denied(400, "not an export request"))
    got = ask(door(keeper), "POST", "/v1/logs", b"x", {"content-type": PROTOBUF})
    assert got.body == b"\x08\x03\x12\x15not an export request"
    got = ask(door(keeper), "POST", "/v1/logs", b"x", {"content-type": JSON})
    assert got.json == {"code": 3, "message": "not an export request"}


@pytest.mark.parametrize("headers", [
    {}, {"content-type": "text/plain"}, {"content-type": "application/x-ndjson"},
    {"content-type": JSON, "content-encoding": "br"}, {"content-type": JSON, "content-encoding": "gzip, gzip"},
])  # fmt: skip
def test_what_is_not_read_here_is_415(headers: dict[str, str]) -> None:
    """And says what is."""
    keeper = Keeper()
    got = ask(door(keeper), "POST", "/v1/traces", b"x", headers)
    assert got.status == 415
    assert "send" in got.json["message"]
    assert keeper.posts == []


def test_a_long_body_is_refused_before_and_while_it_is_read() -> None:
    """By its declared length, and by what comes when it declared none or lied."""
    keeper = Keeper()
    at = door(keeper)
    for headers in ({"content-length": str((1 << 16) + 1)}, {}, {"content-length": "5"}):
        got = ask(at, "POST", "/v1/traces", [b"x" * 40_000] * 2, {"content-type": JSON, **headers})
        assert got.status == 413
        assert "65536 bytes" in got.json["message"]
    assert keeper.posts == []
    assert at.budget.held == 0


def test_what_does_not_fit_is_asked_to_come_again_and_nothing_is_held_after() -> None:
    """429 while too much waits; the bytes are given back whatever the end."""
    keeper = Keeper()
    at = door(keeper, waiting=20_000)
    assert at.budget.take(15_000)
    got = ask(at, "POST", "/v1/traces", [b"x" * 3_000] * 2, {"content-type": JSON})
    assert (got.status, at.budget.held, keeper.posts) == (429, 15_000, [])
    at.budget.give(15_000)
    assert ask(at, "POST", "/v1/traces", [b"x" * 3_000] * 2, {"content-type": JSON}).status == 200
    assert at.budget.held == 0


def test_a_connection_that_breaks_off_leaves_nothing() -> None:
    """Nothing is handed on and nothing stays held."""
    keeper = Keeper()
    at = door(keeper)
    ask(at, "POST", "/v1/traces", [b"half"], {"content-type": JSON}, ends=False)
    assert (keeper.posts, at.budget.held) == ([], 0)


def test_a_failure_in_here_says_where_in_the_log_and_nothing_to_the_sender(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither quotes what was sent."""
    at = door(Keeper(ValueError("secret words of a prompt")))
    got = ask(at, "POST", "/litellm", b"x", {"content-type": JSON})
    assert got.status == 500
    assert "ValueError" in caplog.text
    assert b"secret" not in got.body + caplog.text.encode() + at.metrics.text()
    assert at.budget.held == 0
    assert b'stillwatch_receive_failures_total{kind="request"} 1.0' in at.metrics.text()


def test_health_and_readiness_are_two_things() -> None:
    """A full disk is no reason to restart; a dead thread is."""
    keeper = Keeper()
    at = door(keeper)
    assert [ask(at, "GET", path).status for path in ("/healthz", "/readyz")] == [200, 200]
    keeper.trouble = "nothing can be kept at present (no space left on device): send it again later"
    assert ask(at, "GET", "/healthz").status == 200
    got = ask(at, "GET", "/readyz")
    assert (got.status, got.headers["retry-after"]) == (503, "3")
    got = ask(at, "POST", "/litellm", b"x", {"content-type": JSON})
    assert (got.status, got.headers["retry-after"], keeper.posts) == (503, "3", [])
    keeper.alive = False
    assert ask(at, "GET", "/healthz").status == 500


def test_everything_is_counted() -> None:
    """Answers by path and status, bytes, exchanges, refusals by reason."""
    at = door(Keeper(Taken(5, 2, {"model is missing": 1})))
    ask(at, "POST", "/v1/logs", b"12345", {"content-type": JSON})
    ask(at, "POST", "/v1/logs", b"12345", {"content-type": "text/plain"})
    text = ask(at, "GET", "/metrics").body.decode()
    for line in (
        'stillwatch_receive_requests_total{path="/v1/logs",status="200"} 1.0',
        'stillwatch_receive_requests_total{path="/v1/logs",status="415"} 1.0',
        "stillwatch_receive_bytes_total 5.0", "stillwatch_receive_exchanges_total 5.0",
        "stillwatch_receive_skipped_total 2.0", 'stillwatch_receive_refused_total{reason="model is missing"} 1.0',
        "stillwatch_receive_waiting_bytes 0.0",
    ):  # fmt: skip
        assert line in text


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/v1/traces", 405), ("PUT", "/litellm", 405), ("POST", "/metrics", 405), ("POST", "/", 404),
    ("GET", "/v1/traces/", 404), ("POST", "/v1/metrics", 404),
])  # fmt: skip
def test_what_is_not_offered_says_what_is(method: str, path: str, status: int) -> None:
    """404 and 405 with a word of advice."""
    got = ask(door(), method, path)
    assert got.status == status
    assert ("allow" in got.headers) == (status == 405)
    assert got.json["message"]


def described() -> dict[str, Any]:
    """The surface, by its own description."""
    document: dict[str, Any] = ask(door(), "GET", "/openapi.json").json
    return document


def test_the_description_names_every_door() -> None:
    """Every path and media type that is read, and no other."""
    offered = {
        (path, media)
        for path, operations in described()["paths"].items()
        if "post" in operations
        for media in operations["post"]["requestBody"]["content"]
    }
    assert offered == {(path, media) for path, media, _ in DOORS} | {("/litellm", "application/ndjson")}


@given(data=st.data())
def test_any_request_that_the_description_allows_gets_an_answer_that_it_promises(data: st.DataObject) -> None:
    """Every path, method, media type, encoding and header; any body; any outcome behind the door."""
    paths = described()["paths"]
    path = data.draw(st.sampled_from(sorted(paths)))
    [(method, operation)] = paths[path].items()
    content = operation.get("requestBody", {}).get("content", {})
    headers = {}
    if content:
        headers["content-type"] = data.draw(st.sampled_from(sorted(content)) | st.just("text/html"))
    for parameter in operation.get("parameters", []):
        known = st.sampled_from(parameter["schema"]["enum"])
        odd = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
        if (value := data.draw(st.none() | known | odd)) is not None:
            headers[parameter["name"]] = value
    if data.draw(st.booleans()):
        headers["content-length"] = data.draw(st.sampled_from(["0", "7", "-1", "9" * 30, "²", "x"]))
    outcome: Any = data.draw(st.sampled_from([Taken(1), Taken(0, 1, {"no": 2}), RuntimeError("x"), *(
        Denied(int(status), "no") for status in operation["responses"] if status in ("400", "413", "429", "503")
    )]))  # fmt: skip
    body = data.draw(st.lists(st.binary(max_size=50), max_size=4))
    at = door(Keeper(outcome))
    got = ask(at, method.upper(), path, body or b"", headers)
    promised = operation["responses"]
    assert str(got.status) in promised
    assert at.budget.held == 0
    shapes = promised[str(got.status)].get("content", {})
    media = got.headers["content-type"].partition(";")[0]
    if shapes:
        assert media in shapes
        if media == JSON:
            assert set(shapes[media]["schema"].get("required", ())) <= set(json.loads(got.body))
