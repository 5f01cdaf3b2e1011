"""``stillwatch control``: what a deployment should hold to, as a catalogue."""

from __future__ import annotations

from pathlib import Path

import click

from stillwatch.cli.commands import SectionGroup, VerbCommand, debug_option, json_option, option
from stillwatch.cli.terminal import console, print_json, show


@click.group(
    cls=SectionGroup,
    short_help="What a deployment should hold to.",
    examples=(
        ("stillwatch control list", "the catalogue"),
        ("stillwatch control export --out catalogue.json", "as OSCAL"),
    ),
)
def control() -> None:
    """Controls of defence against unauthorised distillation, mapped to OWASP AISVS, LLM06:2026 and MITRE ATLAS.

    `stillwatch posture` says which of them hold.
    """


@control.command("list", cls=VerbCommand, short_help="List the controls.",
                 examples=(("stillwatch control list", "and what a posture looks at for each"),))  # fmt: skip
@json_option()
@debug_option()
def list_them(as_json: bool) -> None:
    """List the controls, and what `stillwatch posture` looks at for each."""
    from stillwatch import wiring

    rows = wiring.list_controls()
    if as_json:
        print_json(rows)
    else:
        from stillwatch.cli.summary import listing

        console().print(listing(rows, ("id", "seen in", "title")))


@control.command("show", cls=VerbCommand, short_help="Show one control.",
                 examples=(("stillwatch control show acc-2", "statement, guidance, mappings"),))  # fmt: skip
@click.argument("id", metavar="ID")
@json_option()
@debug_option()
def show_one(id: str, as_json: bool) -> None:
    """Show one control: what it says, what to do, and what it is mapped to."""
    from stillwatch import wiring

    found = wiring.show_control(id)
    if as_json:
        print_json(found)
    else:
        from stillwatch.cli.summary import facts

        console().print(facts(found))


@control.command(
    cls=VerbCommand,
    short_help="Write the catalogue as OSCAL.",
    examples=(("stillwatch control export --out catalogue.json", "OSCAL 1.1, JSON"),),
)
@option("--out", "-o", required=True, section="Writing", metavar="FILE", type=click.Path(dir_okay=False),
        help="File for the catalogue; not overwritten.")  # fmt: skip
@debug_option()
def export(out: str) -> None:
    """Write the catalogue as an OSCAL catalogue, in JSON."""
    from stillwatch import wiring

    show(f"wrote {wiring.export_controls(Path(out))}")
