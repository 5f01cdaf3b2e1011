"""A key holder as an ASGI application: the public part of the week's key, and evaluations for members within a budget.

What is evaluated is blinded. A key holder knows who asks, and how much; it sees no value and keeps no request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stillwatch.errors import VerificationError
from stillwatch.share.hub.asked import NotAllowed, nothing
from stillwatch.share.hub.door import HEADERS, Door, answer, refused
from stillwatch.share.join.holder import KeyHolder, Refused

_STATUS = {"unknown_member": 403, "unknown_epoch": 404, "batch_size": 413, "budget": 429}


@dataclass(slots=True)
class HolderSite:
    """A key holder behind a door.

    Args:
        holder: As it is now: the shares of epochs that are over are gone.
    """

    door: Door
    holder: Callable[[], KeyHolder]


def make_app(site: HolderSite) -> Starlette:
    """The application."""

    async def public(request: Request) -> Response:
        found = await run_in_threadpool(lambda: site.holder().public(request.path_params["epoch"]))
        return answer({"epoch": request.path_params["epoch"], "public": _whole(found).hex()})

    async def evaluate(request: Request) -> Response:
        member, body = await site.door.heard(request)
        epoch = request.path_params["epoch"]
        try:
            given = await run_in_threadpool(lambda: site.holder().answer(member, epoch, body))
        except VerificationError as error:
            raise NotAllowed(422, error.message, error.hint) from None
        return Response(_whole(given), 200, HEADERS, "application/octet-stream")

    async def usage(request: Request) -> Response:
        member, _ = await site.door.heard(request)
        epoch = request.path_params["epoch"]
        holder = site.holder()
        left = await run_in_threadpool(holder.left, member, epoch)
        return answer({"epoch": epoch, "budget": holder.budgets.get(member, 0), "left": left})

    def route(path: str, job: Callable[[Request], object], method: str = "GET") -> Route:
        async def handled(request: Request) -> Response:
            return await site.door.answered(request, job)  # type: ignore[arg-type]

        return Route(path, handled, methods=[method])

    return Starlette(
        routes=[
            route("/kh/v1/epochs/{epoch}", public),
            route("/kh/v1/epochs/{epoch}/usage", usage),
            route("/kh/v1/epochs/{epoch}/evaluate", evaluate, "POST"),
        ],
        exception_handlers={HTTPException: _unknown},
    )


def _whole(found: bytes | Refused) -> bytes:
    if isinstance(found, Refused):
        raise NotAllowed(_STATUS[found.reason], found.reason.replace("_", " "), found.hint)
    return found


async def _unknown(request: Request, error: Any) -> Response:
    return refused(nothing())


__all__ = ["HolderSite", "make_app"]
