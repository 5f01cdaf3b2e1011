"""What the public sees, and that a page shows nothing else."""

from __future__ import annotations

import json

from stillwatch.share.hub import view
from stillwatch.share.hub.page import rendered
from tests.share.hub.making import Hub


def told(here: Hub) -> dict:
    """The counts."""
    return dict(here.desk.see(view.transparency))


def test_counts_below_five_are_not_told_apart(here: Hub) -> None:
    """With one submission more or less, one dispute more or less, the page is the same below the threshold."""
    before = told(here)
    what = here.submit("north")
    here.do("south", "feedback", object=what, verb="seen")
    here.do("west", "disputes", object=what, ground="error")
    here.do("south", "appeals", object=what, ground="innocent")
    here.do("north", "withdrawals", object=what, ground="error")
    assert told(here) == before
    for start in range(2, 6):
        here.submit("north", start)
    assert told(here)["years"][0]["submissions"] == "5-9"


def test_the_page_names_nobody_and_escapes_what_it_is_told(here: Hub) -> None:
    """No member, person or id stands on it; a name with markup stays text."""
    here.submit("north")
    page = rendered(told(here), {"name": "<img src=x>", "contact": "a&b", "log": "k", "witnesses": ["<w>"]})
    assert "<img" not in page and "&lt;img" in page
    assert not any(w in page for w in ("north", "North", "Ada", "report--"))
    assert "north" not in json.dumps(told(here))
