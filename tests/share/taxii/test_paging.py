"""Pages skip nothing and repeat nothing, whatever is written meanwhile and however a client pages."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.records.sharing import Tlp
from stillwatch.share.taxii import keeping, objects
from stillwatch.store.sql import writing
from tests.share.taxii.making import SIGNALS, Place, place, stix, version

both = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
OBJECTS = f"/community/collections/{SIGNALS}/objects/"


def pages(here: Place, how: str, size: int, who: str = "north", what: str = "objects/") -> list[str]:
    """Ids of everything, page by page: by `next`, by the time of adding, or by both as some clients do."""
    seen: list[str] = []
    params: dict[str, Any] = {"limit": size}
    path = f"/community/collections/{SIGNALS}/{what}"
    while True:
        got = here.ask("GET", path, who, **params)
        assert got.status_code == 200, got.text
        body = got.json()
        rows = body.get("objects", [])
        assert len(rows) <= size
        seen += [o["id"] for o in rows]
        if not body.get("more"):
            assert "next" not in body
            return seen
        if how in ("next", "both"):
            params["next"] = body["next"]
        if how in ("added", "both"):
            params["added_after"] = got.headers["x-taxii-date-added-last"]


@both
@pytest.mark.parametrize("how", ["next", "added", "both"])
@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_every_way_of_paging_gives_everything_once(here: Place, how: str, size: int) -> None:
    """In the order of adding."""
    many = [stix(n) for n in range(40 if size == 1 else 250)]
    for start in range(0, len(many), 90):
        here.add(many[start : start + 90])
    assert pages(here, how, size) == [o["id"] for o in many]
    assert pages(here, how, size, what="manifest/") == [o["id"] for o in many]


@both
def test_a_reader_that_may_see_few_gets_whole_pages(here: Place) -> None:
    """Levels are mixed; nothing that is hidden shortens a page or shows itself by a gap in the paging."""
    levels = [Tlp.RED, Tlp.GREEN, Tlp.AMBER, Tlp.CLEAR, Tlp.AMBER_STRICT]
    many = [stix(n, levels[n % 5]) for n in range(100)]
    here.add(many)
    theirs = [o["id"] for n, o in enumerate(many) if levels[n % 5] <= Tlp.GREEN]
    assert pages(here, "next", 7, "east") == theirs
    first = here.get("east", limit=7)
    assert (len(first["objects"]), first["more"]) == (7, True)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
def test_nothing_is_skipped_while_others_write(here: Place) -> None:
    """Three writers at once and a reader that pages all the while: in the end it has everything, each once."""
    here.clock.step = 0  # all at one moment by the clock: the times of adding rise all the same
    batches = [[stix(1000 * w + n) for n in range(b * 10, b * 10 + 10)] for w in range(3) for b in range(6)]
    failed: list[BaseException] = []

    def write(mine: list[list[dict]]) -> None:
        try:
            for batch in mine:
                with writing(here.engine) as conn:
                    into = keeping.Into(str(SIGNALS), Tlp.RED, "north", frozenset())
                    keeping.add(conn, into, [objects.check(o) for o in batch], here.clock.at)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(batches[w * 6 : w * 6 + 6],)) for w in range(3)]
    seen: list[str] = []
    after = None
    for thread in threads:
        thread.start()
    alive = True
    while alive:
        alive = any(thread.is_alive() for thread in threads)
        for _ in range(200):
            params: dict[str, Any] = {"limit": 4} | ({"added_after": after} if after else {})
            got = here.ask("GET", OBJECTS, **params)
            seen += [o["id"] for o in got.json().get("objects", [])]
            after = got.headers.get("x-taxii-date-added-last", after)
            if not got.json().get("more"):
                break
    for thread in threads:
        thread.join()
    assert failed == []
    wanted = [o["id"] for batch in batches for o in batch]
    assert sorted(seen) == sorted(wanted)
    assert len(set(seen)) == len(seen)


def test_times_rise_when_the_clock_goes_back(here: Place) -> None:
    """Another machine's clock, a leap: what comes later stands behind what came before."""
    here.add([stix(1)])
    here.clock.at -= 3600 * 10**6
    here.add([stix(2), stix(3)])
    times = [r["date_added"] for r in here.get(what="manifest/")["objects"]]
    assert times == sorted(set(times))
    assert here.ids() == ["number 1", "number 2", "number 3"]


def test_a_newer_version_between_two_pages_comes_later(here: Place) -> None:
    """The older one is no longer the last and is not given; the newer one is, once."""
    many = [stix(n) for n in range(6)]
    here.add(many)
    first = here.get(limit=2)
    here.add([version(many[4], 9, name="nine")])
    rest = here.get(limit=10, next=first["next"])["objects"]
    assert [o["name"] for o in rest] == ["number 2", "number 3", "number 5", "nine"]


def test_a_cursor_is_of_one_question(here: Place) -> None:
    """Another member's, another filter's, another endpoint's, an altered one: 400. A repeated one answers the same."""
    here.add([stix(n, Tlp.GREEN) for n in range(9)])
    cursor = here.get(limit=3)["next"]
    for who, what, params in (
        ("south", "objects/", {}), ("north", "objects/", {"match[type]": "indicator"}), ("north", "manifest/", {}),
        ("north", "objects/", {"match[version]": "all"}),
    ):  # fmt: skip
        got = here.ask("GET", f"/community/collections/{SIGNALS}/{what}", who, next=cursor, **params)
        assert got.status_code == 400
    for place_ in range(0, len(cursor), 5):
        other = "A" if cursor[place_] != "A" else "B"
        altered = cursor[:place_] + other + cursor[place_ + 1 :]
        assert here.ask("GET", OBJECTS, next=altered).status_code == 400
    assert here.get(next=cursor, limit=2) == here.get(next=cursor, limit=2)


def test_a_cursor_outlives_a_restart(here: Place) -> None:
    """Its key lies in the store."""
    here.add([stix(n) for n in range(4)])
    cursor = here.get(limit=3)["next"]
    here.door._key = b""
    assert here.ids(next=cursor) == ["number 3"]


@given(
    levels=st.lists(st.sampled_from(list(Tlp)), min_size=1, max_size=30),
    size=st.integers(1, 9),
    split=st.integers(1, 7),
    who=st.sampled_from(["north", "south", "east"]),
    days=st.lists(st.integers(2, 28), max_size=6),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_are_what_a_list_would_give(database, levels, size, split, who, days) -> None:
    """Against ten lines of plain Python, with newer versions in between."""
    from stillwatch.store.sql import open_database

    engine = open_database(database("sqlite"))
    here = place(engine)
    may = {"north": Tlp.RED, "south": Tlp.AMBER, "east": Tlp.GREEN}[who]
    log: list[dict] = []
    many = [stix(n, level) for n, level in enumerate(levels)]
    for start in range(0, len(many), split):
        here.add(many[start : start + split])
        log += many[start : start + split]
    for n, day in enumerate(days):
        newer = version(many[n % len(many)], day, name=f"{day}-{n}")
        if here.add([newer])["success_count"] and newer not in log and not _clashes(log, newer):
            log.append(newer)
    newest = {o["id"]: max(x["modified"] for x in log if x["id"] == o["id"]) for o in log}
    wanted = [
        o["id"]
        for o in log
        if o["modified"] == newest[o["id"]] and levels[int(o["id"][-12:], 16) % 2**32] <= may
    ]
    assert pages(here, "next", size, who) == wanted
    engine.dispose()


def _clashes(log: list[dict], newer: dict) -> bool:
    return any(o["id"] == newer["id"] and o["modified"] == newer["modified"] for o in log)
