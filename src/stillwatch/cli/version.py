"""``stillwatch version``: which versions would judge."""

from __future__ import annotations

import platform

import click

from stillwatch import __version__
from stillwatch.cli.commands import VerbCommand, debug_option, json_option
from stillwatch.cli.terminal import print_json

ENGINES = ("duckdb", "ibis-framework", "numba", "numpy", "pyarrow", "scipy")
"""Packages whose version can change a result."""


@click.command(
    cls=VerbCommand,
    short_help="Print the version.",
    examples=(("stillwatch version --json", "with the engines whose version can change a result"),),
)
@json_option("Print the versions of the engines too, as JSON.")
@debug_option()
def version(as_json: bool) -> None:
    """Print the version of stillwatch."""
    if not as_json:
        click.echo(f"stillwatch {__version__}")
        return
    from importlib.metadata import version as installed

    engines = {name: installed(name) for name in ENGINES}
    print_json({"stillwatch": __version__, "python": platform.python_version(), "engines": engines})
