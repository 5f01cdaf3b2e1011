"""``stillwatch console``: the pages at which people decide."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import click

from stillwatch.cli.commands import VerbCommand, general_options, option
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import safe
from stillwatch.errors import ConfigError

DEFAULT_LISTEN = "127.0.0.1:8790"
EXTRA_HINT = "install them: pip install 'stillwatch[console]'"
_FOLDER = click.Path(file_okay=False)


@click.command(
    cls=VerbCommand,
    short_help="Serve the pages at which people decide.",
    examples=(
        ("stillwatch console --run report/", "on this machine; the first start prints a first sign-in"),
        (
            "stillwatch console --run report/ --store postgresql://stillwatch@db:5432/stillwatch --gate gate/",
            "for a team, with the policy and switches of a gate; the password in STILLWATCH_DATABASE_PASSWORD",
        ),
    ),
)
@option("--run", "run", required=True, section="Reading", metavar="RUN", type=_FOLDER,
        help="Output folder of a scan; a newer scan in its place is shown at the next page.")  # fmt: skip
@option("--store", section="Reading", metavar="ADDRESS",
        help="Database of cases and people; else `respond.store` of the settings. Set up when it is new.")  # fmt: skip
@option("--keys", section="Reading", metavar="FOLDER", type=_FOLDER, default=".", show_default=True,
        help="Folder of console.key, which seals second factors; made at the first start. Keep a copy.")  # fmt: skip
@option(
    "--gate", section="Reading", metavar="FOLDER", type=_FOLDER, help="Folder of a gate: its kill switches."
)
@option("--policy", section="Reading", metavar="POLICY", type=click.Path(dir_okay=False),
        help="Policy file in force; else the one that ships.")  # fmt: skip
@option("--listen", "-l", section="Reading", metavar="HOST:PORT", default=DEFAULT_LISTEN, show_default=True,
        help="Address to listen on; port 0 takes any free one.")  # fmt: skip
@general_options
def console(
    run: str, store: str | None, keys: str, gate: str | None, policy: str | None, listen: str,
    settings_path: str | None, quiet: bool,
) -> None:  # fmt: skip
    """Serve the console until SIGTERM or Ctrl-C: overview, campaigns, accounts, cases, policy, audit log, people.

    Where the store knows nobody yet, an admin is made and a password to begin with is printed once. People sign in
    with a password and a code, or through an OpenID Connect provider (`console.oidc_*` in the settings).

    Beyond this machine it listens only with `console.https`, behind a proxy that ends HTTPS.
    """
    _log_to_stderr(quiet)
    try:
        from stillwatch.console.serving import Places, serve_console
    except ImportError as error:
        raise ConfigError(
            f"the parts that make the console are missing ({error.name})", hint=EXTRA_HINT
        ) from error
    settings = read_settings(settings_path)
    where = store or settings.respond.store

    def ready(address: str, first: tuple[Any, str] | None) -> None:
        if first is not None:  # also with --quiet: nobody could come in otherwise
            person, password = first
            click.echo(
                f"first sign-in: name {safe(person.name)}, password {password}  (shown once)", err=True
            )
        if not quiet:
            click.echo(f"listening on {safe(address)}; run {safe(run)}, store {safe(where)}", err=True)

    places = Places(Path(run), where, Path(keys), *(Path(p) if p else None for p in (gate, policy)))
    serve_console(places, listen=listen, settings=settings, env=os.environ, ready=ready)


def _log_to_stderr(quiet: bool) -> None:
    """What the console has to say: one line each, with its time; never what somebody sent."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("stillwatch.console")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.ERROR if quiet else logging.INFO)
