"""Figures are carried over a change of the program only where two runs say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts import carry, study
from stillwatch.lab.suite import choose, load_suite
from stillwatch.wiring.lab import LabRunner


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


@pytest.mark.parametrize(("after", "what"), [("own2-gen2-sco1", "generator"), ("own2-gen1-sco2", "scorer")])
def test_another_generator_or_scorer_is_refused(after: str, what: str) -> None:
    """Scans that are the same say nothing of figures that were made of other worlds, or scored otherwise."""
    with pytest.raises(SystemExit, match=f"the {what} is another"):
        carry.same_lab({carry.STAMP: "own1-gen1-sco1"}, {carry.STAMP: after})
    carry.same_lab({carry.STAMP: "own1-gen1-sco1"}, {carry.STAMP: "own2-gen1-sco1"})


class Programs:
    """Two programs that are not run: what each is asked for is written down, and each answer is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.odd: str | None = None
        monkeypatch.setattr(carry, "python", self._python)
        monkeypatch.setattr(carry, "generate", lambda *_: None)
        monkeypatch.setattr(carry, "a_key", lambda work: work / "key")

    def _python(self, root: Path, *arguments: str) -> str:
        words = arguments[2:]
        self.asked.append(words)
        out = Path(words[words.index("--out") + 1])
        odd = root.name == "here" and self.odd is not None and self.odd in words
        if words[0] == "scan":
            a_run(out, tier="linked" if odd else "member")
        else:
            out.write_bytes(b"two" if odd else b"one")
        return ""


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (None, None),
        ("scan", "not the same: accounts.parquet"),
        ("--check-null", "with --check-null 20: accounts.parquet"),
        ("--settings", "with --settings .*: accounts.parquet"),
        ("baseline", "the baseline that is fitted"),
    ],
)
def test_the_null_an_ablation_and_a_baseline_are_compared_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str | None, told: str | None
) -> None:
    """On one small world; a difference in any of them stops everything."""
    programs = Programs(monkeypatch)
    programs.odd = odd
    if told is None:
        carry.compare(tmp_path / "old", tmp_path / "here", tmp_path)
        assert len(programs.asked) == 2 * (len(carry.WORLDS) + 3)
        assert 'without = ["controller"]' in (tmp_path / "without.toml").read_text()
        return
    with pytest.raises(SystemExit, match=told):
        carry.compare(tmp_path / "old", tmp_path / "here", tmp_path)


def test_only_keys_of_our_own_detector_are_renamed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figures of another detector do not rest on what was compared."""
    monkeypatch.setattr(study, "SUITES", ("ladder",))
    exec(carry.KEYS, {})  # noqa: S102  (the program that is handed to both)
    (stamp, _), *cells = json.loads(capsys.readouterr().out)
    assert stamp == "stamp"
    assert {detector for (_, detector, *_), _ in cells} == {"stillwatch"}
    assert len(choose(load_suite("ladder"), LabRunner())) > 3
