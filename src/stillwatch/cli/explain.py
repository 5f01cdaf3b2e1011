"""``stillwatch explain``: why a campaign or an account was reported."""

from __future__ import annotations

from pathlib import Path

import click

from stillwatch.cli import offers
from stillwatch.cli.commands import VerbCommand, debug_option
from stillwatch.cli.terminal import show


@click.command(
    cls=VerbCommand,
    short_help="Say why a campaign or account was reported.",
    examples=(
        ("stillwatch explain report C-1", "the evidence behind one campaign, and what speaks against it"),
        ("stillwatch explain report acct-4711", "why one account is in it, and what would clear it"),
    ),
)
@click.argument("run_dir", metavar="FOLDER", type=click.Path(exists=True, file_okay=False))
@click.argument("subject", metavar="ID", shell_complete=offers.groups)
@debug_option()
def explain(run_dir: str, subject: str) -> None:
    """Say why a campaign or an account was reported, and what would change that.

    FOLDER is what `stillwatch scan --out` wrote; ID is a campaign id or an account id from it.
    """
    from stillwatch import wiring

    show(wiring.explain(Path(run_dir), subject))
    beside = wiring.leads_beside(Path(run_dir), subject)
    if beside:
        show(f"\n{beside}")
