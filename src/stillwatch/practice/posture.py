"""Which controls hold, by what was seen of a deployment: never without evidence.

A check is a function that looks facts up and says whether its control holds. Every fact that it looks at becomes its
evidence: key, value, file, digest, time. A fact that is not there makes the control *unseen*, which is not *holds*.
Nothing here reads a file or the clock.

Examples
--------
>>> seen = Seen({"settings.privacy.content": Evidence("settings.privacy.content", "features", "stillwatch.toml")}, {})
>>> [(j.control.id, j.state.value) for j in judge(seen, now=0.0, max_age_days=7) if j.state is not State.UNSEEN]
[('det-2', 'holds')]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import comb

from stillwatch.practice.controls import Control, controls

Value = str | int | float | bool
MOST_REFUSED = 0.01
"""Share of records that may be refused."""
MOST_UNDECIDED = 0.001
"""Share of decisions that may have failed to be made."""
ODD = 0.05
"""Shuffles that found more than would happen this rarely at the stated rate speak against it."""
MOST_ALONE = 1000
"""Accounts that a plan may have with one approval alone."""
NEWEST = {"run": "run.newest_exchange", "gate": "gate.newest_decision"}
"""How new what a part says is. What is old, or of a day that is yet to come, says nothing of today."""


class State(StrEnum):
    """What can be said of a control."""

    HOLDS = "holds"
    FAILS = "fails"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact, and where it was seen."""

    key: str
    value: Value
    file: str
    sha256: str = ""
    """Of the file, when it was read; empty for what is no single file."""
    at: str = ""
    """When the file was last changed, UTC."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a deployment."""

    facts: Mapping[str, Evidence]
    missing: Mapping[str, str]
    """Why nothing was seen, by the part of the deployment: the first word of a key."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One control, as far as it can be said."""

    control: Control
    state: State
    why: str
    evidence: tuple[Evidence, ...] = ()

    @property
    def do(self) -> str:
        """What to do; empty where it holds. What was not seen may be there: then it has to be shown."""
        return "" if self.state is State.HOLDS else self.control.guidance


class _NotSeen(Exception):
    """A fact is not there."""


class Look:
    """Looks facts up, and remembers which."""

    def __init__(self, seen: Seen, now: float, max_age_days: float) -> None:
        self.seen, self.now, self.max_age_days = seen, now, max_age_days
        self.used: dict[str, Evidence] = {}

    def __call__(self, key: str) -> Value:
        found = self.seen.facts.get(key)
        if found is None:
            raise _NotSeen(self.seen.missing.get(key.partition(".")[0], f"nothing says {key}"))
        self.used[key] = found
        return found.value

    def number(self, key: str) -> float:
        """A fact that counts something."""
        return float(self(key))

    def fresh(self, key: str) -> tuple[bool, str]:
        """Whether a time is recent, in words too. One that is yet to come is not: a clock is wrong."""
        days = (self.now - datetime.fromisoformat(str(self(key))).timestamp()) / 86400.0
        return -1.0 <= days <= self.max_age_days, f"{days:,.1f} days old"


Check = Callable[[Look], tuple[bool, str]]


def judge(seen: Seen, *, now: float, max_age_days: float) -> tuple[Judged, ...]:
    """Every control of the catalogue, in order.

    Args:
        seen: what was seen.
        now: seconds since 1970, against which ages are told.
        max_age_days: how old the newest traffic and the newest decision may be.
    """
    return tuple(_judged(one, Look(seen, now, max_age_days)) for one in controls())


def _judged(one: Control, look: Look) -> Judged:
    check = CHECKS.get(one.id)
    if check is None:
        return Judged(one, State.UNSEEN, "nothing that is kept says so: people have to")
    try:
        holds, why = check(look)
        parts = {key.partition(".")[0] for key in look.used} & set(NEWEST)
        old = [
            f"{NEWEST[part]} is {age}"
            for part in sorted(parts)
            for ok, age in [look.fresh(NEWEST[part])]
            if not ok
        ]
    except _NotSeen as error:
        return Judged(one, State.UNSEEN, str(error), tuple(look.used.values()))
    if not look.used:
        return Judged(one, State.UNSEEN, "no evidence")
    if holds and old:
        return Judged(one, State.UNSEEN, f"{why}; but {', '.join(old)}", tuple(look.used.values()))
    return Judged(one, State.HOLDS if holds else State.FAILS, why, tuple(look.used.values()))


def _logged(look: Look) -> tuple[bool, str]:
    read, refused = look.number("run.exchanges"), look.number("run.rejected")
    share = refused / max(read + refused, 1.0)
    return (
        read > 0 and share <= MOST_REFUSED,
        f"{read:,.0f} exchanges were read, {refused:,.0f} records refused",
    )


def _no_text(look: Look) -> tuple[bool, str]:
    content = look("settings.privacy.content")
    return content == "features", f"privacy.content is {content}"


def _scanned(look: Look) -> tuple[bool, str]:
    recent, age = look.fresh("run.newest_exchange")
    failed = look.number("run.incomplete")
    return recent and not failed, f"the newest exchange is {age}; {failed:,.0f} parts of the run failed"


def _stated(look: Look) -> tuple[bool, str]:
    stated, runs, found = (look.number(f"run.{name}") for name in ("stated_rate", "null_runs", "null_found"))
    why = f"stated rate {stated:g}; {found:,.0f} of {runs:,.0f} shuffles found something"
    return 0.0 < stated < 1.0 and runs > 0 and at_least(int(found), int(runs), stated) >= ODD, why


def at_least(found: int, runs: int, rate: float) -> float:
    """Chance of at least so many in so many runs at a rate.

    >>> round(at_least(1, 20, 0.01), 3), at_least(0, 20, 0.01)
    (0.182, 1.0)
    """
    if not found:
        return 1.0
    return 1.0 - sum(comb(runs, n) * rate**n * (1.0 - rate) ** (runs - n) for n in range(found))


def _decides(look: Look) -> tuple[bool, str]:
    made = look.number("gate.decisions")
    recent, age = look.fresh("gate.newest_decision")
    same = _in_force(look)
    why = f"{made:,.0f} decisions, the newest {age}, by {'this' if same else 'another'} policy"
    return made > 0 and recent and same, why


def _can_decide(look: Look) -> tuple[bool, str]:
    made, failed, damaged = (
        look.number(f"gate.{name}") for name in ("decisions", "undecided", "damaged_lines")
    )
    why = f"{failed:,.0f} of {made:,.0f} decisions could not be made; {damaged:,.0f} damaged lines"
    return made > 0 and failed / made < MOST_UNDECIDED and damaged == 0, why


_ANOTHER = "the gate decides by another policy"


def _in_force(look: Look) -> bool:
    """Whether the policy that was asked is the one by which the gate decides."""
    return look("gate.policy_digest") == look("policy.digest")


def _rule(what: str) -> Check:
    """A rule in force does something: enforced for all, not switched off, in the policy by which the gate decides."""

    def check(look: Look) -> tuple[bool, str]:
        mode = str(look(f"policy.{what}"))
        if mode != "enforce":
            words = {"none": "no rule does", "off": "the rule is switched off"}
            return False, words.get(mode, f"a rule would, and is in {mode} only")
        same = _in_force(look)
        return same, "a rule does, in force" if same else f"a rule does; {_ANOTHER}"

    return check


def _marked(look: Look) -> tuple[bool, str]:
    holds, why = _rule("marks_campaigns")(look)
    inject = look("settings.dye.inject")
    return holds and bool(inject), f"{why}; dye.inject is {'on' if inject else 'off'}"


def _bound(look: Look) -> tuple[bool, str]:
    on = look("settings.protect.envelopes")
    return bool(on), f"protect.envelopes is {'on' if on else 'off'}"


def _cases(look: Look) -> tuple[bool, str]:
    forward, without = look.number("run.put_forward"), look.number("cases.without_case")
    return without == 0, f"{without:,.0f} of {forward:,.0f} campaigns and pools put forward have no case"


def _approved(look: Look) -> tuple[bool, str]:
    above, whole = look.number("settings.respond.two_above"), look("cases.record_whole")
    if whole:
        look("cases.record_head")
    why = f"two people above {above:,.0f} accounts; the record is {'whole' if whole else 'broken'}"
    return above <= MOST_ALONE and bool(whole), why


def _told(look: Look) -> tuple[bool, str]:
    covert, appeal = look.number("policy.covert_rules"), look("policy.appeal_is_yours")
    hidden = look.number("gate.covert_decisions")
    why = f"{covert:,.0f} covert rules, {hidden:,.0f} covert decisions; the appeal address is "
    if covert or hidden or not appeal:
        return False, why + ("yours" if appeal else "missing or an example")
    same = _in_force(look)
    return same, f"{why}yours" if same else f"{why}yours; {_ANOTHER}"


def _in_time(look: Look) -> tuple[bool, str]:
    late = look.number("cases.overdue_appeals")
    return late == 0, f"{late:,.0f} appeals are overdue"


def _permitted(look: Look) -> tuple[bool, str]:
    if not look("policy.grant_first"):
        return False, "permissions come after a limit, or not at all"
    same = _in_force(look)
    return same, "permissions come before every limit" + ("" if same else f"; {_ANOTHER}")


def _kept(look: Look) -> tuple[bool, str]:
    leaves, whole = look.number("log.leaves"), look("log.whole")
    if not whole:
        return False, "the log does not fit together"
    look("log.root")
    signed, unfinished = look.number("log.signed_leaves"), look("log.unfinished")
    why = f"{leaves:,.0f} leaves, {signed:,.0f} under a signed checkpoint; the log fits together"
    if unfinished:
        return False, f"{why}, and {unfinished} is unfinished: by a crash, or changed or removed since"
    return leaves == signed > 0, why


def _witnessed(look: Look) -> tuple[bool, str]:
    wanted, seen = look.number("settings.evidence.witnesses_needed"), look.number("log.witnesses_of_all")
    return 0 < wanted <= seen, f"{wanted:,.0f} witnesses must sign; {seen:,.0f} have seen every leaf"


def _released(look: Look) -> tuple[bool, str]:
    drafts, without = look.number("shares.drafts"), look.number("shares.not_released")
    return drafts > 0 and without == 0, f"{without:,.0f} of {drafts:,.0f} drafts are not released"


def _leads(look: Look) -> tuple[bool, str]:
    leads, accounts = look.number("run.leads"), look.number("run.accounts_looked_at")
    return leads > 0 and accounts > 0, f"{leads:,.0f} leads were looked for in {accounts:,.0f} accounts"


CHECKS: dict[str, Check] = {
    "det-1": _logged, "det-2": _no_text, "det-3": _scanned, "det-4": _stated, "acc-1": _decides,
    "acc-2": _rule("limits_campaigns"), "acc-3": _can_decide, "out-1": _rule("hardens"),
    "out-2": _rule("summarises_campaigns"), "out-3": _marked, "out-4": _bound, "res-1": _cases, "res-2": _approved,
    "fair-1": _told, "fair-2": _in_time, "fair-3": _permitted, "evi-1": _kept, "evi-2": _witnessed,
    "shr-1": _released, "shr-2": _leads,
}  # fmt: skip
"""By control. A control without a check is for people alone."""


def counts(judged: Sequence[Judged]) -> dict[str, int]:
    """How many controls are in each state."""
    return {state.value: sum(one.state is state for one in judged) for state in State}


__all__ = ["CHECKS", "Evidence", "Judged", "Look", "Seen", "State", "Value", "counts", "judge"]
