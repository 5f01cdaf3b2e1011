"""Who may write what over what: markings, owners, versions, withdrawals and deletions cannot be got round."""

from __future__ import annotations

import json

import pytest

from stillwatch.records.sharing import Tlp
from stillwatch.share import marking
from stillwatch.share.taxii import members
from stillwatch.store.sql import reading, writing
from tests.share.taxii.making import CLOSED, IDENTITIES, SIGNALS, Place, stix, version

both = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
OBJECTS = f"/community/collections/{SIGNALS}/objects/"


def why(status: dict) -> str:
    """The one reason of a status."""
    [failure] = status["failures"]
    return failure["message"]


@both
def test_a_marking_is_not_lowered(here: Place) -> None:
    """Not by sending it again, not by a newer version, not by an older one, not through another collection, not by a
    mark on a part or a second mark."""
    held = stix(1, Tlp.AMBER_STRICT)
    here.add([held])
    clear = {"object_marking_refs": [marking.IDS[Tlp.CLEAR]]}
    for given, where in (
        (held | clear, SIGNALS), (version(held, 9) | clear, SIGNALS), (held | clear, CLOSED),
        (version(held, 1) | clear, SIGNALS), (version(held, 9) | clear, CLOSED),
    ):  # fmt: skip
        assert why(here.add([given], collection=where)) == "an object keeps its marking: give it a new id"
    parts = version(
        held, 9, granular_markings=[{"marking_ref": marking.IDS[Tlp.CLEAR], "selectors": ["name"]}]
    )
    assert why(here.add([parts])) == "an object keeps its marking: give it a new id"
    both_marks = version(
        held, 9, object_marking_refs=[*clear["object_marking_refs"], marking.IDS[Tlp.AMBER_STRICT]]
    )
    assert here.add([both_marks])["success_count"] == 1
    assert here.ids("east") == here.ids("south") == []


def test_a_wrapper_gives_nothing_away(here: Place) -> None:
    """A green report or link to a red object is given; the object is not."""
    red = stix(1, Tlp.RED)
    report = stix(2, Tlp.GREEN, kind="report", object_refs=[red["id"]])
    link = stix(3, Tlp.GREEN, kind="relationship", source_ref=report["id"], target_ref=red["id"])
    here.add([red, report, link])
    assert here.ids("east") == ["number 2", "number 3"]


def test_a_collection_holds_no_more_than_it_says(here: Place) -> None:
    """An object that is held closer is not taken, whoever sends it."""
    with writing(here.engine) as conn:
        from uuid import UUID

        number = UUID(int=7, version=4)
        members.put_collection(conn, number, "Open", root="community", description="", holds=Tlp.GREEN)
        members.allow(conn, "north", str(number), can_read=True, can_write=True)
    told = here.add([stix(1, Tlp.AMBER), stix(2, Tlp.GREEN), stix(3, None)], collection=number)
    assert [r["message"] for r in told["failures"]] == [
        "held at TLP:AMBER; this collection holds up to TLP:GREEN",
        "held at TLP:RED; this collection holds up to TLP:GREEN",
    ]


@both
def test_an_object_belongs_to_whoever_sent_it_first(here: Place) -> None:
    """Nobody else adds a version, withdraws it, deletes it, copies it elsewhere or speaks in its owner's name."""
    mine = stix(1)
    here.add([mine])
    for given in (
        version(mine, 9),
        version(mine, 9, revoked=True),
        version(mine, 1),
        mine | {"name": "x"},
        mine,
    ):
        assert why(here.add([given], "south")) == "belongs to another member"
    assert here.ask("DELETE", f"{OBJECTS}{mine['id']}/", "south").status_code == 403
    for given in (
        stix(5, created_by_ref=IDENTITIES["north"]),
        stix(6, kind="identity") | {"id": IDENTITIES["north"]},
    ):
        assert why(here.add([given], "south")) == "speaks in the name of another member"
    assert here.add([stix(5, created_by_ref=IDENTITIES["north"])])["success_count"] == 1
    assert here.ids("south") == ["number 1", "number 5"]


def test_what_is_everybodys_may_be_sent_by_everybody(here: Place) -> None:
    """Two members send the same public technique in the same words: a success, and one object."""
    public = stix(1, Tlp.CLEAR, kind="attack-pattern")
    here.add([public])
    told = here.add([public], "south")
    assert told["successes"][0]["message"] == "it was here"
    assert here.add([public], collection=CLOSED)["success_count"] == 1
    assert why(here.add([public | {"name": "renamed"}], "south")) == "belongs to another member"


@both
def test_a_withdrawal_is_always_served_and_stays(here: Place) -> None:
    """It is the last version, nothing newer follows, it cannot be deleted, an older version does not hide it."""
    first = stix(1)
    here.add([first])
    here.add([version(first, 9, revoked=True)])
    [now] = here.get("south")["objects"]
    assert (now["revoked"], now["modified"]) == (True, "2026-11-09T00:00:00.000Z")
    assert why(here.add([version(first, 20)])) == "was withdrawn: give it a new id"
    assert why(here.add([version(first, 20, revoked=True)])) == "was withdrawn: give it a new id"
    assert here.add([version(first, 5, name="between")])["success_count"] == 1
    assert here.get("south")["objects"] == [now]
    assert why(here.add([version(first, 9)])).startswith("this version is here")
    for params in ({}, {"match[version]": "last"}, {"match[version]": "2026-11-09T00:00:00Z"}):
        gone = here.ask("DELETE", f"{OBJECTS}{first['id']}/", **params)
        assert gone.status_code == 403
        assert "withdrawal stays" in gone.json()["description"]
    assert here.get("south")["objects"] == [now]


def test_nothing_hides_in_the_future(here: Place) -> None:
    """A version of 2099 would outlast every withdrawal; a clock a little ahead is forgiven."""
    first = stix(1)
    here.add([first])
    assert why(here.add([version(first, 9) | {"modified": "2099-01-01T00:00:00Z"}])) == (
        "its version lies in the future"
    )
    from datetime import UTC, datetime, timedelta

    soon = datetime.fromtimestamp(here.clock.at / 1e6, UTC) + timedelta(minutes=5)
    assert here.add([first | {"modified": soon.strftime("%Y-%m-%dT%H:%M:%SZ")}])["success_count"] == 1


@both
def test_what_was_deleted_does_not_come_back(here: Place) -> None:
    """The same version is refused; a newer one of the owner's is not; the ends move."""
    first = stix(1)
    here.add([version(first, 3, name="3"), version(first, 5, name="5"), version(first, 7, name="7")])
    assert here.ask("DELETE", f"{OBJECTS}{first['id']}/", **{"match[version]": "last"}).status_code == 200
    assert here.ids() == ["5"]
    assert here.ask("DELETE", f"{OBJECTS}{first['id']}/", **{"match[version]": "first"}).status_code == 200
    assert here.ids(**{"match[version]": "first"}) == here.ids(**{"match[version]": "all"}) == ["5"]
    for day in (3, 7):
        assert why(here.add([version(first, day, name=str(day))])) == "this version was deleted"
    assert here.add([version(first, 9, name="9")])["success_count"] == 1
    assert here.ask("DELETE", f"{OBJECTS}{first['id']}/").status_code == 200
    assert here.ids(**{"match[version]": "all"}) == []
    assert why(here.add([version(first, 9, name="9")])) == "this version was deleted"


def test_who_has_heard_of_a_withdrawal_is_known(here: Place) -> None:
    """Each reader that may have it is listed until it was served the withdrawal itself."""
    first = stix(1, Tlp.GREEN)
    here.add([first])
    here.get("south")
    here.add([version(first, 9, revoked=True)])

    def told() -> dict:
        with reading(here.engine) as conn:
            [row] = members.withdrawals(conn)
        return row

    assert (told()["heard"], told()["not_yet"]) == ([], ["east", "south"])
    here.get("south")
    assert (told()["heard"], told()["not_yet"]) == (["south"], ["east"])
    here.get("south")
    here.get("east")
    assert (told()["heard"], told()["not_yet"]) == (["east", "south"], [])


def test_who_was_served_what_is_held_closely_is_written_down(here: Place) -> None:
    """Amber+strict and red, once for each member and version; not what is looser, not a manifest."""
    from sqlalchemy import select

    from stillwatch.share.taxii import tables as t

    here.add([stix(1, Tlp.AMBER), stix(2, Tlp.AMBER_STRICT), stix(3, Tlp.RED)])
    here.get(what="manifest/")
    for _ in range(2):
        here.get()
    with reading(here.engine) as conn:
        rows = conn.execute(select(t.served.c.member, t.served.c.object_id)).all()
    assert sorted(rows) == sorted([("north", stix(2)["id"]), ("north", stix(3)["id"])])


def test_a_status_is_its_senders_alone(here: Place) -> None:
    """Another member finds nothing there."""
    status = here.add([stix(1)])
    path = f"/community/status/{status['id']}/"
    assert here.ask("GET", path).json() == status
    assert here.ask("GET", path, "south").status_code == 404


def test_a_failure_says_nothing_of_what_was_sent(here: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a status nor in the log, also when something breaks in here."""
    secret = "correct horse battery staple"
    told = here.add([stix(1, revoked=secret), stix(2, created_by_ref=secret), stix(3) | {"type": secret}])
    assert secret not in json.dumps(told)
    here.door.writing = None  # type: ignore[assignment]  # broken on purpose
    got = here.ask("POST", OBJECTS, body={"objects": [stix(4, name=secret)]})
    assert got.status_code == 500
    assert secret not in got.text + caplog.text
    assert "a request failed: TypeError at stillwatch/share/taxii/server.py" in caplog.text


def test_a_broken_store_is_said_so(here: Place) -> None:
    """503 with a time to come again; nothing is half kept."""
    from stillwatch.errors import UpstreamError

    def broken() -> None:
        raise UpstreamError("gone")

    here.door.writing = broken  # type: ignore[assignment]
    got = here.ask("POST", OBJECTS, body={"objects": [stix(1)]})
    assert (got.status_code, got.headers["retry-after"]) == (503, "5")
