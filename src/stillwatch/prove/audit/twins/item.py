"""A question with its answer."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 6_000
"""Characters of a question or of a solution; published items are written by others, and are parsed."""


@dataclass(frozen=True, slots=True)
class Item:
    """What is asked, and what a right answer is."""

    prompt: str
    answer: str = ""
    """As it was published; empty where the form's answer is computed."""
