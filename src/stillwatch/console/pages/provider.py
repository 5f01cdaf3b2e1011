"""Coming in through a provider."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.door import AtSite, own_path, place_of
from stillwatch.console.pages.signing import let_in
from stillwatch.console.render import page
from stillwatch.console.signin.kept import bind
from stillwatch.console.signin.oidc import Identity
from stillwatch.console.signin.register import Someone
from stillwatch.console.site import Site
from stillwatch.errors import StillwatchError
from stillwatch.records import Person, Role
from stillwatch.respond import people
from stillwatch.respond.errors import NotAllowed, NotFound

router = APIRouter(include_in_schema=False)
HALF_WAY = "stillwatch-half-way"
_PATH = "/sign-in/oidc"
_ASK = "ask an admin of the console"
BY_PROVIDER = Person(0, "single sign-on", frozenset({Role.ADMIN}))
"""Who adds people that the provider sends, and changes their roles."""


@router.get(_PATH)
def begin(site: AtSite, next: str = "/") -> Response:
    """Off to the provider."""
    if site.provider is None:
        raise NotFound("provider to sign in with")
    address, sealed = site.provider.begin(own_path(next), site.now())
    answer = RedirectResponse(address, status_code=303)
    # lax, for the provider sends people back from another site
    answer.set_cookie(
        HALF_WAY, sealed, max_age=600, path=_PATH, secure=site.secure, httponly=True, samesite="lax"
    )
    return answer


@router.get(_PATH + "/back")
def back(
    request: Request, site: AtSite, code: Annotated[str, Query(max_length=4000)] = "",
    state: Annotated[str, Query(max_length=400)] = "",
) -> Response:  # fmt: skip
    """Back from the provider."""
    if site.provider is None:
        raise NotFound("provider to sign in with")
    place, stamp = place_of(request), site.now().timestamp()
    wait = site.provider.throttle.wait_s(place, place, stamp)
    if wait:
        answer = page(request, "error.html.j2", 429, title="Too many tries", message="Too many tries from here.",
                      hint=f"Wait {-(-wait // 60)} min, then try again.")  # fmt: skip
        answer.headers["retry-after"] = str(wait)
        return answer
    try:
        identity, to = site.provider.finish(request.cookies.get(HALF_WAY, ""), state, code, site.now())
        someone = _someone(site, identity)
    except StillwatchError as error:
        site.provider.throttle.failed(place, place, stamp)
        site.record(None, "sign_in.refuse", "single sign-on", place=place, why=type(error).__name__)
        raise
    site.record(someone.person, "sign_in.pass", someone.person.name, place=place, by="provider")
    signed = let_in(site, request, someone, to)
    # a page, not a redirect: browsers hold back strict cookies while a redirect from another site goes on
    answer = page(request, "signed_in.html.j2", to=own_path(to), seen=None)
    answer.headers.append("set-cookie", signed.headers["set-cookie"])
    answer.delete_cookie(HALF_WAY, path=_PATH)
    return answer


def _someone(site: Site, identity: Identity) -> Someone:
    """The person of an identity: known by subject alone, never by name; else a new one."""
    found = site.kept.by_subject(identity.issuer, identity.subject)
    if found is None:
        if site.kept.by_name(identity.name) is not None:
            raise NotAllowed(f"the name {identity.name} is taken by another account", hint=_ASK)
        with site.work(BY_PROVIDER) as work:
            added = people.add(
                work, identity.name, identity.roles, full_name=identity.full_name, email=identity.email
            )
            bind(work, added, identity.issuer, identity.subject)
        found = site.kept.by_id(added.person_id)
        assert found is not None  # noqa: S101  written just now
    if not found.person.active:
        raise NotAllowed("you may not come in", hint=_ASK)
    if found.person.roles != identity.roles:
        with site.work(BY_PROVIDER) as work:
            people.change(work, found.person, roles=identity.roles)
        found = site.kept.by_id(found.person.person_id) or found
    return found
