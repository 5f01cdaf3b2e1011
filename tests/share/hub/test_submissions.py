"""Submitting, corroborating, objecting and taking back, as members do it and as hostile members try to."""

from __future__ import annotations

import json

import pytest

from stillwatch.errors import VerificationError
from stillwatch.records.sharing import Tlp
from stillwatch.share.hub.asked import Draft, NotAllowed
from stillwatch.share.hub.state import Pair
from stillwatch.share.taxii import tables as t
from stillwatch.store.hub_journal import Journal
from stillwatch.store.sql import reading
from stillwatch.wiring.hub_member import Asking, check_receipt
from tests.share.hub.making import DAY, EPOCH, Hub, bundle, hub


def refused(status: int, call, *args, **given) -> str:
    """The reason of a refusal with this status."""
    with pytest.raises(NotAllowed) as why:
        call(*args, **given)
    assert why.value.status == status, why.value.reason
    return why.value.reason


def served(here: Hub) -> list[dict]:
    """Every version of every object that was put out."""
    with reading(here.engine) as conn:
        rows = conn.execute(t.versions.select().order_by(t.versions.c.added_us)).all()
    return [json.loads(row.body) for row in rows]


def test_what_is_handed_on_does_not_say_who_sent_it(here: Hub) -> None:
    """Neither name, identity nor appeal address of the sender stand anywhere in what members fetch."""
    here.submit("north")
    told = json.dumps(served(here)).casefold()
    assert "north" not in told and "00000001" not in told.split("report--")[0].split("identity--")[0]
    sender = next(o for o in bundle("north")["objects"] if o["type"] == "identity" and "north" in o["name"])
    assert sender["id"] not in told
    assert here.folder.identity in told and "https://hub.example/" in told


def test_a_text_that_names_its_sender_is_refused(here: Hub) -> None:
    """A summary with the sender's name stops it, and the refusal does not repeat it."""
    given = bundle("north", summary="Seen by Member North of the hub.")
    assert "names its sender" in refused(
        422, here.do, "north", "submissions", bundle=given, tlp="amber", epoch="", cluster=""
    )


def test_a_bundle_that_the_gate_stops_does_not_get_in(here: Hub) -> None:
    """An address in a text, or a marking lower than what was said, is refused."""
    given = bundle("north")
    report = next(o for o in given["objects"] if o["type"] == "report")
    report["description"] += " Mail jane@example.com."
    refused(422, here.do, "north", "submissions", bundle=given, tlp="amber", epoch="", cluster="")
    refused(422, here.do, "north", "submissions", bundle=bundle("north"), tlp="green", epoch="", cluster="")


def test_sent_again_it_is_the_same(here: Hub) -> None:
    """A repeated submission does nothing; another member cannot submit the same ids."""
    given = {"bundle": bundle("north"), "tlp": "amber", "epoch": "", "cluster": ""}
    assert not here.do("north", "submissions", **given)["already"]
    assert here.do("north", "submissions", **given) == {"done": [], "already": True}
    other = given | {"epoch": EPOCH, "cluster": "aa"}
    assert "another cluster" in refused(409, here.do, "north", "submissions", **other)
    assert "ids that were not used" in refused(409, here.do, "south", "submissions", **given)


def test_an_object_from_the_future_cannot_hide_its_withdrawal(here: Hub) -> None:
    """A version that lies ahead is not taken."""
    given = bundle("north")
    for stix in given["objects"]:
        if stix["type"] == "campaign":
            stix["modified"] = "2099-01-01T00:00:00.000Z"
    assert "cannot be kept" in refused(
        422, here.do, "north", "submissions", bundle=given, tlp="amber", epoch="", cluster=""
    )


def test_words_corroborate_but_never_establish(here: Hub) -> None:
    """One other organisation corroborates; two more by word alone do not establish; a false positive is no support."""
    what = here.submit("north")
    assert here.level(what) == "reported"
    here.do("south", "feedback", object=what, verb="false_positive")
    assert here.level(what) == "reported"
    for name in ("south", "east", "west"):
        here.do(name, "feedback", object=what, verb="seen")
        assert here.level(what) == "corroborated"


def test_an_organisation_does_not_corroborate_itself(here: Hub) -> None:
    """Neither the submitter nor another member of its organisation counts."""
    what = here.submit("north")
    assert "itself" in refused(403, here.do, "north", "feedback", object=what, verb="seen")
    assert "itself" in refused(403, here.do, "annex", "feedback", object=what, verb="seen")
    assert here.level(what) == "reported"


def test_an_organisation_whose_member_is_suspended_does_not_corroborate_itself(here: Hub) -> None:
    """What a suspended member submitted is not corroborated by another member of its organisation."""
    here.do("north", "feedback", object=here.submit("south"), verb="seen")
    what = here.submit("north", start=2)
    state = here.desk.state
    state.submissions[what].epoch, state.submissions[what].cluster = EPOCH, "aa"
    state.joined(Pair("p", EPOCH, ("north", "annex"), ("aa", "bb"), "10-49"))
    assert here.level(what) == "reported"
    changed(here, "north", active=False)
    assert here.level(what) == "reported"


def test_whoever_could_read_it_once_hears_of_its_withdrawal(here: Hub) -> None:
    """Also a member that was suspended or cleared for less meanwhile: it may act on what it fetched before."""
    what = here.submit("north")
    changed(here, "south", clearance=int(Tlp.CLEAR))
    changed(here, "west", active=False)
    assert here.inbox("south")["to_acknowledge"] == []
    refused(404, here.do, "south", "acknowledgements", object=what)
    here.do("north", "withdrawals", object=what, ground="innocent")
    changed(here, "west", active=True)
    for name in ("south", "east", "west"):
        assert [w["submission"] for w in here.inbox(name)["to_acknowledge"]] == [what]
        here.do(name, "acknowledgements", object=what)
    assert here.standing("north", what)["acknowledged_by"] == "3 of 3"


def test_a_suspended_member_fetches_nothing_whatever_crashed(here: Hub) -> None:
    """Its entry in the journal is enough: the hub itself takes its leave to read objects."""
    changed(here, "south", active=False, clearance=int(Tlp.GREEN))
    with reading(here.engine) as conn:
        rows = {row.name: (row.active, row.clearance) for row in conn.execute(t.members.select())}
    assert rows["south"] == (False, int(Tlp.GREEN)) and rows["west"] == (True, int(Tlp.AMBER_STRICT))


def test_what_was_decided_is_not_disputed_again_on_its_ground(here: Hub) -> None:
    """Nor by another member of the disputer's organisation; else a submission could be kept contested for ever."""
    what = here.submit("south")
    here.do("north", "disputes", object=what, ground="error")
    assert "already" in refused(409, here.do, "annex", "disputes", object=what, ground="innocent")
    here.do("east", "decisions", dispute=next(iter(here.desk.state.disputes)), upheld=False)
    for name in ("north", "annex"):
        assert "ground" in refused(409, here.do, name, "disputes", object=what, ground="error")
    here.do("west", "disputes", object=what, ground="error")


def changed(here: Hub, name: str, **how: object) -> None:
    """Whoever runs the hub changes something about a member."""
    of = here.desk.state.members[name]
    now = {"name": name, "organisation": of.organisation, "clearance": of.clearance, "active": of.active}
    here.desk.note(Draft("member", now | how))


def test_nobody_sees_who_submitted_or_who_said_what(here: Hub) -> None:
    """In what any member sees of the hub, no other member, organisation or person occurs."""
    what = here.submit("north")
    here.do("south", "feedback", object=what, verb="seen")
    here.do("west", "disputes", object=what, ground="error")
    here.do("south", "appeals", object=what, ground="innocent")
    for name in ("north", "south", "east", "west"):
        told = json.dumps([here.inbox(name), here.standing(name, what)])
        own = {name, {"north": "Ada", "south": "Bo", "east": "Cy", "west": "Di"}[name]}
        for other in {"north", "south", "west", "Ada", "Bo", "Cy", "Di", "North Lab", "South Lab"} - own:
            assert f'"{other}"' not in told, (name, other)


def test_what_is_held_closer_is_not_there(tmp_path) -> None:
    """A member that is not cleared can neither see it, speak of it, dispute it nor learn that it is there."""
    with hub(tmp_path / "hub", "north") as here:
        here.join("south", clearance=Tlp.GREEN)
        what = here.submit("north")
        nothing = refused(404, here.do, "south", "feedback", object=what.replace("0", "1"), verb="seen")
        assert refused(404, here.do, "south", "feedback", object=what, verb="seen") == nothing
        assert refused(404, here.do, "south", "disputes", object=what, ground="error") == nothing
        assert refused(404, here.standing, "south", what) == nothing


def test_two_people_release_what_is_held_closely(here: Hub) -> None:
    """Above amber nothing goes out until a second person of the member confirms it; two keys are one person."""
    here.join("north", "ada ")
    here.join("north", "Zoe")
    given = bundle("north", level=Tlp.AMBER_STRICT)
    what = here.submit("north", bundle=given, tlp="amber+strict")
    refused(404, here.standing, "south", what)
    assert served(here) == []
    assert "second person" in refused(403, here.do, "north", "confirmations", submission=what)
    assert "second person" in refused(403, here.do, "ada ", "confirmations", submission=what)
    refused(404, here.do, "south", "confirmations", submission=what)
    here.do("Zoe", "confirmations", submission=what)
    assert here.standing("south", what)["corroboration"] == "reported"
    assert served(here)


def test_a_withdrawal_is_everywhere_and_acknowledged(here: Hub) -> None:
    """Every object gets a last, revoked version; every reader is asked to acknowledge; what is kept is gone."""
    what = here.submit("north")
    here.do("north", "withdrawals", object=what, ground="error")
    versions = served(here)
    own = here.desk.state.submissions[what].objects
    assert {o["id"] for o in versions if o.get("revoked")} == set(own)
    assert here.desk.journal.blob(here.desk.state.submissions[what].seq) is None
    assert here.inbox("north")["submissions"][0]["acknowledged_by"] == "0 of 3"
    for name in ("south", "east"):
        assert [w["submission"] for w in here.inbox(name)["to_acknowledge"]] == [what]
        here.do(name, "acknowledgements", object=what)
        assert here.inbox(name)["to_acknowledge"] == []
    assert here.inbox("north")["submissions"][0]["acknowledged_by"] == "2 of 3"
    assert "withdrawn" in refused(409, here.do, "west", "feedback", object=what, verb="seen")


def test_another_members_submission_cannot_be_withdrawn(here: Hub) -> None:
    """Not by a stranger, nor by a member of the same organisation; nothing changes."""
    what = here.submit("north")
    for name in ("south", "east", "annex"):
        refused(404, here.do, name, "withdrawals", object=what, ground="error")
    assert here.standing("south", what)["withdrawn"] == ""


def test_a_dispute_is_decided_by_neither_party(here: Hub) -> None:
    """Nothing is corroborated until a steward of a third organisation decides; an upheld one withdraws."""
    what = here.submit("north")
    here.do("west", "feedback", object=what, verb="seen")
    here.do("south", "disputes", object=what, ground="shared_address")
    assert here.standing("west", what) == here.standing("west", what) | {
        "corroboration": "reported", "contest": "disputed",
    }  # fmt: skip
    [number] = here.desk.state.disputes
    for name in ("north", "south", "west"):
        refused(404, here.do, name, "decisions", dispute=number, upheld=False)
    assert "own cause" in refused(403, here.do, "annex", "decisions", dispute=number, upheld=False)
    here.do("east", "decisions", dispute=number, upheld=False)
    assert here.level(what) == "corroborated"
    here.do("south", "disputes", object=what, ground="error")
    second = list(here.desk.state.disputes)[1]
    assert len(here.do("east", "decisions", dispute=second, upheld=True)["done"]) == 2
    assert here.standing("west", what)["withdrawn"] == "dispute_upheld"
    assert all(
        here.desk.state.submissions[what].id in json.dumps(w) for w in here.inbox("west")["to_acknowledge"]
    )


def test_a_steward_who_disputes_does_not_decide(here: Hub) -> None:
    """Being a steward is no way to decide one's own dispute."""
    what = here.submit("north")
    here.do("east", "disputes", object=what, ground="error")
    [number] = here.desk.state.disputes
    assert "own cause" in refused(403, here.do, "east", "decisions", dispute=number, upheld=True)


def test_an_appeal_reaches_who_named_the_customer_and_stops_corroboration(here: Hub) -> None:
    """It waits at the submitter, without who handed it on; an upheld one withdraws, a rejected one may be disputed."""
    what = here.submit("north")
    here.do("west", "feedback", object=what, verb="seen")
    here.do("south", "appeals", object=what, ground="innocent")
    [waiting] = here.inbox("north")["to_answer"]
    assert here.inbox("south")["to_answer"] == [] and waiting["ground"] == "innocent"
    assert here.standing("east", what)["contest"] == "appealed"
    assert here.level(what) == "reported"
    refused(404, here.do, "south", "answers", appeal=waiting["appeal"], upheld=True)
    refused(404, here.do, "annex", "answers", appeal=waiting["appeal"], upheld=False)
    here.clock.at += 15 * DAY
    assert here.inbox("north")["to_answer"][0]["overdue"] is True
    here.do("north", "answers", appeal=waiting["appeal"], upheld=False)
    assert here.level(what) == "corroborated"
    assert here.inbox("south")["raised"][0]["open"] is False
    here.do("south", "appeals", object=what, ground="innocent")
    [again] = here.inbox("north")["to_answer"]
    here.do("north", "answers", appeal=again["appeal"], upheld=True)
    assert here.standing("west", what)["withdrawn"] == "appeal_upheld"


def test_a_member_that_floods_is_stopped(here: Hub) -> None:
    """So many a day and no more; the next day it may again."""
    what = here.submit("north")
    for _ in range(20):
        here.do("south", "appeals", object=what, ground="innocent")
    assert "24 hours" in refused(429, here.do, "south", "appeals", object=what, ground="innocent")
    here.clock.at += DAY
    here.do("south", "appeals", object=what, ground="innocent")


def test_no_text_gets_in(here: Hub) -> None:
    """Every field besides the bundle is a closed word, an id, a time or a number; the rest is refused unread."""
    what = here.submit("north")
    for given in (
        {"object": what, "verb": "<b>ignore previous instructions"}, {"object": what, "verb": "seen", "note": "x"},
        {"object": what}, {"object": 1, "verb": "seen"}, {"object": what + "\n", "verb": "seen"}, ["seen"],
    ):  # fmt: skip
        reason = refused(400, here.desk.do, here.who("south"), "feedback", given)
        assert "ignore" not in reason


def test_what_was_done_survives_a_crash_at_any_point(tmp_path, monkeypatch) -> None:
    """An entry without its leaf or its objects gets them when the hub starts again; nothing is done twice."""
    with hub(tmp_path / "hub", "north", "south") as here:
        monkeypatch.setattr(here.log, "append", lambda leaves: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError):
            here.submit("north")
        size = here.log.size
    with hub(tmp_path / "hub") as here:
        assert here.log.size == here.desk.state.seq == size + 1
        [what] = here.desk.state.submissions
        first = len(served(here))
        assert first and here.level(what) == "reported"
    with hub(tmp_path / "hub") as here:
        assert len(served(here)) == first


@pytest.mark.parametrize("where", ["pending", "tile"])
def test_a_disk_that_has_room_again_needs_no_restart(here: Hub, monkeypatch, where) -> None:
    """A failed write to the log, before a leaf or between leaf and checkpoint, is made up for, and receipts hold."""
    put, append = here.log._log.files.put, here.log._log.files.append

    def full(name: str, data: bytes) -> None:
        if name.startswith(where):
            raise OSError("full")
        (append if name.startswith("pending") else put)(name, data)

    with monkeypatch.context() as patch:
        for name in ("put", "append"):
            patch.setattr(here.log._log.files, name, full)
        with pytest.raises(OSError, match="full"):
            here.submit("north")
    [what] = here.desk.state.submissions
    receipt = here.desk.receipt(here.desk.state.submissions[what].seq) if where == "tile" else None
    [other] = here.do("south", "feedback", object=what, verb="seen")["done"]
    for made in filter(None, (receipt, other)):
        check_receipt(Asking({"member": made["entry"]["member"]}, here.folder.path, here.log.vkey), made)
    assert here.log.size == here.desk.state.seq


@pytest.mark.parametrize("goes_on", [False, True])
def test_an_older_journal_stops_the_hub(tmp_path, goes_on) -> None:
    """A journal that is not the log's is an older copy, even one that went on; nothing is done with it."""
    with hub(tmp_path / "hub", "north") as here:
        old = here.folder.path / "journal.db"
        before = {p.name: p.read_bytes() for p in old.parent.glob("journal.db*")}
        here.join("south")
    for path in old.parent.glob("journal.db*"):
        path.unlink()
    for name, data in before.items():
        (old.parent / name).write_bytes(data)
    if goes_on:
        with hub(tmp_path / "other", "north", "west", "east") as there:
            rows = there.desk.journal.since(2)
        with Journal(old).writing() as writer:
            for seq, body, salt in rows:
                writer.append(seq, body, salt, b"")
    with pytest.raises(VerificationError, match="older copy"), hub(tmp_path / "hub"):
        pass


def test_an_object_that_nobody_made_is_not_handed_on(here: Hub) -> None:
    """What could not be withdrawn later does not go out."""
    given = bundle("north")
    for stix in given["objects"]:
        if stix["type"] == "indicator":
            del stix["created_by_ref"]
    reason = refused(422, here.do, "north", "submissions", bundle=given, tlp="amber", epoch="", cluster="")
    assert "names nobody who made it" in reason or "created_by_ref" in reason
