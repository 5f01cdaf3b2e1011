"""People: who may come in, with which roles; and one's own page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from stillwatch.console.door import AtSite, MustEnrol, Somebody, by_browser, from_a_form, may, place_of
from stillwatch.console.render import page
from stillwatch.console.signin import passwords
from stillwatch.console.signin.kept import bind
from stillwatch.console.signin.register import PROGRAM
from stillwatch.console.signin.sessions import Seen
from stillwatch.errors import StillwatchError
from stillwatch.records import Permission, Role
from stillwatch.respond import people
from stillwatch.respond.errors import NotFound

router = APIRouter(include_in_schema=False)
Reads = Annotated[Seen, Depends(may(Permission.PEOPLE_READ))]
Edits = Annotated[Seen, Depends(may(Permission.PEOPLE_EDIT))]
FORM = [Depends(by_browser), Depends(from_a_form)]
"""Who may come in, and with what, is changed by people: whoever finds a program's token makes no further way in."""
Text = Annotated[str, Form(max_length=300)]
Roles = Annotated[list[Role], Form()]


@router.get("/people")
def listing(request: Request, site: AtSite, seen: Reads) -> Response:
    """Everybody."""
    return _listing(request, site, seen)


def _listing(request: Request, site: AtSite, seen: Seen, given: tuple[str, str] | None = None) -> Response:
    with site.desk.look(seen.person) as work:
        everybody = people.everybody(work.conn)
    held = {p.person_id: site.kept.by_id(p.person_id) for p in everybody}
    open_ = {p.person_id: len(site.kept.sessions(p.person_id, site.now())) for p in everybody}
    return page(
        request,
        "people.html.j2",
        everybody=everybody,
        held=held,
        sessions=open_,
        roles=list(Role),
        given=given,
        oidc=site.provider_name,
    )


@router.post("/people", dependencies=FORM)
def add(
    request: Request, site: AtSite, seen: Edits, name: Text, roles: Roles, full_name: Text = "", email: Text = "",
    sign_in: Text = "local", subject: Text = "",
) -> Response:  # fmt: skip
    """Somebody new. A local account gets a password that is shown once and ends at the first sign-in.

    Somebody of the provider is added under the name that the provider has for them, ``sub``, which alone lets them in.
    """
    issuer = site.settings.console.oidc_issuer
    if sign_in != "local" and not (issuer and subject.strip()):
        raise StillwatchError("the provider's name for this person is needed",
                              hint="the claim `sub` of their identity token; or give them a password")  # fmt: skip
    password = passwords.invented() if sign_in == "local" else None
    with site.work(seen.person) as work:
        made = people.add(work, name.strip().lower(), roles, full_name=full_name, email=email)
        if not password:
            bind(work, made, str(issuer), subject)
    if password:
        site.kept.set_password(made.person_id, passwords.hashed(password))
    return _listing(request, site, seen, (made.name, password) if password else None)


@router.post("/people/{name}/roles", dependencies=FORM)
def roles_of(
    site: AtSite,
    seen: Edits,
    name: str,
    roles: Annotated[list[Role] | None, Form()] = None,
    active: Text = "",
) -> Response:
    """Other roles, or in and out."""
    with site.work(seen.person) as work:
        people.change(work, people.by_name(work.conn, name), roles=roles or [], active=active == "yes")
    return RedirectResponse("/people?done=changed", status_code=303)


@router.post("/people/{name}/reset", dependencies=FORM)
def reset(request: Request, site: AtSite, seen: Edits, name: str) -> Response:
    """A new password, shown once; the second factor is set up again; every session ends."""
    with site.desk.look(seen.person) as work:
        person = people.by_name(work.conn, name)
    password = passwords.invented()
    site.kept.set_password(person.person_id, passwords.hashed(password))
    site.kept.set_factor(person.person_id, None, 0)
    site.kept.end_all(person.person_id, site.now())
    site.record(seen.person, "person.reset", person.name)
    return _listing(request, site, seen, (person.name, password))


@router.post("/people/{name}/sign-out", dependencies=FORM)
def end_sessions(site: AtSite, seen: Edits, name: str) -> Response:
    """End every session and token of somebody."""
    with site.desk.look(seen.person) as work:
        person = people.by_name(work.conn, name)
    ended = site.kept.end_all(person.person_id, site.now())
    site.record(seen.person, "sign_in.revoke", person.name, sessions=ended)
    return RedirectResponse("/people?done=signed-out", status_code=303)


@router.get("/me")
def me(request: Request, site: AtSite, seen: Somebody) -> Response:
    """One's own sessions and tokens."""
    return _me(request, site, seen)


def _me(request: Request, site: AtSite, seen: Seen, token: str = "") -> Response:
    if seen.must_enrol:
        raise MustEnrol
    return page(
        request,
        "me.html.j2",
        sessions=site.kept.sessions(seen.person.person_id, site.now()),
        token=token,
        now=site.now(),
    )


@router.post("/me/token", dependencies=FORM)
def token(request: Request, site: AtSite, seen: Somebody, label: Text) -> Response:
    """A token for a program of one's own, with one's own permissions; shown once."""
    if not label.strip():
        raise StillwatchError("a token needs a name", hint="say what it is for, so that you know it again")
    made = site.sessions.open(seen.someone, place_of(request), site.now(), kind=PROGRAM, label=label.strip())
    site.record(seen.person, "token.make", seen.person.name, label=label.strip()[:80])
    return _me(request, site, seen, made)


@router.post("/me/end/{digest}", dependencies=FORM)
def end_one(site: AtSite, seen: Somebody, digest: str) -> Response:
    """End one of one's own sessions or tokens."""
    if digest not in {s.digest for s in site.kept.sessions(seen.person.person_id, site.now())}:
        raise NotFound("session of yours of that name")
    site.kept.end(digest, site.now())
    site.record(seen.person, "sign_in.end", seen.person.name)
    return RedirectResponse("/me?done=ended", status_code=303)


@router.post("/me/password", dependencies=FORM)
def password(site: AtSite, seen: Somebody, old: Text, new: Text) -> Response:
    """Another password; every other session ends."""
    if not passwords.matches(seen.someone.password_hash, old):
        raise StillwatchError("that is not your present password", hint="type it again")
    site.kept.set_password(seen.person.person_id, passwords.hashed(new, name=seen.person.name))
    site.kept.end_all(seen.person.person_id, site.now(), but=seen.session.digest)
    site.record(seen.person, "password.change", seen.person.name)
    return RedirectResponse("/me?done=password", status_code=303)
