"""``stillwatch playbook``: what to do about a campaign, step by step, for people and for CACAO 2.0."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch.cli.commands import SectionGroup, VerbCommand, debug_option, json_option, option
from stillwatch.cli.terminal import console, print_json, safe, show
from stillwatch.errors import ConfigError

if TYPE_CHECKING:
    from stillwatch.practice.playbook import Playbook, Step

BREACHED = 10


def _set(command: Any) -> Any:
    return option(
        "--set", "pairs", multiple=True, section="Filling in", metavar="NAME=VALUE",
        help="Value of a variable, a plain word; may be given more than once.",
    )(command)  # fmt: skip


def _values(pairs: tuple[str, ...]) -> dict[str, str]:
    values = dict(pair.partition("=")[::2] for pair in pairs)
    if not all("=" in pair for pair in pairs) or len(values) < len(pairs):
        raise ConfigError("write --set NAME=VALUE, each name once", hint="for example --set campaign=C-3")
    return values


@click.group(
    cls=SectionGroup,
    short_help="What to do about a campaign, step by step.",
    examples=(
        ("stillwatch playbook list", "identify, mitigate, remediate, notify, restore"),
        ("stillwatch playbook show mitigate --set campaign=C-3", "the commands, to copy"),
        ("stillwatch playbook export --out playbooks", "CACAO 2.0, for other people's programs"),
    ),
)
def playbook() -> None:
    """Playbooks: who does what, in which order, with which commands.

    They are data. Nothing here runs a step.
    """


@playbook.command("list", cls=VerbCommand, short_help="List the playbooks that ship.",
                  examples=(("stillwatch playbook list", "all of them"),))  # fmt: skip
@json_option()
@debug_option()
def list_them(as_json: bool) -> None:
    """List the playbooks that ship, in the order in which they are done."""
    from stillwatch import wiring

    rows = wiring.list_playbooks()
    if as_json:
        print_json(rows)
    else:
        from stillwatch.cli.summary import listing

        console().print(listing(rows, ("id", "types", "title")))


@playbook.command(
    "show",
    cls=VerbCommand,
    short_help="Show one playbook, to read and to copy.",
    examples=(
        ("stillwatch playbook show identify", "with the usual names of files"),
        ("stillwatch playbook show identify --set run=monday --set campaign=C-3", "with yours"),
    ),
)
@click.argument("key", metavar="ID")
@_set
@json_option("Print CACAO 2.0 to standard output.")
@debug_option()
def show_one(key: str, pairs: tuple[str, ...], as_json: bool) -> None:
    """Show one playbook: its steps, who does them, and the commands with your values in them."""
    from stillwatch import wiring

    if as_json:
        print_json(wiring.playbook_as_cacao(key, _values(pairs)))
    else:
        show(_page(wiring.show_playbook(key, _values(pairs))))


def _page(one: Playbook) -> str:
    lines = [one.name, " ".join(one.description.split()), ""]
    number = 0
    for step in one.steps:
        number += step.kind == "action"
        lines += _shown(step, number, {s.key: s.name for s in one.steps})
    lines += ["variables (--set):", *(f"  {v.name} = {v.value}  {v.what}" for v in one.variables)]
    return "\n".join(lines)


def _shown(step: Step, number: int, names: dict[str, str]) -> list[str]:
    if step.kind == "end":
        return [f"   -- {step.name}", ""]
    if step.kind == "if-condition":
        return [f"   ?  {step.name}", f"      yes: {names[step.then]}; no: {names[step.otherwise]}", ""]
    if step.kind == "parallel":
        return [f"   || {step.name}: {'; '.join(names[key] for key in step.branches)}", ""]
    lines = [f"{number:>2}. {step.name} ({step.people})", f"    {step.what}"]
    lines += [f"    $ {command}" for command in step.run] + [f"    - {text}" for text in step.ask]
    return [*lines, ""]


@playbook.command(
    cls=VerbCommand,
    short_help="Write playbooks as CACAO 2.0.",
    examples=(
        ("stillwatch playbook export --out playbooks", "all of them"),
        ("stillwatch playbook export mitigate --set campaign=C-3 --out playbooks", "one, filled in"),
    ),
)
@click.argument("keys", metavar="[ID]...", nargs=-1)
@option("--out", "-o", required=True, section="Writing", metavar="FOLDER", type=click.Path(file_okay=False),
        help="Folder for the files; none is overwritten.")  # fmt: skip
@_set
@debug_option()
def export(keys: tuple[str, ...], out: str, pairs: tuple[str, ...]) -> None:
    """Write playbooks as CACAO Security Playbooks 2.0, one JSON file each."""
    from stillwatch import wiring

    for path in wiring.export_playbooks(keys, Path(out), _values(pairs)):
        show(f"wrote {path}")


@playbook.command(
    cls=VerbCommand,
    short_help="Check a CACAO 2.0 file.",
    examples=(("stillwatch playbook check playbooks/mitigate.json", "after you changed it"),),
)
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False))
@json_option()
@debug_option()
def check(path: str, as_json: bool) -> int:
    """Check a playbook against what CACAO 2.0 asks of it, where ours use it: frame, ids, references, flow.

    Exit status: 0 nothing is wrong; 10 something is; 2 it cannot be read.
    """
    from stillwatch import wiring

    found = wiring.check_playbook(Path(path))
    if as_json:
        print_json(found)
    else:
        for row in found:
            show(f"{safe(row['where'])}: {row['rule']}: {row['why']}")
        show(f"{len(found)} breaches of CACAO 2.0" if found else "nothing breaks CACAO 2.0")
    return BREACHED if found else 0
