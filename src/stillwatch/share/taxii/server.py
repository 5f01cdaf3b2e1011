"""A TAXII 2.1 server as an ASGI application: who asks, what for, within which bounds, and nothing beyond.

It is given how to open a transaction and what time it is; everything it says stands in the store. An order of questions
is kept for every request, so that an answer tells a stranger nothing: a token (401), a media type (406, 415), a place
that this member knows of (404), what it may do there (403), the rest (400, 413, 422).

References: OASIS, TAXII Version 2.1, sections 3 to 5.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from stillwatch.errors import UpstreamError, where_it_failed
from stillwatch.records.sharing import Tlp
from stillwatch.share.taxii import answers, keeping, media, members, objects, query, reading
from stillwatch.share.taxii import tables as t
from stillwatch.share.taxii.answers import Denied
from stillwatch.share.taxii.members import Collection, Member
from stillwatch.share.taxii.parsing import parse
from stillwatch.share.taxii.query import Query

log = logging.getLogger("stillwatch.taxii")
DISCOVERY = "/taxii2/"
STATUS_KEPT_US = 7 * 86400 * 10**6
_OF_ONE = frozenset({"version", "spec_version"})
_MANY = frozenset({"id", "type", "version", "spec_version"})
Opened = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is taken and given."""

    body_bytes: int = 10 * 2**20
    objects: int = 10_000
    """Most objects in one request."""
    page: int = 500
    """Most objects on a page."""
    posts: int = 8
    """Most requests with a body at one time; others wait before their bodies are read."""


@dataclass(slots=True)
class Door:
    """Everything that a request needs."""

    reading: Opened
    writing: Opened
    now_us: Callable[[], int]
    address: str
    """Under which clients reach it, without a slash at the end."""
    title: str = "stillwatch"
    contact: str = ""
    bounds: Bounds = field(default_factory=Bounds)
    _key: bytes = b""

    def key(self, conn: Connection) -> bytes:
        """The key of cursors."""
        if not self._key:
            self._key = bytes(conn.execute(select(t.head.c.cursor_key)).scalar_one())
        return self._key


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request whose sender is known."""

    door: Door
    request: Request
    body: Any = None

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def member(self, conn: Connection) -> Member:
        """Who asks; 401 otherwise, in the same words whatever is wrong."""
        name, token = _credentials(self.request.headers.get("authorization", ""))
        found = members.whose(conn, token, name, self.door.now_us()) if token else None
        if found is None:
            raise Denied(
                401, "Who asks is not known", "Send a token of a member: Authorization: Bearer, or Basic.",
                www_authenticate='Basic realm="taxii", charset="UTF-8", Bearer realm="taxii"',
            )  # fmt: skip
        if not media.accepted(self.request.headers.get("accept")):
            raise Denied(406, "This media type is not served", f"Accept {media.TAXII}.")
        return found

    def collection(self, conn: Connection, member: Member) -> Collection:
        """A collection that the member knows of."""
        found = members.seen_by(conn, member, self.part("root"), self.part("collection"))
        if not found:
            raise _nothing()
        return found[0]

    def to_read(self, conn: Connection) -> tuple[Member, Collection]:
        """A member and the collection that it may read."""
        member = self.member(conn)
        found = self.collection(conn, member)
        if not found.can_read:
            raise Denied(403, "Not allowed", "This member may not read this collection.")
        return member, found

    def query(
        self, conn: Connection, member: Member, found: Collection, fields: frozenset[str], *versions: str,
        ids: str = "",
    ) -> Query:  # fmt: skip
        """The question in the address."""
        pairs = self.request.query_params.multi_items() + ([("match[id]", ids)] if ids else [])
        fields = fields | {"id"} if ids else fields
        try:
            return query.read(
                pairs, page=self.door.bounds.page, key=self.door.key(conn), whose=self._whose(member, found),
                fields=fields, versions=versions or ("last",),
            )  # fmt: skip
        except query.BadQuery as error:
            raise Denied(400, "The address cannot be used", f"{error}.") from None

    def cursor(
        self, conn: Connection, member: Member, found: Collection, asked: Query, page: reading.Page
    ) -> str | None:
        """The cursor of the next page, when there is one."""
        if not page.more:
            return None
        return query.sealed(page.rows[-1].added_us, self.door.key(conn), self._whose(member, found), asked)

    def _whose(self, member: Member, found: Collection) -> str:
        return f"{member.name} {found.collection_id} {self.request.url.path.rstrip('/')}"


def make_app(door: Door) -> Starlette:
    """The application around a store."""
    posts = asyncio.Semaphore(door.bounds.posts)

    def route(path: str, **jobs: Callable[[_Asked], Response]) -> Route:
        async def answer(request: Request) -> Response:
            return await _answered(door, request, posts, jobs[request.method.replace("HEAD", "GET")])

        return Route(path, answer, methods=list(jobs))

    root, whole = "/{root}/", "/{root}/collections/{collection}/"
    app = Starlette(
        routes=[
            route(DISCOVERY, GET=_discovery),
            route(root, GET=_root),
            route(f"{root}status/{{status}}/", GET=_status),
            route(f"{root}collections/", GET=_collections),
            route(whole, GET=_collection),
            route(f"{whole}manifest/", GET=_manifest),
            route(f"{whole}objects/", GET=_objects, POST=_add),
            route(f"{whole}objects/{{object}}/", GET=_object, DELETE=_remove),
            route(f"{whole}objects/{{object}}/versions/", GET=_versions),
        ],
        exception_handlers={HTTPException: _unknown},
    )
    app.router.redirect_slashes = False
    return app


async def _answered(
    door: Door, request: Request, posts: asyncio.Semaphore, job: Callable[[_Asked], Response]
) -> Response:
    try:
        asked = _Asked(door, request)
        if request.method != "POST":
            return await run_in_threadpool(job, asked)
        await run_in_threadpool(_may_write, asked)
        async with posts:
            return await run_in_threadpool(job, _Asked(door, request, await _body(asked)))
    except Denied as why:
        return answers.denied(why)
    except UpstreamError as error:
        log.error("the store: %s", error.message)
        return answers.denied(Denied(503, "Not now", "The store cannot be used. Try again.", retry_after="5"))
    except ClientDisconnect:
        return answers.denied(Denied(400, "Broken off", "The connection ended before the body did."))
    except Exception as error:
        log.error("a request failed: %s", where_it_failed(error))
        return answers.denied(Denied(500, "It failed in here", "The server's own log says where."))


async def _unknown(request: Request, error: Any) -> Response:
    if error.status_code == 405:
        return answers.denied(
            Denied(405, "Not offered", "This method is not offered here.", **(error.headers or {}))
        )
    return answers.denied(_nothing())


def _nothing() -> Denied:
    """The same for what is not there and for what this member does not know of."""
    return Denied(404, "There is nothing here", "Or nothing that this member may know of.")


def _credentials(header: str) -> tuple[str | None, str]:
    """Name (where one is given) and token."""
    kind, _, given = header.partition(" ")
    if kind.lower() == "bearer":
        return None, given.strip()
    if kind.lower() != "basic":
        return None, ""
    try:
        name, _, token = base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None, ""
    return name, token


def _may_write(asked: _Asked) -> None:
    """Who asks is known and may write before a byte of a body is read."""
    with asked.door.reading() as conn:
        if not asked.collection(conn, asked.member(conn)).can_write:
            raise Denied(403, "Not allowed", "This member may not write into this collection.")


async def _body(asked: _Asked) -> Any:
    """The body of a request, within bounds."""
    request, most = asked.request, asked.door.bounds.body_bytes
    if not media.posted(request.headers.get("content-type")):
        raise Denied(415, "This media type is not read", f"Send {media.TAXII}.")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Denied(415, "This encoding is not read", "Send the body as it is.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > most:
        raise _too_long(most)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise _too_long(most)
        pieces.append(piece)
    try:
        return await run_in_threadpool(parse, b"".join(pieces))
    except ValueError as error:
        raise Denied(400, "The body cannot be read", f"What is wrong: {error}.") from None


def _too_long(most: int) -> Denied:
    return Denied(413, "The body is too long", f"At most {most} bytes: send fewer objects at a time.")


def _discovery(asked: _Asked) -> Response:
    with asked.door.reading() as conn:
        roots = sorted({c.root for c in members.seen_by(conn, asked.member(conn))})
    urls = [f"{asked.door.address}/{root}/" for root in roots]
    told: dict[str, Any] = {"title": asked.door.title}
    if asked.door.contact:
        told["contact"] = asked.door.contact
    return answers.resource(told | ({"default": urls[0], "api_roots": urls} if urls else {}))


def _root(asked: _Asked) -> Response:
    with asked.door.reading() as conn:
        if not members.seen_by(conn, asked.member(conn), asked.part("root")):
            raise _nothing()
    return answers.resource({
        "title": f"{asked.door.title}: {asked.part('root')}", "versions": [media.TAXII],
        "max_content_length": asked.door.bounds.body_bytes,
    })  # fmt: skip


def _status(asked: _Asked) -> Response:
    with asked.door.reading() as conn:
        member = asked.member(conn)
        row = conn.execute(
            select(t.statuses.c.body).where(
                t.statuses.c.status_id == asked.part("status"), t.statuses.c.member == member.name,
                t.statuses.c.root == asked.part("root"),
            )
        ).first()  # fmt: skip
    if row is None:
        raise _nothing()
    return Response(row.body.encode(), 200, {"cache-control": "no-store"}, media.TAXII)


def _collections(asked: _Asked) -> Response:
    with asked.door.reading() as conn:
        found = members.seen_by(conn, asked.member(conn), asked.part("root"))
    if not found:
        raise _nothing()
    return answers.resource({"collections": [answers.collection(c) for c in found]})


def _collection(asked: _Asked) -> Response:
    with asked.door.reading() as conn:
        return answers.resource(answers.collection(asked.collection(conn, asked.member(conn))))


def _objects(asked: _Asked) -> Response:
    return _page(asked, _MANY, answers.envelope, reading.OBJECTS)


def _manifest(asked: _Asked) -> Response:
    return _page(asked, _MANY, answers.manifest, reading.MANIFEST)


def _object(asked: _Asked) -> Response:
    return _page(asked, _OF_ONE, answers.envelope, reading.OBJECTS, of_one=True)


def _versions(asked: _Asked) -> Response:
    return _page(asked, frozenset({"spec_version"}), answers.versions, reading.MANIFEST, "all", of_one=True)


def _page(
    asked: _Asked, fields: frozenset[str], answer: Callable[..., Response], columns: Any, *versions: str,
    of_one: bool = False,
) -> Response:  # fmt: skip
    with asked.door.reading() as conn:
        member, found = asked.to_read(conn)
        name = asked.part("object") if of_one else ""
        question = asked.query(conn, member, found, fields, *versions, ids=name)
        page = reading.page(conn, found.collection_id, question, member.clearance, columns=columns)
        if (
            of_one
            and not page.rows
            and not reading.is_there(conn, found.collection_id, name, member.clearance)
        ):
            raise _nothing()
        more = asked.cursor(conn, member, found, question, page)
        held = [
            (row.added_us, row.object_id, row.version_ns)
            for row in (page.rows if columns is reading.OBJECTS else ())
            if row.level >= Tlp.AMBER_STRICT or row.withdrawn
        ]
    if held:  # written down before it is handed out
        with asked.door.writing() as conn:
            keeping.note_served(conn, member.name, held, asked.door.now_us())
    return answer(page.rows, more)


def _add(asked: _Asked) -> Response:
    given = asked.body.get("objects") if isinstance(asked.body, dict) else None
    if not isinstance(given, list) or not given:
        raise Denied(422, "Not an envelope", 'Send {"objects": [...]} with at least one object.')
    if len(given) > asked.door.bounds.objects:
        raise Denied(413, "Too many objects", f"At most {asked.door.bounds.objects} at a time.")
    places = [n for n, each in enumerate(given) if objects.object_id(each) is None]
    if places:
        raise Denied(
            422, "An object without an id", f"Object {places[0]} (from 0) has no id such as campaign--UUID."
        )
    checked = [objects.check(each) for each in given]
    now = asked.door.now_us()
    with asked.door.writing() as conn:
        member = asked.member(conn)
        found = asked.collection(conn, member)
        if not found.can_write:
            raise Denied(403, "Not allowed", "This member may not write into this collection.")
        made = keeping.add(conn, _into(conn, member, found), checked, now)
        told = answers.status(uuid4(), now, made)
        response = answers.resource(told, 202)
        conn.execute(delete(t.statuses).where(t.statuses.c.at_us < now - STATUS_KEPT_US))
        conn.execute(
            insert(t.statuses).values(
                status_id=told["id"], member=member.name, root=found.root, at_us=now,
                body=bytes(response.body).decode(),
            )
        )  # fmt: skip
    return response


def _remove(asked: _Asked) -> Response:
    now = asked.door.now_us()
    with asked.door.writing() as conn:
        member, found = asked.to_read(conn)
        if not found.can_write:
            raise Denied(403, "Not allowed", "This member may not write into this collection.")
        name = asked.part("object")
        question = asked.query(conn, member, found, _OF_ONE, "all", ids=name)
        if question.empty or not reading.is_there(conn, found.collection_id, name, member.clearance):
            raise _nothing()
        ends = frozenset(question.versions) & {"first", "last", "all"}
        why = keeping.remove(conn, _into(conn, member, found), name, question.version_times, ends, now)
        if why:
            raise Denied(403, "Not deleted", f"{why[:1].upper()}{why[1:]}.")
    return answers.resource({})


def _into(conn: Connection, member: Member, found: Collection) -> keeping.Into:
    others = members.other_identities(conn, member.name)
    return keeping.Into(found.collection_id, found.holds, member.name, others)


__all__ = ["Bounds", "Door", "make_app"]
