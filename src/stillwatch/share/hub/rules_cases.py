"""Cases: members who are concerned with one network tell each other when they act, without telling who they are.

Concerned are the member that submitted something, those whose clusters joined its cluster, and those who said that
they saw it too and whom it let in. A word alone lets nobody in: else whoever wants to know when somebody acts would
only have to claim to have seen it.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from stillwatch.records.hub import StepKind, Who
from stillwatch.share.hub.asked import (
    Draft,
    NotAllowed,
    fields,
    nothing,
    one_of,
    still_standing,
    within_budget,
)
from stillwatch.share.hub.pseudonym import Face
from stillwatch.share.hub.state import DAY_US, Case, State

MOST_DAYS_AHEAD = 90
ABOUT = re.compile(r"[0-9a-f]{16}|[a-z][a-z0-9-]{2,63}--[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NUMBER = re.compile(r"[0-9a-f]{16}")


def case(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """Open a case on a submission or on a pair of clusters; there is one for each.

    The entry holds no name: its receipt goes to whoever asks. To let others in is an entry each time, also when it lets
    nobody in, so that nobody counts words of others with it.

    Args:
        given: ``admit`` lets in those who say now that they saw it; only the member that submitted it may.
    """
    asked = fields(given, about=ABOUT, admit=bool)
    about = state.whose.get(asked["about"], asked["about"])
    there = next((c for c in state.cases.values() if c.about == about), None)
    if about not in state.pairs and about not in state.submissions:
        raise nothing()
    found = there or Case(secrets.token_hex(8), about)
    if who.member not in state.concerned(found):
        raise nothing()
    if asked["admit"]:
        _may_admit(state, who, about)
    elif there is not None:
        return []
    within_budget(state, who, "case", now_us)
    return [Draft("case", {"id": found.id, "about": about, "admit": asked["admit"]})]


def step(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """Tell the others who are concerned: working on it, please hold until, about to act at, done at."""
    asked = fields(given, case=NUMBER, kind=one_of(StepKind), at_us=int)
    found = state.cases.get(asked["case"])
    if found is None or who.member not in state.concerned(found):
        raise nothing()
    if asked["kind"] in (StepKind.ACT, StepKind.HOLD) and asked["at_us"] <= now_us:
        raise NotAllowed(400, "the time has passed", "name a time that lies ahead, in UTC")
    if abs(asked["at_us"] - now_us) > MOST_DAYS_AHEAD * DAY_US:
        raise NotAllowed(400, f"more than {MOST_DAYS_AHEAD} days away", "announce it nearer to the time")
    within_budget(state, who, "step", now_us)
    return [Draft("step", {"case": found.id, "kind": asked["kind"], "at_us": asked["at_us"]})]


def _may_admit(state: State, who: Who, about: str) -> None:
    what = state.submissions.get(about)
    if what is None or what.member != who.member:
        raise NotAllowed(403, "only whoever submitted it lets others in", "open the case without --admit")
    still_standing(what)


__all__ = ["case", "step"]
