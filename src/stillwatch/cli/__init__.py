"""The command line: one file per verb. ``stillwatch --help`` shows them all."""

from stillwatch.cli.app import main

__all__ = ["main"]
