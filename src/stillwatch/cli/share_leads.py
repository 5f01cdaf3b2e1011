"""``stillwatch share push``, ``pull`` and their kin: sending over TAXII, and what comes back in."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stillwatch.cli.commands import VerbCommand, debug_option, json_option, option, settings_option
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import print_json, progress, safe, show
from stillwatch.errors import StillwatchError

LEADS, SOURCES = "leads.sqlite", "sources.toml"
_FOLDER = click.Path(exists=True, file_okay=False)


def _sources(command: Callable[..., Any]) -> Callable[..., Any]:
    added: Callable[..., Any] = option(
        "--sources", section="Reading", metavar="FILE", type=click.Path(dir_okay=False), default=SOURCES,
        show_default=True, help="Servers and collections, and how reliable you find each (TOML).",
    )(command)  # fmt: skip
    return added


def _leads(command: Callable[..., Any]) -> Callable[..., Any]:
    added: Callable[..., Any] = option(
        "--leads", "leads_file", section="Reading", metavar="FILE", type=click.Path(dir_okay=False), default=LEADS,
        show_default=True, help="File in which leads lie; pulling makes it.",
    )(command)  # fmt: skip
    return added


_SOURCE = option("--source", section="Choosing", metavar="NAME",
                 help="Which of the sources; needed when there are several.")  # fmt: skip


@click.command(
    cls=VerbCommand,
    short_help="Send a released draft to a TAXII server.",
    examples=(("stillwatch share push draft --source hub", "after `share release draft`"),),
)
@click.argument("folder", metavar="DRAFT", type=_FOLDER)
@_SOURCE
@_sources
@json_option()
@settings_option()
@debug_option()
def push(folder: str, source: str | None, sources: str, as_json: bool, settings_path: str | None) -> None:
    """Send a released draft to the collection of a source, and say what became of each object.

    What is not released, or was changed since, is not sent. Exit status: 0 all taken, 2 otherwise.
    """
    from stillwatch import wiring

    made = wiring.push_share(
        Path(folder), Path(sources), source=source, settings=read_settings(settings_path)
    )
    _sent(made, as_json)


@click.command(
    cls=VerbCommand,
    short_help="Withdraw what was sent.",
    examples=(("stillwatch share withdraw draft --source hub", "every reader is served the withdrawal"),),
)
@click.argument("folder", metavar="DRAFT", type=_FOLDER)
@_SOURCE
@_sources
@json_option()
@settings_option()
@debug_option()
def withdraw(folder: str, source: str | None, sources: str, as_json: bool, settings_path: str | None) -> None:
    """Withdraw the objects of a draft that was sent: a last version of each, which says that it no longer holds.

    The server's operator sees who has been served it (`stillwatch share roster`).
    """
    from stillwatch import wiring

    made = wiring.withdraw_share(
        Path(folder), Path(sources), source=source, settings=read_settings(settings_path)
    )
    _sent(made, as_json)


@click.command(
    cls=VerbCommand,
    short_help="Fetch what others shared.",
    examples=(
        ("stillwatch share pull", "what is new, from every source"),
        ("stillwatch scan logs/ --out report --leads leads.sqlite", "then look for it in your own logs"),
    ),
)
@option("--source", section="Choosing", metavar="NAME", help="Only this one; else every source.")
@_sources
@_leads
@json_option()
@debug_option()
def pull(source: str | None, sources: str, leads_file: str, as_json: bool) -> None:
    """Fetch what is new from TAXII servers. Interrupted, it goes on where it ended.

    What cannot be trusted in form is not kept, and counted. Nothing here judges anybody: a shared indicator is a lead,
    shown beside the findings of `stillwatch scan --leads`, and ends by itself.
    """
    from stillwatch import wiring

    with progress(quiet=as_json) as told:
        rows = wiring.pull_leads(Path(leads_file), Path(sources), only=source, progress=told)
    if as_json:
        print_json({"sources": rows})
        return
    for row in rows:
        counts = f"{row['read']} objects read, {row['kept']} kept, {row['passed_over']} known or older"
        show(f"{safe(row['source'])}: {counts}")
        for reason, count in sorted(row["refused"].items()):
            show(f"    {count} not taken: {safe(reason)}")
        if row["withdrawn"]:
            show(f"    {row['withdrawn']} withdrawn; see `stillwatch share leads`, then `share acknowledge`")


@click.command(
    cls=VerbCommand,
    short_help="Show leads, and withdrawals nobody acknowledged.",
    examples=(("stillwatch share leads", "what a scan would look for"),),
)
@_leads
@json_option()
@debug_option()
def leads(leads_file: str, as_json: bool) -> None:
    """Show the leads that are used now, why others are not, and withdrawals that nobody has acknowledged yet."""
    from stillwatch import wiring

    found = wiring.list_leads(Path(leads_file))
    if as_json:
        print_json(found)
        return
    for row in found["leads"]:
        said = ", ".join(
            f"{row[k]} {w}" for k, w in (("seen", "have seen it"), ("disputed", "dispute it")) if row[k]
        )
        show(f"{row['kind']} {safe(row['value'])} from {safe(row['source'])}, TLP:{row['level'].upper()}, until "
             f"{row['valid_until'][:10]}{f'; {said}' if said else ''}: {safe(row['object_id'])}")  # fmt: skip
    for reason, count in sorted(found["not_used"].items()):
        show(f"{count} not used: {safe(reason)}")
    for row in found["withdrawals"]:
        rested = (
            ", ".join(f"{safe(r['campaign_id'])} of {safe(r['run'])}" for r in row["rested"]) or "nothing"
        )
        show(f"withdrawn by {safe(row['source'])}: {safe(row['object_id'])}; beside it stood: {rested}")
    if not any(found.values()):
        show("nothing was shared yet")


@click.command(
    cls=VerbCommand,
    short_help="Tell a source what became of a lead.",
    examples=(
        ("stillwatch share answer indicator--ID wrong --sender identity--ID", "it met honest traffic only"),
        ("stillwatch share answer indicator--ID seen --sender identity--ID", "it was seen here as well"),
    ),
)
@click.argument("object_id", metavar="ID")
@click.argument("verdict", metavar="ANSWER", type=click.Choice(("seen", "wrong", "outdated", "heard")))
@option(
    "--sender", required=True, section="Choosing", metavar="ID", help="Your STIX identity, as in share.toml."
)
@_sources
@_leads
@json_option()
@debug_option()
def answer(object_id: str, verdict: str, sender: str, sources: str, leads_file: str, as_json: bool) -> None:
    """Send an answer to the source of a lead: `seen` (a sighting), `wrong`, `outdated`, or `heard` of a withdrawal.

    It has no free text and is held as closely as the lead. Above TLP:AMBER nothing is sent.
    """
    from stillwatch import wiring

    made = wiring.answer_lead(Path(leads_file), object_id, verdict, Path(sources), sender=sender)
    _sent(made, as_json)


@click.command(
    cls=VerbCommand,
    short_help="Acknowledge withdrawals; look again at what rested on them.",
    examples=(("stillwatch share acknowledge --as ana", "cases get a line, closed ones are opened again"),),
)
@option(
    "--as",
    "name",
    section="Choosing",
    metavar="NAME",
    help="Who acknowledges; else your name on this machine.",
)
@option("--cases/--no-cases", section="Choosing", default=True,
        help="Whether cases of the store are told; without it only the leads are.")  # fmt: skip
@_leads
@json_option()
@settings_option()
@debug_option()
def acknowledge(
    name: str | None, cases: bool, leads_file: str, as_json: bool, settings_path: str | None
) -> None:
    """Acknowledge withdrawals. A case beside which a withdrawn lead stood gets a line in its timeline and, when it is
    closed, is opened again: the lead was no part of the finding, but may have been in somebody's mind.
    """
    from stillwatch import wiring

    rows = wiring.acknowledge_withdrawals(
        Path(leads_file), by=name or getpass.getuser(), settings=read_settings(settings_path), cases=cases
    )
    if as_json:
        print_json({"acknowledged": rows})
        return
    for row in rows:
        told = ", ".join(map(safe, row["cases"])) or "no case"
        show(f"{safe(row['object_id'])} of {safe(row['source'])}: acknowledged; told: {told}")
    if not rows:
        show("no withdrawal waits")


def _sent(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(made)
    else:
        waiting = f", {made['pending']} still pending there" if made["pending"] else ""
        show(f"{safe(made['source'])} has taken {made['taken']} of {made['sent']} objects{waiting}")
        for row in made["failures"]:
            show(f"    {safe(row['id'])}: {safe(row['reason'])}")
    if made["failures"]:
        raise StillwatchError(
            f"{len(made['failures'])} objects were not taken", hint="the reasons are the server's own"
        )


SEND: tuple[click.Command, ...] = (push, withdraw)
RECEIVE: tuple[click.Command, ...] = (pull, leads, answer, acknowledge)
