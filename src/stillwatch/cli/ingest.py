"""``stillwatch ingest``: logs in, a folder of features out."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stillwatch.cli import offers
from stillwatch.cli.commands import VerbCommand, general_options, json_option, option, reading_options
from stillwatch.cli.edge import mapping_path, read_settings, standard_input
from stillwatch.cli.terminal import console, print_json, progress


@click.command(
    cls=VerbCommand,
    short_help="Turn logs into features that hold no text.",
    examples=(
        ("stillwatch ingest logs/ --key-file stillwatch.key --out features", "on the log host"),
        (
            "stillwatch scan features --key-file stillwatch.key --out report",
            "later, elsewhere: no prompts travel",
        ),
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", shell_complete=offers.paths)
@reading_options
@option(
    "--out",
    "-o",
    required=True,
    section="Writing",
    metavar="FOLDER",
    type=click.Path(),
    help="Folder to write; whole or not at all.",
)
@option("--overwrite", section="Writing", is_flag=True, help="Replace the file when it exists.")
@json_option("Print the counts as JSON to standard output.")
@general_options
def ingest(
    inputs: tuple[str, ...],
    format: str | None,
    mapping: str | None,
    key_file: str | None,
    out: str,
    overwrite: bool,
    as_json: bool,
    settings_path: str | None,
    quiet: bool,
) -> None:
    """Turn logs into features and keyed digests that hold no text.

    What comes out can be scanned in place of the logs. With `privacy.content = "retain"` the exchanges
    are kept as they are, in the data contract's own columns.
    """
    from stillwatch import wiring

    settings = read_settings(settings_path, key_file)
    with progress(quiet=quiet) as told:
        counts = wiring.ingest(
            inputs,
            settings=settings,
            out=Path(out),
            format=format,
            mapping=mapping_path(mapping),
            overwrite=overwrite,
            progress=told,
            env=os.environ,
            stdin=standard_input(inputs),
        )
    if as_json:
        print_json(counts)
    elif not quiet:
        from stillwatch.cli.summary import facts

        console().print(facts(counts))
