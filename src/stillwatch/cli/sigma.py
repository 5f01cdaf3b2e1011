"""``stillwatch sigma``: detection rules for gateways of language models, and the events that they read."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stillwatch.cli import offers
from stillwatch.cli.commands import (
    SectionGroup,
    VerbCommand,
    debug_option,
    general_options,
    json_option,
    option,
    reading_options,
)
from stillwatch.cli.edge import mapping_path, read_settings, standard_input
from stillwatch.cli.terminal import console, print_json, progress, show


@click.group(
    cls=SectionGroup,
    short_help="Detection rules for gateways, as Sigma.",
    examples=(
        ("stillwatch sigma list", "the pack"),
        ("stillwatch sigma export --out rules", "YAML, for the converter of your own log platform"),
        ("stillwatch sigma events logs/ --key-file stillwatch.key --out events.jsonl", "what the rules read"),
    ),
)
def sigma() -> None:
    """Detection rules for the gateways of language models, as Sigma.

    Rules look at one request, or count within one account or key. They are leads: what needs statistics over
    accounts is the work of `stillwatch scan`.
    """


@sigma.command("list", cls=VerbCommand, short_help="List the rules that ship.",
               examples=(("stillwatch sigma list", "with level, and who can fill their fields"),))  # fmt: skip
@json_option()
@debug_option()
def list_them(as_json: bool) -> None:
    """List the rules that ship."""
    from stillwatch import wiring

    rows = wiring.list_rules()
    if as_json:
        print_json(rows)
    else:
        from stillwatch.cli.summary import listing

        console().print(listing(rows, ("id", "level", "fields from", "title")))


@sigma.command("show", cls=VerbCommand, short_help="Print one rule.",
               examples=(("stillwatch sigma show sealed_replay", "as YAML"),))  # fmt: skip
@click.argument("key", metavar="ID")
@debug_option()
def show_one(key: str) -> None:
    """Print one rule as Sigma."""
    from stillwatch import wiring

    show(wiring.show_rule(key))


@sigma.command(
    cls=VerbCommand,
    short_help="Write rules as Sigma.",
    examples=(
        ("stillwatch sigma export --out rules", "the whole pack"),
        ("stillwatch sigma export sealed_replay logit_sweep --out rules", "two of it"),
    ),
)
@click.argument("keys", metavar="[ID]...", nargs=-1)
@option("--out", "-o", required=True, section="Writing", metavar="FOLDER", type=click.Path(file_okay=False),
        help="Folder for the files; none is overwritten.")  # fmt: skip
@debug_option()
def export(keys: tuple[str, ...], out: str) -> None:
    """Write rules as Sigma, one YAML file each."""
    from stillwatch import wiring

    for path in wiring.export_rules(keys, Path(out)):
        show(f"wrote {path}")


@sigma.command(
    cls=VerbCommand,
    short_help="Write the events that rules read.",
    examples=(
        (
            "stillwatch sigma events logs/ --key-file stillwatch.key --out events.jsonl",
            "of logs, or an intake",
        ),
        ("stillwatch sigma events --gate gate/ --out decisions.jsonl", "of a gate's decision log"),
    ),
)
@click.argument("inputs", nargs=-1, metavar="[INPUT]...", shell_complete=offers.paths)
@reading_options
@option("--gate", section="Reading", metavar="FOLDER", type=click.Path(file_okay=False),
        help="Folder of a gate, whose decision log is read too.")  # fmt: skip
@option("--out", "-o", required=True, section="Writing", metavar="FILE", type=click.Path(dir_okay=False),
        help="File for the events, JSON lines; not overwritten.")  # fmt: skip
@json_option("Print the counts as JSON to standard output.")
@general_options
def events(
    inputs: tuple[str, ...], format: str | None, mapping: str | None, key_file: str | None, gate: str | None,
    out: str, as_json: bool, settings_path: str | None, quiet: bool,
) -> None:  # fmt: skip
    """Write logs and decisions as events of the log source `llm_inference`, JSON lines.

    No prompt and no answer is in them; keys, addresses and client programs are keyed digests.
    """
    from stillwatch import wiring

    with progress(quiet=quiet or as_json) as told:
        counts = wiring.sigma_events(
            inputs, Path(out), gate=Path(gate) if gate else None, settings=read_settings(settings_path, key_file),
            format=format, mapping=mapping_path(mapping), progress=told, env=os.environ,
            stdin=standard_input(inputs),
        )  # fmt: skip
    if as_json:
        print_json(counts)
    elif not quiet:
        from stillwatch.cli.summary import facts

        console().print(facts(counts))
