"""The server as a client meets it: resources, filters, statuses, and who is told what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rfc8785

from stillwatch.records.sharing import Tlp
from stillwatch.share import extensions, marking
from stillwatch.share.taxii.media import TAXII
from stillwatch.store.sql import writing
from tests.share.taxii.making import CLOSED, IDENTITIES, SIGNALS, Place, basic, place, stix, version

both = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
OBJECTS = f"/community/collections/{SIGNALS}/objects/"


@both
def test_from_discovery_to_an_object(here: Place) -> None:
    """Every resource has what the standard asks of it, under TAXII's media type."""
    told = here.ask("GET", "/taxii2/")
    assert told.headers["content-type"] == TAXII
    assert told.json() == {
        "title": "stillwatch", "default": "http://taxii.test/community/",
        "api_roots": ["http://taxii.test/community/"],
    }  # fmt: skip
    root = here.ask("GET", "/community/").json()
    assert (root["versions"], root["max_content_length"]) == ([TAXII], 10 * 2**20)
    rows = here.ask("GET", "/community/collections/").json()["collections"]
    assert [(c["title"], c["can_read"], c["can_write"]) for c in rows] == [
        ("Closed", True, True), ("Signals", True, True),
    ]  # fmt: skip
    assert here.ask("GET", f"/community/collections/{SIGNALS}/").json() == rows[1]
    one = stix(1)
    status = here.add([one])
    assert (status["status"], status["total_count"], status["success_count"], status["failure_count"],
            status["pending_count"]) == ("complete", 1, 1, 0, 0)  # fmt: skip
    assert status["successes"] == [{"id": one["id"], "version": one["modified"]}]
    assert here.ask("GET", f"/community/status/{status['id']}/").json() == status
    assert here.get()["objects"] == [one]
    assert here.get(what=f"objects/{one['id']}/")["objects"] == [one]
    [row] = here.get(what="manifest/")["objects"]
    assert (row["id"], row["version"]) == (one["id"], one["modified"])
    assert row["media_type"] == "application/stix+json;version=2.1"
    assert here.get(what=f"objects/{one['id']}/versions/") == {"versions": [one["modified"]]}
    assert here.ask("DELETE", f"{OBJECTS}{one['id']}/").status_code == 200
    assert here.get() == {}
    assert here.ask("GET", f"{OBJECTS}{one['id']}/").status_code == 404


@both
def test_headers_say_when_the_first_and_the_last_of_a_page_were_added(here: Place) -> None:
    """On objects, manifest and versions; each object has its own time, and it rises."""
    here.add([stix(n) for n in range(5)])
    for what in ("objects/", "manifest/"):
        got = here.ask("GET", f"/community/collections/{SIGNALS}/{what}", limit=3)
        times = [r["date_added"] for r in here.get(what="manifest/")["objects"]]
        assert times == sorted(set(times))
        assert got.headers["x-taxii-date-added-first"] == times[0]
        assert got.headers["x-taxii-date-added-last"] == times[2]
    assert "x-taxii-date-added-last" in here.ask("GET", f"{OBJECTS}{stix(1)['id']}/versions/").headers
    assert "x-taxii-date-added-last" not in here.ask("GET", OBJECTS, added_after=times[-1]).headers
    assert times[-1].endswith("000Z"), "a client that keeps milliseconds asks for nothing twice"


@both
def test_versions_are_kept_and_chosen(here: Place) -> None:
    """The newest is given by itself; first, all, exact ones and several at once are given when asked for."""
    first = stix(1)
    here.add([version(first, 5, name="five"), stix(2)])
    here.add([version(first, 9, name="nine"), version(first, 7, name="seven")])
    assert here.ids() == ["number 2", "nine"]
    assert here.ids(**{"match[version]": "first"}) == ["five", "number 2"]
    assert here.ids(**{"match[version]": "all"}) == ["five", "number 2", "nine", "seven"]
    assert here.ids(**{"match[version]": "2026-11-07T00:00:00Z"}) == ["seven"]
    assert here.ids(**{"match[version]": "first,2026-11-07T00:00:00.000Z"}) == ["five", "number 2", "seven"]
    told = here.get(what=f"objects/{first['id']}/versions/")["versions"]
    assert told == [f"2026-11-{day:02}T00:00:00.000Z" for day in (5, 9, 7)]
    only = here.get(what=f"objects/{first['id']}/", **{"match[version]": "last"})["objects"]
    assert [o["name"] for o in only] == ["nine"]


@both
def test_filters_narrow_and_combine(here: Place) -> None:
    """By id, type, version of the standard and time of adding; values of one are alternatives."""
    here.add([stix(1), stix(2, kind="campaign"), stix(3, kind="malware")])
    assert here.ids(**{"match[type]": "campaign,malware"}) == ["number 2", "number 3"]
    assert here.ids(**{"match[id]": f"{stix(1)['id']},{stix(3, kind='malware')['id']}"}) == [
        "number 1", "number 3",
    ]  # fmt: skip
    assert here.ids(**{"match[id]": stix(1)["id"], "match[type]": "malware"}) == []
    assert here.ids(**{"match[spec_version]": "2.0"}) == []
    assert here.ids(**{"match[spec_version]": "2.0,2.1"}) == ["number 1", "number 2", "number 3"]
    times = [r["date_added"] for r in here.get(what="manifest/")["objects"]]
    assert here.ids(added_after=times[0]) == ["number 2", "number 3"]
    assert here.ids(added_after=times[2]) == []
    assert here.ids(added_after="2026-01-01T00:00:00Z", **{"match[type]": "malware"}) == ["number 3"]


def test_what_an_address_may_not_say(here: Place) -> None:
    """Wrong limits, times, cursors and matches are 400, never 500 and never passed over."""
    for params in (
        {"limit": "-1"}, {"limit": "0"}, {"limit": "x"}, {"limit": "1.5"}, {"added_after": "yesterday"},
        {"added_after": "2026-13-01T00:00:00Z"}, {"next": "AAAA"}, {"next": "*"}, {"match[version]": "newest"},
        {"match[version]": "9999-12-31T23:59:59Z"}, {"match[version]": "0001-01-01T00:00:00Z"},
        {"match[colour]": "red"}, {"match[type]": ",,"}, {"match[type]": ",".join(["x"] * 101)},
        {"added_after": ["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"]},
    ):  # fmt: skip
        got = here.ask("GET", OBJECTS, **params)
        assert (got.status_code, got.headers["content-type"]) == (400, TAXII), params
        assert got.json()["http_status"] == "400"
    here.add([stix(n) for n in range(4)])
    assert len(here.get(limit=999_999)["objects"]) == 4


def test_media_types(here: Place) -> None:
    """What is not TAXII 2.1 is 406 to read and 415 to send; spaces, `*/*` and no version are fine."""
    for accept, status in (
        ("application/taxii+json; version=2.1", 200), ("application/taxii+json", 200), ("*/*", 200), ("", 200),
        ("text/html, application/taxii+json;version=2.1;q=0.5", 200), ("application/json", 406),
        ("application/taxii+json;version=2.0", 406), ("application/vnd.oasis.taxii+json; version=2.0", 406),
        ("application/taxii+json;q=0", 406), ("application/taxii+json;q=x", 406),
    ):  # fmt: skip
        for path in ("/taxii2/", "/community/", OBJECTS):
            assert here.ask("GET", path, headers={"accept": accept}).status_code == status, accept
    for kind, status in (
        (TAXII, 202), ("application/taxii+json", 202), ("application/taxii+json; version=2.1", 202),
        ("application/json", 415), ("application/stix+json;version=2.1", 415), ("", 415),
        ("application/taxii+json;version=2.0", 415),
    ):  # fmt: skip
        got = here.ask("POST", OBJECTS, body={"objects": [stix(1)]}, headers={"content-type": kind})
        assert got.status_code == status, kind
    packed = here.ask("POST", OBJECTS, body=b"\x1f\x8b", headers={"content-encoding": "gzip"})
    assert packed.status_code == 415


def test_who_asks_is_known_or_is_told_nothing(here: Place) -> None:
    """401 with the ways in, the same for every fault; bearer and Basic work; a token ends, and can be taken back."""
    good = here.tokens["north"]
    for header in (
        "",
        "Bearer",
        "Bearer wrong",
        "Basic !",
        "Basic bm9ydGg=",
        basic("south", good),
        "Digest x",
    ):
        got = here.ask("GET", OBJECTS, None, headers={"authorization": header})
        assert got.status_code == 401
        assert "Basic" in got.headers["www-authenticate"]
        assert "Bearer" in got.headers["www-authenticate"]
        assert got.json()["title"] == "Who asks is not known"
    for header in (basic("north", good), f"bearer {good}"):
        assert here.ask("GET", OBJECTS, None, headers={"authorization": header}).status_code == 200
    with writing(here.engine) as conn:
        from stillwatch.share.taxii import members

        brief = members.new_token(
            conn, "east", expires_us=here.clock.at + 1, now_us=here.clock.at, alone=True
        )
        members.put_member(conn, "south", clearance=None, identity=None, active=False, now_us=0)
    for token in (brief, here.tokens["east"], here.tokens["south"]):
        got = here.ask("GET", OBJECTS, None, headers={"authorization": f"Bearer {token}"})
        assert got.status_code == 401


def test_tokens_do_not_lie_in_the_store(here: Place, tmp_path) -> None:
    """Neither does anything from which one could be made."""
    here.engine.dispose()
    path = str(here.engine.url.database)
    raw = Path(path).read_bytes()
    for token in here.tokens.values():
        assert token.encode() not in raw
        assert token.removeprefix("swx_").encode() not in raw


EVERY = [
    ("GET", "/community/"), ("GET", "/community/collections/"), ("GET", "/community/collections/{c}/"),
    ("GET", "/community/collections/{c}/manifest/"), ("GET", "/community/collections/{c}/objects/"),
    ("POST", "/community/collections/{c}/objects/"), ("GET", "/community/collections/{c}/objects/{o}/"),
    ("DELETE", "/community/collections/{c}/objects/{o}/"), ("GET", "/community/collections/{c}/objects/{o}/versions/"),
    ("GET", "/community/status/{s}/"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_what_a_member_does_not_know_of_is_not_there(here: Place, method: str, path: str) -> None:
    """On every endpoint: the answer for a place of others is byte for byte that for a place that is nowhere."""
    status = here.add([stix(1)], collection=CLOSED)
    nowhere = "00000000-0000-4000-8000-0000000000ff"

    def asked(c: object, o: str, s: str, root: str = "community") -> tuple[int, bytes]:
        body = {"objects": [stix(5)]} if method == "POST" else None
        got = here.ask(method, path.format(c=c, o=o, s=s).replace("community", root), "south", body)
        return got.status_code, got.content

    if "{" in path:
        theirs = asked(CLOSED, stix(1)["id"], status["id"])
        assert theirs == asked(nowhere, stix(9)["id"], nowhere)
        assert theirs[0] == 404
    assert asked(SIGNALS, stix(1)["id"], status["id"], "other")[0] == 404
    body = {"objects": [stix(5)]} if method == "POST" else None
    assert here.ask(method, path.format(c=SIGNALS, o=stix(1)["id"], s=nowhere), None, body).status_code == 401


def test_reading_and_writing_are_allowed_by_themselves(here: Place) -> None:
    """East reads and does not write, west the other way round; deleting needs both."""
    here.add([stix(1, Tlp.GREEN)])
    name = stix(1)["id"]
    for who, method, path, status in (
        ("east", "GET", OBJECTS, 200), ("east", "POST", OBJECTS, 403), ("east", "DELETE", f"{OBJECTS}{name}/", 403),
        ("west", "GET", OBJECTS, 403), ("west", "POST", OBJECTS, 202), ("west", "DELETE", f"{OBJECTS}{name}/", 403),
        ("west", "GET", f"{OBJECTS}{name}/versions/", 403), ("east", "GET", f"{OBJECTS}{name}/", 200),
    ):  # fmt: skip
        body = {"objects": [stix(2)]} if method == "POST" else None
        assert here.ask(method, path, who, body).status_code == status, (who, method, path)
    assert here.get("east", what="")["can_write"] is False


@both
def test_nobody_is_given_what_is_held_closer(here: Place) -> None:
    """On every way of reading; what has no marking, an unknown one or marks on parts is red."""
    odd = {"object_marking_refs": ["marking-definition--00000000-0000-4000-8000-000000000001"]}
    parts = {"granular_markings": [{"marking_ref": marking.IDS[Tlp.CLEAR], "selectors": ["name"]}]}
    here.add([
        stix(1, Tlp.CLEAR), stix(2, Tlp.GREEN), stix(3, Tlp.AMBER), stix(4, Tlp.AMBER_STRICT), stix(5, Tlp.RED),
        stix(6, None), stix(7, None, **odd), stix(8, Tlp.CLEAR, **parts),
        stix(9, None, object_marking_refs=[marking.IDS[Tlp.CLEAR], marking.IDS[Tlp.RED]]),
    ])  # fmt: skip
    assert here.ids("east") == ["number 1", "number 2"]
    assert here.ids("south") == ["number 1", "number 2", "number 3"]
    assert len(here.ids("north")) == 9
    assert len(here.get("east", what="manifest/")["objects"]) == 2
    assert here.ids("east", **{"match[id]": stix(3)["id"]}) == []
    for what in ("", "versions/"):
        nowhere = here.ask("GET", f"{OBJECTS}{stix(99)['id']}/{what}", "east")
        held = here.ask("GET", f"{OBJECTS}{stix(3)['id']}/{what}", "east")
        assert (held.status_code, held.content) == (404, nowhere.content)


def test_definitions_travel_and_come_back_as_they_were(here: Place) -> None:
    """Markings, extensions, translations, observed things without a version: equal in canonical form."""
    address = {"type": "ipv4-addr", "spec_version": "2.1", "id": "ipv4-addr--ad74bc22-0000-5000-8000-000000000000",
               "value": "203.0.113.1", "object_marking_refs": [marking.IDS[Tlp.GREEN]]}  # fmt: skip
    words = stix(
        4, Tlp.GREEN, kind="language-content", object_ref=stix(1)["id"], contents={"de": {"name": "Süß €"}}
    )
    given = [
        *(marking.definition(level) for level in Tlp),
        extensions.definition(extensions.PROFILE),
        address,
        words,
    ]
    status = here.add(given)
    assert status["failure_count"] == 0, status
    got = here.get("east")["objects"]
    assert [rfc8785.dumps(o) for o in got] == [rfc8785.dumps(o) for o in given]
    rows = {r["id"]: r for r in here.get("east", what="manifest/")["objects"]}
    assert rows[address["id"]]["version"] == rows[address["id"]]["date_added"]
    assert here.add([address])["successes"][0]["message"] == "it was here"
    assert here.get("east", what=f"objects/{address['id']}/versions/")["versions"] != []


def test_an_object_that_is_here_is_no_fault(here: Place) -> None:
    """Sent again it is a success and changes nothing; with other content under the same version it is a failure."""
    here.add([stix(1)])
    before = here.get(what="manifest/")
    again = here.add([stix(1)])
    assert (again["success_count"], again["successes"][0]["message"]) == (1, "it was here")
    assert here.get(what="manifest/") == before
    changed = here.add([stix(1, name="other")])
    assert changed["failures"][0]["message"] == "this version is here with other content: raise `modified`"
    assert here.ids() == ["number 1"]


def test_one_bad_object_does_not_take_the_others_with_it(here: Place) -> None:
    """Each has its own line in the status, and its reason."""
    bad = [
        stix(1) | {"type": "campaign"}, stix(2) | {"modified": "soon"}, stix(3) | {"modified": "2026-10-01T00:00:00Z"},
        stix(4) | {"spec_version": "2.0"}, {k: v for k, v in stix(5).items() if k != "spec_version"},
        stix(6, revoked="yes"), stix(7, created_by_ref="me"), stix(8, name="x" * 200_000),
        stix(9, modified="2099-01-01T00:00:00Z"), stix(10, created_by_ref=IDENTITIES["south"]),
    ]  # fmt: skip
    status = here.add([stix(20), *bad, stix(21)])
    assert (status["success_count"], status["failure_count"]) == (2, len(bad))
    told = {row["id"][-2:]: row["message"] for row in status["failures"]}
    assert len(set(told.values())) == 9
    assert here.ids() == ["number 20", "number 21"]


@both
def test_a_version_that_no_store_holds_is_the_fault_of_its_object(here: Place) -> None:
    """A time before 1678 or after 2261, or one in digits of another script, takes no other object with it."""
    bad = [
        stix(1) | {"created": at, "modified": at}
        for at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-10-01T00:00:00.\u0665Z")
    ]
    status = here.add([stix(20), *bad])
    assert (status["success_count"], status["failure_count"]) == (1, len(bad))
    assert here.ids() == ["number 20"]


def test_what_is_no_envelope_is_refused_whole(here: Place) -> None:
    """422 for another shape, 400 for what cannot be read, 413 for too much; nothing is kept."""
    for body, status in (
        ([], 422), ({}, 422), ({"objects": []}, 422), ({"objects": {}}, 422), ({"objects": [1]}, 422),
        ({"objects": [{"type": "x"}]}, 422), ({"objects": [stix(1), {"id": "x"}]}, 422), (b"{", 400), (b"\xff", 400),
        (b'{"a":1,"a":2}', 400), (b'{"a":NaN}', 400), (b'{"a":1e999}', 400), (b'{"a":9007199254740993}', 400),
        (b"[" * 100_000, 400), (b'{"objects":' + b"[" * 30 + b"]" * 30 + b"}", 400),
        (b'{"a":' + b"9" * 5000 + b"}", 400),
    ):  # fmt: skip
        got = here.ask("POST", OBJECTS, body=body)
        assert (got.status_code, got.headers["content-type"]) == (status, TAXII), body
    lone = json.dumps({"objects": [stix(1, name="\ud800")]}).encode()
    status = here.ask("POST", OBJECTS, body=lone).json()
    assert status["failures"][0]["message"].startswith("has no canonical form")
    assert here.get() == {}


def test_bounds_hold_before_a_body_is_read(engine) -> None:
    """By what is declared and by what comes; too many objects are too much as well."""
    here = place(engine, body_bytes=2000, objects=3, page=2)
    long = here.ask("POST", OBJECTS, body=b"x" * 2001)
    assert long.status_code == 413
    lying = here.ask("POST", OBJECTS, body=b"x" * 2001, headers={"content-length": "10"})
    assert lying.status_code == 413
    small = [{"type": "a1b", "id": stix(n, kind="a1b")["id"]} for n in range(4)]
    assert here.ask("POST", OBJECTS, body={"objects": small}).status_code == 413
    here.add(small[:3])
    assert len(here.get(limit=100)["objects"]) == 2
    assert here.ask("GET", "/community/").json()["max_content_length"] == 2000


def test_what_is_not_offered_is_said_so(here: Place) -> None:
    """Other methods are 405, other paths 404, both in TAXII's words; a stranger's text is never repeated."""
    for method, path, status in (
        ("PUT", OBJECTS, 405), ("DELETE", "/taxii2/", 405), ("GET", "/taxii2/<script>/x/", 404), ("GET", "/", 404),
        ("GET", f"{OBJECTS}<b>x</b>/", 404),
    ):  # fmt: skip
        got = here.ask(method, path)
        assert (got.status_code, got.headers["content-type"]) == (status, TAXII)
        assert b"<" not in got.content
