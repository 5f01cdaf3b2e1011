"""A body of any maker becomes the request that a gate decides on, and no body makes it stumble."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.ingest.sealed import digest
from stillwatch.records import Request
from stillwatch.wiring.gate_request import request_of, sealed_digests


def of(body: dict[str, Any], **more: Any) -> Request:
    """The request of a body."""
    return request_of(body, account_id="acct-1", request_id="r", **more)


@pytest.mark.parametrize("body", [
    {"messages": [{"role": "user", "content": "old"}, {"role": "assistant", "content": "x"},
                  {"role": "user", "content": "the question"}]},
    {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "the question"}]}]},
    {"messages": [{"role": "user", "content": "the question"}, {"role": "assistant", "content": "{"}]},
    {"messages": [{"role": "user", "content": "the question"},
                  {"role": "user", "content": [{"type": "tool_result", "content": "42"}]}]},
    {"input": "the question"},
    {"input": [{"role": "user", "content": [{"type": "input_text", "text": "the question"}]}]},
    {"contents": [{"role": "user", "parts": [{"text": "the question"}]}]},
    {"prompt": "the question"},
    {"prompt": ["a", "the question"]},
])  # fmt: skip
def test_the_last_words_of_the_user_are_found(body: dict[str, Any]) -> None:
    """In every maker's form."""
    assert of(body).prompt == "the question"


@pytest.mark.parametrize(("body", "asks"), [
    ({"logprobs": True}, True), ({"logprobs": False}, False), ({"logprobs": None}, False), ({"logprobs": 0}, True),
    ({"top_logprobs": 5}, True), ({"extra_body": {"prompt_logprobs": 1}}, True),
    ({"generationConfig": {"responseLogprobs": True}}, True), ({}, False),
])  # fmt: skip
def test_log_probabilities_are_seen_wherever_they_are_asked_for(body: dict[str, Any], asks: bool) -> None:
    """Under every name and in the nested options."""
    assert of(body).logprobs is asks


def test_samples_and_biases_are_read() -> None:
    """The most of what is asked for; token ids as text."""
    made = of({"n": 2, "sampling_params": {"best_of": 7}, "logit_bias": {"5": 1, "6": -1}})
    assert (made.n, made.logit_bias) == (7, ("5", "6"))
    assert of({"logit_bias": [[5, 1.0], [6, 1.0]]}).logit_bias == ("5", "6")
    assert of({"n": True}).n == 1


def test_sealed_blocks_are_known_by_the_scans_own_digest() -> None:
    """And the body goes on to the model as it came."""
    body = {
        "messages": [{"role": "assistant", "content": [{"type": "redacted_thinking", "data": "EmwKAhgB"}]}]
    }
    before = copy.deepcopy(body)
    assert of(body).sealed_in == (digest("EmwKAhgB"),) == sealed_digests(body)
    assert body == before
    assert of(body, sealed_in=("given",)).sealed_in == ("given",)


@pytest.mark.parametrize("noise", ["\ud800", 10**40, "deep"])
def test_no_noise_hides_a_block(noise: Any) -> None:
    """What one JSON library refuses is read by hand."""
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]
    turn = {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "EmwKAhgB"}]}
    body = {"metadata": deep if noise == "deep" else noise, "messages": [turn]}
    assert of(body).sealed_in == (digest("EmwKAhgB"),)


def test_what_the_gateway_knows_wins() -> None:
    """The account is never taken from the body; a name that is long is cut."""
    made = of({"account_id": "evil", "model": "m" * 9_999, "user": "x"}, org_id="o", plan="free")
    assert (made.account_id, made.org_id, made.plan, len(made.model)) == ("acct-1", "o", "free", 256)
    assert request_of({}, account_id="a").request_id != request_of({}, account_id="a").request_id


KEYS = ["model", "messages", "input", "contents", "prompt", "content", "parts", "text", "role", "logprobs", "n",
        "logit_bias", "extra_body", "type", "data", "signature"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=15,
)))  # fmt: skip
def test_any_body_is_a_request(body: dict[str, Any]) -> None:
    """Of the right kinds, and the body is left as it is."""
    before = json.dumps(body)
    made = of(body)
    assert isinstance(made.model, str) and isinstance(made.n, int) and isinstance(made.logprobs, bool)
    assert made.prompt is None or isinstance(made.prompt, str)
    assert all(isinstance(token, str) for token in made.logit_bias)
    assert json.dumps(body) == before


def test_a_deep_or_long_body_is_read_in_bounds() -> None:
    """Ten thousand turns, a hundred thousand levels."""
    assert of({"messages": [{"role": "user", "content": str(i)} for i in range(10_000)]}).prompt == "9999"
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert of({"messages": [{"role": "user", "content": deep}], "model": "m"}).model == "m"
