"""The study of private joins: dealt, counted and attacked at a small size; the page says what the data say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.share_study import page
from scripts.share_study.deal import deal

DATA = Path("docs/data/share_study.json")


def accounts(count: int, campaign: str | None, org: int) -> list[dict[str, object]]:
    """Rows of a truth."""
    return [
        {"account_id": f"{campaign}{org}-{n}", "campaign_id": campaign, "org_key": org} for n in range(count)
    ]


def test_an_organisation_is_mostly_at_one_laboratory_and_a_network_everywhere() -> None:
    """Three in ten organisations are spread; the network's accounts lie at every laboratory."""
    truth = [row for org in range(300) for row in accounts(4, None, org)] + accounts(90, "c", -1)
    places = deal(truth, 3, seed=1)
    assert {places[f"c-1-{n}"] for n in range(90)} == {0, 1, 2}
    whole = sum(len({places[f"None{org}-{n}"] for n in range(4)}) == 1 for org in range(300))
    assert 0.6 < whole / 300 < 0.85
    assert places == deal(truth, 3, seed=1) != deal(truth, 3, seed=2)


def test_attacks_learn_what_the_rule_lets_them_and_the_budget_ends_them() -> None:
    """Guesses alone learn nothing; suspicions of an insider are confirmed; a range that is tried out is noticed."""
    pytest.importorskip("rbcl", reason="needs the extra `join`")
    from scripts.share_study.attack import attacks

    rows = {(r["attack"], r["honey"]): r for r in attacks([5], budget=500, space=1000, planted=16)}
    assert all(r["refused_beyond"] for r in rows.values())
    assert rows["dictionary", 0]["right_guesses"] > 0 and rows["dictionary", 0]["pairs_told"] == 0
    targeted = rows["targeted", 0]
    assert 0 < targeted["learned"] == targeted["right_guesses"] < targeted["guesses"] <= 20
    assert rows["dictionary", 16]["set_aside"]
    assert not any(r["set_aside"] for (_, honey), r in rows.items() if not honey)


def test_a_false_join_is_said() -> None:
    """Counts become rates with intervals; one false join is not called none."""
    said = page.render({"cells": [a_cell(3, 1), a_cell(5, 0)], "attacks": []})
    assert "False joins: 1 of 2,000 pairs" in said
    assert "| 1 | 3 | 1 | the join | 60%" in said


def a_cell(labs: int, wrong: int) -> dict[str, object]:
    """Counts of one cell."""
    found = {"flagged": 100, "right": 80}
    return {
        "level": 1, "labs": labs, "seed": 7, "network": 200, "alone": found, "lenient": found, "hashed": found,
        "join": {"flagged": 120, "right": 120}, "lifted": 1,
        "pairs": {"unrelated": 1000, "unrelated_joined": wrong, "network": 3, "network_joined": 3},
    }  # fmt: skip


@pytest.mark.skipif(not DATA.exists(), reason="no figures are committed yet: make study-share")
def test_the_page_says_what_was_measured() -> None:
    """Between the marks stands what the committed data give."""
    text = page.PAGE.read_text("utf-8")
    between = text.partition(page.BEGIN)[2].partition(page.END)[0].strip()
    assert between == page.render(json.loads(DATA.read_text("utf-8"))).strip()
