"""Twins of questions with lettered options: the same question, the options in another order, the right one elsewhere.

Nothing new is asked, so a gap here shows recall of letters and orders, and no more. Options that speak of others (*all
of the above*, *both A and B*) leave the item without twins.

References
----------
Hendrycks et al., *Measuring massive multitask language understanding* (2021), for the form. No item is kept here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from stillwatch.prove.audit.twins.item import LONGEST, Item

OPTION = re.compile(r"^[ \t]*(?P<open>\(?)(?P<letter>[A-Z])(?P<close>\)|\.|:)[ \t]+(?P<text>\S.*?)[ \t]*$")
ANSWER = re.compile(r"\s*\(?([A-Z])\)?\.?\s*")
OTHERS = re.compile(
    r"\b(?:above|below|both|neither|either|none of|all of|options?|[A-Z] (?:and|or|nor|&) [A-Z])\b|\([A-Z]\)",
    re.IGNORECASE,
)
FEWEST, MOST = 2, 26


@dataclass(frozen=True, slots=True)
class Question:
    """A question that ends in its options."""

    opening: str
    """All that stands before the options, its line break with it."""
    marks: tuple[str, ...]
    """How each letter is written, such as ``(A) ``."""
    options: tuple[str, ...]
    right: int


def read(item: Item) -> Question | None:
    """The question, if its last lines are options A, B, ... and its answer is the letter of one."""
    found = ANSWER.fullmatch(item.answer)
    if len(item.prompt) > LONGEST or not found:
        return None
    lines = item.prompt.rstrip().split("\n")
    read_ = [OPTION.match(line) for line in lines[-MOST:]]
    first = len(read_) - next((i for i, option in enumerate(reversed(read_)) if option is None), len(read_))
    options = [option for option in read_[first:] if option is not None]
    letters = [option["letter"] for option in options]
    right = ord(found[1]) - ord("A")
    texts = [option["text"] for option in options]
    if (
        not FEWEST <= len(options) <= MOST or letters != [chr(ord("A") + i) for i in range(len(options))]
        or right >= len(options) or len(set(texts)) < len(texts) or any(OTHERS.search(text) for text in texts)
    ):  # fmt: skip
        return None
    opening = "\n".join(lines[: len(lines) - len(options)])
    marks = tuple(f"{option['open']}{option['letter']}{option['close']} " for option in options)
    return Question(opening + "\n" if opening else "", marks, tuple(texts), right)


def answer(question: Question) -> str:
    """The letter of the right option."""
    return chr(ord("A") + question.right)


def twin(question: Question, rng: np.random.Generator) -> Item | None:
    """The options in another order; the right one never keeps its letter."""
    order = rng.permutation(len(question.options)).tolist()
    place = order.index(question.right)
    if place == question.right:
        other = int((place + rng.integers(1, len(order))) % len(order))
        order[place], order[other] = order[other], order[place]
        place = other
    listed = [mark + question.options[i] for mark, i in zip(question.marks, order, strict=True)]
    return Item(question.opening + "\n".join(listed), chr(ord("A") + place))
