"""Shared by the verbs that write a run: put it into the log of evidence, and say what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillwatch.cli.terminal import safe
from stillwatch.errors import StillwatchError

if TYPE_CHECKING:
    from stillwatch.settings import Settings


def log_the_run(out: Path, settings: Settings, *, must: bool, quiet: bool) -> None:
    """Put a run that was written into the log of evidence, when one is kept.

    Raises:
        StillwatchError: it has to be there and could not be.
    """
    from stillwatch import wiring

    try:
        if not wiring.log_is_kept(settings):
            return
        made = wiring.log_run(out, settings)
    except (StillwatchError, OSError) as error:
        why = str(error) if isinstance(error, StillwatchError) else type(error).__name__
        again = f"the run is in {out.name}; log it with `stillwatch evidence log add run {out.name}`"
        if must:
            raise StillwatchError(f"the run is not in the log of evidence: {why}", hint=again) from error
        click.echo(f"warning: the run is not in the log of evidence: {safe(why)}", err=True)
        click.echo(f"hint: {safe(again)}", err=True)
        return
    if not quiet:
        many = f"{made['findings']:,} finding{'' if made['findings'] == 1 else 's'}"
        click.echo(
            f"logged: leaf {made['index']} of the log of evidence is this run; {many} before it", err=True
        )
