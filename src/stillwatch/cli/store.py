"""``stillwatch store``: traffic kept by day, its retention, and the deletion of one customer's rows."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import offers
from stillwatch.cli.commands import (
    SectionGroup,
    VerbCommand,
    debug_option,
    general_options,
    json_option,
    option,
    reading_options,
)
from stillwatch.cli.edge import mapping_path, read_settings, standard_input
from stillwatch.cli.terminal import console, print_json, progress
from stillwatch.errors import ConfigError

_STORE = click.argument("store_path", metavar="STORE", shell_complete=offers.paths)
_QUIET = option(
    "--quiet", "-q", section="General", is_flag=True, help="No progress and no table; errors only."
)
_YES = option(
    "--yes", section="Writing", is_flag=True, help="Do it; without this it only says what it would do."
)


@click.group(cls=SectionGroup, short_help="Keep traffic by day; expire it; delete one customer's.")
def store() -> None:
    """Keep traffic as Parquet, one folder a day, that stillwatch and any other engine reads.

    STORE is a folder, or an address such as s3://bucket/folder (needs the extra `s3`).
    """


@store.command(
    cls=VerbCommand,
    short_help="Read logs into a store.",
    examples=(
        ("stillwatch store add archive logs/ --key-file stillwatch.key", "features and digests; no text"),
        ("stillwatch store add s3://bucket/archive logs/2026-11-24/", "one day more, into an object store"),
    ),
)
@_STORE
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", shell_complete=offers.paths)
@reading_options
@option(
    "--rejected",
    section="Writing",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Also list what was refused there: file, line and reason, never the content.",
)
@json_option("Print the counts as JSON to standard output.")
@general_options
def add(
    store_path: str,
    inputs: tuple[str, ...],
    format: str | None,
    mapping: str | None,
    key_file: str | None,
    rejected: str | None,
    as_json: bool,
    settings_path: str | None,
    quiet: bool,
) -> None:
    """Read logs into a store: features and keyed digests, or the exchanges with `privacy.content = "retain"`.

    What is in the store already is not written twice: after an interruption, run the same command again.
    """
    from stillwatch import wiring

    settings = read_settings(settings_path, key_file)
    with progress(quiet=quiet) as told:
        counts = wiring.store_add(
            store_path,
            inputs,
            settings=settings,
            format=format,
            mapping=mapping_path(mapping),
            rejected=Path(rejected) if rejected else None,
            progress=told,
            env=os.environ,
            stdin=standard_input(inputs),
        )
    _print(counts, as_json, quiet)


@store.command(
    cls=VerbCommand,
    short_help="Show what lies in a store.",
    examples=(("stillwatch store show archive", "its days, with files, rows and bytes"),),
)
@_STORE
@json_option()
@_QUIET
@debug_option()
def show(store_path: str, as_json: bool, quiet: bool) -> None:
    """Show the days of a store, with files, rows and bytes."""
    from stillwatch import wiring

    with progress(quiet=quiet) as told:
        found = wiring.store_show(store_path, told)
    _print(found, as_json, quiet, "days", ("day", "files", "rows", "bytes"))


@store.command(
    cls=VerbCommand,
    short_help="Remove days that are too old.",
    examples=(
        ("stillwatch store expire archive --keep-days 90", "what would go; nothing is changed"),
        ("stillwatch store expire archive --keep-days 90 --yes", "in a daily job"),
    ),
)
@_STORE
@option(
    "--keep-days",
    required=True,
    section="Choosing",
    type=click.IntRange(min=1),
    metavar="DAYS",
    help="Days to keep, today among them.",
)
@option(
    "--today",
    section="Choosing",
    metavar="DATE",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    help="Count back from this day in place of the clock's (UTC).",
)
@_YES
@json_option()
@_QUIET
@debug_option()
def expire(
    store_path: str, keep_days: int, today: datetime | None, yes: bool, as_json: bool, quiet: bool
) -> None:
    """Remove the days that are older than the last DAYS."""
    from stillwatch import wiring

    day = (today or datetime.now(tz=UTC)).date()
    with progress(quiet=quiet) as told:
        found = wiring.store_expire(store_path, keep_days=keep_days, today=day, really=yes, progress=told)
    _print(found, as_json, quiet)
    _remind(yes, quiet)


@store.command(
    cls=VerbCommand,
    short_help="Delete the rows of one customer.",
    examples=(
        ("stillwatch store forget archive --account acct-4711", "what would go; nothing is changed"),
        (
            "stillwatch store forget archive --account acct-4711 --runs reports/ --yes",
            "delete, and say which runs rested on it",
        ),
    ),
)
@_STORE
@option(
    "--account", "accounts", multiple=True, section="Choosing", metavar="ID", help="Account; may be repeated."
)
@option(
    "--org", "orgs", multiple=True, section="Choosing", metavar="ID", help="Organisation; may be repeated."
)
@option(
    "--runs",
    multiple=True,
    section="Choosing",
    metavar="FOLDER",
    help="A run, or a folder of runs, to look for results that rest on what goes; may be repeated.",
)
@_YES
@json_option()
@_QUIET
@debug_option()
def forget(
    store_path: str,
    accounts: tuple[str, ...],
    orgs: tuple[str, ...],
    runs: tuple[str, ...],
    yes: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Delete the rows of an account or organisation, and say what changed.

    Interrupted, the next verb that writes to the store finishes it. Runs are not changed: the report says which
    read the files and which name the account, and you scan again or remove them.
    """
    from stillwatch import wiring

    if not any((*accounts, *orgs)):
        raise ConfigError("nobody is named", hint="say whose rows go: --account ID or --org ID")
    with progress(quiet=quiet) as told:
        found = wiring.store_forget(
            store_path, accounts=accounts, orgs=orgs, runs=runs, really=yes, progress=told
        )
    _print(found, as_json, quiet, "changed", ("name", "rows", "of"))
    if found["runs"] and not as_json and not quiet:
        from stillwatch.cli.summary import listing

        console().print(listing(found["runs"], ("run", "files_it_read", "names_the_account", "campaigns")))
    _remind(yes, quiet)


def _print(
    found: dict[str, Any], as_json: bool, quiet: bool, rows: str = "", columns: tuple[str, ...] = ()
) -> None:
    """The facts, then the rows of one of them as a table."""
    if as_json:
        print_json(found)
    elif not quiet:
        from stillwatch.cli.summary import facts, listing

        console().print(facts({name: value for name, value in found.items() if name not in (rows, "runs")}))
        if rows and found[rows]:
            console().print(listing(found[rows], columns))


def _remind(yes: bool, quiet: bool) -> None:
    if not yes and not quiet:
        click.echo("nothing was changed; pass --yes to do it", err=True)
