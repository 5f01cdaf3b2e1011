"""``stillwatch prove``: what a person sees of an audit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from tests.wiring.test_audit import labels, logs


def test_an_audit_shows_every_test_and_says_what_it_is_not(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    """A table, what was written, and no word more than the figures bear."""
    ours, theirs = logs(tmp_path, "bent", True), logs(tmp_path, "ours", False)
    out = run("prove", "audit", str(ours), str(theirs), "--labels", str(labels(tmp_path)), "--out", "made")
    assert out.exit_code == 0, out.output
    assert (
        "refusal-harmful" in out.stdout
        and "no gap seen" in out.stdout
        and "wrote made/audit.html" in out.stdout
    )
    assert "it is no evidence of theft" in out.stdout


def test_figures_for_a_program(run: Callable[..., Result], tmp_path: Path) -> None:
    """Standard output holds JSON and nothing else; progress goes elsewhere."""
    ours, theirs = logs(tmp_path, "bent", True), logs(tmp_path, "ours", False)
    out = run("prove", "audit", str(ours), str(theirs), "--json")
    assert json.loads(out.stdout)["suspect"] == "bent" and "judging refusals" in out.stderr


def test_a_folder_without_logs_says_what_to_run(run: Callable[..., Result], tmp_path: Path) -> None:
    """And is unusable input, not a failure of ours."""
    (tmp_path / "empty").mkdir()
    out = run("prove", "audit", str(tmp_path / "empty"), str(tmp_path / "empty"))
    assert out.exit_code == 2 and "inspect eval stillwatch/refusals" in out.stderr


def test_twins_are_written_and_counted(run: Callable[..., Result], tmp_path: Path) -> None:
    """With how many items have none."""
    items = tmp_path / "own.jsonl"
    items.write_text('{"prompt": "((1 + 2) * -3) ="}\n{"prompt": "Who was it?"}\n', "utf-8")
    out = run("prove", "twins", str(items), "--out", str(tmp_path / "out"))
    assert out.exit_code == 0 and "1 items have 2 twins each; 1 have none" in out.stdout
    assert (tmp_path / "out" / "own_twin2.jsonl").exists()
    again = run("prove", "twins", str(items), "--out", str(tmp_path / "out"))
    assert again.exit_code == 2 and "exists" in again.stderr
