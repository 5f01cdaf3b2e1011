"""``stillwatch baseline``: fit and show the reference cohort. Judging never learns; this does."""

from __future__ import annotations

import getpass
import os
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from stillwatch.settings import Settings


@click.group(cls=SectionGroup, short_help="Fit or show the reference cohort.")
def baseline() -> None:
    """Fit or show the reference cohort: what honest traffic looks like, dated and versioned.

    It is the root of trust: fit it on accounts that you know, from a time before the scan.
    """


@baseline.command(
    cls=VerbCommand,
    short_help="Learn trait frequencies from known honest accounts.",
    examples=(
        (
            "stillwatch baseline fit march/ --accounts known.parquet --name 2026-03 --out baseline.parquet",
            "a month of traffic of accounts that you know",
        ),
        (
            "stillwatch baseline fit april/ --accounts known.parquet --honest-from sqlite:///stillwatch.db "
            "--name 2026-04 --out baseline.parquet",
            "learning also from accounts that people found innocent",
        ),
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", shell_complete=offers.paths)
@reading_options
@option(
    "--accounts",
    multiple=True,
    section="Context",
    metavar="FILE",
    help="Account table; only accounts in it are learnt from.",
)
@option(
    "--honest-from",
    section="Context",
    metavar="ADDRESS",
    help="Database of cases: accounts that people found innocent there are learnt from as well, unless the account "
    "table says that they are suspended.",
)
@option(
    "--as",
    "as_name",
    section="Context",
    metavar="NAME",
    envvar="STILLWATCH_PERSON",
    help="Who you are in that database; else STILLWATCH_PERSON, else your name on this machine.",
)
@option("--name", required=True, section="Context", help="Name stamped on every finding that uses it.")
@option(
    "--as-of",
    section="Context",
    metavar="DATE",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    help="Date of the cohort (YYYY-MM-DD); the last day of the input when not given.",
)
@option(
    "--out",
    "-o",
    required=True,
    section="Writing",
    metavar="FILE",
    type=click.Path(),
    help="Baseline file to write.",
)
@json_option("Print what was learnt, in counts, as JSON to standard output.")
@general_options
def fit(
    inputs: tuple[str, ...],
    format: str | None,
    mapping: str | None,
    key_file: str | None,
    accounts: tuple[str, ...],
    honest_from: str | None,
    as_name: str | None,
    name: str,
    as_of: datetime | None,
    out: str,
    as_json: bool,
    settings_path: str | None,
    quiet: bool,
) -> None:
    """Learn from known honest accounts how common each trait value is."""
    from stillwatch import wiring

    settings = read_settings(settings_path, key_file)
    innocent = None if honest_from is None else _innocent(honest_from, as_name, settings)
    day: date | None = as_of.date() if as_of else None
    with progress(quiet=quiet) as told:
        learnt = wiring.fit_baseline(
            inputs,
            settings=settings,
            accounts=accounts,
            out=Path(out),
            name=name,
            as_of=day,
            format=format,
            mapping=mapping_path(mapping),
            innocent=innocent,
            progress=told,
            env=os.environ,
            stdin=standard_input(inputs),
        )
    if as_json:
        print_json(learnt)
    elif not quiet:
        from stillwatch.cli.summary import facts

        console().print(facts(learnt))


def _innocent(address: str, name: str | None, settings: Settings) -> list[str]:
    """Accounts that people found innocent, as far as this person may read it."""
    from stillwatch.wiring.desk import Desk

    with Desk.open(address, password_env=settings.respond.store_password_env) as desk:
        person = desk.ready().person(name or getpass.getuser())
        with desk.look(person) as work:
            from stillwatch.respond import correcting

            return [row["account_id"] for row in correcting.honest_accounts(work)]


@baseline.command(
    cls=VerbCommand,
    short_help="Show what a baseline was learnt from.",
    examples=(
        ("stillwatch baseline show", "the one that comes with stillwatch"),
        ("stillwatch baseline show own.baseline --json", "your own, for a program"),
    ),
)
@click.argument("path", required=False, metavar="[FILE]", type=click.Path(exists=True, dir_okay=False))
@json_option()
@debug_option()
def show(path: str | None, as_json: bool) -> None:
    """Show what a baseline was learnt from; the built-in one without FILE."""
    from stillwatch import wiring

    described = wiring.show_baseline(Path(path) if path else None)
    if as_json:
        print_json(described)
    else:
        from stillwatch.cli.summary import facts

        console().print(facts(described))
