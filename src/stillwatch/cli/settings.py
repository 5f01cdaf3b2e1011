"""``stillwatch settings``: what is in force, in the form the settings file needs."""

from __future__ import annotations

import click

from stillwatch.cli.commands import (
    SectionGroup,
    VerbCommand,
    debug_option,
    json_option,
    option,
    settings_option,
)
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import print_json, safe


@click.group(cls=SectionGroup, short_help="Show the settings in force.")
def settings() -> None:
    """Show the settings in force."""


@settings.command(
    cls=VerbCommand,
    short_help="Print every setting as TOML.",
    examples=(
        ("stillwatch settings show > stillwatch.toml", "a settings file to start from"),
        ("stillwatch settings show --digest", "what is stamped on findings"),
    ),
)
@settings_option()
@option("--digest", is_flag=True, section="Writing", help="Print the settings digest only.")
@json_option()
@debug_option()
def show(settings_path: str | None, digest: bool, as_json: bool) -> None:
    """Print every setting as TOML, with its meaning and unit. Secrets are never part of it."""
    from stillwatch.settings import settings_digest, settings_toml

    chosen = read_settings(settings_path)
    if digest:
        click.echo(settings_digest(chosen))
    elif as_json:
        print_json(chosen.model_dump(mode="json"))
    else:
        click.echo(safe(settings_toml(chosen), keep="\n"), nl=False)
