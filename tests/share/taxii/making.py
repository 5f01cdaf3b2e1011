"""A server over a store of its own, members that may do different things, and requests without a socket."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from sqlalchemy import Engine

from stillwatch.records.sharing import Tlp
from stillwatch.share import marking
from stillwatch.share.taxii import members
from stillwatch.share.taxii.media import TAXII
from stillwatch.share.taxii.moments import micros_of
from stillwatch.share.taxii.server import Bounds, Door, make_app
from stillwatch.store.sql import reading, writing

NOW = datetime(2026, 12, 20, 12, tzinfo=UTC)
FAR = micros_of(datetime(2030, 1, 1, tzinfo=UTC))
IDENTITIES = {
    "north": "identity--3b1f0c62-6a0e-4c0b-9d55-0d5a2f6f7a01",
    "south": "identity--3b1f0c62-6a0e-4c0b-9d55-0d5a2f6f7a02",
}
SIGNALS, CLOSED = UUID(int=1, version=4), UUID(int=2, version=4)


def stix(number: int, level: Tlp | None = Tlp.AMBER, kind: Any = "indicator", **more: Any) -> dict[str, Any]:
    """An object with an id of its own number; no level, no marking."""
    when = "2026-11-01T00:00:00.000Z"
    marked = {} if level is None else {"object_marking_refs": [marking.IDS[level]]}
    made = {"type": kind, "spec_version": "2.1", "id": f"{kind}--{UUID(int=number, version=4)}", "created": when,
            "modified": when, "name": f"number {number}"}  # fmt: skip
    return made | marked | more


def version(of: dict[str, Any], day: int, **more: Any) -> dict[str, Any]:
    """A version of an object of a day of November."""
    return of | {"modified": f"2026-11-{day:02}T00:00:00.000Z"} | more


@dataclass
class Clock:
    """Moves by itself, a second at every look; can be held."""

    at: int = field(default_factory=lambda: micros_of(NOW))
    step: int = 1_000_000

    def __call__(self) -> int:
        self.at += self.step
        return self.at


@dataclass
class Place:
    """A server and what is needed to ask it."""

    engine: Engine
    door: Door
    tokens: dict[str, str]
    clock: Clock

    def ask(
        self, method: str, path: str, who: Any = "north", body: Any = None,
        headers: Any = None, **params: Any,
    ) -> httpx.Response:  # fmt: skip
        """One request; `who` is a member's name, None for nobody."""
        told = {"accept": TAXII} | ({"authorization": f"Bearer {self.tokens[who]}"} if who else {})
        if body is not None:
            told["content-type"] = TAXII
        told |= headers or {}
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return asyncio.run(self._ask(method, path, told, content, params))

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], content: bytes | None, params: Any
    ) -> httpx.Response:
        transport = httpx.ASGITransport(make_app(self.door))
        async with httpx.AsyncClient(transport=transport, base_url="http://taxii.test") as client:
            return await client.request(
                method, path, headers={k: v for k, v in headers.items() if v}, content=content, params=params
            )

    def add(
        self, given: Sequence[dict[str, Any]], who: str = "north", collection: UUID = SIGNALS
    ) -> dict[str, Any]:
        """Put objects in; the status."""
        got = self.ask("POST", f"/community/collections/{collection}/objects/", who, {"objects": list(given)})
        assert got.status_code == 202, got.text
        told: dict[str, Any] = got.json()
        return told

    def get(
        self, who: str = "north", collection: Any = SIGNALS, what: str = "objects/", **params: Any
    ) -> dict[str, Any]:
        """What a member is given."""
        got = self.ask("GET", f"/community/collections/{collection}/{what}", who, **params)
        assert got.status_code == 200, got.text
        told: dict[str, Any] = got.json()
        return told

    def ids(self, who: str = "north", **params: Any) -> list[str]:
        """Names of what a member is given on one page."""
        return [o["name"] for o in self.get(who, **params).get("objects", [])]


def place(engine: Engine, **bounds: int) -> Place:
    """North and south read and write signals (north up to red, south up to amber); east reads, cleared for green; west
    may only write; north alone knows of the closed collection, which holds red.
    """
    clock = Clock()
    tokens = {}
    with writing(engine) as conn:
        members.set_up(conn)
        for name, level in (("north", Tlp.RED), ("south", Tlp.AMBER), ("east", Tlp.GREEN), ("west", Tlp.RED)):
            members.put_member(
                conn, name, clearance=level, identity=IDENTITIES.get(name), active=True, now_us=clock()
            )
            tokens[name] = members.new_token(conn, name, expires_us=FAR, now_us=clock(), alone=False)
        for number, title, holds in ((SIGNALS, "Signals", Tlp.RED), (CLOSED, "Closed", Tlp.RED)):
            members.put_collection(conn, number, title, root="community", description="", holds=holds)
        for name, can_read, can_write in (
            ("north", True, True),
            ("south", True, True),
            ("east", True, False),
            ("west", False, True),
        ):
            members.allow(conn, name, str(SIGNALS), can_read=can_read, can_write=can_write)
        members.allow(conn, "north", str(CLOSED), can_read=True, can_write=True)
    door = Door(
        lambda: reading(engine), lambda: writing(engine), clock, "http://taxii.test", bounds=Bounds(**bounds)
    )
    return Place(engine, door, tokens, clock)


def basic(name: str, token: str) -> str:
    """A header of Basic."""
    return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


@contextmanager
def listens(here: Place) -> Iterator[str]:
    """The server on a free port of this machine, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        here.door.address = f"http://127.0.0.1:{sock.getsockname()[1]}"
        config = uvicorn.Config(
            make_app(here.door), log_level="critical", lifespan="off", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        end = time.monotonic() + 30
        while not server.started and time.monotonic() < end:
            time.sleep(0.01)
        try:
            yield here.door.address
        finally:
            server.should_exit = True
            thread.join(30)
