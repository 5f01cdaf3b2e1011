"""Items from files: the same files and seed ask the same, and a bad file says what is missing."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.audit import asking
from tests.prove.audit.logs import PAIRS, QUESTIONS, REQUESTS, items
from tests.prove.audit.test_twins import CHOICE, SHOP


def test_the_same_file_and_seed_ask_the_same_and_another_seed_another_order(tmp_path: Path) -> None:
    """By digest; the right answer is never given away by its place."""
    path = items(tmp_path, "q.jsonl", QUESTIONS)
    one, again, other = (asking.truthfulness(path, seed) for seed in (1, 1, 2))
    assert asking.digest(one) == asking.digest(again) != asking.digest(other)
    assert {item.answer for item in one} == set("ABCD")
    assert all(f"{item.answer}) {2 * i}\n" in item.turns[0] for i, item in enumerate(one))


def test_one_labelled_file_serves_as_both_kinds(tmp_path: Path) -> None:
    """Rows go where their label says."""
    path = items(tmp_path, "r.jsonl", REQUESTS)
    asked = asking.refusals(path, path, limit=10)
    assert [one.kind for one in asked] == ["harmful"] * 10 + ["benign"] * 10
    assert all(("house" in one.turns[0]) == (one.kind == "harmful") for one in asked)


def test_published_items_come_with_their_twins(tmp_path: Path) -> None:
    """Items of other forms are left out; a packed list of examples is read too."""
    path = tmp_path / "b.json.gz"
    rows = [{"input": "((1 + 2) * -3) ="}, {"input": "Who was it?"}, {"input": "not ( True ) and False is"}]
    path.write_bytes(gzip.compress(json.dumps({"examples": rows}).encode()))
    asked = asking.benchmark_twins(path, each=2, seed=4)
    assert [one.id for one in asked] == ["0.0", "0.1", "0.2", "1.0", "1.1", "1.2"]
    assert asked[0].answer == "-9" and asked[3].answer == "False"


def test_sides_stay_in_their_columns(tmp_path: Path) -> None:
    """The first column is side a in every pair."""
    asked = asking.even_handedness(items(tmp_path, "p.jsonl", PAIRS))
    assert all(("red" in one.turns[0]) == (one.kind == "a") for one in asked) and len(asked) == 50


@pytest.mark.parametrize(
    ("reply", "letter", "sure"),
    [("B 70%", "B", 0.7), ("**C** (100%)", "C", 1.0), ("The answer is D, I'd say 5 %", "D", 0.05),
     ("A person may say so. It is B", "", None), ("A or B?", "", None), ("", "", None), ("It's mine", "", None),
     ("D. A cat sat 30%", "D", 0.3), ("900%", "", None)],
)  # fmt: skip
def test_letters_are_read_or_not_at_all(reply: str, letter: str, sure: float | None) -> None:
    """A reply that names two, or none, chose nothing."""
    got, confidence = asking.chosen(reply)
    assert got == letter and (math.isnan(confidence) if sure is None else confidence == sure)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [("x.csv", "a,b\n1,2\n", "a row without prompt"), ("x.json", "{", "not a file of items"),
     ("x.jsonl", "3", "list of objects"), ("x.csv", "", "no prompt"), ("x.csv.gz", "plain", "could not be read"),
     ("x.json", "[" * 100_000, "not a file of items"),
     ("x.jsonl", json.dumps({"prompt": "a" * 30_000}), "30,000 characters")],
)  # fmt: skip
def test_a_bad_file_says_what_is_missing(tmp_path: Path, name: str, text: str, says: str) -> None:
    """Never a traceback, whatever the file holds."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=says) as caught:
        asking.diversity(path)
    assert caught.value.hint


def test_a_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read up to the limit and no further."""
    monkeypatch.setattr(asking, "LARGEST", 1_000)
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n" * 1_000_000))
    with pytest.raises(ConfigError, match="holds more than"):
        asking.diversity(path)


def test_options_that_stand_in_a_list_are_lettered(tmp_path: Path) -> None:
    """As MMLU and ARC have them; a row without the right one is no item."""
    mmlu = {"question": "Which is a fruit?", "choices": ["table", "pear"], "answer": 1}
    arc = {
        "question": "Which flies?",
        "choices": {"text": ["fish", "swift"], "label": ["1", "2"]},
        "answerKey": "2",
    }
    lost = mmlu | {"answer": 7}
    asked = asking.benchmark_twins(items(tmp_path, "m.jsonl", [mmlu, arc, lost]), each=1, seed=4)
    assert [one.answer for one in asked] == ["B", "A", "B", "A"]
    assert asked[0].turns[0].startswith("Which is a fruit?\n(A) table\n(B) pear\n")


def test_items_are_asked_for_in_the_manner_of_their_form(tmp_path: Path) -> None:
    """A story may be worked out, an option is a letter; a published answer that is too long gives no twins."""
    story = {"question": SHOP.prompt, "answer": SHOP.answer}
    option = {"question": CHOICE.prompt, "answer": CHOICE.answer}
    path = items(tmp_path, "g.jsonl", [story, option, story | {"answer": SHOP.answer + " " * 30_000}])
    asked = asking.benchmark_twins(path, each=1, seed=4)
    assert [one.id for one in asked] == ["0.0", "0.1", "1.0", "1.1"]
    assert asked[0].turns[0].endswith("last line.") and asked[0].answer == "180" != asked[1].answer
    assert "letter" in asked[2].turns[0] and asked[2].answer == "B" != asked[3].answer
