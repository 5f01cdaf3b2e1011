"""``stillwatch baseline``: fit and show the reference cohort. Judging never learns; this does."""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path

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
            progress=told,
            env=os.environ,
            stdin=standard_input(inputs),
        )
    if as_json:
        print_json(learnt)
    elif not quiet:
        from stillwatch.cli.summary import facts

        console().print(facts(learnt))


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
