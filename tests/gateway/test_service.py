"""The service answers trusted proxies with decisions, and everything else with a status it promised."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from stillwatch.gateway.desk import Desk
from stillwatch.gateway.identity import Identity
from stillwatch.gateway.metrics import Metrics
from stillwatch.gateway.service import Service, make_app
from stillwatch.receive import Budget
from stillwatch.records import Request
from stillwatch.settings import ProtectSettings, Settings
from stillwatch.wiring.gate_folder import LOG
from stillwatch.wiring.policy import Gate
from tests.gateway.asgi import ask
from tests.gateway.conftest import gateway
from tests.protect.making import HEAD, rule

CANARY = "zebra-quartz-41"
GUARDRAIL = "/beta/litellm_basic_guardrail_api"
Apps = Callable[..., Starlette]


@pytest.fixture
def app(gate: Callable[..., Gate]) -> Iterator[Apps]:
    """Makes services on rules."""
    desks: list[Desk] = []

    def make(*rules: str, fail: str = "open", head: str = HEAD, **settings: Any) -> Starlette:
        one = gate(*rules, fail=fail, head=head)
        bounds = gateway(**settings)
        desk = Desk(one, fail=fail)
        desks.append(desk)
        made = make_app(
            Service(desk, Identity(bounds), bounds, Budget(bounds.max_waiting_bytes), Metrics(one))
        )
        made.state.gate = one
        return made

    yield make
    for each in desks:
        each.close()


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    """The decision log."""
    return [json.loads(line) for line in (tmp_path / "gate" / LOG).read_text().splitlines()]


def test_a_check_says_what_the_proxy_should_do(app: Apps, tmp_path: Path) -> None:
    """The account is the header's, the operation and model are the path's; actions and terms come back."""
    more = 'also = ["harden", "mark"]\nharden = { strip = ["logprobs"], clamp = { n = 1 } }\nmark = { key = "k-7" }\n'
    at = app(rule("watch", action="throttle", more=more + "throttle = { rate_per_min = 60, burst = 10 }\n"))
    headers = {
        "x-account-id": "acct-1",
        "x-org-id": "org-1",
        "x-original-uri": "/v1beta/models/m-1:generateContent?k=v",
    }
    got = ask(at, "GET", "/check", b"", headers)
    assert (got.status, got.body) == (200, b"")
    assert got.headers["x-stillwatch-action"] == "throttle,harden,mark"
    assert got.headers["x-stillwatch-strip"] == "logprobs"
    assert got.headers["x-stillwatch-clamp"] == "n=1"
    assert got.headers["x-stillwatch-mark"] == "k-7"
    [line] = lines(tmp_path)
    asked = line["request"]
    assert [asked[k] for k in ("account_id", "org_id", "model", "operation")] == [
        "acct-1",
        "org-1",
        "m-1",
        "chat",
    ]
    assert line["decision"]["decision_id"] == got.headers["x-stillwatch-decision"]
    text = ask(at, "GET", "/metrics").body.decode()
    assert 'stillwatch_gate_unapplied_total{action="harden",door="check"} 1.0' in text


@pytest.mark.parametrize("path", ["/check/v1/chat/completions", "/check"])
def test_a_path_may_follow_as_envoy_sends_it(app: Apps, tmp_path: Path, path: str) -> None:
    """Any method; without a known path the operation is `other`."""
    assert ask(app(), "POST", path, b"body", {"x-account-id": "a"}).status == 200
    assert lines(tmp_path)[0]["request"]["operation"] == ("other" if path == "/check" else "chat")


def test_a_full_throttle_is_429_and_says_when(app: Apps) -> None:
    """With Retry-After, and the same words in a header for proxies that pass no body on."""
    at = app(rule(action="throttle", more="throttle = { rate_per_min = 1, burst = 1 }\n"))
    first, second = (ask(at, "GET", "/check", b"", {"x-account-id": "a"}) for _ in range(2))
    assert (first.status, second.status) == (200, 429)
    assert 1 <= int(second.headers["retry-after"]) <= 60
    assert second.json["error"]["type"] == "rate_limit_error"
    assert second.json["error"]["code"] == "access_terms"
    assert second.json["error"]["decision"]["appeal"].startswith("https://example.com/appeal?d=D-")
    assert json.loads(second.headers["x-stillwatch-told"]) == second.json
    assert second.headers["x-stillwatch-status"] == "429"


def test_a_denied_request_is_403_in_the_customers_words(app: Apps) -> None:
    """Nothing in it names rule or campaign; a sentence in any script survives."""
    at = app(rule("secret-rule", action="deny", more='say = "Gesperrt: bitte melden Sie sich. 请联系我们"\n'))
    got = ask(at, "GET", "/check", b"", {"x-account-id": "a"})
    assert got.status == 403
    assert got.json["error"]["message"] == "Gesperrt: bitte melden Sie sich. 请联系我们"
    assert b"secret-rule" not in got.body + str(got.headers).encode()


def test_a_long_sentence_does_not_break_the_proxys_headers(app: Apps) -> None:
    """nginx holds four kilobytes of them, and would take the gate for gone; the body says all of it."""
    at = app(rule(action="deny", more=f'say = "{"说" * 500}"\n'))
    got = ask(at, "GET", "/check", b"", {"x-account-id": "a"})
    assert "说" * 500 in got.json["error"]["message"]
    assert sum(len(name) + len(value) for name, value in got.headers.items()) < 3_500
    assert json.loads(got.headers["x-stillwatch-told"])["error"]["type"] == "permission_error"


def test_a_covert_decision_says_no_more_than_no(app: Apps) -> None:
    """No id, no reason, no sentence."""
    at = app(rule(action="deny", more="covert = true\n"))
    got = ask(at, "GET", "/check", b"", {"x-account-id": "a"})
    assert (got.status, got.json) == (403, {"type": "error", "error": {
        "type": "permission_error", "message": "This request cannot be served.", "code": "not_served"}})  # fmt: skip
    assert not {name for name in got.headers if name.startswith("x-stillwatch")} - {
        "x-stillwatch-told", "x-stillwatch-status"}  # fmt: skip


@pytest.mark.parametrize("path", ["/check", GUARDRAIL, "/litellm"])
def test_who_is_no_trusted_gateway_is_not_answered(app: Apps, tmp_path: Path, path: str) -> None:
    """By the address of the connection; no header makes anybody trusted."""
    at = app()
    claims = {
        "x-account-id": "a",
        "x-forwarded-for": "127.0.0.1",
        "x-real-ip": "127.0.0.1",
        "forwarded": "for=127.0.0.1",
    }
    for peer in ("203.0.113.7", "::ffff:203.0.113.7", "not an address", None):
        got = ask(at, "POST", path, b"{}", claims, peer=peer)
        assert got.status == 403
        assert "trusted_proxies" in got.json["error"]["message"]
    assert lines(tmp_path) == []
    for peer in ("127.8.8.8", "::1", "::ffff:127.0.0.1"):
        assert ask(at, "POST", path, b"{}", claims, peer=peer).status == 200


def test_the_networks_that_are_trusted_are_set(app: Apps) -> None:
    """And the defaults then no longer count."""
    at = app(trusted_proxies=["10.1.0.0/16"])
    asked = [
        ask(at, "GET", "/check", b"", {"x-account-id": "a"}, peer=peer).status
        for peer in ("10.1.2.3", "127.0.0.1")
    ]
    assert asked == [200, 403]


@pytest.mark.parametrize("headers", [[], [("x-account-id", "x" * 300)], [("x-account-id", "  ")]])
def test_a_request_of_nobody_is_told_and_refused_when_closed(
    app: Apps, headers: list, tmp_path: Path
) -> None:
    """No header, one too long, an empty one."""
    at = app()
    assert ask(at, "GET", "/check", b"", headers).status == 200
    assert "account_header" in at.state.gate.said[0]
    at = app(fail="closed")
    got = ask(at, "GET", "/check", b"", headers)
    assert (got.status, got.headers["retry-after"]) == (503, "30")
    assert [line["decision"]["reason"] for line in lines(tmp_path)] == ["no_rule", "fail_closed"]


@pytest.mark.parametrize("fail", ["open", "closed"])
@pytest.mark.parametrize(("settings", "headers"), [
    ({}, [("x-account-id", "a"), ("x-account-id", "b")]), ({}, [("x-org-id", "a"), ("x-org-id", "b")]),
    ({"account_from": "credential"}, [("authorization", "Bearer sk-0123456789"), ("x-api-key", "sk-9876543210")]),
])  # fmt: skip
def test_a_check_of_two_accounts_is_refused(
    app: Apps, tmp_path: Path, settings: Any, headers: Any, fail: str
) -> None:
    """Whatever settings say of faults, and in the headers that nginx hands on."""
    got = ask(app(fail=fail, **settings), "GET", "/check", b"", headers)
    assert (got.status, got.headers["x-stillwatch-status"]) == (400, "400")
    assert json.loads(got.headers["x-stillwatch-told"])["error"]["code"] in ("two_accounts", "two_keys")
    assert lines(tmp_path) == []


def test_the_path_is_the_one_that_was_asked(app: Apps, tmp_path: Path) -> None:
    """A client's header changes nothing where the path follows; else the proxy's header says it, and says it once."""
    chat, free = "/v1/chat/completions", [("x-account-id", "a"), ("x-original-uri", "/free")]
    ask(app(), "POST", "/check" + chat, b"", free)
    ask(
        app(),
        "GET",
        "/check",
        b"",
        [("x-account-id", "a"), ("x-forwarded-uri", chat), ("x-original-uri", "/free")],
    )
    by_other = app(path_header="X-Forwarded-Uri")
    ask(by_other, "GET", "/check", b"", [*free, ("x-forwarded-uri", chat)])
    assert [line["request"]["operation"] for line in lines(tmp_path)] == ["chat", "other", "chat"]
    got = ask(app(), "GET", "/check", b"", [*free, ("x-original-uri", chat)])
    assert (got.status, got.json["error"]["code"]) == (400, "two_paths")


def guarded(**changes: Any) -> dict[str, Any]:
    """What LiteLLM asks."""
    return {
        "input_type": "request", "litellm_call_id": "call-1", "litellm_trace_id": "t-1", "model": "m-large",
        "structured_messages": [{"role": "user", "content": CANARY}], "texts": [CANARY],
        "request_data": {"user_api_key_hash": "h", "user_api_key_user_id": "u", "user_api_key_end_user_id": "chosen"},
        **changes,
    }  # fmt: skip


def post(app: Starlette, path: str, value: Any) -> Any:
    """Post JSON; the answer."""
    got = ask(app, "POST", path, value if isinstance(value, bytes) else json.dumps(value).encode())
    return got.json if got.status == 200 else got.status


@pytest.mark.parametrize(("data", "account"), [
    ({"user_api_key_hash": "h", "user_api_key_user_id": "u", "user_api_key_team_id": "t"}, "t"),
    ({"user_api_key_hash": "h", "user_api_key_user_id": "u"}, "u"),
    ({"user_api_key_hash": "h", "user_api_key_user_id": "default_user_id"}, "h"),
    ({"user_api_key_end_user_id": "chosen"}, ""), (["x"], ""), ({"user_api_key_hash": 7}, "7"),
])  # fmt: skip
def test_litellms_account_is_the_one_that_a_scan_finds(
    app: Apps, tmp_path: Path, data: Any, account: str
) -> None:
    """Team, owner, key; never the end user that a client names."""
    assert post(app(), GUARDRAIL, guarded(request_data=data)) == {"action": "NONE"}
    assert lines(tmp_path)[0]["request"]["account_id"] == account


def test_litellm_is_told_why_a_request_is_blocked(app: Apps) -> None:
    """In one sentence that its client will see; an answer is never blocked."""
    at = app(rule(action="throttle", more="throttle = { rate_per_min = 1, burst = 1 }\n"))
    assert post(at, GUARDRAIL, guarded()) == {"action": "NONE"}
    told = post(at, GUARDRAIL, guarded())
    assert told["action"] == "BLOCKED"
    assert "Try again in" in told["blocked_reason"]
    assert "appeal" in told["blocked_reason"]
    assert post(at, GUARDRAIL, guarded(input_type="response")) == {"action": "NONE"}


def test_litellms_log_tells_what_was_served(app: Apps, tmp_path: Path) -> None:
    """A sealed block issued to one account is recognised when another presents it."""
    at = app(rule(when='signals = ["sealed_replay"]', action="deny"))
    block = {"type": "thinking", "thinking": "", "signature": "c2lnbmF0dXJl" * 4}
    payload = {
        "litellm_call_id": "c", "call_type": "anthropic_messages", "startTime": 1795493462.5, "endTime": 1795493463.0,
        "status": "success", "model": "m-large", "completion_tokens": 20,
        "metadata": {"user_api_key_hash": "h", "user_api_key_team_id": "t1"},
        "response": {"content": [block, {"type": "text", "text": CANARY}], "model": "m-large"},
    }  # fmt: skip
    body = b"\n".join(json.dumps(each).encode() for each in (payload, {"x": 1}))
    assert post(at, "/litellm", body) == {"accepted": 1, "skipped": 1}
    presented = [{"role": "assistant", "content": [block]}, {"role": "user", "content": "go on"}]
    for team, action in (("t1", "NONE"), ("t2", "BLOCKED")):
        data = {"user_api_key_hash": "h", "user_api_key_team_id": team}
        assert (
            post(at, GUARDRAIL, guarded(structured_messages=presented, request_data=data))["action"] == action
        )
    assert CANARY not in (tmp_path / "gate" / LOG).read_text()


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"[" * 200_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b'"\\ud800"',
])  # fmt: skip
def test_what_cannot_be_read_is_400(app: Apps, body: bytes) -> None:
    """Truncated, of another kind, too deep; without a word of it."""
    assert post(app(), GUARDRAIL, body) == 400


def test_bounds_on_size(app: Apps) -> None:
    """By the declared length, by what comes, by the number of values; and nothing stays held."""
    at = app(max_body_bytes=100_000)
    for headers in ({"content-length": "50000000"}, {}, {"content-length": "5"}):
        got = ask(at, "POST", GUARDRAIL, [b"x" * 60_000] * 2, headers)
        assert got.status == 413
        assert "100000 bytes" in got.json["error"]["message"]
    at = app()
    assert post(at, GUARDRAIL, b'{"a":[' + b"0," * 2_000_001 + b"0]}") == 413
    assert post(at, GUARDRAIL, guarded(structured_messages=[{"role": "user", "content": "Hi"}] * 10_000)) == {
        "action": "NONE"}  # fmt: skip
    assert ask(at, "POST", GUARDRAIL, [b"half"], ends=False).status == 400


def test_a_prompt_is_nowhere_to_be_found(app: Apps, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the log, the metrics, the answers or the notices, whatever goes wrong."""
    at = app(rule(action="deny"))
    answers = [
        ask(at, "POST", GUARDRAIL, json.dumps(guarded()).encode()),
        ask(at, "POST", GUARDRAIL, b'{"prompt": "' + CANARY.encode()),
        ask(at, "GET", f"/check/{CANARY}?{CANARY}", b"", {"x-account-id": "a"}),
        ask(at, "GET", "/check", b"", {"x-account-id": "a", "x-original-uri": f"/v1/{CANARY}?{CANARY}"}),
        ask(at, "POST", "/litellm", CANARY.encode()),
        ask(at, "GET", f"/{CANARY}"),
        ask(at, "GET", "/metrics"),
    ]  # fmt: skip
    for each in answers:
        assert CANARY not in each.body.decode() + str(each.headers)
    assert CANARY not in (tmp_path / "gate" / LOG).read_text() + caplog.text + "".join(at.state.gate.said)


def test_a_failure_in_here_is_an_answer_and_a_line(
    app: Apps, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where, not what."""
    at = app()

    def broken(self: Gate, request: Request) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr(Gate, "decide", broken)
    got = ask(at, "GET", "/check", b"", {"x-account-id": "a"})
    assert got.status == 500
    assert "ValueError" in caplog.text
    assert CANARY not in caplog.text + got.body.decode()


def test_readiness_says_what_is_in_force(app: Apps) -> None:
    """Policy, version and what is switched off."""
    got = ask(app(), "GET", "/readyz").json
    assert (got["policy"], got["version"], got["switched_off"]) == ("test", "1", [])
    assert ask(app(), "GET", "/healthz").body == b"ok\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starlette]:
    """A service for many requests."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "p.toml").write_text(HEAD + rule(when='account = ["bad"]', action="deny"))
    with Gate.open(folder / "p.toml", folder / "gate", settings=Settings(protect=ProtectSettings())) as one:
        desk, bounds = Desk(one, fail="open"), gateway(max_body_bytes=2_000)
        yield make_app(Service(desk, Identity(bounds), bounds, Budget(1 << 20), Metrics(one)))
        desk.close()


NAMES = ("request_data", "structured_messages", "model", "texts", "role", "content", "metadata", "response",
         "litellm_call_id", "user_api_key_hash")  # fmt: skip
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
)


@given(data=st.data())
def test_any_request_gets_an_answer_that_the_description_promises(
    shared: Starlette, data: st.DataObject
) -> None:
    """Every path and method; any body, any header."""
    paths = ask(shared, "GET", "/openapi.json").json["paths"]
    path = data.draw(st.sampled_from(sorted(paths)))
    method, operation = data.draw(st.sampled_from(sorted(paths[path].items())))
    odd = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
    names = st.sampled_from(
        ["x-account-id", "x-org-id", "content-length", "x-original-uri", "x-forwarded-for"]
    )
    headers = data.draw(
        st.lists(st.tuples(names, odd | st.sampled_from(["bad", "9" * 40, "/v1/messages"])), max_size=4)
    )
    body = data.draw(st.binary(max_size=60) | SHAPES.map(lambda value: json.dumps(value).encode()))
    peer = data.draw(st.sampled_from(["127.0.0.1", "203.0.113.1"]))
    got = ask(shared, method.upper(), path, body, headers, peer=peer)
    promised = operation["responses"]
    assert str(got.status) in promised
    assert got.status != 500
    for media, shown in promised[str(got.status)].get("content", {}).items():
        assert got.headers["content-type"] == media
        assert set(shown["schema"]["required"]) <= set(got.json)
