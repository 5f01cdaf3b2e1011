"""Texts of a world read like text: no filler left over or misplaced, no doubled stop, no article before a vowel."""

from __future__ import annotations

import re

import numpy as np
import pytest

from stillwatch.lab.text.instructions import LIMITS, choose, task_template
from tests.lab.conftest import Make, Written

LIMIT = "|".join(re.escape(text) for text in LIMITS if "#" not in text)
ENGLISH_VOWEL = r"\ba (obituary|outlier|essay|unusual|annual|invoice|expense|itinerary|old|open|orchard)"


@pytest.fixture(scope="module")
def world(make: Make) -> Written:
    """Ordinary people of every country."""
    return make(ordinary=900)


@pytest.mark.parametrize(
    ("column", "slip"),
    [
        ("prompt", r"[a-z]\.:"),
        ("prompt", r"\d{3,} Entry"),
        ("prompt", ENGLISH_VOWEL),
        ("prompt", r"^[A-Z][a-z]+ [a-z]+:[a-z]"),
        ("prompt", rf"({LIMIT})\1"),
        ("completion", r" \.( |$)"),
        ("completion", r"\d keep order"),
        ("system_prompt", r"(?<!#)#(?!#)"),
    ],
)
def test_no_slip_of_the_grammars_is_left(world: Written, column: str, slip: str) -> None:
    """Not one text of an ordinary person has it."""
    texts = [text for (text,) in world.rows(f"select distinct {column} from x where {column} is not null")]
    assert len(texts) > 200
    assert [t for t in texts if re.search(slip, t)][:2] == []


def test_headings_stay_and_fillers_are_filled() -> None:
    """A lone sign is a number, three are a heading."""
    rng = np.random.default_rng(1)
    assert choose(rng, ("\n\n### Entry\n",)) == "\n\n### Entry\n"
    assert re.fullmatch(r"at most \d+ of \d+", choose(rng, ("at most # of #",)))


def test_a_template_sets_no_limit_twice() -> None:
    """Two limits of a builder's template differ."""
    rng = np.random.default_rng(2)
    assert not [t for t in (task_template(rng)[0] for _ in range(2000)) if re.search(rf"({LIMIT})\1", t)]
