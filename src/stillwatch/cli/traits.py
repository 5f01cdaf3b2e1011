"""``stillwatch traits``: what is looked at, and what each trait needs."""

from __future__ import annotations

import difflib
from typing import Any

import click

from stillwatch.cli import offers
from stillwatch.cli.commands import SectionGroup, VerbCommand, debug_option, json_option
from stillwatch.cli.terminal import console, print_json
from stillwatch.errors import ConfigError


@click.group(
    cls=SectionGroup,
    invoke_without_command=True,
    short_help="List the traits that accounts may share.",
    examples=(
        ("stillwatch traits", "all of them"),
        ("stillwatch traits show template", "one, with the fields it needs"),
    ),
)
@json_option()
@debug_option()
@click.pass_context
def traits(ctx: click.Context, as_json: bool) -> None:
    """List the traits: what an account shows that another may share.

    One trait is one file, one id and one page of documentation.
    """
    if ctx.invoked_subcommand is not None:
        return
    from stillwatch import wiring

    rows = wiring.list_traits()
    if as_json:
        print_json(rows)
    else:
        from stillwatch.cli.summary import listing

        console().print(listing(rows, ("id", "family", "title")))


@traits.command(
    cls=VerbCommand,
    short_help="Show one trait.",
    examples=(("stillwatch traits show template", "what it is, its null, and who else looks like it"),),
)
@click.argument("trait_id", metavar="ID", shell_complete=offers.traits)
@json_option()
@debug_option()
def show(trait_id: str, as_json: bool) -> None:
    """Show one trait: its family, what it needs, and where its page is."""
    from stillwatch import wiring

    known: dict[str, dict[str, Any]] = {str(row["id"]): row for row in wiring.list_traits()}
    if trait_id not in known:
        close = difflib.get_close_matches(trait_id, known, n=1)
        hint = f"did you mean {close[0]}?" if close else "`stillwatch traits` lists them"
        raise ConfigError(f"no trait {trait_id!r}", hint=hint)
    if as_json:
        print_json(known[trait_id])
    else:
        from stillwatch.cli.summary import facts

        console().print(facts(known[trait_id]))
