"""What a member may do with submissions, and what follows from it.

Each rule looks at what holds, at who asks and at what was sent, and gives the entries to be made; it changes nothing.
The asker learns whether it may, never who else did what.

A person decides, and never in their own cause: an appeal is answered by the member that named the customer, a dispute
by a steward of an organisation that is neither the submitter's nor the disputer's.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from stillwatch.records.hub import Ground, Verb, Who
from stillwatch.records.sharing import Audience, Tlp
from stillwatch.share import atlas
from stillwatch.share.gate import screen
from stillwatch.share.hub import rules_cases, rules_rounds
from stillwatch.share.hub.asked import (
    Draft,
    NotAllowed,
    fields,
    mine,
    nothing,
    one_of,
    readable,
    still_standing,
    within_budget,
)
from stillwatch.share.hub.pseudonym import Face, handed_on
from stillwatch.share.hub.state import DAY_US, State, Submission
from stillwatch.share.release import people_needed
from stillwatch.share.taxii.objects import Checked, check, object_id

ID = re.compile(r"[a-z][a-z0-9-]{2,63}--[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHORT = re.compile(r"[0-9a-f]{16}")
EPOCH = re.compile(r"|[0-9]{4}-W[0-9][0-9]")
CLUSTER = re.compile(r"[0-9a-z]{0,32}")
APPEAL_DAYS = 14
MOST_OBJECTS = 2_000
_DEFINITIONS = frozenset({"marking-definition", "extension-definition", "identity"})
_LEVELS = one_of(level.label for level in Tlp)
_WITHDRAWN = one_of((Ground.ERROR, Ground.EXPIRED, Ground.LEGAL, Ground.AUTHORISED, Ground.INNOCENT))
_OBJECTED = one_of((Ground.ERROR, Ground.INNOCENT, Ground.SHARED_ADDRESS, Ground.AUTHORISED))


def submission(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """A released bundle. Sent again, nothing is done again."""
    asked = fields(given, bundle=dict, tlp=_LEVELS, epoch=EPOCH, cluster=CLUSTER)
    level, objects = Tlp.of(asked["tlp"]), _objects(asked["bundle"])
    body = json.dumps(asked["bundle"], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
    same = [s for s in state.submissions.values() if s.member == who.member and s.sha256 == digest]
    if any((s.epoch, s.cluster) == (asked["epoch"], asked["cluster"]) for s in same):
        return []
    if same:
        raise NotAllowed(
            409, "it was submitted with another cluster, or with none", "withdraw that one, and draft it anew"
        )
    within_budget(state, who, "submission", now_us)
    if len(objects) > MOST_OBJECTS:
        raise NotAllowed(413, f"more than {MOST_OBJECTS} objects", "submit one campaign at a time")
    if level > who.clearance:
        raise NotAllowed(
            403, "this member is not cleared for what it submits", "ask whoever runs the hub to raise it"
        )
    told = screened(objects, level, face)
    if not all(map(partial(_can_be_kept, level=level, now_us=now_us), told)):
        raise NotAllowed(
            422,
            "an object cannot be kept: its times, its version or its form",
            "look at the clock of the machine, and draft it anew",
        )
    own = [o["id"] for o in told if not everybodys(o)]
    if any(o.get("created_by_ref") != face.identity for o in told if not everybodys(o)):
        raise NotAllowed(422, "an object names nobody who made it, or somebody else", "draft it anew")
    reports = [name for name in own if name.startswith("report--")]
    if len(reports) != 1 or len(set(own)) != len(own) or any(name in state.whose for name in own):
        raise NotAllowed(
            409, "a submission has one report, and ids that were not used here before",
            "draft it anew, without --previous",
        )  # fmt: skip
    _own_cluster(state, who, asked["epoch"], asked["cluster"])
    data = {
        "id": reports[0], "sha256": digest, "tlp": int(level), "objects": sorted(own), "epoch": asked["epoch"],
        "cluster": asked["cluster"], "confirmed": people_needed(objects, level) < 2,
    }  # fmt: skip
    return [Draft("submission", data, json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass"))]


def screened(objects: list[dict[str, Any]], level: Tlp, face: Face) -> list[dict[str, Any]]:
    """What would be handed on of a bundle.

    Raises:
        NotAllowed: the outbound gate refuses or drops something, or a text names the sender.
    """
    found = screen(objects, audience=Audience.LAB, level=level)
    for refusal in found.refused[:1]:
        raise NotAllowed(
            422, f"{refusal.where}: {refusal.rule}: {refusal.reason}", "stillwatch share preview"
        )
    if list(found.objects) != objects:
        raise NotAllowed(422, "it holds what laboratories do not get", "draft it with --audience lab")
    try:
        return handed_on(objects, face)
    except ValueError as error:
        raise NotAllowed(422, str(error), "draft it again without it") from None


def everybodys(stix: dict[str, Any]) -> bool:
    """Whether an object is of the kind that every bundle brings along, and that stays when one is withdrawn."""
    return stix["type"] in _DEFINITIONS or ("created_by_ref" not in stix and stix["id"] in atlas.by_stix_id())


def _can_be_kept(stix: dict[str, Any], *, level: Tlp, now_us: int) -> bool:
    """Whether the TAXII server beside the hub will take it, now and when it is withdrawn."""
    if object_id(stix) is None:
        return False
    found = check(stix)
    return (
        isinstance(found, Checked) and not found.revoked and found.level <= level
        and found.version_ns <= now_us * 1000
    )  # fmt: skip


def preview_of(given: Any) -> tuple[list[dict[str, Any]], str]:
    """Objects and level of a bundle that is only looked at."""
    asked = fields(given, bundle=dict, tlp=_LEVELS)
    objects = _objects(asked["bundle"])
    if len(objects) > MOST_OBJECTS:
        raise NotAllowed(413, f"more than {MOST_OBJECTS} objects", "submit one campaign at a time")
    return objects, asked["tlp"]


def confirmation(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """A second person of the same member releases what is held above TLP:AMBER, or attributes."""
    what = _own(state, who, fields(given, submission=ID)["submission"])
    still_standing(what)
    if what.confirmed:
        return []
    within_budget(state, who, "confirmation", now_us)
    if _same(who.person, what.person):
        raise NotAllowed(403, "a second person has to confirm it", "one person with two keys is one person")
    return [Draft("confirmation", {"submission": what.id})]


def feedback(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """A word on what another member submitted; the last one counts."""
    asked = fields(given, object=ID, verb=one_of(Verb))
    what = readable(state, who, asked["object"])
    still_standing(what)
    if mine(state, who, what):
        raise NotAllowed(403, "nobody speaks for or against what it submitted itself", "withdraw it instead")
    if what.said.get(who.member) == asked["verb"]:
        return []
    within_budget(state, who, "feedback", now_us)
    return [Draft("feedback", {"submission": what.id, "verb": asked["verb"]})]


def withdrawal(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """Whoever submitted something takes it back."""
    asked = fields(given, object=ID, ground=_WITHDRAWN)
    what = _own(state, who, asked["object"])
    if what.withdrawn_us:
        return []
    within_budget(state, who, "withdrawal", now_us)
    return [Draft("withdrawal", {"submission": what.id, "ground": asked["ground"]})]


def acknowledgement(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """A reader has taken out what was withdrawn."""
    what = state.submissions.get(state.whose.get(fields(given, object=ID)["object"], ""))
    if what is None or who.member not in what.readers:
        raise nothing()
    if who.member in what.heard:
        return []
    within_budget(state, who, "acknowledgement", now_us)
    return [Draft("acknowledgement", {"submission": what.id})]


def dispute(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """A member says that a submission is wrong; until a steward has decided it corroborates nothing."""
    asked = fields(given, object=ID, ground=_OBJECTED)
    what = readable(state, who, asked["object"])
    still_standing(what)
    if mine(state, who, what):
        raise NotAllowed(403, "nobody disputes what it submitted itself", "withdraw it instead")
    ours = [
        d for d in state.disputes.values()
        if d.submission == what.id and state.members[d.member].organisation == who.organisation
    ]  # fmt: skip
    if any(d.open for d in ours):
        raise NotAllowed(409, "this organisation disputes it already", "wait for the decision")
    if any(d.ground == asked["ground"] for d in ours):
        raise NotAllowed(409, "it was decided on this ground", "a new dispute needs a new ground")
    within_budget(state, who, "dispute", now_us)
    return [Draft("dispute", {"id": _id(), "submission": what.id, "ground": asked["ground"]})]


def decision(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """A steward decides a dispute between others; what is found wrong is withdrawn at once."""
    asked = fields(given, dispute=SHORT, upheld=bool)
    found = state.disputes.get(asked["dispute"])
    if found is None or not who.steward:
        raise nothing()
    what = state.submissions[found.submission]
    if mine(state, who, what) or state.members[found.member].organisation == who.organisation:
        raise NotAllowed(
            403, "nobody decides in their own cause", "a steward of another organisation decides"
        )
    if not state.may_read(who.member, what):
        raise nothing()
    if not found.open:
        raise NotAllowed(409, "it has been decided", "a new dispute needs a new ground")
    within_budget(state, who, "decision", now_us)
    return _with_withdrawal(
        Draft("decision", {"id": found.id, "upheld": asked["upheld"]}), what, Ground.DISPUTE_UPHELD
    )


def appeal(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """A member hands on the objection of an affected customer, without saying whose; it goes to whoever named them."""
    asked = fields(given, object=ID, ground=_OBJECTED)
    what = readable(state, who, asked["object"])
    still_standing(what)
    if mine(state, who, what):
        raise NotAllowed(403, "an appeal against one's own is decided at home", "withdraw it if it is right")
    within_budget(state, who, "appeal", now_us)
    due = now_us + APPEAL_DAYS * DAY_US
    data = {"id": _id(), "submission": what.id, "ground": asked["ground"], "due_us": due}
    return [Draft("appeal", data)]


def answer(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """A person of the member that named a customer decides the appeal; an upheld one withdraws the submission."""
    asked = fields(given, appeal=SHORT, upheld=bool)
    found = state.appeals.get(asked["appeal"])
    if found is None or state.submissions[found.submission].member != who.member:
        raise nothing()
    if not found.open:
        raise NotAllowed(409, "it has been answered", "whoever disagrees with the answer may dispute it")
    within_budget(state, who, "answer", now_us)
    what = state.submissions[found.submission]
    return _with_withdrawal(
        Draft("answer", {"id": found.id, "upheld": asked["upheld"]}), what, Ground.APPEAL_UPHELD
    )


def _with_withdrawal(draft: Draft, what: Submission, ground: Ground) -> list[Draft]:
    if not draft.data["upheld"] or what.withdrawn_us:
        return [draft]
    return [draft, Draft("withdrawal", {"submission": what.id, "ground": ground})]


def _objects(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    found = bundle.get("objects")
    if set(bundle) != {"type", "id", "objects"} or bundle["type"] != "bundle" or not isinstance(found, list):
        raise NotAllowed(422, "not a STIX bundle", "send the bundle.json of a draft")
    if not all(isinstance(o, dict) and isinstance(o.get("type"), str) for o in found):
        raise NotAllowed(422, "not a STIX bundle", "send the bundle.json of a draft")
    return found


def _own(state: State, who: Who, object_id: str) -> Submission:
    """A submission of the asking member; others' are not there, whether the asker may read them or not."""
    what = state.submissions.get(state.whose.get(object_id, object_id))
    if what is None or what.member != who.member:
        raise nothing()
    return what


def _own_cluster(state: State, who: Who, epoch: str, cluster: str) -> None:
    if bool(epoch) != bool(cluster):
        raise NotAllowed(400, "an epoch and a cluster go together", "name both, or neither")
    held = state.rounds.get(epoch)
    if cluster and (held is None or cluster not in held.shown.get(who.member, ())):
        raise NotAllowed(
            409, "this member contributed no cluster of this name", "names are in the contribution"
        )


def _same(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def _id() -> str:
    return secrets.token_hex(8)


Rule = Callable[[State, Who, Any, int, Face], list[Draft]]
RULES: dict[str, Rule] = {
    "submissions": submission, "confirmations": confirmation, "feedback": feedback, "withdrawals": withdrawal,
    "acknowledgements": acknowledgement, "disputes": dispute, "decisions": decision, "appeals": appeal,
    "answers": answer, "cases": rules_cases.case, "steps": rules_cases.step,
    "commitments": rules_rounds.commit, "contributions": rules_rounds.contribute,
}  # fmt: skip
"""What a member may ask for, by the last part of the address."""

__all__ = ["APPEAL_DAYS", "ID", "RULES", "SHORT", "preview_of", "screened"]
