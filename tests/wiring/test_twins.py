"""Twins as files: published items and their twins in one order, for a harness that asks by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.wiring.twins import write_twins
from tests.prove.audit.test_twins import FUNCTION, SHOP


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_files_hold_published_items_and_twins_in_one_order(tmp_path: Path) -> None:
    """What has no twins is in none of them, so that document n is the same item everywhere."""
    path = tmp_path / "own.jsonl"
    items = [{"question": "Who was it?", "answer": "Ada"}, {"question": SHOP.prompt, "answer": SHOP.answer}]
    path.write_text("\n".join(map(json.dumps, items)), "utf-8")
    files, have, without = write_twins(path, tmp_path / "out", each=2, seed=3)
    assert [one.name for one in files] == ["own.jsonl", "own_twin1.jsonl", "own_twin2.jsonl"]
    assert (have, without) == (1, 1) and [len(rows(one)) for one in files] == [1, 1, 1]
    assert (
        rows(files[0])[0]
        == {"prompt": SHOP.prompt, "target": "180"}
        != rows(files[1])[0]
        != rows(files[2])[0]
    )
    with pytest.raises(ConfigError, match="exists"):
        write_twins(path, tmp_path / "out")


def test_functions_keep_their_columns(tmp_path: Path) -> None:
    """A harness for the published file reads the twins too."""
    path = tmp_path / "code.jsonl"
    path.write_text(json.dumps(FUNCTION) + "\n", "utf-8")
    files, have, without = write_twins(path, tmp_path / "out", each=1)
    assert (have, without) == (1, 0) and rows(files[1])[0].keys() == FUNCTION.keys()
    assert rows(files[0])[0] == FUNCTION and rows(files[1])[0]["entry_point"] != "bigger"


def test_a_file_without_items_that_have_twins_says_which_have(tmp_path: Path) -> None:
    """With what to hand in."""
    path = tmp_path / "own.jsonl"
    path.write_text('{"prompt": "Who was it?"}\n', "utf-8")
    with pytest.raises(ConfigError, match="no item") as caught:
        write_twins(path, tmp_path / "out")
    assert "problem" in str(caught.value.hint)
