"""What a member may see, and what everybody may.

A member sees its own submissions, how far each that it may read is corroborated, what waits for it, and the cases
that concern it, where others are labels that hold in one case alone. Who submitted, who saw, who disputes, who
objects and who contributed a cluster is never told. To the public goes a page of counts, none of them below `FEWEST`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from stillwatch.records.hub import Contest, Corroboration, StepKind, Who
from stillwatch.records.sharing import Tlp
from stillwatch.share.hub.asked import NotAllowed, mine, nothing, readable
from stillwatch.share.hub.state import DAY_US, Case, Objection, State, Submission
from stillwatch.share.taxii.moments import written

FEWEST = 5
"""Counts below it are not published."""
_FLOORS = (5, 10, 50, 200, 1000)
NEAR_US = DAY_US
"""Announcements that lie closer together than this are told to be in each other's way."""


def standing(state: State, who: Who, object_id: str) -> dict[str, Any]:
    """How far a submission is corroborated."""
    return _standing(state, who, readable(state, who, object_id))


def inbox(state: State, who: Who, now_us: int) -> dict[str, Any]:
    """Everything that concerns a member."""
    subs = state.submissions.values()
    return {
        "member": who.member, "person": who.person, "tlp": Tlp(who.clearance).label,
        "submissions": [_standing(state, who, s) for s in subs if s.member == who.member],
        "to_confirm": [s.id for s in subs if s.member == who.member and not (s.confirmed or s.withdrawn_us)],
        "to_answer": [
            _objection(state, a, now_us) for a in _open(state, state.appeals.values())
            if state.submissions[a.submission].member == who.member
        ],
        "to_acknowledge": [
            {"submission": s.id, "objects": list(s.objects), "ground": s.ground, "since": written(s.withdrawn_us)}
            for s in subs if who.member in s.readers - s.heard
        ],
        "to_decide": [
            _objection(state, d, now_us) for d in _open(state, state.disputes.values()) if _may_decide(state, who, d)
        ],
        "raised": [
            _objection(state, o, now_us)
            for o in (*state.disputes.values(), *state.appeals.values()) if o.member == who.member
        ],
        "pairs": _pairs(state, who),
        "cases": [case(state, who, c.id) for c in state.cases.values() if who.member in state.concerned(c)],
    }  # fmt: skip


def case(state: State, who: Who, case_id: str) -> dict[str, Any]:
    """A case as one of those concerned sees it: times, and labels in place of names."""
    found = state.cases.get(case_id)
    if found is None or who.member not in state.concerned(found):
        raise nothing()
    rows = [
        {"party": "you" if s.member == who.member else _label(found, s.member), "kind": s.kind.value,
         "at": written(s.at_us), "said": written(s.said_us)}
        for s in found.steps
    ]  # fmt: skip
    return {
        "case": found.id, "about": found.about, "basis_withdrawn": _basis_withdrawn(state, found),
        "steps": rows, "in_the_way": list(_in_the_way(found, who.member)),
    }  # fmt: skip


def current_round(state: State, who: Who, now_us: int) -> dict[str, Any]:
    """The newest round, as far as it concerns a member."""
    if not state.rounds:
        raise NotAllowed(404, "no round has been opened", "whoever runs the hub opens one a week")
    held = state.rounds[max(state.rounds)]
    return {
        "epoch": held.epoch, "commit_until_us": held.commit_until_us, "reveal_until_us": held.reveal_until_us,
        "publics": list(held.publics), "now_us": now_us, "closed": bool(held.closed_us),
        "committed": who.member in held.committed, "shown": who.member in held.shown,
        "set_aside": held.aside.get(who.member, ""),
        "pairs": [p for p in _pairs(state, who) if p["epoch"] == held.epoch],
    }  # fmt: skip


def transparency(state: State, now_us: int) -> dict[str, Any]:
    """What everybody may know: how much was shared, taken back, objected to and decided, by year."""
    subs = list(state.submissions.values())
    years = sorted({_year(s.at_us) for s in subs} | {_year(now_us)})
    overdue = [a for a in _open(state, state.appeals.values()) if a.due_us < now_us]
    return {
        "members": sum(m.active for m in state.members.values()),
        "fewest": FEWEST,
        "years": [_of_year(state, year) for year in years],
        "open_disputes": bucket(len(_open(state, state.disputes.values()))),
        "open_appeals": bucket(len(_open(state, state.appeals.values()))),
        "overdue_appeals": bucket(len(overdue)),
        "rounds": sum(bool(r.closed_us) for r in state.rounds.values()),
        "pairs": bucket(len(state.pairs)),
    }  # fmt: skip


def bucket(count: int) -> str:
    """A count as coarse as it is published.

    >>> bucket(0), bucket(4), bucket(5), bucket(49), bucket(5000)
    ('0-4', '0-4', '5-9', '10-49', '1000+')
    """
    if count < FEWEST:
        return f"0-{FEWEST - 1}"
    at = max(n for n, floor in enumerate(_FLOORS) if floor <= count)
    return f"{_FLOORS[at]}-{_FLOORS[at + 1] - 1}" if at + 1 < len(_FLOORS) else f"{_FLOORS[at]}+"


def _of_year(state: State, year: int) -> dict[str, Any]:
    subs = [s for s in state.submissions.values() if _year(s.at_us) == year]
    disputes = [d for d in state.disputes.values() if d.decided_us and _year(d.decided_us) == year]
    appeals = [a for a in state.appeals.values() if a.decided_us and _year(a.decided_us) == year]
    levels = Counter(state.corroboration(s) for s in subs if not s.withdrawn_us)
    return {
        "year": year, "submissions": bucket(len(subs)),
        **{level.value: bucket(levels[level]) for level in Corroboration},
        "withdrawn": bucket(sum(bool(s.withdrawn_us) for s in subs)),
        "disputes_decided": bucket(len(disputes)), "disputes_upheld": bucket(sum(d.upheld for d in disputes)),
        "appeals_decided": bucket(len(appeals)), "appeals_upheld": bucket(sum(a.upheld for a in appeals)),
    }  # fmt: skip


def _standing(state: State, who: Who, what: Submission) -> dict[str, Any]:
    told: dict[str, Any] = {
        "submission": what.id, "tlp": Tlp(what.tlp).label, "corroboration": state.corroboration(what).value,
        "contest": (Contest.NONE if what.withdrawn_us else state.contest(what)).value,
        "withdrawn": what.ground if what.withdrawn_us else "",
    }  # fmt: skip
    if what.member == who.member:
        told |= {"since": written(what.at_us), "released": what.confirmed, "entry": what.seq}
        if what.withdrawn_us:
            told["acknowledged_by"] = f"{len(what.heard)} of {len(what.readers)}"
    elif mine(state, who, what):
        told["ours"] = True
    return told


def _objection(state: State, found: Objection, now_us: int) -> dict[str, Any]:
    """A dispute or an appeal, without who raised it."""
    kind = "appeal" if found.due_us else "dispute"
    told = {
        kind: found.id, "submission": found.submission, "ground": found.ground, "open": found.open,
        "upheld": found.upheld, "since": written(found.at_us),
    }  # fmt: skip
    return told | (
        {"due": written(found.due_us), "overdue": found.open and found.due_us < now_us}
        if found.due_us
        else {}
    )


def _open(state: State, objections: Iterable[Objection]) -> list[Objection]:
    """Those that somebody has to decide: what was withdrawn needs no decision."""
    return [o for o in objections if o.open and not state.submissions[o.submission].withdrawn_us]


def _may_decide(state: State, who: Who, found: Objection) -> bool:
    what = state.submissions[found.submission]
    own = {state.members[what.member].organisation, state.members[found.member].organisation}
    return who.steward and who.organisation not in own and state.may_read(who.member, what)


def _pairs(state: State, who: Who) -> list[dict[str, Any]]:
    found = []
    for pair in state.pairs.values():
        if who.member in pair.members:
            at = pair.members.index(who.member)
            found.append({
                "pair": pair.id, "epoch": pair.epoch, "cluster": pair.clusters[at], "other": pair.clusters[1 - at],
                "common": pair.common, "reopened": state.reopened(pair),
            })  # fmt: skip
    return found


def _label(found: Case, member: str) -> str:
    """What a member is called in one case: the order in which those concerned spoke, which all of them see anyway."""
    order = list(dict.fromkeys(s.member for s in found.steps))
    return f"party-{found.id[:4]}-{order.index(member) + 1}"


def _basis_withdrawn(state: State, found: Case) -> bool:
    pair = state.pairs.get(found.about)
    return state.reopened(pair) if pair else bool(state.submissions[found.about].withdrawn_us)


def _in_the_way(found: Case, member: str) -> Iterable[dict[str, str]]:
    """Holds and announcements of others that an announcement of the asker runs into."""
    own = [s for s in found.steps if s.member == member and s.kind is StepKind.ACT][-1:]
    for act in own:
        for other in found.steps:
            if other.member == member:
                continue
            held = other.kind is StepKind.HOLD and act.at_us < other.at_us
            close = other.kind is StepKind.ACT and 0 < abs(act.at_us - other.at_us) < NEAR_US
            if held or close:
                yield {
                    "yours": written(act.at_us), "kind": other.kind.value, "at": written(other.at_us),
                    "party": _label(found, other.member),
                }  # fmt: skip


def _year(at_us: int) -> int:
    return int(written(at_us)[:4])


__all__ = ["FEWEST", "bucket", "case", "current_round", "inbox", "standing", "transparency"]
