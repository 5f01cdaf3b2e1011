"""What the page on watching says of its cost is what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import watch_page

DATA = Path("docs/data/bench_watch.json")


def a_result(share: float = 0.01, review: float | None = 480.0) -> dict[str, Any]:
    """Figures as the bench writes them."""
    step = {"exchanges": 200, "wall_s": 0.5, "cpu_s": 0.4}
    about = {
        "machine": "2 cores.",
        "code": None,
        "scenario": "w",
        "seed": 1,
        "scale": 0.05,
        "looks_a_day": 3,
        "busy": False,
    }
    return {
        "cost": about | {
            "state": {"exchanges": 600_000, "days": 30, "bytes": 2**21}, "increments": [step, step],
            "look": {"wall_s": 20.0, "cpu_s": 18.0}, "scan": {"wall_s": 50.0, "cpu_s": 40.0, "exchanges": 600_000},
            "share_of_a_scan": {
                "increment": share, "look": 0.45, "increment_with_its_part_of_the_looks": 0.024,
            },
            "compared": {
                "groups_of_the_look": 5, "groups_of_the_scan": 6, "same_accounts": 5, "same_kind": 4,
                "hints_that_differ": 2,
            },
        },
        "delay": about | {
            "days": 10, "looks": 2, "honest_members": [{"hits": 1, "total": 700}],
            "campaigns": [
                {"campaign_id": "c", "exchanges": 9000, "minutes_to_member": 480.0, "minutes_to_review": review,
                 "share_taken_before_review": 0.012 if review else None}
            ],
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("share", "with_looks", "said"),
    [
        (0.01, 0.024, "30 days: by itself it is within that, with its part of the looks within it."),
        (0.01, 0.037, "30 days: by itself it is within that, with its part of the looks **above** it."),
        (0.031, 0.05, "30 days: by itself it is **above** that, with its part of the looks **above** it."),
    ],
)
def test_the_aim_is_held_against_what_was_measured(share: float, with_looks: float, said: str) -> None:
    """A visit that costs more than its aim is said to, looks left out and with their part; so are differences."""
    given = a_result(share)
    given["cost"]["share_of_a_scan"]["increment_with_its_part_of_the_looks"] = with_looks
    told = watch_page.render(given)
    assert said in told
    assert "of 5 with the same accounts 4 are of the same kind; 2 accounts have another hint" in told
    assert "have not been measured" not in told
    few = a_result(share)
    few["cost"]["state"]["days"] = 3
    assert "here, on 3 days; **30 days have not been measured**." in watch_page.render(few)
    assert "digest was not written down" in told and "make bench-watch" in told
    busy = a_result(share)
    busy["cost"]["busy"] = True
    assert (watch_page.BUSY in told, watch_page.BUSY in watch_page.render(busy)) == (False, True)


def test_a_campaign_that_no_look_showed_is_said_to_be_unseen() -> None:
    """Rather than left out, or given the time of the last look."""
    assert "| 480 min | not seen | - |" in watch_page.render(a_result(review=None))
    told = watch_page.render(a_result())
    assert "| 480 min | 480 min | 1.2% |" in told
    assert "called a member: 0.001 (0.000 to 0.008; n = 700)." in told


def test_the_page_says_what_the_data_say() -> None:
    """Between the marks stand the figures of docs/data, or that there are none."""
    shown = watch_page.PAGE.read_text("utf-8").partition(watch_page.BEGIN)[2].partition(watch_page.END)[0]
    expected = (
        watch_page.render(json.loads(DATA.read_text("utf-8"))) if DATA.exists() else "Not measured yet."
    )
    assert shown.strip() == expected.strip(), "python -m scripts.bench_watch --page"
