"""Short windows beside long ones: what is counted, and that the page says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import window_study
from scripts.lab_run import generate


def test_the_page_says_what_the_data_say() -> None:
    """Every figure between the marks is computed from docs/data."""
    text = window_study.PAGE.read_text("utf-8")
    shown = text.partition(window_study.BEGIN)[2].partition(window_study.END)[0]
    assert shown.strip() == window_study.render(json.loads(window_study.OUT.read_text("utf-8"))).strip()


def test_accounts_are_counted_by_campaign() -> None:
    """Members of any group, and those to be looked at; whoever belongs to no campaign is honest."""
    told: list[dict[str, Any]] = [
        {"account_id": "a", "campaign_id": "G-1", "disposition_hint": "review"},
        {"account_id": "b", "campaign_id": "G-1", "disposition_hint": "watch"},
        {"account_id": "c", "campaign_id": None, "disposition_hint": "none"},
        {"account_id": "d", "campaign_id": "G-1", "disposition_hint": "act"},
    ]
    found = window_study.counted(told, {"a": "one", "b": "one", "c": "one", "d": None})
    assert found == {
        "honest": {"accounts": 1, "members": 1, "looked_at": 1},
        "one": {"accounts": 3, "members": 2, "looked_at": 1},
    }


def test_a_window_without_a_campaign_is_told_as_such() -> None:
    """A campaign that a window does not hold has no accounts there, and later windows are named."""
    one = {"accounts": 5, "members": 4, "looked_at": 0}
    rows = [
        {"window": "0:1", "exchanges": 9, "days": 1.0, "groups": {"c": one, "honest": one}},
        {"window": "3:1", "exchanges": 9, "days": 1.5, "groups": {"honest": one}},
    ]
    result = {"scenario": "s", "scale": 1.0, "seed": 1, "code": None, "rows": rows}
    first, second = window_study.render(result).splitlines()[-2:]
    assert first.startswith("| 1 | 9 | 4 of 5 (0) | 4 | 0 of 5 (at most 4.5e-01) |")
    assert second.startswith("| 1.5, later ones | 9 | 0 of 0 (0) | 4 | 0 of 5 ")


def test_a_window_is_scanned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan that asks for a review is a good one; its report is used again, and files that are missing are named."""
    world = tmp_path / "world"
    generate("demo_day", 11, 0.3, world)
    found = window_study.of_window(world, tmp_path, "0:1")
    assert sum(own["looked_at"] for name, own in found["groups"].items() if name != "honest")
    assert {name for name in found["groups"] if name != "honest"} and found["groups"]["honest"]["accounts"]
    assert "window_study" in (world / "ledger.jsonl").read_text("utf-8"), "the opening is recorded"
    monkeypatch.setattr(window_study, "stillwatch", None)
    assert window_study.of_window(world, tmp_path, "0:1") == found
    with pytest.raises(SystemExit, match="0:9: the world has no so many files"):
        window_study.of_window(world, tmp_path, "0:9")
