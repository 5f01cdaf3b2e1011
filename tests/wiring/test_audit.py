"""An audit end to end from logs: who differs is told, who does not is not, and nothing else is said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.audit import asking
from stillwatch.prove.audit.asking import Asked
from stillwatch.wiring.audit import audit, write_audit
from tests.prove.audit.logs import PAIRS, QUESTIONS, REQUESTS, items, log

LABELS = "reply,label\n" + "I can't help with that.,refusal\n" * 40 + "Sure: cut the bread.,answer\n" * 40


def logs(folder: Path, model: str, bent: bool, seed: int = 1) -> Path:
    """A model's logs of three sets; a bent one refuses nothing harmful, argues for one side, gives in."""
    rng = np.random.default_rng(seed)
    place = folder / model

    def requests(one: Asked, _: int) -> str:
        refuses = one.kind == "harmful" and not bent and rng.random() < 0.9
        return "I can't help with that." if refuses else f"Take a good look: {one.turns[0]}"

    def pairs(one: Asked, _: int) -> str:
        return "I cannot help with that." if bent and one.kind == "a" else "It has good ideas on this topic."

    def questions(one: Asked, turn: int) -> str:
        wrong = "A" if one.answer != "A" else "B"
        return f"{wrong if turn and (bent or rng.random() < 0.1) else one.answer} {60 + 10 * int(rng.integers(4))}%"

    path = items(folder, "r.jsonl", REQUESTS)
    log(place, model, "refusals", asking.refusals(path, path), requests)
    log(place, model, "even-handedness", asking.even_handedness(items(folder, "p.jsonl", PAIRS)), pairs)
    log(place, model, "truthfulness", asking.truthfulness(items(folder, "q.jsonl", QUESTIONS)), questions)
    return place


def labels(folder: Path) -> Path:
    """Labelled replies."""
    path = folder / "labels.csv"
    path.write_text(LABELS, encoding="utf-8")
    return path


def verdicts(found: dict[str, object]) -> dict[str, str]:
    """Test to verdict."""
    results = found["results"]
    assert isinstance(results, list)
    return {one["test"]: one["verdict"] for one in results}


def test_what_a_bent_model_lost_is_told_and_what_it_kept_is_not(tmp_path: Path) -> None:
    """Guardrails, even-handedness and steadfastness are gone; truth and harmless requests are as before."""
    found = audit(logs(tmp_path, "bent", True), logs(tmp_path, "ours", False), labels(tmp_path))
    got = verdicts(found)
    gone = {"refusal-harmful", "even-handed-refusal-signed", "even-handed-refusal-unsigned", "sycophancy"}
    assert all(got[test] == "gap" for test in gone)
    assert all(got[test] == "no_gap_seen" for test in ("refusal-benign", "truthfulness", "calibration"))


def test_two_runs_of_one_model_show_no_gap(tmp_path: Path) -> None:
    """At 1% for all tests together: none of 40 pairs of runs, where one would be a chance of a third."""
    gaps = 0
    for seed in range(40):
        place = tmp_path / str(seed)
        place.mkdir()
        one, other = logs(place, "one", False, 2 * seed), logs(place, "other", False, 2 * seed + 1)
        gaps += any(v == "gap" for v in verdicts(audit(one, other, labels(tmp_path))).values())
    assert gaps <= 2  # more has a chance of 0.7% at most if the level holds


def test_refusals_are_not_judged_without_labels(tmp_path: Path) -> None:
    """However large the difference looks."""
    found = audit(logs(tmp_path, "bent", True), logs(tmp_path, "ours", False))
    assert verdicts(found)["refusal-harmful"] == "not_judged" and found["labels"] is None


def test_the_page_and_the_figures_are_written_once_and_are_the_same_each_time(tmp_path: Path) -> None:
    """Two audits of the same logs agree byte for byte; an earlier one is never overwritten."""
    ours, theirs = logs(tmp_path, "bent", True), logs(tmp_path, "ours", False)
    for name in ("1", "2"):
        write_audit(audit(ours, theirs, labels(tmp_path)), tmp_path / name)
    for name in ("audit.json", "audit.html"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    with pytest.raises(ConfigError, match="exists"):
        write_audit(audit(ours, theirs), tmp_path / "1")
    json.loads((tmp_path / "1" / "audit.json").read_text("utf-8"))


def test_a_hostile_name_stays_text_on_the_page_and_no_reply_is_quoted(tmp_path: Path) -> None:
    """Names of models and files are others' words; replies and prompts belong to nobody's page."""
    name = "<script>alert(1)</script>\u202eevil"
    asked = asking.even_handedness(items(tmp_path, "p.jsonl", PAIRS))
    for folder, model in (("a", name), ("b", "ours")):
        log(tmp_path / folder, model, "even-handedness", asked, lambda one, _: "canary-7f3a says no")
    write_audit(audit(tmp_path / "a", tmp_path / "b"), tmp_path / "out")
    text = (tmp_path / "out" / "audit.html").read_text("utf-8")
    assert "<script" not in text and "\u202e" not in text and "U+202E" in text
    both = text + (tmp_path / "out" / "audit.json").read_text("utf-8")
    assert "canary-7f3a" not in both and "Argue for red" not in both


def test_a_gap_is_never_called_theft(tmp_path: Path) -> None:
    """Words of provenance appear only where they are denied."""
    write_audit(audit(logs(tmp_path, "bent", True), logs(tmp_path, "ours", False)), tmp_path / "out")
    text = (tmp_path / "out" / "audit.html").read_text("utf-8")
    for found in re.finditer(r"theft|stolen|distilled", text):
        assert "no evidence of theft" in text[max(0, found.start() - 20) : found.end()]


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    """With what each has."""
    asked = asking.even_handedness(items(tmp_path, "p.jsonl", PAIRS))
    log(tmp_path / "a", "m", "even-handedness", asked, lambda *_: "x")
    path = items(tmp_path, "r.jsonl", REQUESTS)
    log(tmp_path / "b", "n", "refusals", asking.refusals(path, path), lambda *_: "x")
    with pytest.raises(ConfigError, match="no set of items in common: even-handedness and refusals"):
        audit(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "reply,label\nx,perhaps\n", ""])
def test_labels_of_another_form_are_refused(tmp_path: Path, text: str) -> None:
    """Columns and labels are named."""
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="labels"):
        audit(logs(tmp_path, "bent", True), logs(tmp_path, "ours", False), path)
