"""``stillwatch share serve`` and its kin: a TAXII server, and the verbs of whoever runs it."""

from __future__ import annotations

import logging
import os

import click

from stillwatch.cli.commands import (
    VerbCommand,
    debug_option,
    general_options,
    json_option,
    option,
    settings_option,
)
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import print_json, safe, show

DEFAULT_LISTEN = "127.0.0.1:6100"
LEVELS = click.Choice(("clear", "green", "amber", "amber+strict", "red"))


@click.command(
    cls=VerbCommand,
    short_help="Serve members over TAXII 2.1.",
    examples=(
        ("stillwatch share serve", "on this machine alone"),
        (
            "stillwatch share serve --listen 0.0.0.0:6100",
            "behind a proxy that ends HTTPS, with taxii.https = true",
        ),
    ),
)
@option("--listen", "-l", section="Reading", metavar="HOST:PORT", default=DEFAULT_LISTEN, show_default=True,
        help="Address to listen on; port 0 takes any free one.")  # fmt: skip
@general_options
def serve(listen: str, settings_path: str | None, quiet: bool) -> None:
    """Serve what members share over TAXII 2.1, until SIGTERM or Ctrl-C. Needs the extra `taxii`.

    Who may read and write what is said with `share member`, `share collection` and `share allow`, also while it runs.
    What is held closer than a member is cleared for is not there for it; what has no TLP marking counts as red.
    """
    from stillwatch import wiring

    _log_to_stderr(quiet)
    settings = read_settings(settings_path)

    def ready(address: str) -> None:
        if not quiet:
            click.echo(f"listening on {safe(address)}; discovery at {safe(address)}/taxii2/", err=True)

    wiring.serve_taxii(listen=listen, settings=settings, env=os.environ, ready=ready)


@click.command(
    cls=VerbCommand,
    short_help="Add a member of the server, or change one.",
    examples=(
        ("stillwatch share member north --clearance amber", "a new one; its token is printed once"),
        ("stillwatch share member north --new-token", "one token more, while the other is replaced"),
        ("stillwatch share member north --only-token", "a new token; those before it end at once"),
        ("stillwatch share member north --suspend", "none of its tokens is good any more"),
    ),
)
@click.argument("name", metavar="NAME")
@option(
    "--clearance",
    section="Choosing",
    type=LEVELS,
    help="The highest TLP that is served to it; a new one needs it.",
)
@option("--identity", section="Choosing", metavar="ID",
        help="Its STIX identity: nobody else can speak in this name.")  # fmt: skip
@option("--new-token", section="Choosing", is_flag=True, help="Make one more token.")
@option("--only-token", section="Choosing", is_flag=True, help="Make a token and end all others.")
@option("--days", section="Choosing", type=click.IntRange(1, 3650), default=365, show_default=True, metavar="DAYS",
        help="How long a new token is good.")  # fmt: skip
@option("--suspend/--active", section="Choosing", default=False, help="Whether it may do anything.")
@json_option()
@settings_option()
@debug_option()
def member(
    name: str, clearance: str | None, identity: str | None, new_token: bool, only_token: bool, days: int, suspend: bool,
    as_json: bool, settings_path: str | None,
) -> None:  # fmt: skip
    """Add a member or change one. A token is printed when it is made and never again: the store has its digest."""
    from stillwatch import wiring

    made = wiring.taxii_member(
        name, settings=read_settings(settings_path), clearance=clearance, identity=identity, active=not suspend,
        token=new_token, alone=only_token, days=days,
    )  # fmt: skip
    if as_json:
        print_json(made)
        return
    show(
        f"{safe(made['member'])}: {'added' if made['new'] else 'changed'}{'' if made['active'] else '; suspended'}"
    )
    if made["token"]:
        show(f"token, until {made['token_ends']}, shown once: {made['token']}")


@click.command(
    cls=VerbCommand,
    short_help="Add a collection to the server.",
    examples=(
        ('stillwatch share collection "Indicators" --holds amber', "what is held closer is not taken in"),
    ),
)
@click.argument("title", metavar="TITLE")
@option("--holds", required=True, section="Choosing", type=LEVELS, help="The highest TLP that it takes in.")
@option("--root", section="Choosing", metavar="NAME", default="community", show_default=True,
        help="API root under which it stands.")  # fmt: skip
@option("--description", section="Choosing", metavar="TEXT", default="", help="What it is for.")
@json_option()
@settings_option()
@debug_option()
def collection(
    title: str, holds: str, root: str, description: str, as_json: bool, settings_path: str | None
) -> None:
    """Add a collection. Nobody reads or writes it until `stillwatch share allow` says so."""
    from stillwatch import wiring

    made = wiring.taxii_collection(
        title, settings=read_settings(settings_path), root=root, description=description, holds=holds
    )
    if as_json:
        print_json(made)
    else:
        place = f"under /{safe(made['root'])}/, up to TLP:{made['holds'].upper()}"
        show(f"{safe(made['title'])}, {place}: {made['collection']}")


@click.command(
    cls=VerbCommand,
    short_help="Let a member read or write a collection.",
    examples=(
        ("stillwatch share allow north 8f1c... --read --write", "both"),
        ("stillwatch share allow north 8f1c...", "neither: what it had is taken back"),
    ),
)
@click.argument("member_name", metavar="MEMBER")
@click.argument("collection_id", metavar="COLLECTION")
@option("--read", section="Choosing", is_flag=True, help="It may read.")
@option("--write", section="Choosing", is_flag=True, help="It may add objects; with both, delete its own.")
@json_option()
@settings_option()
@debug_option()
def allow(
    member_name: str, collection_id: str, read: bool, write: bool, as_json: bool, settings_path: str | None
) -> None:
    """Say what a member may do in a collection, from now on."""
    from stillwatch import wiring

    made = wiring.taxii_allow(
        member_name, collection_id, settings=read_settings(settings_path), can_read=read, can_write=write
    )
    if as_json:
        print_json(made)
    else:
        may = " and ".join(w for w, on in (("read", read), ("write", write)) if on) or "do nothing"
        show(f"{safe(member_name)} may {may} there")


@click.command(
    cls=VerbCommand,
    short_help="Show members, collections, and who has not heard of a withdrawal.",
    examples=(("stillwatch share roster", "who may do what"),),
)
@json_option()
@settings_option()
@debug_option()
def roster(as_json: bool, settings_path: str | None) -> None:
    """Show members, collections, who may do what, and for each withdrawal who has been served it and who not yet."""
    from stillwatch import wiring

    found = wiring.taxii_roster(settings=read_settings(settings_path))
    if as_json:
        print_json(found)
        return
    for row in found["members"]:
        state = "" if row["active"] else ", suspended"
        show(f"member {safe(row['name'])}: cleared for {row['clearance']}, {row['tokens']} tokens{state}")
    for row in found["collections"]:
        show(
            f"collection {row['id']} {safe(row['title'])}, up to {row['holds']}, under /{safe(row['root'])}/"
        )
        show(f"    read: {_names(row['readers'])}; write: {_names(row['writers'])}")
    for row in found["withdrawals"]:
        show(f"withdrawn {safe(row['object_id'])} by {safe(row['owner'])}")
        show(f"    heard: {_names(row['heard'])}; not yet: {_names(row['not_yet'])}")
    if not found["members"]:
        show("nobody yet: stillwatch share member NAME --clearance amber")


def _names(names: list[str]) -> str:
    return ", ".join(map(safe, names)) or "nobody"


def _log_to_stderr(quiet: bool) -> None:
    """What the server has to say: one line each, with its time; never what somebody sent."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("stillwatch.taxii")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.ERROR if quiet else logging.INFO)


SERVE: tuple[click.Command, ...] = (serve, member, collection, allow, roster)
