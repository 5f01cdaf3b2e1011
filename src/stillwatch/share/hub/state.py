"""What holds now: all that follows from the journal's entries, in their order, and from nothing else.

An entry that is in the journal has been allowed; `apply` asks nothing again. Two hubs with one journal are in one
state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stillwatch.records.hub import Contest, Corroboration, Entry, StepKind, Verb, Who

DAY_US = 86_400 * 10**6
Side = tuple[str, str, str]
"""Week, member and cluster."""


@dataclass(slots=True)
class Member:
    """One that takes part."""

    name: str
    organisation: str
    clearance: int
    active: bool


@dataclass(slots=True)
class Key:
    """A public key and whose it is."""

    member: str
    public: str
    person: str
    steward: bool
    ended: bool = False


@dataclass(slots=True)
class Submission:
    """What one member handed in: the objects of one bundle."""

    id: str
    seq: int
    """Its entry."""
    member: str
    person: str
    sha256: str
    tlp: int
    objects: tuple[str, ...]
    epoch: str
    cluster: str
    at_us: int
    confirmed: bool
    """Whether as many people stand behind it as its marking asks for."""
    withdrawn_us: int = 0
    ground: str = ""
    once: set[str] = field(default_factory=set)
    """Who could read it when something about them was changed; perhaps they no longer can."""
    readers: frozenset[str] = frozenset()
    """Who could read it, at any time before it was withdrawn."""
    heard: set[str] = field(default_factory=set)
    """Who acknowledged the withdrawal."""
    said: dict[str, Verb] = field(default_factory=dict)
    appealed: int = 0
    """Appeals against it that nobody has answered."""
    disputed: int = 0
    """Disputes of it that nobody has decided."""


@dataclass(slots=True)
class Objection:
    """A dispute or an appeal."""

    id: str
    submission: str
    member: str
    ground: str
    at_us: int
    due_us: int = 0
    decided_us: int = 0
    upheld: bool = False

    @property
    def open(self) -> bool:
        """Whether nobody has decided it."""
        return not self.decided_us


@dataclass(frozen=True, slots=True)
class Step:
    """What a member told those who are concerned with a case."""

    member: str
    kind: StepKind
    at_us: int
    said_us: int


@dataclass(slots=True)
class Case:
    """Where members who are concerned with one network tell each other when they act."""

    id: str
    about: str
    admitted: set[str] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two clusters of two members that a round joined."""

    id: str
    epoch: str
    members: tuple[str, str]
    clusters: tuple[str, str]
    common: str

    @property
    def sides(self) -> list[Side]:
        """Both clusters."""
        return [
            (self.epoch, member, cluster) for member, cluster in zip(self.members, self.clusters, strict=True)
        ]


@dataclass(slots=True)
class Round:
    """A week of joining."""

    epoch: str
    commit_until_us: int
    reveal_until_us: int
    publics: tuple[str, ...]
    committed: dict[str, str] = field(default_factory=dict)
    shown: dict[str, frozenset[str]] = field(default_factory=dict)
    """Members whose contribution is here, with the names of its clusters."""
    seqs: list[int] = field(default_factory=list)
    """Entries beside which its tags are kept until it is closed; the first is that of its honey tags."""
    closed_us: int = 0
    aside: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """Everything that holds."""

    seq: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    submissions: dict[str, Submission] = field(default_factory=dict)
    whose: dict[str, str] = field(default_factory=dict)
    """Submission of each object."""
    disputes: dict[str, Objection] = field(default_factory=dict)
    appeals: dict[str, Objection] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    rounds: dict[str, Round] = field(default_factory=dict)
    pairs: dict[str, Pair] = field(default_factory=dict)
    sides: dict[Side, list[Pair]] = field(default_factory=dict)
    """Pairs of each cluster."""
    taken_back: set[Side] = field(default_factory=set)
    """Clusters whose submissions were withdrawn."""
    recent: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """When each member did what, within a day."""

    def apply(self, entry: Entry) -> None:
        """Take in the next entry."""
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} does not follow {self.seq}")
        _APPLY[entry.kind](self, entry, entry.data)
        self.seq = entry.seq
        if entry.member:
            times = self.recent.setdefault((entry.member, entry.kind), [])
            times.append(entry.at_us)
            while times[0] <= entry.at_us - DAY_US:
                times.pop(0)

    def who(self, key_id: str) -> Who | None:
        """Whose key this is, when it may be used."""
        key = self.keys.get(key_id)
        if key is None or key.ended or not self.members[key.member].active:
            return None
        of = self.members[key.member]
        return Who(of.name, of.organisation, key.person, of.clearance, key.steward)

    def may_read(self, member: str, what: Submission) -> bool:
        """Whether a submission is there for a member."""
        of = self.members[member]
        return what.member == member or (what.confirmed and of.active and of.clearance >= what.tlp)

    def readers(self, what: Submission) -> frozenset[str]:
        """Everybody for whom a submission is there, except its own organisation."""
        own = self.members[what.member].organisation
        return frozenset(
            name for name, of in self.members.items()
            if of.organisation != own and self.may_read(name, what)
        )  # fmt: skip

    def contest(self, what: Submission) -> Contest:
        """What has to be decided before a submission's corroboration counts."""
        if what.appealed:
            return Contest.APPEALED
        return Contest.DISPUTED if what.disputed else Contest.NONE

    def corroboration(self, what: Submission) -> Corroboration:
        """How far a submission is corroborated; not at all while it is contested, or once it is withdrawn."""
        if what.withdrawn_us or self.contest(what) is not Contest.NONE:
            return Corroboration.REPORTED
        own = {self.members[what.member].organisation}  # also when it is suspended
        joined = self._organisations(self.joined_with(what)) - own
        others = joined | self._organisations(m for m, verb in what.said.items() if verb is Verb.SEEN) - own
        if len(others) >= 2 and joined:
            return Corroboration.ESTABLISHED
        return Corroboration.CORROBORATED if others else Corroboration.REPORTED

    def joined_with(self, what: Submission) -> frozenset[str]:
        """Members whose clusters joined the cluster of a submission, in rounds that nothing re-opened."""
        pairs = self.sides.get((what.epoch, what.member, what.cluster), ())
        found = {member for pair in pairs if not self.reopened(pair) for member in pair.members}
        return frozenset(found - {what.member})

    def reopened(self, pair: Pair) -> bool:
        """Whether something that a pair rests on was withdrawn."""
        return any(side in self.taken_back for side in pair.sides)

    def joined(self, pair: Pair) -> None:
        """Take in a pair."""
        self.pairs[pair.id] = pair
        for side in pair.sides:
            self.sides.setdefault(side, []).append(pair)

    def concerned(self, case: Case) -> frozenset[str]:
        """Members that a case concerns."""
        pair = self.pairs.get(case.about)
        if pair is not None:
            return frozenset(pair.members)
        what = self.submissions[case.about]
        return frozenset({what.member}) | self.joined_with(what) | case.admitted

    def _organisations(self, members: Any) -> frozenset[str]:
        return frozenset(self.members[m].organisation for m in members if self.members[m].active)


def _member(state: State, entry: Entry, data: dict[str, Any]) -> None:
    if (
        data["name"] in state.members
    ):  # what it could read so far it may act on, and has to hear of a withdrawal
        for what in state.submissions.values():
            if data["name"] in state.readers(what):
                what.once.add(data["name"])
    state.members[data["name"]] = Member(
        data["name"], data["organisation"], data["clearance"], data["active"]
    )


def _key(state: State, entry: Entry, data: dict[str, Any]) -> None:
    state.keys[data["key_id"]] = Key(data["member"], data["public"], data["person"], data["steward"])


def _key_ended(state: State, entry: Entry, data: dict[str, Any]) -> None:
    state.keys[data["key_id"]].ended = True


def _submission(state: State, entry: Entry, data: dict[str, Any]) -> None:
    made = Submission(
        data["id"], entry.seq, entry.member, entry.person, data["sha256"], data["tlp"], tuple(data["objects"]),
        data["epoch"], data["cluster"], entry.at_us, data["confirmed"],
    )  # fmt: skip
    state.submissions[made.id] = made
    state.whose |= dict.fromkeys(made.objects, made.id)


def _confirmation(state: State, entry: Entry, data: dict[str, Any]) -> None:
    state.submissions[data["submission"]].confirmed = True


def _feedback(state: State, entry: Entry, data: dict[str, Any]) -> None:
    state.submissions[data["submission"]].said[entry.member] = Verb(data["verb"])


def _withdrawal(state: State, entry: Entry, data: dict[str, Any]) -> None:
    what = state.submissions[data["submission"]]
    what.readers = state.readers(what) | what.once
    what.withdrawn_us, what.ground = entry.at_us, data["ground"]
    state.taken_back.add((what.epoch, what.member, what.cluster))


def _acknowledgement(state: State, entry: Entry, data: dict[str, Any]) -> None:
    state.submissions[data["submission"]].heard.add(entry.member)


def _dispute(state: State, entry: Entry, data: dict[str, Any]) -> None:
    state.disputes[data["id"]] = Objection(
        data["id"], data["submission"], entry.member, data["ground"], entry.at_us
    )
    state.submissions[data["submission"]].disputed += 1


def _decision(state: State, entry: Entry, data: dict[str, Any]) -> None:
    found = state.disputes[data["id"]]
    _decided(found, entry)
    state.submissions[found.submission].disputed -= 1


def _appeal(state: State, entry: Entry, data: dict[str, Any]) -> None:
    state.appeals[data["id"]] = Objection(
        data["id"], data["submission"], entry.member, data["ground"], entry.at_us, data["due_us"]
    )
    state.submissions[data["submission"]].appealed += 1


def _answer(state: State, entry: Entry, data: dict[str, Any]) -> None:
    found = state.appeals[data["id"]]
    _decided(found, entry)
    state.submissions[found.submission].appealed -= 1


def _decided(objection: Objection, entry: Entry) -> None:
    objection.decided_us, objection.upheld = entry.at_us, entry.data["upheld"]


def _case(state: State, entry: Entry, data: dict[str, Any]) -> None:
    case = state.cases.setdefault(data["id"], Case(data["id"], data["about"]))
    if data["admit"]:
        said = state.submissions[data["about"]].said
        case.admitted |= {m for m, verb in said.items() if verb is Verb.SEEN and state.members[m].active}


def _step(state: State, entry: Entry, data: dict[str, Any]) -> None:
    made = Step(entry.member, StepKind(data["kind"]), data["at_us"], entry.at_us)
    state.cases[data["case"]].steps.append(made)


def _round(state: State, entry: Entry, data: dict[str, Any]) -> None:
    cut_off, end = data["commit_until_us"], data["reveal_until_us"]
    state.rounds[data["epoch"]] = Round(data["epoch"], cut_off, end, tuple(data["publics"]), seqs=[entry.seq])


def _commitment(state: State, entry: Entry, data: dict[str, Any]) -> None:
    state.rounds[data["epoch"]].committed[entry.member] = data["committed"]


def _contribution(state: State, entry: Entry, data: dict[str, Any]) -> None:
    held = state.rounds[data["epoch"]]
    held.shown[entry.member] = frozenset(data["clusters"])
    held.seqs.append(entry.seq)


def _joined(state: State, entry: Entry, data: dict[str, Any]) -> None:
    held = state.rounds[data["epoch"]]
    held.closed_us, held.aside = entry.at_us, dict(data["aside"])
    for row in data["pairs"]:
        state.joined(
            Pair(row["id"], data["epoch"], tuple(row["members"]), tuple(row["clusters"]), row["common"])
        )


_APPLY: dict[str, Callable[[State, Entry, dict[str, Any]], None]] = {
    "member": _member, "key": _key, "key_ended": _key_ended, "submission": _submission,
    "confirmation": _confirmation, "feedback": _feedback, "withdrawal": _withdrawal,
    "acknowledgement": _acknowledgement, "dispute": _dispute, "decision": _decision, "appeal": _appeal,
    "answer": _answer, "case": _case, "step": _step, "round": _round, "commitment": _commitment,
    "contribution": _contribution, "joined": _joined,
}  # fmt: skip

__all__ = [
    "DAY_US", "Case", "Key", "Member", "Objection", "Pair", "Round", "State", "Step", "Submission",
]  # fmt: skip
