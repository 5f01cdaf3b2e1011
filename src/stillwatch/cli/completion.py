"""``stillwatch completion``: tab completion for the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from stillwatch.cli.commands import VerbCommand


@click.command(
    cls=VerbCommand,
    short_help="Print a script for tab completion.",
    examples=(
        ('eval "$(stillwatch completion bash)"', "in ~/.bashrc; zsh likewise in ~/.zshrc"),
        ("stillwatch completion fish > ~/.config/fish/completions/stillwatch.fish", "fish"),
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that teaches SHELL to complete stillwatch's verbs and options."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  the choice above holds only shells that click knows
    script = kind(ctx.find_root().command, {}, "stillwatch", "_STILLWATCH_COMPLETE")
    click.echo(script.source_template % script.source_vars())
