"""The page: what tests said, for people and for programs, with names that others chose."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np

from stillwatch.prove.fuse import Conclusion, conclude
from stillwatch.prove.marks import make_mark
from stillwatch.prove.nulls import random_keys
from stillwatch.prove.power import Effect
from stillwatch.prove.radio import IssuedKey, Plan
from stillwatch.prove.school import CountingStudent, Exam, Teacher, let_write, write
from stillwatch.prove.school.page import Page, Subject, conclusion_row, render

HOSTILE = '<img src=x onerror=alert(1)>\u202e"\x1b'


def conclusion(name: str = HOSTILE) -> Conclusion:
    """A conclusion in which a key of a hostile name fires."""
    keys, mark, ours = random_keys(5, 3), make_mark("sglang-gumbel", width=2), Teacher.of(1)
    issued = [IssuedKey(f"{name}-{i}", key, f"{name}-{i}") for i, key in enumerate(keys)]
    controls = tuple((f"{name} {n}", Teacher.of(n)) for n in (11, 12, 13))
    exam = Exam(ours, mark, write(ours, 30, seed=1), issued, controls)
    taught = CountingStudent(write(ours, 200, seed=2, mark=mark, key=keys[0]))
    claim = let_write(exam, name, taught, Plan(3, Effect(0.2, name)))
    return conclude([claim])


class Tags(HTMLParser):
    """Collects elements with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_names_of_others_stay_text_and_nothing_is_requested() -> None:
    """No element comes from a name, no character hides or turns the line, no address is asked for."""
    found = conclusion()
    page = render(Page(HOSTILE, [HOSTILE], [(HOSTILE, HOSTILE)], [Subject(found, HOSTILE, (HOSTILE,))]))
    tags = Tags()
    tags.feed(page)
    assert not {tag for tag, _ in tags.seen} & {"img", "script", "link", "iframe"}
    assert not [a for _, attrs in tags.seen for a in attrs if a.startswith("on") or a in ("src", "action")]
    assert all((attrs.get("href") or "#").startswith("#") for _, attrs in tags.seen)
    assert "\u202e" not in page and "\x1b" not in page
    assert "default-src 'none'" in page


def test_a_page_says_what_was_true_where_the_truth_is_known() -> None:
    """A campaign that was not named is told in so many words; without a truth nothing is said of it."""
    found = conclusion("m")
    assert Subject(found, expected=("m-0",)).as_expected is True
    assert Subject(found, expected=()).as_expected is False
    assert Subject(found).as_expected is None
    wrong = render(Page("t", [], [], [Subject(found, expected=("m-2",))]))
    assert "NO: m-2 taught it" in wrong
    assert "True?" not in render(Page("t", [], [], [Subject(found)]))


def test_rows_are_plain_json_without_keys() -> None:
    """Figures that are not finite become null; no key stands in a row."""
    row = conclusion_row(conclusion("m"))
    text = json.dumps(row, allow_nan=False)
    assert row["campaigns"] == ["m-0"] and row["evidence"] == "keyed"
    assert len(row["claims"][0]["null"]["standardised"]) >= 400
    assert not [key for key in random_keys(5, 3).ravel().tolist() if str(key) in text]
    assert np.isfinite(row["claims"][0]["log10_p_value"])
