"""What a person reads of a score."""

from __future__ import annotations

from stillwatch.cli.scored import campaign_columns, delay_columns, scored_rows
from stillwatch.lab.discipline.standing import Standing
from stillwatch.lab.scoring import Truth, run_from_tables, score_run
from tests.lab.judging import a_run, a_truth, accounts


def test_the_main_figures_with_what_they_are_worth_first() -> None:
    """Standing, ranking or why there is none, decisions, campaigns, whom it wronged."""
    truth = a_truth({"A": 3}, 10)
    run = a_run({"g": ["A0", "A1", "A2", "h1"]}, hints={"h1": "review"}, stated=0.01)
    scored = {"standing": Standing("development", {"tune": 2}).row(), "family": None, **score_run(truth, run)}
    rows = scored_rows(scored)
    assert next(iter(rows)) == "standing"
    assert rows["standing"] == "development, not a result"
    assert rows["opened before"] == "2 for tune"
    assert rows["recall at 0.001"].startswith("cannot be measured: 10 honest accounts are too few")
    assert rows["extractors at member"].endswith("3 of 3)")
    assert rows["honest accounts at member"].endswith("1 of 10)")
    for strength in ("at review or act", "in groups called campaign"):
        assert rows[f"wronged {strength}: ordinary"].startswith("1 of 10 organisations")
    assert rows["false claims"].endswith("stated 0.01")
    assert campaign_columns(scored)[0]["jaccard"] == 0.75
    assert "hints" not in rows


def test_a_detector_without_hints_is_told_why_nobody_is_at_review() -> None:
    """A zero that nobody could have avoided is said to be one."""
    rows = scored_rows(score_run(a_truth({"A": 3}, 10), a_run({"g": ["A0", "A1"]})))
    assert rows["extractors at review"].startswith("0 ") and "disposition_hint" in rows["hints"]


def test_successors_are_shown_where_the_truth_names_any() -> None:
    """One row per class that is not empty."""
    listed = accounts({"A": 3}, 5)
    listed[0]["replaces"] = "A2"
    rows = scored_rows(score_run(Truth.of(listed, []), a_run({"g": ["A0", "A1"]})))
    found = {name: text for name, text in rows.items() if name.startswith("successors")}
    assert list(found) == ["successors at member, 1-10 exchanges"]
    assert found["successors at member, 1-10 exchanges"].endswith("1 of 1)")


def test_a_detector_without_decisions_is_told_so() -> None:
    """Nothing about decisions is shown as zero."""
    rows = scored_rows(score_run(a_truth({"A": 3}, 10), run_from_tables(None)))
    assert rows["decisions"].startswith("none")
    assert not any(name.startswith(("extractors at", "campaigns")) for name in rows)


def test_delays_are_intervals_or_say_how_far_was_looked() -> None:
    """What had been taken at the look before, and at the look that saw it."""
    seen = {
        "taken_more_than": {"exchanges": 10},
        "taken_at_most": {"exchanges": 1200},
        "share_at_most": 0.05,
        "hours": 3.0,
    }
    looked = {"exchanges": 24000, "review": None, "looks": 2, "looked_until": 0.5}
    found = {
        "campaigns": [
            looked | {"campaign_id": "c", "member": seen},
            looked | {"campaign_id": "d", "member": None, "looks": 0, "looked_until": 0.0},
        ]
    }
    assert [(r["member"], r["review"]) for r in delay_columns(found)] == [
        ("10 to 1,200 (5.00%), 3.0 h", "not by 50.00%, the last look"),
        ("not looked for", "not looked for"),
    ]
