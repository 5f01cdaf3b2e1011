"""Twins keep form and change content; answers are computed, and agree with what was published."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.audit.twins import Item, answer_of, form_of, function_twins, twins
from stillwatch.prove.audit.twins.expressions import twin

EXPRESSIONS = [
    "not ( True ) and ( True ) or not not False is",
    "((-1 + 2 + 9 * 5) - (-2 + -4 + -4 * -7)) =",
    "Sort the following words alphabetically: List: pear fig plum apple quince sloe",
    "((3 * -3 * 6 + -5) - (-2 + -7 - 7 - -7)) =",
]
ITEMS = [Item(text) for text in EXPRESSIONS]
STORY = Item(
    "A boat takes 45 people. Of 900 people, half came by bus. How many trips does the boat make for 450 people?",
    "The boat makes 450/45=<<450/45=10>>10 trips.\n#### 10",
)
SHOP = Item(
    "Ada buys 14 pens at $6 each and 8 folders, which cost as much as 16 pens. What does she pay in all?",
    "Pens: 14*6=$<<14*6=84>>84\nFolders: 16*6=$<<16*6=96>>96\nIn all 84+96=<<84+96=180>>180\n#### 180",
)
CHOICE = Item("Which is a fruit?\nOptions:\n(A) table\n(B) pear\n(C) river\n(D) cloud", "(B)")
FUNCTION = {
    "task_id": "own/0",
    "prompt": 'def bigger(first: int, second: int = 0) -> int:\n    """The bigger of first and second.\n'
    '    >>> bigger(1, 2)\n    2\n    """\n',
    "entry_point": "bigger",
    "canonical_solution": "    if first < second:\n        return bigger(second, first)\n    return first\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 2 and candidate(5, 3) == 5 == bigger(5)\n",
}


def data(name: str) -> list[dict[str, Any]]:
    """Rows of a published benchmark, where a folder of test data has it."""
    path = Path(os.environ.get("STILLWATCH_TEST_DATA", "../shared/data")) / "benchmarks" / name
    if not path.exists():
        pytest.skip(f"neither STILLWATCH_TEST_DATA nor ../shared/data holds benchmarks/{name}")
    text = (gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()).decode()
    return (
        json.loads(text)["examples"] if ".json." in name else [json.loads(line) for line in text.splitlines()]
    )


def test_answers_agree_with_the_language_itself() -> None:
    """Arithmetic by Python's own evaluation; truth values by hand (*not* before *and* before *or*)."""
    assert answer_of(ITEMS[0]) == "False" and answer_of(Item("not not True or True and False is")) == "True"
    assert answer_of(ITEMS[1]) == str((-1 + 2 + 9 * 5) - (-2 + -4 + -4 * -7))
    assert answer_of(ITEMS[2]) == "apple fig pear plum quince sloe"


def test_twins_are_new_keep_their_form_and_repeat_with_the_seed() -> None:
    """Same brackets, same number of leaves; none is published, none occurs twice."""
    made = twins(ITEMS, 5, seed=3)
    flat = [item.prompt for own in made for item in own]
    assert len(set(flat)) == 20 and not set(flat) & set(EXPRESSIONS)
    assert made == twins(ITEMS, 5, seed=3) != twins(ITEMS, 5, seed=4)
    for published, own in zip(ITEMS, made, strict=True):
        for item in own:
            assert form_of(item) == form_of(published) and item.answer == answer_of(Item(item.prompt))
            assert len(item.prompt.split()) == len(published.prompt.split())
            assert re.findall(r"[()*+]", item.prompt) == re.findall(r"[()*+]", published.prompt)


def test_an_item_without_new_twins_is_left_empty() -> None:
    """Two leaves have few arrangements, and two options one other order; nothing is invented and nothing loops."""
    assert twins([Item("True is"), Item("False is")], 1, seed=1) == [[], []]
    assert twins([Item("Which?\n(A) pear\n(B) fig", "A")], 2, seed=1) == [[]]


@pytest.mark.parametrize(
    "hostile",
    ["__import__('os').system('x') =", "9**9**9 =", "(" * 1_500 + "1 =", "1 << 99999999 =", "True if 1 else 2 is",
     "1or 2 =", "x" * 3_000 + " List: a b", "\x00 =", "", "(lambda: 1)() ="],
)  # fmt: skip
def test_hostile_items_are_of_no_form_and_nothing_is_run(hostile: str) -> None:
    """An expression is read as a tree, and only what a form allows is taken."""
    assert form_of(Item(hostile)) is None
    with pytest.raises(ConfigError):
        answer_of(Item(hostile))


def test_a_published_answer_that_differs_leaves_an_expression_without_twins() -> None:
    """What looks like a list of words to sort may be a question about a film."""
    assert form_of(Item("A film like Schindler's List: pear fig plum", "(C)")) is None
    assert form_of(Item("((1 + 2) * -3) =", "-9")) == "arithmetic"
    assert form_of(Item("((1 + 2) * -3) =", "9")) is None


def test_asking_for_no_twin_is_refused() -> None:
    """With what to do next."""
    with pytest.raises(ConfigError, match="0 twins"):
        twins(ITEMS, 0, seed=1)
    with pytest.raises(ConfigError, match="9 twins"):
        function_twins([FUNCTION], 9, seed=1)


def test_a_story_has_other_numbers_and_the_answer_that_its_steps_give() -> None:
    """Every number that is drawn anew is drawn once for all its places; the published answer never comes again."""
    (own,) = twins([SHOP], 8, seed=5)
    assert len(own) == 8 and form_of(SHOP) == "problem" and answer_of(SHOP) == "180"
    for item in own:
        pens, price, folders, worth = map(int, re.findall(r"\d+", item.prompt))
        assert int(item.answer) == pens * price + worth * price != 180
        assert (
            folders == 8
            and pens < worth
            and re.sub(r"\d+", "", item.prompt) == re.sub(r"\d+", "", SHOP.prompt)
        )


def test_a_whole_keeps_its_parts() -> None:
    """Numbers of a story that add up to another one still do, though no step says so."""
    parts = Item(
        "Of 26 rackets 11 take 15 minutes each and 15 take 5 minutes each. How long does it take?",
        "11*15=<<11*15=165>>165\n15*5=<<15*5=75>>75\n165+75=<<165+75=240>>240\n#### 240",
    )
    for item in twins([parts], 4, seed=2)[0]:
        whole, first, second = map(int, re.findall(r"\d+", item.prompt)[:3])
        assert whole == first + int(re.findall(r"\d+", item.prompt)[3]) and second >= 5


@pytest.mark.parametrize(
    ("question", "solution"),
    [("5 pears and 9 figs?", "#### 14"),  # no step
     ("5 pears and 9 figs?", "<<5+9=15>>15\n#### 15"),  # a step that is wrong
     ("5 pears and 9 figs?", "<<5+9=14>>14\n#### 15"),  # an answer that no step gives
     ("5 pears and 9 figs, then 14?", "<<5+9=14>>14\n<<14*2=28>>28\n#### 28"),  # 14 is two things
     ("5 pears and 9 figs?", "5+9=14\n<<14*2=28>>28\n#### 28"),  # 14 comes from a step that is not written as one
     ("5 pears and 9 figs?", "<<5*13=65>>65\n#### 65"),  # nobody knows where 13 is from
     ("5 pears and 9 figs?", "<<5**9=1953125>>1953125\n#### 1953125"),
     ("5 pears and 9 figs?", "<<5/(9-9)=0>>0\n#### 0"), ("9 pears?", "<<9*1e9=9>>9\n#### 9"),
     ("9 pears?", "<<" + "(" * 70 + "9=9>>9\n#### 9")],
)  # fmt: skip
def test_a_story_in_doubt_has_no_twins(question: str, solution: str) -> None:
    """A wrong answer would be worse than none."""
    assert form_of(Item(question, solution)) is None


def test_options_move_and_the_right_one_always_does() -> None:
    """The same options, other letters."""
    (own,) = twins([CHOICE], 6, seed=4)
    assert len({item.prompt for item in own}) == 6
    for item in own:
        lines = item.prompt.split("\n")
        assert lines[:2] == CHOICE.prompt.split("\n")[:2] and f"({item.answer}) pear" in lines
        assert item.answer != "B" and {line[4:] for line in lines[2:]} == {"table", "pear", "river", "cloud"}


@pytest.mark.parametrize(
    "prompt",
    ["Which?\n(A) pear\n(B) fig\n(C) all of the above", "Which?\nA. pear\nB. fig\nC. A and B",
     "Which?\n(A) pear\n(C) fig", "Which?\n(A) pear\n(B) pear", "Which?\n(A) pear", "Which?\n- pear\n- fig"],
)  # fmt: skip
def test_options_that_speak_of_others_or_are_none_have_no_twins(prompt: str) -> None:
    """Their meaning hangs on their order."""
    assert form_of(Item(prompt, "A")) is None


def passes(prompt: str, solution: str, row: dict[str, Any]) -> bool:
    """Whether a solution passes a row's test."""
    space: dict[str, Any] = {"__name__": "tried"}
    try:
        exec(f"{prompt}{solution}\n{row['test']}\ncheck({row['entry_point']})\n", space)  # noqa: S102
    except Exception:
        return False
    return True


def test_a_renamed_function_is_the_same_task_and_a_recited_solution_fails_it() -> None:
    """The published solution under the new names passes; under the old ones it does not."""
    (own,) = function_twins([FUNCTION], 3, seed=1)
    assert len({one["entry_point"] for one in own}) == 3
    assert passes(FUNCTION["prompt"], FUNCTION["canonical_solution"], FUNCTION)
    for one in own:
        assert passes(one["prompt"], one["canonical_solution"], one)
        assert not passes(one["prompt"], FUNCTION["canonical_solution"], one)
        assert "The bigger of first and second." in one["prompt"] and one["task_id"] == "own/0"


@pytest.mark.parametrize(
    "change",
    [{"prompt": "def bigger(first"}, {"prompt": "def other(first):\n    pass\n"}, {"prompt": "def bigger(): ..."},
     {"test": 3}, {"canonical_solution": "  )"}, {"prompt": "x" * 100_000}],
)  # fmt: skip
def test_what_is_no_function_has_no_twins(change: dict[str, Any]) -> None:
    """Rows are written by others: what cannot be read is left out."""
    assert function_twins([FUNCTION | change], 1, seed=1) == [[]]


@pytest.mark.parametrize("name", ["boolean_expressions", "multistep_arithmetic_two", "word_sorting"])
def test_computed_answers_equal_published_ones(name: str) -> None:
    """On BIG-Bench Hard itself."""
    examples = data(f"bbh/{name}.json.gz")
    assert all(twin(e["input"], np.random.default_rng(1)) for e in examples)
    agreed = sum(answer_of(Item(e["input"])) == e["target"] for e in examples)
    assert agreed == len(examples)


def test_answers_of_stories_equal_published_ones() -> None:
    """On every fourth problem of GSM8K: where the steps are understood, they give the published answer."""
    rows = data("gsm8k_test.jsonl")[::4]
    items = [Item(row["question"], row["answer"]) for row in rows]
    read = [item for item in items if form_of(item) == "problem"]
    assert len(read) > 100
    assert all(answer_of(item) == item.answer.split("####")[1].strip().replace(",", "") for item in read)
