"""Who is asking, may they, and did the request come from a form of ours: what every page asks first."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from stillwatch.console.signin.register import PROGRAM
from stillwatch.console.signin.sessions import Seen
from stillwatch.console.site import Site
from stillwatch.records import Permission
from stillwatch.respond.errors import NotAllowed

COOKIE = "stillwatch"
SECURE_COOKIE = "__Host-stillwatch"


class SignedOut(Exception):
    """Nobody is signed in."""


class MustEnrol(Exception):
    """Signed in with one factor: the second is to be set up first."""


class Forged(Exception):
    """A change without the token of its session."""


def site_of(request: Request) -> Site:
    """The site of this console."""
    site: Site = request.app.state.site
    return site


AtSite = Annotated[Site, Depends(site_of)]


def place_of(request: Request) -> str:
    """The client's address: of the connection, or, where a trusted proxy has it, the one that the proxy was asked from.

    A client may write into ``X-Forwarded-For`` what it likes; each proxy adds the address it was asked from at the end.
    """
    peer = request.client.host if request.client else "unknown"
    trusted = site_of(request).proxies
    if peer not in trusted:
        return peer
    hops = [hop.strip() for hop in ",".join(request.headers.getlist("x-forwarded-for")).split(",")]
    return next((hop[:80] for hop in reversed(hops) if hop and hop not in trusted), peer)


def cookie_name(site: Site) -> str:
    """The cookie's name; with HTTPS the prefix that keeps it to this host."""
    return SECURE_COOKIE if site.secure else COOKIE


def whoever(request: Request, site: AtSite) -> Seen | None:
    """Who is signed in, by cookie or by bearer token; None for strangers."""
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = bearer.strip() if kind.lower() == "bearer" else request.cookies.get(cookie_name(site), "")
    seen = site.sessions.seen(token, site.now())
    if seen is not None and (seen.session.kind == PROGRAM) != (kind.lower() == "bearer"):
        return None  # a program's token is no cookie, and a browser's no bearer token
    request.state.seen = seen
    return seen


Whoever = Annotated[Seen | None, Depends(whoever)]


def somebody(seen: Whoever) -> Seen:
    """Who is signed in.

    Raises:
        SignedOut: nobody.
    """
    if seen is None:
        raise SignedOut
    return seen


Somebody = Annotated[Seen, Depends(somebody)]


def may(permission: Permission) -> Callable[[Seen], Seen]:
    """A dependency: somebody who may do this."""

    def allowed(seen: Somebody) -> Seen:
        if seen.must_enrol:
            raise MustEnrol
        if not seen.may(permission):
            needed = permission.value.replace("_", " ")
            raise NotAllowed(
                "your role does not allow this", hint=f"it needs the permission “{needed}”; ask an admin"
            )
        return seen

    return allowed


def by_browser(seen: Somebody) -> None:
    """Refuse a program, whatever its owner may do."""
    if seen.session.kind == PROGRAM:
        raise NotAllowed("a program's token cannot do this", hint="sign in with a browser")


async def from_a_form(request: Request, seen: Somebody) -> None:
    """Refuse a change that does not carry the token of its session; programs with a bearer token need none.

    Raises:
        Forged: the token is missing or of another session.
    """
    if seen.session.kind == PROGRAM:
        return
    given = request.headers.get("x-csrf")
    if given is None:
        form = await request.form(max_files=10, max_fields=500, max_part_size=1024 * 1024)
        field = form.get("csrf")
        given = field if isinstance(field, str) else ""
    if not hmac.compare_digest(given.encode("utf-8", "replace"), seen.csrf.encode()):
        raise Forged


def back_here(request: Request) -> str:
    """The address to come back to after signing in: a path of ours."""
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(request.url.path + query, safe="")


def own_path(text: str) -> str:
    """A path on this server, whatever was asked for.

    Example:
        >>> own_path("/campaigns/C-1"), own_path("//evil.example/"), own_path("/\\\\evil.example")
        ('/campaigns/C-1', '/', '/')
    """
    plain = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if plain and len(text) < 2000 and all(" " < c < "\x7f" for c in text) else "/"


Reader = Annotated[Seen, Depends(may(Permission.CASE_READ))]
"""Somebody who may read what was found."""
