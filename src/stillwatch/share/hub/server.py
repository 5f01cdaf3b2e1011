"""A hub as an ASGI application: signed requests of members, a public page, the log, and TAXII beside them.

References: RFC 9421 (signatures), C2SP tlog-tiles (the log).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stillwatch.records.hub import Who
from stillwatch.records.sharing import Tlp
from stillwatch.share.hub import view
from stillwatch.share.hub.asked import NotAllowed, nothing
from stillwatch.share.hub.desk import Desk
from stillwatch.share.hub.door import HEADERS, Door, answer, refused
from stillwatch.share.hub.page import rendered
from stillwatch.share.hub.rules import preview_of, screened
from stillwatch.share.taxii.parsing import parse

_OURS = ("/hub/", "/log/")
_COUNTED_S = 60
MOST_SIZES = 8
_TILE = re.compile(r"(?:tile/[0-9]|tile/entries)(?:/x?[0-9]{3})+(?:\.p/[0-9]{1,3})?|checkpoint")


@dataclass(slots=True)
class Site:
    """What stands behind the addresses."""

    door: Door
    desk: Desk
    about: dict[str, Any]
    """What everybody may know of this hub: name, contact, keys of its log and its witnesses, where objects are."""
    file: Callable[[str], bytes | None]
    """A file of the log."""
    grown: Callable[..., dict[str, Any]]
    """The newest checkpoint, or with ``witnessed=True`` the newest that witnesses signed, and proofs from sizes."""


def make_app(site: Site, objects: ASGIApp) -> ASGIApp:
    """The hub, and the TAXII server for everything else."""
    desk = site.desk

    def route(path: str, job: Callable[[Request], Any], *methods: str) -> Route:
        async def handled(request: Request) -> Response:
            return await site.door.answered(request, job)

        return Route(path, handled, methods=list(methods or ("GET",)))

    def looks(look: Callable[[Who, Request], Callable[..., Any]]) -> Callable[[Request], Any]:
        async def job(request: Request) -> Response:
            who, _ = await site.door.heard(request)
            return answer(await run_in_threadpool(desk.see, look(who, request)))

        return job

    async def act(request: Request) -> Response:
        who, body = await site.door.heard(request)
        what = request.path_params["what"]
        if what == "preview":
            return answer(await run_in_threadpool(_preview, desk, body))
        return answer(await run_in_threadpool(lambda: desk.do(who, what, _parsed(body))))

    async def receipt(request: Request) -> Response:
        who, _ = await site.door.heard(request)
        return answer(await run_in_threadpool(_receipt, desk, who, request.path_params["seq"]))

    async def current(request: Request) -> Response:
        who, _ = await site.door.heard(request)
        await run_in_threadpool(desk.close_rounds)
        return answer(await run_in_threadpool(desk.see, lambda s, now: view.current_round(s, who, now)))

    async def about(request: Request) -> Response:
        return answer(site.about)

    newest: list[tuple[int, Any]] = []

    def counted() -> Any:
        """The counts, made anew at most once a minute: whoever asks often costs nothing."""
        now = site.door.now_s()
        if not newest or now - newest[0][0] >= _COUNTED_S:
            newest[:] = [(now, desk.see(view.transparency))]
        return newest[0][1]

    async def counts(request: Request) -> Response:
        return answer(await run_in_threadpool(counted))

    async def page(request: Request) -> Response:
        told = await run_in_threadpool(counted)
        return Response(rendered(told, site.about), 200, HEADERS, "text/html")

    async def log_file(request: Request) -> Response:
        name = request.path_params["name"]
        data = await run_in_threadpool(site.file, name) if _TILE.fullmatch(name) else None
        if data is None:
            raise nothing()
        return Response(data, 200, HEADERS, "application/octet-stream")

    async def grown(request: Request) -> Response:
        sizes = request.query_params.getlist("from")
        if not 0 < len(sizes) <= MOST_SIZES or not all(re.fullmatch(r"[0-9]{1,15}", size) for size in sizes):
            raise NotAllowed(400, "from is the size of a checkpoint", "send ?from=0 for the first time")
        witnessed = request.query_params.get("witnessed") == "1"
        if witnessed and not site.about["witnesses"]:
            raise NotAllowed(404, "no witness signs this log", "ask whoever runs the hub to name some")
        return answer(await run_in_threadpool(partial(site.grown, map(int, sizes), witnessed=witnessed)))

    ours = Starlette(
        routes=[
            route("/", page),
            route("/hub/v1/about", about),
            route("/hub/v1/transparency", counts),
            route("/hub/v1/inbox", looks(lambda who, _: lambda s, now: view.inbox(s, who, now))),
            route("/hub/v1/round", current),
            route(
                "/hub/v1/objects/{id}",
                looks(lambda who, r: lambda s, _: view.standing(s, who, r.path_params["id"])),
            ),
            route(
                "/hub/v1/cases/{id}",
                looks(lambda who, r: lambda s, _: view.case(s, who, r.path_params["id"])),
            ),
            route("/hub/v1/receipts/{seq:int}", receipt),
            route("/hub/v1/log", grown),
            route("/hub/v1/{what}", act, "POST"),
            route("/log/{name:path}", log_file),
        ],
        exception_handlers={HTTPException: _unknown},
    )
    ours.router.redirect_slashes = False

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        mine = scope["type"] != "http" or scope["path"] == "/" or scope["path"].startswith(_OURS)
        await (ours if mine else objects)(scope, receive, send)

    return both


def _parsed(body: bytes) -> Any:
    try:
        return parse(body)
    except ValueError as error:
        raise NotAllowed(400, f"the body cannot be read: {error}", "send one JSON object") from None


def _preview(desk: Desk, body: bytes) -> dict[str, Any]:
    """What would be handed on; nothing is kept."""
    objects, level = preview_of(_parsed(body))
    return {"objects": screened(objects, Tlp.of(level), desk.face)}


def _receipt(desk: Desk, who: Who, seq: int) -> dict[str, Any]:
    """The receipt of an entry, for the member that made it."""
    desk.catch_up()
    if not 0 < seq <= desk.state.seq:
        raise nothing()
    found = desk.receipt(seq)
    if found["entry"]["member"] != who.member:
        raise nothing()
    return found


async def _unknown(request: Request, error: Any) -> Response:
    if error.status_code == 405:
        return refused(NotAllowed(405, "this method is not offered here", "see the page on the hub"))
    return refused(nothing())


__all__ = ["Site", "make_app"]
