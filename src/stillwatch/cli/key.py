"""``stillwatch key``: the key under which every digest is made."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import click

from stillwatch.cli.commands import SectionGroup, VerbCommand, debug_option, option
from stillwatch.cli.terminal import safe
from stillwatch.errors import ConfigError

KEY_BYTES = 32


@click.group(cls=SectionGroup, short_help="Make the key under which digests are made.")
def key() -> None:
    """Make the key under which prompts, addresses and identities become digests.

    Keep it: digests of two runs can be compared only under the same key. Guard it: whoever has it can
    test a guess against a digest.
    """


@key.command(
    cls=VerbCommand,
    short_help="Make a new random key.",
    examples=(
        ("stillwatch key new --out stillwatch.key", "into a file that only you can read"),
        ('export STILLWATCH_KEY="$(stillwatch key new)"', "into the environment"),
    ),
)
@option(
    "--out",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    section="Writing",
    help="File to write, readable by you alone; never overwritten. Else standard output.",
)
@debug_option()
def new(out: str | None) -> None:
    """Make a new random key of 256 bits, in hexadecimal."""
    text = secrets.token_hex(KEY_BYTES) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    write_private(Path(out), text)
    click.echo(f"wrote {safe(out)}; keep it, and keep it to yourself", err=True)


def write_private(path: Path, text: str) -> None:
    """Create `path` with mode 0600; refuse to replace anything that is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(
            f"{path} exists and is not replaced",
            hint="digests under a lost key can never be compared again; move it away if you mean it",
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or 'cannot be written').lower()}") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
