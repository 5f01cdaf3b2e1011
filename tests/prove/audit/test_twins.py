"""Twins keep form and change content; answers are computed, and agree with what was published."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.twins import answer_of, form_of, twin, twins

ITEMS = [
    "not ( True ) and ( True ) or not not False is",
    "((-1 + 2 + 9 * 5) - (-2 + -4 + -4 * -7)) =",
    "Sort the following words alphabetically: List: pear fig plum apple quince sloe",
    "((3 * -3 * 6 + -5) - (-2 + -7 - 7 - -7)) =",
]


def test_answers_agree_with_the_language_itself() -> None:
    """Arithmetic by Python's own evaluation; truth values by hand (*not* before *and* before *or*)."""
    assert answer_of(ITEMS[0]) == "False" and answer_of("not not True or True and False is") == "True"
    assert answer_of(ITEMS[1]) == str((-1 + 2 + 9 * 5) - (-2 + -4 + -4 * -7))
    assert answer_of(ITEMS[2]) == "apple fig pear plum quince sloe"


def test_twins_are_new_keep_their_form_and_repeat_with_the_seed() -> None:
    """Same brackets, same number of leaves; none is published, none occurs twice."""
    made = twins(ITEMS, 5, seed=3)
    flat = [item.prompt for own in made for item in own]
    assert len(set(flat)) == 20 and not set(flat) & set(ITEMS)
    assert made == twins(ITEMS, 5, seed=3) != twins(ITEMS, 5, seed=4)
    for published, own in zip(ITEMS, made, strict=True):
        for item in own:
            assert form_of(item.prompt) == form_of(published) and item.answer == answer_of(item.prompt)
            assert len(item.prompt.split()) == len(published.split())
            assert re.findall(r"[()*+]", item.prompt) == re.findall(r"[()*+]", published)


def test_an_item_without_new_twins_is_left_empty() -> None:
    """Two leaves have few arrangements; nothing is invented and nothing loops."""
    assert twins(["True is", "False is"], 1, seed=1) == [[], []]


@pytest.mark.parametrize(
    "hostile",
    ["__import__('os').system('x') =", "9**9**9 =", "(" * 1_500 + "1 =", "1 << 99999999 =", "True if 1 else 2 is",
     "1or 2 =", "x" * 3_000 + " List: a b", "\x00 =", "", "(lambda: 1)() ="],
)  # fmt: skip
def test_hostile_items_are_of_no_form_and_nothing_is_run(hostile: str) -> None:
    """An expression is read as a tree, and only what a form allows is taken."""
    assert form_of(hostile) is None
    with pytest.raises(ConfigError):
        answer_of(hostile)


def test_asking_for_no_twin_is_refused() -> None:
    """With what to do next."""
    with pytest.raises(ConfigError, match="0 twins"):
        twins(ITEMS, 0, seed=1)


@pytest.mark.parametrize("name", ["boolean_expressions", "multistep_arithmetic_two", "word_sorting"])
def test_computed_answers_equal_published_ones(name: str) -> None:
    """On BIG-Bench Hard itself, where a folder of test data beside this one (or STILLWATCH_TEST_DATA) has it."""
    path = Path(os.environ.get("STILLWATCH_TEST_DATA", "../shared/data")) / f"benchmarks/bbh/{name}.json.gz"
    if not path.exists():
        pytest.skip("neither STILLWATCH_TEST_DATA nor ../shared/data holds benchmarks/bbh")
    examples = json.loads(gzip.decompress(path.read_bytes()))["examples"]
    assert all(twin(e["input"], np.random.default_rng(1)) for e in examples)
    agreed = sum(answer_of(e["input"]) == e["target"] for e in examples)
    assert agreed == len(examples)
