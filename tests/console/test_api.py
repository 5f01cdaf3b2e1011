"""The API: described, fuzzed from its description, and used by the client."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.client import Client, Refused
from stillwatch.errors import ConfigError, UpstreamError
from tests.console.conftest import House, Visitor
from tests.report.factory import make_result

TEXT = st.text(max_size=30) | st.sampled_from(
    ["", "K-1", "ana", "\x00", "\ud800", "'; --", "../..", "9" * 40, "=1", "%"]
)
ANY = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXT | st.lists(TEXT, max_size=3)
)


def document(visitor: Visitor) -> dict[str, Any]:
    """The description as a program reads it."""
    found: dict[str, Any] = visitor.get("/api/openapi.json").json()
    return found


def operations(told: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each."""
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def resolved(schema: Any, told: dict[str, Any]) -> Any:
    """A schema without references at its top."""
    while isinstance(schema, dict) and "$ref" in schema:
        schema = told["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def values(schema: Any, told: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema allows, mostly."""
    schema = resolved(schema, told)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([values(s, told) for s in schema["anyOf"]])
    match schema.get("type"):
        case "integer":
            return st.integers(schema.get("minimum", -5), min(schema.get("maximum", 10**6), 10**6))
        case "number":
            return st.floats(schema.get("minimum", 0), schema.get("maximum", 100))
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            return st.lists(values(schema["items"], told), max_size=3)
        case "object":
            named = schema.get("properties", {})
            return st.fixed_dictionaries({k: values(v, told) for k, v in named.items()})
    return TEXT


def fits(value: Any, schema: Any, told: dict[str, Any]) -> bool:
    """Whether an answer is of the shape that was promised: types, required names, alternatives."""
    schema = resolved(schema, told)
    if "anyOf" in schema:
        return any(fits(value, s, told) for s in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds: dict[str, Any] = {
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "string": str,
        "array": list,
        "object": dict,
    }
    kind = schema.get("type")
    if kind is None:
        return True
    if kind == "null":
        return value is None
    if not isinstance(value, kinds[kind]) or (kind in {"integer", "number"} and isinstance(value, bool)):
        return False
    if kind == "array" and "items" in schema:
        return all(fits(v, schema["items"], told) for v in value)
    if kind == "object":
        named = schema.get("properties", {})
        return set(schema.get("required", ())) <= set(value) and all(
            fits(v, named[k], told) for k, v in value.items() if k in named
        )
    return True


def test_everything_is_described_with_its_failures(house: House) -> None:
    """Every call says what it gives and how it fails; none is without words."""
    told = document(house.program("adam"))
    assert len(list(operations(told))) > 15
    for method, path, operation in operations(told):
        assert path.startswith("/api/v1/"), path
        assert operation.get("description"), (method, path)
        assert {"401", "403", "404", "422"} <= set(operation["responses"]), (method, path)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(data=st.data())
def test_whatever_is_sent_the_answer_is_as_promised(house: House, data: st.DataObject) -> None:
    """Described status, described shape, never a failure inside: for values allowed and for values that are not."""
    visitor = house.program(data.draw(st.sampled_from(["ana", "adam", "vera"])))
    told = document(visitor)
    method, path, operation = data.draw(st.sampled_from(list(operations(told))))
    query = {}
    for parameter in operation.get("parameters", ()):
        value = data.draw(values(parameter["schema"], told) | ANY)
        if parameter["in"] == "path":
            path = path.replace(
                f"{{{parameter['name']}}}", quote(str(value).encode("utf-8", "replace"), safe="") or "x"
            )
        elif value is not None and data.draw(st.booleans()):
            query[parameter["name"]] = str(value).encode("utf-8", "replace").decode()
    more: dict[str, Any] = {}
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = data.draw(values(schema, told) | ANY)
        more = {"content": json.dumps(body), "headers": {"content-type": "application/json"}}
    answer = visitor.ask(method, path, params=query, **more)
    assert answer.status_code != 500, (method, path, query, more)
    assert str(answer.status_code) in operation["responses"], (method, path, answer.status_code)
    promised = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
    assert fits(answer.json(), promised, told), (method, path, answer.text[:400])


def test_no_prompt_text_leaves_by_the_api(house: House) -> None:
    """Even where the run kept some."""
    result, visitor = make_result(), house.program("adam")
    assert any(c.exemplars for c in result.campaigns)
    for campaign in result.campaigns:
        answer = visitor.get(f"/api/v1/campaigns/{quote(campaign.campaign_id, safe='')}")
        assert answer.json()["exemplars"] == []


@pytest.fixture
def served(house: House) -> Iterator[str]:
    """The console on a free port of this machine."""
    import socket

    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as sock:
        app = house.app
        app._hosts = frozenset({"127.0.0.1"})
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_the_client_does_what_its_names_say(house: House, served: str) -> None:
    """Campaigns, every member, a case from its opening to its verdict, the record of it; refusals are raised."""
    token = house.program("ana").headers["authorization"].removeprefix("Bearer ")
    client = Client(served, token)
    result = make_result()
    assert {c["campaign_id"] for c in client.campaigns()} == {c.campaign_id for c in result.campaigns}
    campaign = result.campaigns[0].campaign_id
    members = {m["account_id"] for m in client.members(campaign)}
    assert members == {m.account_id for m in result.members if m.campaign_id == campaign}
    case = client.open_case("by a program", ["a", "b"])
    client.note(case["id"], "looked at it", hours=0.5)
    mine = client.assign(case, "ana")
    with pytest.raises(Refused, match="changed by somebody else") as refused:
        client.assign(case, "pia")
    assert refused.value.status == 409
    assert client.close(mine, "undetermined", "no more to see")["state"] == "closed"
    with pytest.raises(Refused) as refused:
        list(client.audit())
    assert refused.value.status == 403
    auditor = Client(served, house.program("otto").headers["authorization"].removeprefix("Bearer "))
    assert next(iter(auditor.audit(what="case.")))["what"] == "case.close"


def test_the_client_sends_its_token_nowhere_else() -> None:
    """Not in the clear beyond this machine; and says so when nobody answers."""
    with pytest.raises(ConfigError, match="not HTTPS"):
        Client("http://stillwatch.example.com", "swt_x")
    with pytest.raises(UpstreamError):
        Client("http://127.0.0.1:9", "swt_x", timeout_s=5).run()
