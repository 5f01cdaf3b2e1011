"""Hardened bodies: what leaks logits or samples is gone, everything else is as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.protect.harden import FIELDS, NESTED, hardened
from stillwatch.protect.keys import HARDENED
from stillwatch.records import Terms

ALL = Terms(strip=HARDENED)
NAMES = sorted(name for names in FIELDS.values() for name in names)


@pytest.mark.parametrize("place", ["", *NESTED])
@pytest.mark.parametrize("name", NAMES)
def test_every_field_goes_wherever_engines_take_it(name: str, place: str) -> None:
    """At the top and inside the objects that carry engine options."""
    inner: dict[str, Any] = {name: 1, "temperature": 0.2}
    body = {"model": "m", place: inner} if place else {"model": "m", **inner}
    before = copy.deepcopy(body)
    done, changed = hardened(body, ALL)
    assert changed == (f"{place}.{name}" if place else name,)
    assert (done[place] if place else done).get("temperature") == 0.2
    assert name not in (done[place] if place else done)
    assert body == before, "the body given is left as it is"


@pytest.mark.parametrize(
    ("value", "left"), [(1, 1), (2, 2), (8, 2), (2.5, 2), ("8", None), (True, None), ([9], None)]
)
def test_clamped_fields_are_never_above(value: Any, left: int | None) -> None:
    """What cannot be compared goes."""
    done, _ = hardened({"n": value, "best_of": value}, Terms(clamp=(("n", 2),)))
    assert (done.get("n"), done.get("best_of")) == (left, left)


@given(st.dictionaries(st.sampled_from([*NAMES, *NESTED, "model", "messages", "temperature"]),
                       st.recursive(st.none() | st.integers() | st.text(), lambda i: st.lists(i) | st.dictionaries(
                           st.sampled_from([*NAMES, "x"]), i), max_leaves=8)))  # fmt: skip
def test_nothing_stripped_is_left_and_nothing_else_is_lost(body: dict[str, Any]) -> None:
    """For any body; and a second time changes nothing."""
    done, changed = hardened(body, ALL)
    assert not set(done) & set(NAMES)
    assert {k: v for k, v in body.items() if k not in NAMES and k not in NESTED} == {
        k: v for k, v in done.items() if k not in NESTED
    }
    assert hardened(done, ALL) == (done, ())
    assert bool(changed) is (done != body)


def test_log_probabilities_asked_for_by_include_are_taken_out() -> None:
    """A list of things to include loses what asks for log-probabilities, and nothing else."""
    body = {"model": "m", "include": ["message.output_text.logprobs", "file_search_call.results"]}
    out, changed = hardened(body, Terms(strip=("logprobs",)))
    assert out == {"model": "m", "include": ["file_search_call.results"]} and changed == ("include",)
    assert hardened(body, Terms(strip=("seed",))) == (body, ())
    assert hardened({"include": "logprobs"}, Terms(strip=("logprobs",)))[0] == {"include": "logprobs"}
