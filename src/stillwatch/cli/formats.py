"""``stillwatch formats``: which logs can be read, and what each can never tell."""

from __future__ import annotations

import click

from stillwatch.cli.commands import VerbCommand, debug_option, json_option
from stillwatch.cli.terminal import console, print_json


@click.command(
    cls=VerbCommand,
    short_help="List the log formats that can be read.",
    examples=(
        ("stillwatch formats", "all of them"),
        ("stillwatch scan calls.jsonl --format openai", "overrule what the content looks like"),
    ),
)
@json_option()
@debug_option()
def formats(as_json: bool) -> None:
    """List the log formats that can be read.

    The format is recognised from the content; `--format` settles it when that fails.
    """
    from stillwatch import wiring

    rows = wiring.list_formats()
    if as_json:
        print_json(rows)
    else:
        from stillwatch.cli.summary import listing

        console().print(listing(rows, ("id", "title")))
