"""The working file of the baseline's fit: rows of another program are never used."""

import json
from pathlib import Path

from scripts.fit_shipped import kept, program_digest


def test_rows_of_another_program_and_rows_cut_short_are_left_out(tmp_path: Path) -> None:
    work = tmp_path / "work.jsonl"
    rows = [{"seed": 1, "program": "old"}, {"seed": 2, "program": "new"}, {"seed": 3}]
    work.write_text("\n".join(json.dumps(r) for r in rows) + '\n{"seed": 4, "prog', encoding="utf-8")
    assert kept(work, "new") == [{"seed": 2, "program": "new"}]
    assert kept(tmp_path / "none", "new") == []


def test_the_digest_is_one_of_the_program() -> None:
    assert program_digest() == program_digest()
    assert len(program_digest()) == 64
