"""The console as an ASGI application: pages for people, an API for programs, and one way to say that it went wrong."""

from __future__ import annotations

import logging
from importlib.resources import files

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from stillwatch import __version__
from stillwatch.console import api
from stillwatch.console.door import Forged, MustEnrol, SignedOut, back_here, somebody
from stillwatch.console.headers import Surrounds, TooLong
from stillwatch.console.pages import ROUTERS
from stillwatch.console.render import page
from stillwatch.console.site import Site
from stillwatch.errors import StillwatchError, UpstreamError, where_it_failed
from stillwatch.respond.errors import Conflict, NotAllowed, NotFound

API = "/api/"
_STATUS = ((NotFound, 404), (NotAllowed, 403), (Conflict, 409), (UpstreamError, 503))


def make_app(site: Site, hosts: tuple[str, ...] = ()) -> ASGIApp:
    """The application around a site.

    Args:
        site: everything that pages ask.
        hosts: names under which it may be asked; empty = any.
    """
    app = FastAPI(
        title="stillwatch console", version=__version__, docs_url=None, redoc_url=None,
        openapi_url=None, description="Everything that the console does, for programs.",
    )  # fmt: skip
    app.state.site = site
    static = files("stillwatch.console").joinpath("static")
    app.mount("/static", StaticFiles(directory=str(static)), name="static")
    for router in (*api.ROUTERS, *ROUTERS):
        app.include_router(router)
    app.add_api_route("/api/openapi.json", lambda: JSONResponse(app.openapi()), include_in_schema=False,
                      dependencies=[Depends(somebody)])  # fmt: skip
    app.add_exception_handler(SignedOut, _signed_out)
    app.add_exception_handler(MustEnrol, _must_enrol)
    for kind in (Forged, TooLong, StillwatchError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _went_wrong)
    most = site.settings.console.max_body_bytes
    return Surrounds(app, hosts=hosts, secure=site.secure, most_bytes=most)


def _signed_out(request: Request, error: Exception) -> Response:
    if request.url.path.startswith(API):
        return _told(request, 401, "Nobody is signed in.", "Send a token: Authorization: Bearer swt_…")
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
    if request.method != "GET":
        return RedirectResponse("/sign-in", status_code=303)
    return RedirectResponse(f"/sign-in?next={back_here(request)}", status_code=303)


def _must_enrol(request: Request, error: Exception) -> Response:
    if request.url.path.startswith(API):
        return _told(request, 403, "The second factor is to be set up first.", "Sign in with a browser.")
    return RedirectResponse("/enrol", status_code=303)


def _went_wrong(request: Request, error: Exception) -> Response:
    status, message, hint = _said(error)
    return _told(request, status, message, hint)


def _said(error: Exception) -> tuple[int, str, str]:
    """Status, what is wrong, what to do next. Messages of unknown errors are not shown: they may quote input."""
    match error:
        case Forged():
            return (
                403,
                "This form is of another session, or too old.",
                "Go back, load the page again, and repeat it.",
            )
        case HTTPException() if isinstance(error.__cause__, TooLong):  # met while a form was read
            return 413, "That is too long.", ""
        case TooLong():
            return 413, "That is too long.", ""
        case StillwatchError():
            status = next((n for kind, n in _STATUS if isinstance(error, kind)), 400)
            return status, _sentence(error.message), _sentence(error.hint)
        case RequestValidationError():
            names = ", ".join(sorted({str(e["loc"][-1])[:40] for e in error.errors()}))
            return 422, "Something in this request cannot be used.", f"Look at: {names}."
        case HTTPException() if error.status_code == 404:
            return 404, "There is nothing here.", ""
        case HTTPException():
            return error.status_code, "That cannot be done here.", ""
    logging.getLogger("stillwatch.console").error("%s", where_it_failed(error))
    return (
        500,
        "Something failed in here.",
        "It was noted. Try again; if it stays, look at the console's own output.",
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}" if text else ""


def _told(request: Request, status: int, message: str, hint: str) -> Response:
    if request.url.path.startswith(API):
        return JSONResponse({"error": {"message": message, "hint": hint}}, status_code=status)
    titles = {
        403: "Not allowed",
        404: "Not found",
        409: "Changed meanwhile",
        413: "Too long",
        500: "That failed",
    }
    return page(
        request,
        "error.html.j2",
        status,
        title=titles.get(status, "That cannot be done"),
        message=message,
        hint=hint,
    )
