"""Logs that others wrote: read whole, held to what was asked, and never trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.audit import asking
from stillwatch.prove.audit.answers import pair, read_logs
from stillwatch.prove.audit.judging import judge, notes
from tests.prove.audit.logs import PAIRS, items, log


def sides(folder: Path, model: str, limit: int = 25, **settings: float) -> Path:
    """A log of pairs in which a model says the same to both sides."""
    asked = asking.even_handedness(items(folder.parent, "p.jsonl", PAIRS), limit)
    return log(folder, model, "even-handedness", asked, lambda one, _: "It has good ideas.", **settings)


def test_replies_come_back_in_the_order_of_the_items(tmp_path: Path) -> None:
    """Whatever the order in the file; item 10 after item 9."""
    path = sides(tmp_path / "s", "m")
    whole = json.loads(path.read_text("utf-8"))
    whole["samples"].reverse()
    path.write_text(json.dumps(whole), encoding="utf-8")
    (found,) = read_logs(tmp_path / "s")
    got = [ours.item for ours, _ in pair(found, found)]
    assert got == [f"{i}.{side}" for i in range(25) for side in "ab"]


def test_other_items_are_never_compared(tmp_path: Path) -> None:
    """The digest of what was asked decides, not the number of replies."""
    one, other = sides(tmp_path / "a", "m"), sides(tmp_path / "b", "n", limit=24)
    with pytest.raises(ConfigError, match="different items"):
        pair(read_logs(one)[0], read_logs(other)[0])


def test_a_failed_sample_counts_as_missing_and_is_told(tmp_path: Path) -> None:
    """Its half-made reply is not judged."""
    path = sides(tmp_path / "s", "m")
    whole = json.loads(path.read_text("utf-8"))
    whole["samples"][0]["error"] = {"message": "timed out"}
    path.write_text(json.dumps(whole), encoding="utf-8")
    ours, theirs = read_logs(path)[0], read_logs(sides(tmp_path / "r", "n"))[0]
    assert notes(ours, theirs) == ["1 of 50 items of the suspect have no reply"]
    assert {one.items for one in judge(ours, theirs, 0.01)} == {24}


def test_other_sampling_is_told(tmp_path: Path) -> None:
    """A gap may be nothing but another temperature."""
    ours = read_logs(sides(tmp_path / "a", "m", temperature=0.2))[0]
    theirs = read_logs(sides(tmp_path / "b", "n", temperature=1.0))[0]
    assert "temperature: 0.2 for the suspect, 1.0 for the reference" in notes(ours, theirs)[0]


def test_two_logs_of_one_set_and_two_models_are_refused(tmp_path: Path) -> None:
    """An audit that picks is none."""
    path = sides(tmp_path / "s", "m")
    (tmp_path / "s" / "again.json").write_bytes(path.read_bytes())
    with pytest.raises(ConfigError, match="two logs of even-handedness"):
        read_logs(tmp_path / "s")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"eval": 3}', "[" * 100_000, '{"eval": {"metadata": {}}}']
)
def test_what_is_no_log_of_an_audit_is_refused(tmp_path: Path, text: str) -> None:
    """With what to run first."""
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_logs(tmp_path)
    assert caught.value.hint


@pytest.mark.parametrize("broken", [{"samples": [{}]}, {"samples": [{"messages": 3}]}, {"samples": 7}])
def test_half_a_log_is_refused(tmp_path: Path, broken: dict[str, object]) -> None:
    """No traceback from inside."""
    path = sides(tmp_path / "s", "m")
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | broken), encoding="utf-8")
    with pytest.raises(ConfigError, match="not a whole log"):
        read_logs(path)


def lm_eval(folder: Path, task: str, scores: list[float], hour: int = 8, **row: str) -> None:
    """Samples as lm-eval writes them."""
    folder.mkdir(exist_ok=True)
    lines = [
        json.dumps({"doc_id": i, "exact_match": s, "target": "x", **row}, ensure_ascii=False)
        for i, s in enumerate(scores)
    ]
    (folder / f"samples_{task}_2026-11-29T{hour:02}-00-00.123456.jsonl").write_text(
        "\n".join(lines), encoding="utf-8"
    )


def test_a_reply_with_lines_of_its_own_kind_hides_no_sample(tmp_path: Path) -> None:
    """A separator that Unicode knows and JSON Lines does not is a character of the suspect's reply."""
    for task in ("sums", "sums_twin1"):
        lm_eval(tmp_path / "a", task, [1.0, 0.0], resps="one\u2028two\x85three")
    (found,) = read_logs(tmp_path / "a")
    assert len(found.scores) == 4


def test_two_runs_of_one_task_of_lm_eval_are_refused(tmp_path: Path) -> None:
    """Mixed, the later would hide the earlier; an audit that picks is none."""
    lm_eval(tmp_path / "a", "sums", [1.0])
    for hour in (8, 9):
        lm_eval(tmp_path / "a", "sums_twin1", [1.0], hour)
    with pytest.raises(ConfigError, match="two runs of sums_twin1"):
        read_logs(tmp_path / "a")


def test_a_document_that_is_scored_twice_is_refused(tmp_path: Path) -> None:
    """Repeats of lm-eval are no further documents."""
    lm_eval(tmp_path / "a", "sums", [1.0])
    path = next((tmp_path / "a").iterdir())
    path.write_text(path.read_text("utf-8") + "\n" + path.read_text("utf-8"), encoding="utf-8")
    with pytest.raises(ConfigError, match="document twice"):
        read_logs(tmp_path / "a")


def test_documents_of_other_content_are_never_compared(tmp_path: Path) -> None:
    """Numbers of documents agree in any two runs; what was asked may differ."""
    for model in ("a", "b"):
        for task in ("sums", "sums_twin1"):
            lm_eval(tmp_path / model, task, [1.0, 0.0], doc_hash=f"{task} of {model}")
    with pytest.raises(ConfigError, match="different items"):
        judge(read_logs(tmp_path / "a")[0], read_logs(tmp_path / "b")[0], 0.01)


def test_samples_of_lm_eval_beside_their_twins(tmp_path: Path) -> None:
    """A suspect that knows the published items only is told apart from a reference."""
    n = 60
    for model, published, twin in (("suspect", 1.0, 0.0), ("ours", 0.0, 0.0)):
        lm_eval(tmp_path / model, "sums", [published] * n)
        lm_eval(tmp_path / model, "sums_twin1", [twin] * n)
        lm_eval(tmp_path / model, "sums_twin2", [twin] * n)
    ours, theirs = (read_logs(tmp_path / model)[0] for model in ("suspect", "ours"))
    (found,) = judge(ours, theirs, 0.01)
    assert found.value == 1.0 and found.verdict.value == "gap" and found.suspect == "suspect"


def test_samples_of_lm_eval_without_twins_or_of_other_items_are_refused(tmp_path: Path) -> None:
    """A benchmark alone says nothing here; scores of other documents are not compared."""
    lm_eval(tmp_path / "a", "sums", [1.0])
    with pytest.raises(ConfigError, match="holds no log"):
        read_logs(tmp_path / "a")
    lm_eval(tmp_path / "a", "sums_twin1", [1.0])
    lm_eval(tmp_path / "b", "sums", [1.0, 0.0])
    lm_eval(tmp_path / "b", "sums_twin1", [1.0, 0.0])
    with pytest.raises(ConfigError, match="different items"):
        judge(read_logs(tmp_path / "a")[0], read_logs(tmp_path / "b")[0], 0.01)


@pytest.mark.parametrize(
    "line", ["{", '{"doc_id": 1}', '{"doc_id": 1, "acc": 7}', '{"acc": 1}', '{"doc_id": 1, "acc": "x"}']
)
def test_a_broken_line_of_lm_eval_is_named(tmp_path: Path, line: str) -> None:
    """With its file."""
    lm_eval(tmp_path / "a", "sums_twin1", [1.0])
    (tmp_path / "a" / "samples_sums_2026-11-29T08-00-00.1.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(ConfigError, match="samples_sums_2026"):
        read_logs(tmp_path / "a")
