"""Clients that others wrote work with the server: taxii2-client, cytaxii2, and a platform's connector, replayed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

pytest.importorskip("taxii2client", reason="pip install taxii2-client")
pytest.importorskip("cytaxii2", reason="pip install cytaxii2")

import requests
from cytaxii2 import cytaxii2
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

from stillwatch.records.sharing import Tlp
from tests.share.making import objects as campaign
from tests.share.taxii.making import SIGNALS, Place, stix, version


def test_taxii2_client_walks_the_whole_cycle(live: Place) -> None:
    """Discovery, root, collections, add, status, get, manifest, versions, delete; its own checks of resources pass."""
    server = Server(f"{live.door.address}/taxii2/", user="north", password=live.tokens["north"])
    assert server.title == "stillwatch"
    root = server.default
    assert [r.url for r in server.api_roots] == [root.url]
    assert root.max_content_length == 10 * 2**20
    collection = next(c for c in root.collections if c.title == "Signals")
    assert (collection.id, collection.can_read, collection.can_write) == (str(SIGNALS), True, True)
    given = campaign()
    status = collection.add_objects({"objects": given}, wait_for_completion=True)
    assert (status.status, status.failure_count) == ("complete", 0)
    assert status.success_count == len(given)
    assert collection.get_objects()["objects"] == given
    one = next(o for o in given if o["type"] == "campaign")
    assert collection.get_object(one["id"])["objects"] == [one]
    assert collection.get_objects(type="campaign")["objects"] == [one]
    assert {m["id"] for m in collection.get_manifest()["objects"]} == {o["id"] for o in given}
    assert collection.object_versions(one["id"])["versions"] == [one["modified"]]
    newer = one | {"modified": "2026-11-25T00:00:00.000Z", "name": "newer"}
    collection.add_objects({"objects": [newer]})
    assert collection.get_object(one["id"], version="all")["objects"] == [one, newer]
    collection.delete_object(one["id"], version="last")
    assert collection.get_object(one["id"])["objects"] == [one]


def test_taxii2_client_pages(live: Place) -> None:
    """Objects and manifests, in pages of several sizes, with its own paging."""
    many = [stix(n) for n in range(53)]
    live.add(many)
    collection = Collection(
        f"{live.door.address}/community/collections/{SIGNALS}/", user="north", password=live.tokens["north"]
    )
    for size in (1, 7, 100):
        for ask in (collection.get_objects, collection.get_manifest):
            rows = [o["id"] for page in as_pages(ask, per_request=size) for o in page.get("objects", [])]
            assert rows == [o["id"] for o in many]
    times = [m["date_added"] for m in collection.get_manifest()["objects"]]
    after = datetime.strptime(times[40], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert len(collection.get_objects(added_after=after)["objects"]) == 12


def test_taxii2_client_is_refused_as_it_expects(live: Place) -> None:
    """401, 403 and 404 reach it as errors of their own."""
    for who, token, path, status in (
        ("north", "wrong", "community/", 401), ("north", live.tokens["north"], "other/", 404),
    ):  # fmt: skip
        with pytest.raises(requests.HTTPError) as got:
            ApiRoot(f"{live.door.address}/{path}", user=who, password=token).refresh()
        assert got.value.response is not None
        assert got.value.response.status_code == status
    east = Collection(
        f"{live.door.address}/community/collections/{SIGNALS}/", user="east", password=live.tokens["east"]
    )
    assert east.can_write is False


def test_cytaxii2_walks_the_whole_cycle(live: Place) -> None:
    """Discovery, root, collections, inbox, poll by type, id, time and page."""
    client = cytaxii2.cytaxii2(f"{live.door.address}/taxii2/", "north", live.tokens["north"])
    assert client.discovery_request()["response"]["title"] == "stillwatch"
    assert client.root_discovery()["status_code"] == 200
    titles = [c["title"] for c in client.collection_request()["response"]["collections"]]
    assert titles == ["Closed", "Signals"]
    assert client.collection_data_request(str(SIGNALS))["response"]["id"] == str(SIGNALS)
    sent = client.inbox_request(str(SIGNALS), json.dumps({"objects": [stix(n) for n in range(9)]}))
    assert (sent["status_code"], sent["response"]["success_count"]) == (202, 9)
    seen: list[str] = []
    told: dict[str, Any] = {"more": True}
    while told.get("more"):
        got = client.poll_request(str(SIGNALS), limit=4, next=told.get("next"))
        assert got["status_code"] == 200
        told = got["response"]
        seen += [o["name"] for o in told["objects"]]
    assert seen == [f"number {n}" for n in range(9)]
    assert client.poll_request(str(SIGNALS), object_type="campaign")["response"] == {}
    only = client.poll_request(str(SIGNALS), object_id=stix(3)["id"])["response"]["objects"]
    assert [o["name"] for o in only] == ["number 3"]


class Connector:
    """What OpenCTI's ingestion does: one request a turn, `next` while there is more, then the header as the start.

    Its dates are JavaScript's: they keep milliseconds. `next` and `added_after` are sent together while it pages.
    """

    def __init__(self, here: Place, who: str, limit: int | None = None) -> None:
        self.url = f"{here.door.address}/community/collections/{SIGNALS}/objects/"
        self.auth = (who, here.tokens[who])
        self.limit = limit
        self.cursor: str | None = None
        self.start: str | None = None
        self.got: list[dict[str, Any]] = []

    def turn(self) -> int:
        """One request; how many objects came."""
        params = {"next": self.cursor, "added_after": self.start, "limit": self.limit}
        answer = httpx.get(
            self.url, params={k: v for k, v in params.items() if v is not None}, auth=self.auth,
            headers={"accept": "application/taxii+json;version=2.1", "user-agent": "opencti/7.0"},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        body = answer.json()
        rows = body.get("objects", [])
        self.got += rows
        if rows and body.get("more") and body.get("next"):
            self.cursor = body["next"]
        elif rows:
            last = answer.headers["x-taxii-date-added-last"]
            self.cursor, self.start = None, last[:23] + "Z"
        else:
            self.cursor = None
        return len(rows)


@pytest.mark.parametrize("limit", [None, 4])
def test_a_connector_that_keeps_milliseconds_reads_everything_once(live: Place, limit: int | None) -> None:
    """Over several rounds of writing, also with an idle turn in between; a withdrawal reaches it."""
    reader = Connector(live, "south", limit)
    for start in range(0, 30, 10):
        live.add([stix(n) for n in range(start, start + 10)])
        while reader.turn():
            pass
        assert reader.turn() == 0
    assert [o["name"] for o in reader.got] == [f"number {n}" for n in range(30)]
    live.add([version(stix(7), 9, revoked=True)])
    assert reader.turn() == 1
    assert reader.got[-1]["revoked"] is True


def test_a_connector_goes_on_after_it_was_restarted(live: Place) -> None:
    """Its cursor is kept by it and works in a new process; what came meanwhile is not lost."""
    live.add([stix(n) for n in range(10)])
    first = Connector(live, "north", 3)
    first.turn()
    live.add([stix(10, Tlp.GREEN)])
    second = Connector(live, "north", 3)
    second.cursor = first.cursor
    while second.turn():
        pass
    assert [o["name"] for o in first.got + second.got] == [f"number {n}" for n in range(11)]
