"""The module's own command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.lab.__main__ import _progress, main


def test_a_world_is_written_with_the_options_given(tmp_path: Path) -> None:
    """Scenario, seed and scale end up in ``world.json``."""
    chosen = ["smoke", "--seed", "3", "--scale", "0.2", "--processes", "1", "--out", str(tmp_path)]
    assert main(chosen) == 0
    about = json.loads((tmp_path / "world.json").read_text())
    assert (about["scenario"], about["seed"], about["scale"]) == ("smoke", 3, 0.2)


def test_a_missing_corpus_is_said_and_not_raised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2 and words on standard error."""
    assert main(["smoke", "--corpus", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    assert "no corpus folder" in capsys.readouterr().err


def test_progress_ends_with_a_line_break(capsys: pytest.CaptureFixture[str]) -> None:
    """One line per per cent, the last one closed."""
    told = _progress()
    for done in (10, 10, 20):
        told(done, 20)
    said = capsys.readouterr().err
    assert said.count("\r") == 2
    assert said.endswith("100 %\n")
