"""Coming in and going out: name, password and code; the first time, setting up the second factor."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.door import AtSite, Somebody, Whoever, cookie_name, from_a_form, own_path, place_of
from stillwatch.console.render import page
from stillwatch.console.signin import totp
from stillwatch.console.signin.local import Denied
from stillwatch.console.signin.register import Someone
from stillwatch.errors import ConfigError, VerificationError

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=2000)]
_ENROL = "stillwatch-enrol"


def let_in(site: AtSite, request: Request, someone: Someone, to: str) -> Response:
    """Open a session and send the browser on."""
    agent = request.headers.get("user-agent", "")
    token = site.sessions.open(someone, place_of(request), site.now(), agent=agent)
    answer = RedirectResponse(own_path(to), status_code=303)
    answer.set_cookie(
        cookie_name(site), token, max_age=int(site.sessions.life.total_seconds()), path="/", secure=site.secure,
        httponly=True, samesite="strict",
    )  # fmt: skip
    return answer


@router.get("/sign-in")
def form(request: Request, site: AtSite, seen: Whoever, next: str = "/") -> Response:
    """The form."""
    if seen is not None:
        return RedirectResponse(own_path(next), status_code=303)
    return page(request, "sign_in.html.j2", next=own_path(next), name="", oidc=site.provider_name)


@router.post("/sign-in")
def sign_in(
    request: Request, site: AtSite, name: Text = "", password: Text = "", code: Text = "", next: Text = "/"
) -> Response:
    """Check, and open a session or say that it was wrong."""
    found = site.local.check(name, password, code, place_of(request), site.now())
    if isinstance(found, Denied):
        if (
            not found.wait_s
        ):  # what is not even looked at leaves no line: strangers would write the record full
            site.record(None, "sign_in.refuse", name[:64], place=place_of(request))
        answer = page(
            request, "sign_in.html.j2", 429 if found.wait_s else 401, next=own_path(next), name=name[:200],
            oidc=site.provider_name, error=found.said,
        )  # fmt: skip
        if found.wait_s:
            answer.headers["retry-after"] = str(found.wait_s)
        return answer
    site.record(found.person, "sign_in.pass", found.person.name, place=place_of(request), by="password")
    return let_in(site, request, found, next)


@router.get("/enrol")
def enrol_form(request: Request, site: AtSite, seen: Somebody) -> Response:
    """The secret, as a picture and as letters; another one each time it is shown."""
    if not seen.must_enrol:
        return RedirectResponse("/", status_code=303)
    return _enrol_page(request, site, seen, totp.new_secret())


def _enrol_page(request: Request, site: AtSite, seen: Somebody, secret: str, error: str = "") -> Response:
    picture = totp.picture(secret, seen.person.name)
    answer = page(
        request, "enrol.html.j2", 400 if error else 200, secret=secret, picture=picture, error=error
    )
    answer.set_cookie(_ENROL, site.sessions.seals.sealed(secret), max_age=900, path="/enrol", secure=site.secure,
                      httponly=True, samesite="strict")  # fmt: skip
    return answer


@router.post("/enrol", dependencies=[Depends(from_a_form)])
def enrol(request: Request, site: AtSite, seen: Somebody, code: Text = "", password: Text = "") -> Response:
    """Take the first code and a password of one's own."""
    if not seen.must_enrol:
        return RedirectResponse("/", status_code=303)
    try:
        secret = site.sessions.seals.opened(request.cookies.get(_ENROL, ""))
    except VerificationError:
        return RedirectResponse("/enrol", status_code=303)
    try:
        made = site.local.enrol(seen.someone, secret, code, password, site.now())
    except ConfigError as error:
        return _enrol_page(request, site, seen, secret, error=f"{error.message}: {error.hint}".capitalize())
    site.kept.end_all(made.person.person_id, site.now())  # sessions from before knew one factor only
    site.record(made.person, "second_factor.set", made.person.name)
    answer = let_in(site, request, made, "/")
    answer.delete_cookie(_ENROL, path="/enrol")
    return answer


@router.post("/sign-out", dependencies=[Depends(from_a_form)])
def sign_out(site: AtSite, seen: Somebody) -> Response:
    """End this session, here and in the store."""
    site.kept.end(seen.session.digest, site.now())
    site.record(seen.person, "sign_in.end", seen.person.name)
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(cookie_name(site), path="/", secure=site.secure, httponly=True, samesite="strict")
    return answer
