"""A process that serves the console: a socket, the site, and a first admin where there is nobody yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from stillwatch.console.app import make_app
from stillwatch.console.running import Runner
from stillwatch.console.sealing import Sealing
from stillwatch.console.signin import passwords
from stillwatch.console.signin.kept import Kept
from stillwatch.console.signin.local import Local
from stillwatch.console.signin.oidc import Provider
from stillwatch.console.signin.seals import Seals
from stillwatch.console.signin.sessions import Sessions
from stillwatch.console.signin.throttle import Throttle
from stillwatch.console.site import Site
from stillwatch.console.warming import warm
from stillwatch.errors import ConfigError
from stillwatch.receive import serve
from stillwatch.records import Person, Role
from stillwatch.respond import people
from stillwatch.respond.work import PROGRAM
from stillwatch.settings import Settings
from stillwatch.settings.networks import Networks
from stillwatch.store.sql import migrate, revision
from stillwatch.wiring.desk import Desk
from stillwatch.wiring.evidence_audit import seal_audit
from stillwatch.wiring.listening import address_of, listening
from stillwatch.wiring.run_view import LatestRun

_READ_TIMEOUT_S, _MOST_CONNECTIONS = 30.0, 256
FIRST = "admin"


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are."""

    run: Path
    """Output folder of a scan."""
    store: str
    """Address of the database."""
    keys: Path
    """Folder of the console's key."""
    gate: Path | None = None
    policy: Path | None = None


def open_site(
    places: Places, settings: Settings, env: Mapping[str, str] = os.environ, desk: Desk | None = None
) -> Site:
    """Everything put together; the store is set up when it is new.

    Raises:
        StillwatchError: the run, the store or the key cannot be used.
    """
    latest = LatestRun(places.run)
    latest.view()
    desk = desk or Desk.open(places.store, password_env=settings.respond.store_password_env, env=env)
    if revision(desk.engine)[0] is None:
        migrate(desk.engine)
    desk.ready()
    places.keys.mkdir(parents=True, exist_ok=True)
    kept, seals, bounds = Kept(desk.engine), Seals.beside(places.keys), settings.console
    sessions = Sessions(
        kept, seals, timedelta(hours=bounds.session_h), timedelta(minutes=bounds.idle_min),
        timedelta(days=bounds.token_days),
    )  # fmt: skip
    local = Local(kept, seals, Throttle())
    provider = _provider(settings, seals, env)
    return Site(
        desk,
        latest,
        kept,
        sessions,
        local,
        settings,
        Runner(desk, settings, env),
        provider,
        places.gate,
        places.policy,
        Networks(bounds.trusted_proxies),
    )


def _provider(settings: Settings, seals: Seals, env: Mapping[str, str]) -> Provider | None:
    """The provider of the settings; None where none is named."""
    c = settings.console
    if c.oidc_issuer is None:
        return None
    if c.public_url is None:
        raise ConfigError("console.oidc_issuer needs console.public_url",
                          hint="name the address under which people reach the console")  # fmt: skip
    unknown = sorted(set(c.oidc_roles.values()) - {r.value for r in Role})
    if unknown or not c.oidc_roles:
        raise ConfigError("console.oidc_roles maps no group to a role, or to one that does not exist",
                          hint='for example oidc_roles = {"abuse-team" = "analyst"}')  # fmt: skip
    back = c.public_url.rstrip("/") + "/sign-in/oidc/back"
    return Provider(c.oidc_issuer, c.oidc_client_id, env.get(c.oidc_secret_env, ""), back, c.oidc_role_claim,
                    c.oidc_roles, seals)  # fmt: skip


def first_admin(site: Site) -> tuple[Person, str] | None:
    """An admin with a password to begin with, when no admin could come in; None when one can.

    A new store gets its first admin; in one that was set up on the command line it is the first of its admins.
    """
    with site.work(PROGRAM) as work:
        everybody = people.everybody(work.conn)
        admins = [p for p in everybody if p.active and Role.ADMIN in p.roles]
        made = people.add(work, FIRST, [Role.ADMIN]) if not everybody else None
    known = [a for p in admins if (a := site.kept.by_id(p.person_id))]
    if any(a.password_hash or a.has_subject for a in known) or not (made or admins):
        return None
    person, password = made or admins[0], passwords.invented()
    site.kept.set_password(person.person_id, passwords.hashed(password))
    site.record(None, "person.reset", person.name, why="nobody could sign in")
    return person, password


def serve_console(
    places: Places, *, listen: str, settings: Settings, env: Mapping[str, str] = os.environ,
    ready: Callable[[str, tuple[Person, str] | None], None],
) -> None:  # fmt: skip
    """Serve people until SIGTERM or SIGINT; ``ready`` is called once requests are answered.

    Raises:
        ConfigError: it would listen beyond this machine without HTTPS, or cannot listen.
    """
    with listening(listen) as sock:
        host = sock.getsockname()[0]
        if not settings.console.https and host not in {"127.0.0.1", "::1"}:
            raise ConfigError(
                f"the console would be reached from elsewhere ({listen}) without HTTPS",
                hint="put a proxy that ends HTTPS in front and set console.https = true, or listen on 127.0.0.1",
            )
        site = open_site(places, settings, env)
        try:
            made = first_admin(site)
            hosts = settings.console.hosts or ("localhost", f"[{host}]" if ":" in host else host)
            app = make_app(site, hosts)
            warm(app, site, hosts[0])
            with (
                Sealing(lambda: seal_audit(site.desk, settings, env)),
                closing(site.runner),
                closing(site.simulations),
            ):
                serve(
                    app, sock, read_timeout_s=_READ_TIMEOUT_S, max_connections=_MOST_CONNECTIONS,
                    ready=lambda: ready(address_of(sock), made),
                )  # fmt: skip
        finally:
            site.desk.close()
