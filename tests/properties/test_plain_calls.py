"""The short cut for plain calls gives what the long way gives, whatever the call."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest.formats.otlp_calls import MISSHAPEN, Call, call_row, is_model_call
from stillwatch.ingest.formats.otlp_plain import plain_row
from stillwatch.ingest.refusal import HOSTILE

START = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
WORDS = st.sampled_from(["Hi", "", " ", "{", "[1]", "thinking", "ü", "two\nlines"]) | st.text(max_size=6)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 2**70), st.floats(), WORDS, st.just([]), st.just({}),
    st.lists(WORDS, max_size=2), st.just({"encrypted_content": "sealed"}),
)  # fmt: skip
PART = st.fixed_dictionaries(
    {
        "type": st.just("text") | st.sampled_from(["tool_call", "reasoning", "compaction"]),
        "content": WORDS | ODD,
    },
    optional={"signature": WORDS, "encrypted_content": WORDS},
)
PLAIN_PART = st.fixed_dictionaries({"type": st.just("text"), "content": st.text(min_size=1, max_size=8)})
ROLE = st.sampled_from(["user", "system", "assistant", "developer", "human", "tool"])
MESSAGE = st.fixed_dictionaries(
    {"role": ROLE | ODD, "parts": st.lists(PART | PLAIN_PART, max_size=3) | ODD},
    optional={
        "finish_reason": st.sampled_from(["stop", "end_turn", ""]) | ODD,
        "name": WORDS,
        "content": WORDS,
    },
)
PLAIN_MESSAGE = st.fixed_dictionaries(
    {"role": ROLE, "parts": st.lists(PLAIN_PART, min_size=1, max_size=3)},
    optional={"finish_reason": st.sampled_from(["stop", "end_turn", "odd"]), "name": WORDS},
)


def texts(message: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Messages as JSON text, compact or not."""
    listed = st.lists(message, min_size=1, max_size=3)
    return listed.map(json.dumps) | listed.map(
        lambda each: orjson.dumps(each, option=orjson.OPT_INDENT_2).decode()
    )


NAMES = (
    "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.response.id",
    "gen_ai.conversation.id", "session.id", "tenant.id", "account.id", "customer.id", "stillwatch.account_id",
    "user.id", "enduser.id", "organization.id", "org.id", "credential.id", "api_key.id", "api_key.hash",
    "user_agent.original",
)  # fmt: skip
COUNTS = (
    "gen_ai.request.max_tokens", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens",
    "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.cache_read.input_tokens",
)  # fmt: skip
OTHERS = ("error.type", "gen_ai.prompt", "gen_ai.request.seed", "gen_ai.tool.definitions", "openinference.span.kind",
          "http.request.header.x-title", "gen_ai.system_instructions", "gen_ai.request.choice.count")  # fmt: skip


def attributes(strange: bool) -> st.SearchStrategy[dict[str, Any]]:
    """A plain call's attributes, or ones with anything among them."""
    odd = ODD if strange else st.nothing()
    message = MESSAGE if strange else PLAIN_MESSAGE
    word = st.text(min_size=1, max_size=6) | st.sampled_from(["openai", "aws.bedrock", "azure"]) | odd
    optional: dict[str, st.SearchStrategy[Any]] = {name: word for name in NAMES}
    optional |= {name: st.integers(0, 10**9) | odd for name in COUNTS}
    optional |= {f"gen_ai.request.{name}": st.floats(0, 9) | odd for name in ("temperature", "top_p")}
    optional |= {f"gen_ai.{name}.messages": texts(message) | odd for name in ("input", "output")}
    optional["gen_ai.response.finish_reasons"] = (
        st.lists(st.sampled_from(["stop", "end_turn"]), min_size=1) | odd
    )
    optional["client.address"] = st.sampled_from(["203.0.113.9", "10.0.0.1, 192.0.2.7:80", "nobody"]) | odd
    if strange:
        optional |= {name: ODD for name in OTHERS}
    return st.fixed_dictionaries({"gen_ai.operation.name": st.just("chat")}, optional=optional)


RESOURCE = st.fixed_dictionaries(
    {},
    optional={
        "service.name": st.sampled_from(["gateway", "unknown_service:x", ""]),
        "tenant.id": WORDS,
        "os": WORDS,
    },
)


def made(found: dict[str, Any], resource: dict[str, Any], *, failed: bool = False, end: bool = True) -> Call:
    """A call with these attributes."""
    return Call(
        "0a",
        "0b",
        "chat",
        START,
        START + timedelta(seconds=1) if end else None,
        found,
        resource,
        failed=failed,
    )


def long_way(call: Call) -> Any:
    """What the general reader makes of it, without the nulls."""
    try:
        return filled(call_row(call)) if is_model_call(call) else None
    except HOSTILE:
        return MISSHAPEN


def filled(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its nulls."""
    return {name: value for name, value in row.items() if value is not None}


@given(found=attributes(strange=False), resource=st.just({}), failed=st.booleans(), end=st.booleans())
def test_a_plain_call_takes_the_short_cut(
    found: dict[str, Any], resource: dict[str, Any], failed: bool, end: bool
) -> None:
    """And its row is the same, unless a model's name looks like JSON."""
    call = made(found, resource, failed=failed, end=end)
    row = plain_row(call)
    asked = found.get("gen_ai.request.model", "m")
    assert (row is None) == (not asked[0].isalnum())
    assert row is None or filled(row) == long_way(call)


@given(found=attributes(strange=True), resource=RESOURCE, failed=st.booleans())
def test_any_call_that_takes_the_short_cut_gives_the_same_row(
    found: dict[str, Any], resource: dict[str, Any], failed: bool
) -> None:
    """Whatever is odd about the others is left to the general reader."""
    call = made(found, resource, failed=failed)
    row = plain_row(call)
    assert row is None or filled(row) == long_way(call)
