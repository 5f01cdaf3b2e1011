"""How quickly the TAXII server answers when a collection is large.

Sends 100,000 objects through the server and pages all of them, then fills the collection up to a million and times
pages: the first, in the middle, at the end, for a reader who may see one object in a hundred, by type, by id, every
version, the manifest. In the process, without a network.

    python -m scripts.bench_taxii                                   SQLite in a temporary folder
    python -m scripts.bench_taxii --store postgresql://u@h/empty    an empty PostgreSQL database
    python -m scripts.bench_taxii --beside .cache/medallion/bin/python   beside medallion, at 2,000 and 100,000 objects
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Engine, insert, select, update

from stillwatch.records.sharing import Tlp
from stillwatch.share import marking
from stillwatch.share.taxii import members
from stillwatch.share.taxii import tables as t
from stillwatch.share.taxii.media import TAXII
from stillwatch.share.taxii.objects import Checked, check
from stillwatch.share.taxii.server import Bounds, Door, make_app
from stillwatch.store.sql import open_database, reading, set_up_tables, writing
from stillwatch.wiring.taxii import now_us

COLLECTION = UUID(int=1, version=4)
PATH = f"/community/collections/{COLLECTION}/"
TARGET_MS = 100.0


def stix(number: int, draw: random.Random) -> dict[str, Any]:
    """An indicator as the program makes them, some 700 bytes; one in a hundred is clear, the rest amber."""
    level = Tlp.CLEAR if number % 100 == 0 else Tlp.AMBER
    kind = "campaign" if number % 5000 == 0 else "indicator"
    return {
        "type": kind, "spec_version": "2.1", "id": f"{kind}--{UUID(int=draw.getrandbits(128), version=4)}",
        "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z",
        "name": f"asn of LLM distillation {number:07}", "pattern": f"[autonomous-system:number = {64512 + number}]",
        "pattern_type": "stix", "pattern_version": "2.1", "valid_from": "2026-11-01T00:00:00.000Z",
        "valid_until": "2027-01-01T00:00:00.000Z", "indicator_types": ["anomalous-activity"], "confidence": 15,
        "description": "A lead, never a verdict: look, and judge by your own evidence before anything is done.",
        "object_marking_refs": [marking.IDS[level]],
    }  # fmt: skip


def fill(engine: Engine, count: int, draw: random.Random) -> None:
    """Rows as the server writes them, without its checks: they are timed apart."""
    begun = 0
    with reading(engine) as conn:
        last = int(conn.execute(select(t.head.c.last_us)).scalar_one())
    while begun < count:
        rows, owners = [], []
        for number in range(begun, min(begun + 20_000, count)):
            one = check(stix(number, draw))
            if not isinstance(one, Checked):
                raise SystemExit(one.reason)
            last += 1
            rows.append({
                "added_us": last, "collection_id": str(COLLECTION), "object_id": one.object_id, "type": one.type,
                "version": one.version, "version_ns": one.version_ns, "level": int(one.level), "oldest": True,
                "latest": True, "withdrawn": False, "body": one.body,
            })  # fmt: skip
            owners.append(
                {"object_id": one.object_id, "owner": "north", "level": int(one.level), "revoked_ns": 0}
            )
        with writing(engine) as conn:
            conn.execute(insert(t.versions), rows)
            conn.execute(insert(t.objects), owners)
            conn.execute(update(t.head).values(last_us=last))
        begun += len(rows)


class Asker:
    """Requests to the application, one after another."""

    def __init__(self, door: Door, tokens: dict[str, str], loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._tokens = loop, tokens
        transport = httpx.ASGITransport(make_app(door))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://taxii.test", timeout=600)

    def __call__(self, what: str, who: str = "north", body: Any = None, **params: Any) -> httpx.Response:
        headers = {"accept": TAXII, "authorization": f"Bearer {self._tokens[who]}", "content-type": TAXII}
        content = json.dumps(body).encode() if body is not None else None
        method = "POST" if body is not None else "GET"
        job = self._client.request(method, PATH + what, headers=headers, content=content, params=params)
        return self._loop.run_until_complete(job)

    def pages(self, **params: Any) -> Iterator[httpx.Response]:
        """Every page."""
        while True:
            got = self("objects/", **params)
            yield got
            told = got.json()
            if not told.get("more"):
                return
            params["next"] = told["next"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", help="an empty database; else SQLite in a temporary folder")
    parser.add_argument("--objects", type=int, default=1_000_000, help="objects in the collection")
    parser.add_argument("--sent", type=int, default=100_000, help="of them sent through the server")
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument("--beside", metavar="PYTHON", help="interpreter that has medallion")
    parser.add_argument("--counts", default="2000,100000", help="objects of each measurement beside it")
    parser.add_argument(
        "--patience", type=float, default=300.0, metavar="S", help="seconds a step may take beside it"
    )
    given = parser.parse_args()
    if given.beside:
        from scripts.bench_taxii_beside import beside

        beside(given.beside, [int(each) for each in given.counts.split(",")], given.patience, given.seed)
        return
    draw = random.Random(given.seed)  # noqa: S311  synthetic
    with tempfile.TemporaryDirectory(prefix="stillwatch-") as folder:
        engine = open_database(given.store or f"sqlite:///{Path(folder) / 'taxii.db'}")
        measure(engine, given.objects, given.sent, draw)
        engine.dispose()


def measure(engine: Engine, count: int, sent: int, draw: random.Random) -> None:
    """Everything, in order."""
    set_up_tables(engine, members.set_up)
    tokens = {}
    with writing(engine) as conn:
        members.put_collection(conn, COLLECTION, "All", root="community", description="", holds=Tlp.RED)
        for name, level in (("north", Tlp.RED), ("east", Tlp.CLEAR)):
            members.put_member(conn, name, clearance=level, identity=None, active=True, now_us=now_us())
            tokens[name] = members.new_token(
                conn, name, expires_us=now_us() + 10**12, now_us=now_us(), alone=False
            )
            members.allow(conn, name, str(COLLECTION), can_read=True, can_write=name == "north")
    door = Door(
        lambda: reading(engine), lambda: writing(engine), now_us, "http://taxii.test", bounds=Bounds()
    )
    loop = asyncio.new_event_loop()
    ask = Asker(door, tokens, loop)
    print(f"{engine.dialect.name}, Python {platform.python_version()}, {os.cpu_count()} cores")
    batch, begun = 5_000, time.perf_counter()
    for start in range(0, sent, batch):
        told = ask("objects/", body={"objects": [stix(n, draw) for n in range(start, start + batch)]}).json()
        if told["success_count"] != batch:
            raise SystemExit(f"{told['failure_count']} objects were not taken")
    spent = time.perf_counter() - begun
    print(f"{sent:,} objects sent in requests of {batch:,}: {spent:.1f} s, {sent / spent:,.0f} a second")
    begun, seen = time.perf_counter(), []
    for got in ask.pages():
        seen += [o["id"] for o in got.json()["objects"]]
    if len(seen) != sent or len(set(seen)) != sent:
        raise SystemExit(f"paged {len(seen)}, {len(set(seen))} different")
    spent = time.perf_counter() - begun
    print(f"all of them read in pages of 500, each once: {spent:.1f} s, {sent / spent:,.0f} a second")
    begun = time.perf_counter()
    fill(engine, count - sent, draw)
    print(f"filled up to {count:,} ({time.perf_counter() - begun:.0f} s)")
    with reading(engine) as conn:
        times = conn.execute(select(t.versions.c.added_us).order_by(t.versions.c.added_us)).scalars().all()
        some = conn.execute(select(t.versions.c.object_id).limit(1).offset(count // 3)).scalar_one()
    from stillwatch.share.taxii.moments import written

    middle, end = written(times[count // 2]), written(times[-200])
    worst = 0.0
    for name, who, what, params in (
        ("first page of 500", "north", "objects/", {}),
        ("first page of 100", "north", "objects/", {"limit": 100}),
        ("500 in the middle", "north", "objects/", {"added_after": middle}),
        ("the last 199", "north", "objects/", {"added_after": end}),
        ("500 for a reader of 1 in 100", "east", "objects/", {"added_after": written(times[sent])}),
        ("200 of a type of 1 in 5,000", "north", "objects/", {"match[type]": "campaign"}),
        ("a type that is not there", "north", "objects/", {"match[type]": "malware"}),
        ("500 of every version", "north", "objects/", {"match[version]": "all", "added_after": middle}),
        ("one object", "north", f"objects/{some}/", {}),
        ("500 rows of the manifest", "north", "manifest/", {"added_after": middle}),
    ):
        spent_ms = []
        for _ in range(15):
            begun = time.perf_counter()
            got = ask(what, who, **params)
            spent_ms.append((time.perf_counter() - begun) * 1000)
            if got.status_code != 200:
                raise SystemExit(got.text)
        worst = max(worst, max(spent_ms))
        rows = len(got.json().get("objects", ()))
        print(
            f"{name:32} {rows:4} rows   median {statistics.median(spent_ms):7.1f} ms   worst {max(spent_ms):7.1f} ms"
        )
    print(f"worst of all {worst:.1f} ms: {'below' if worst < TARGET_MS else 'NOT below'} {TARGET_MS:.0f} ms")
    loop.close()


if __name__ == "__main__":
    main()
