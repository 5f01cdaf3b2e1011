"""``stillwatch hub new``, ``serve``, ``member``, ``keyholder``: the verbs of whoever runs a hub or holds a key."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stillwatch.cli.commands import SectionGroup, VerbCommand, debug_option, json_option, option
from stillwatch.cli.terminal import print_json, safe, show, tell

HUB_FOLDER, HOLDER_FOLDER = "hub", "keyholder"
_FILE = click.Path(exists=True, dir_okay=False)
_CHOOSE = "Choosing"


def folder_option(default: str) -> Callable[[Any], Any]:
    """``--folder``."""
    return option(
        "--folder", section="Reading", metavar="FOLDER", type=click.Path(file_okay=False), default=default,
        show_default=True, help="Where everything of it lies.",
    )  # fmt: skip


def _listening(command: Any, port: int) -> Any:
    where: dict[str, Any] = {"section": "Reading"}
    for added in (
        option("--quiet", "-q", section="General", is_flag=True, help="Say nothing but errors."),
        option("--behind-proxy", is_flag=True, help="A proxy in front ends HTTPS.", **where),
        option("--tls-key", metavar="FILE", type=_FILE, help="The certificate's private key (PEM).", **where),
        option("--tls-cert", metavar="FILE", type=_FILE, help="Certificate with its chain (PEM).", **where),
        option("--listen", "-l", metavar="HOST:PORT", default=f"127.0.0.1:{port}", show_default=True,
               help="Address to listen on; port 0 takes any free one.", **where),
    ):  # fmt: skip
        command = added(command)
    return command


def _tls(cert: str | None, key: str | None) -> tuple[Path, Path] | None:
    if bool(cert) != bool(key):
        raise click.UsageError("--tls-cert and --tls-key go together")
    return (Path(cert), Path(key)) if cert and key else None


@click.command(
    cls=VerbCommand,
    short_help="Make the folder of a hub.",
    examples=(
        (
            'stillwatch hub new --name "Example hub" --url https://hub.example',
            "its address is part of its log's name",
        ),
        ('stillwatch hub new --name "Trial"', "on this machine alone"),
    ),
)
@option("--name", required=True, section=_CHOOSE, metavar="TEXT", help="What it is called.")
@option(
    "--url",
    section=_CHOOSE,
    metavar="URL",
    default="",
    help="Its address, for members; else where it listens.",
)
@option("--contact", section=_CHOOSE, metavar="TEXT", default="", help="Whom the public may ask.")
@folder_option(HUB_FOLDER)
@json_option()
@debug_option()
def new(name: str, url: str, contact: str, folder: str, as_json: bool) -> None:
    """Make the folder of a hub: journal, log with its key, and the store of the objects that it hands on."""
    from stillwatch import wiring

    made = wiring.new_hub(Path(folder), name=name, url=url, contact=contact)
    tell(
        made, as_json, f"made {safe(folder)}; members pin the key of its log: {made['log']}",
        "next: stillwatch hub member add NAME --organisation ORGANISATION --clearance amber",
    )  # fmt: skip


@click.command(
    cls=VerbCommand,
    short_help="Serve a hub's members.",
    examples=(
        ("stillwatch hub serve", "on this machine alone"),
        ("stillwatch hub serve -l 0.0.0.0:6200 --tls-cert hub.pem --tls-key hub.key", "for everybody"),
    ),
)
@lambda command: _listening(command, 6200)
@folder_option(HUB_FOLDER)
@debug_option()
def serve(
    listen: str, tls_cert: str | None, tls_key: str | None, behind_proxy: bool, folder: str, quiet: bool
) -> None:
    """Serve a hub until SIGTERM or Ctrl-C: signed requests of members, objects over TAXII, and a public page.

    Members, keys and rounds may be added while it runs. Needs the extra `hub`.
    """
    from stillwatch import wiring

    _log_to_stderr("stillwatch.hub", quiet)
    wiring.serve_hub(
        Path(folder),
        listen=listen,
        tls=_tls(tls_cert, tls_key),
        behind_proxy=behind_proxy,
        ready=_ready(quiet),
    )


@click.command(
    "add",
    cls=VerbCommand,
    short_help="Add a member, or change one.",
    examples=(
        ('stillwatch hub member add north --organisation "North Lab" --clearance amber', "a new one"),
        ("stillwatch hub member add north --suspend", "none of its keys is good any more"),
    ),
)
@click.argument("name", metavar="NAME")
@option("--organisation", section=_CHOOSE, metavar="TEXT",
        help="Of which organisation it is: members of one count as one.")  # fmt: skip
@option("--clearance", section=_CHOOSE, type=click.Choice(("clear", "green", "amber", "amber+strict", "red")),
        help="The highest TLP that is shown to it.")  # fmt: skip
@option("--suspend/--active", section=_CHOOSE, default=False, help="Whether it may do anything.")
@option("--new-token", section=_CHOOSE, is_flag=True, help="A new token for the objects; the old one ends.")
@folder_option(HUB_FOLDER)
@json_option()
@debug_option()
def member_add(
    name: str, organisation: str | None, clearance: str | None, suspend: bool, new_token: bool, folder: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Add a member or change one. A token, for reading objects over TAXII, is printed once."""
    from stillwatch import wiring

    made = wiring.put_hub_member(
        Path(folder),
        name,
        organisation=organisation,
        clearance=clearance,
        suspend=suspend,
        new_token=new_token,
    )
    if as_json:
        print_json(made)
        return
    show(
        f"{made['member']}: {'added' if made['new'] else 'changed'}{'' if made['active'] else '; suspended'}"
    )
    if made["token"]:
        show(f"token for the objects, until {made['token_ends']}, shown once: {made['token']}")
    if made["new"]:
        show(f"next: stillwatch hub member key {made['member']} LINE --person NAME")


@click.command(
    "key",
    cls=VerbCommand,
    short_help="Add a person's key to a member, or end one.",
    examples=(
        ('stillwatch hub member key north LINE --person "A. Rossi"', "LINE is what `hub key` printed there"),
        (
            'stillwatch hub member key east LINE --person "C. Lind" --steward',
            "may decide disputes between others",
        ),
        ("stillwatch hub member key north LINE --end", "it is good for nothing any more"),
    ),
)
@click.argument("name", metavar="NAME")
@click.argument("line", metavar="LINE")
@option("--person", section=_CHOOSE, metavar="TEXT", help="Whose key it is.")
@option("--steward", section=_CHOOSE, is_flag=True, help="May decide disputes between other organisations.")
@option("--end", section=_CHOOSE, is_flag=True, help="End it.")
@folder_option(HUB_FOLDER)
@json_option()
@debug_option()
def member_key(
    name: str, line: str, person: str | None, steward: bool, end: bool, folder: str, as_json: bool
) -> None:
    """Add the public key of a person of a member, or end it."""
    from stillwatch import wiring

    made = wiring.put_hub_person(Path(folder), name, person=person, key=line, steward=steward, end=end)
    done = "ended" if end else f"of {safe(person)} added"
    tell(made, as_json, f"{safe(name)}: key {made['key_id'][:16]} {done}")


@click.command(
    "list",
    cls=VerbCommand,
    short_help="Show members, rounds and what waits for somebody.",
    examples=(("stillwatch hub member list", "for whoever runs the hub"),),
)
@folder_option(HUB_FOLDER)
@json_option()
@debug_option()
def member_list(folder: str, as_json: bool) -> None:
    """Show members and their people, withdrawals that somebody has not acknowledged, and rounds."""
    from stillwatch import wiring

    told = wiring.hub_roster(Path(folder))
    if as_json:
        print_json(told)
        return
    for row in told["members"]:
        state = "" if row["active"] else ", suspended"
        show(f"member {row['name']} of {safe(row['organisation'])}, up to {row['clearance']}{state}")
        for key in row["keys"]:
            words = "ended" if key["ended"] else "steward" if key["steward"] else ""
            show(f"    {safe(key['person'])}: {key['key']} {words}".rstrip())
    for row in told["withdrawals"]:
        show(
            f"withdrawn {row['submission']}; not acknowledged by: {', '.join(row['not_acknowledged']) or 'nobody'}"
        )
    for row in told["rounds"]:
        shown = f"{len(row['shown'])} of {len(row['committed'])} have shown"
        aside = "".join(f"; {m} set aside: {why}" for m, why in row["set_aside"].items())
        show(f"round {row['epoch']}: {shown}, {'closed' if row['closed'] else 'open'}{aside}")
    show(f"submissions: {told['submissions']}; open disputes: {len(told['open_disputes'])}, "
         f"appeals: {len(told['open_appeals'])}")  # fmt: skip


@click.command(
    "member",
    cls=VerbCommand,
    short_help="Add a member to a key holder.",
    examples=(
        ("stillwatch hub keyholder member north --key LINE --budget 20000", "20,000 evaluations a week"),
        ("stillwatch hub keyholder member north --end", "no more answers"),
    ),
)
@click.argument("name", metavar="NAME")
@option(
    "--key", section=_CHOOSE, metavar="LINE", help="Public key of a person of it, as `hub key` printed it."
)
@option("--budget", section=_CHOOSE, type=click.IntRange(0, 10_000_000), metavar="N",
        help="Evaluations that it may have in one week.")  # fmt: skip
@option(
    "--url",
    section=_CHOOSE,
    metavar="URL",
    default="",
    help="Address of this key holder; else where it listens.",
)
@option("--end", section=_CHOOSE, is_flag=True, help="Take all its keys away.")
@folder_option(HOLDER_FOLDER)
@json_option()
@debug_option()
def holder_member(
    name: str, key: str | None, budget: int | None, url: str, end: bool, folder: str, as_json: bool
) -> None:
    """Add a member to a key holder, one more key to a member, or change its budget. Makes the folder."""
    from stillwatch import wiring

    made = wiring.holder_member(Path(folder), name, key=key, budget=budget, end=end, url=url)
    tell(made, as_json, f"{safe(name)}: {made['keys']} keys, {made['budget']:,} evaluations a week")


@click.command(
    "serve",
    cls=VerbCommand,
    short_help="Answer members with one share of the week's key.",
    examples=(
        ("stillwatch hub keyholder serve -l 127.0.0.1:6201", "on this machine alone"),
        (
            "stillwatch hub keyholder serve -l 0.0.0.0:6201 --tls-cert kh.pem --tls-key kh.key",
            "for everybody",
        ),
    ),
)
@lambda command: _listening(command, 6201)
@folder_option(HOLDER_FOLDER)
@debug_option()
def holder_serve(
    listen: str, tls_cert: str | None, tls_key: str | None, behind_proxy: bool, folder: str, quiet: bool
) -> None:
    """Answer members until SIGTERM or Ctrl-C. Two organisations hold a share each, and neither runs the hub.

    The share of a week is drawn when it is first needed and destroyed when the week is over. Needs the extra `hub`.
    """
    from stillwatch import wiring

    _log_to_stderr("stillwatch.keyholder", quiet)
    wiring.serve_holder(
        Path(folder),
        listen=listen,
        tls=_tls(tls_cert, tls_key),
        behind_proxy=behind_proxy,
        ready=_ready(quiet),
    )


def _ready(quiet: bool) -> Callable[[str], None]:
    def ready(address: str) -> None:
        if not quiet:
            click.echo(f"listening on {safe(address)}", err=True)

    return ready


def _log_to_stderr(name: str, quiet: bool) -> None:
    """What the server has to say: one line each, with its time; never what somebody sent."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger(name)
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.ERROR if quiet else logging.INFO)


@click.group(
    "member", cls=SectionGroup, short_help="Members of a hub, and the keys of their people.",
    sections=(("Commands", (member_add, member_key, member_list)),),
)  # fmt: skip
def member() -> None:
    """Members of a hub and the keys of their people. May be changed while it runs."""


@click.group(
    "keyholder", cls=SectionGroup, short_help="Hold one of the two shares of the week's key.",
    sections=(("Commands", (holder_member, holder_serve)),),
)  # fmt: skip
def keyholder() -> None:
    """Hold one of the two shares of the week's key. A key holder sees blinded values only: how many, and from whom."""


OPERATE: tuple[click.Command, ...] = (new, serve, member)
HOLD: tuple[click.Command, ...] = (keyholder,)
