"""What a rule is given and gives: drafts of entries, or a refusal that says no more than its asker may know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.records.hub import Who
from stillwatch.share.hub.state import DAY_US, State, Submission

MOST_A_DAY = {
    "submission": 50, "confirmation": 50, "feedback": 500, "withdrawal": 100, "acknowledgement": 1000, "dispute": 10,
    "decision": 50, "appeal": 20, "answer": 50, "case": 50, "step": 200, "commitment": 10, "contribution": 10,
}  # fmt: skip
"""Entries of each kind that one member may make in 24 hours."""


class NotAllowed(Exception):
    """Why something is not done; goes to whoever asked, with an HTTP status."""

    def __init__(self, status: int, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.hint = status, reason, hint


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that may be made."""

    kind: str
    data: dict[str, Any]
    blob: bytes = field(default=b"", repr=False)
    """What is kept beside the journal under the entry's number, and may be destroyed."""


def fields(given: Any, **kinds: re.Pattern[str] | type) -> dict[str, Any]:
    """The named fields of what a member sent: all of them, and no other.

    Raises:
        NotAllowed: something is missing, unknown or of another form; its value is never repeated.
    """
    if not isinstance(given, dict) or set(given) != set(kinds):
        raise NotAllowed(400, "these fields are not the ones that are asked for", f"send {', '.join(kinds)}")
    for name, kind in kinds.items():
        value = given[name]
        fits = (
            type(value) is kind if isinstance(kind, type)
            else isinstance(value, str) and kind.fullmatch(value) is not None
        )  # fmt: skip
        if not fits:
            raise NotAllowed(400, f"{name} is not of the form that is asked for", "see the page on the hub")
    return dict(given)


def one_of(words: Any) -> re.Pattern[str]:
    """A pattern for a closed vocabulary."""
    return re.compile("|".join(re.escape(str(w)) for w in words))


def within_budget(state: State, who: Who, kind: str, now_us: int) -> None:
    """Raise when a member has done this too often within a day."""
    times = state.recent.get((who.member, kind), ())
    if sum(t > now_us - DAY_US for t in times) >= MOST_A_DAY[kind]:
        raise NotAllowed(429, f"at most {MOST_A_DAY[kind]} of these in 24 hours", "go on tomorrow")


def readable(state: State, who: Who, object_id: str) -> Submission:
    """The submission that an object belongs to, when it is there for the asker."""
    what = state.submissions.get(state.whose.get(object_id, object_id))
    if what is None or not state.may_read(who.member, what):
        raise nothing()
    return what


def still_standing(what: Submission) -> None:
    """Raise when a submission was withdrawn."""
    if what.withdrawn_us:
        raise NotAllowed(409, "it was withdrawn", "acknowledge the withdrawal; there is nothing left to say")


def nothing() -> NotAllowed:
    """The same for what is not there and for what the asker may not know of."""
    return NotAllowed(404, "there is nothing of this id here", "or nothing that this member may know of")


def mine(state: State, who: Who, what: Submission) -> bool:
    """Whether a submission is the asker's organisation's."""
    return state.members[what.member].organisation == who.organisation


Given = Mapping[str, Any]

__all__ = [
    "MOST_A_DAY", "Draft", "Given", "NotAllowed", "fields", "mine", "nothing", "one_of", "readable",
    "still_standing", "within_budget",
]  # fmt: skip
