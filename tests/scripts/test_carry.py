"""Figures are carried over a change of the program only where two runs say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts import carry


def a_run(
    folder: Path, *, settings: str = "aa11", tier: str = "member", seconds: float = 1.0, **more: Any
) -> Path:
    """The folder of one run, as a scan leaves it."""
    folder.mkdir()
    pq.write_table(pa.table({"account": ["a", "b"], "tier": [tier, "none"]}), folder / "accounts.parquet")
    (folder / "findings.jsonl").write_text(json.dumps({"trait": "template", "settings": settings}) + "\n")
    summary = {"counts": {"campaigns": 1}, "timings": {"reading": seconds}, "versions": {}, **more}
    (folder / "summary.json").write_text(json.dumps({**summary, "settings_digest": settings}))
    return folder


def test_clock_and_settings_digest_make_no_difference(tmp_path: Path) -> None:
    """Two programs that find the same agree, however long they took and whatever settings they know."""
    one, other = a_run(tmp_path / "1"), a_run(tmp_path / "2", settings="bb22", seconds=9.0)
    assert carry.differences(one, other) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"tier": "linked"}, "accounts.parquet"),
        ({"counts": {"campaigns": 2}}, "summary"),
        ({"notes": ["x"]}, "summary"),
    ],
)
def test_any_other_difference_is_named(tmp_path: Path, change: dict[str, Any], name: str) -> None:
    """A cell of a table or a count that differs stops it."""
    one, other = a_run(tmp_path / "1"), a_run(tmp_path / "2", **change)
    assert carry.differences(one, other) == [name]


def test_a_file_that_one_run_lacks_is_a_difference(tmp_path: Path) -> None:
    """A table that only one program writes is not passed over."""
    one, other = a_run(tmp_path / "1"), a_run(tmp_path / "2")
    (other / "findings.jsonl").unlink()
    assert carry.differences(one, other) == ["findings.jsonl"]


def test_rows_of_other_programs_keep_their_names() -> None:
    """Only the rows of the program that was compared are renamed."""
    rows: list[dict[str, Any]] = [
        {"key": "old", "n": 1},
        {"key": "older", "n": 2},
        {"stamp": "s0"},
        {"stamp": "s1"},
    ]
    made, count = carry.carried(rows, {"cell": "old", "stamp": "s1"}, {"cell": "new", "stamp": "s2"})
    assert made == [{"key": "new", "n": 1}, {"key": "older", "n": 2}, {"stamp": "s0"}, {"stamp": "s2"}]
    assert count == 2
