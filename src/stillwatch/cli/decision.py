"""``stillwatch decision``: look at a decision that was made, and make it again."""

from __future__ import annotations

from pathlib import Path

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
from stillwatch.cli.terminal import print_json, show

DIFFERENT = 10


@click.group(cls=SectionGroup, short_help="Replay a decision on a live request.")
def decision() -> None:
    """Look at a decision on a live request, and make it again from what was logged."""


@decision.command(
    cls=VerbCommand,
    short_help="Make a logged decision again.",
    examples=(("stillwatch decision replay D-21dd6a8cf010bfcd94df --gate gate/", "when a customer appeals"),),
)
@click.argument("decision_id", metavar="ID")
@option("--gate", "gate_dir", required=True, section="Reading", metavar="FOLDER",
        type=click.Path(exists=True, file_okay=False), help="Folder of the gate that decided.")  # fmt: skip
@json_option()
@settings_option()
@debug_option()
def replay(decision_id: str, gate_dir: str, as_json: bool, settings_path: str | None) -> int:
    """Make a decision again from the logged facts and the kept policy, and say whether it is the same.

    Exit status: 0 the same; 10 different; 2 it is not in the log, or its policy was not kept.
    """
    from stillwatch import wiring

    found = wiring.replay_decision(decision_id, Path(gate_dir), settings=read_settings(settings_path))
    if as_json:
        print_json(found)
    else:
        from stillwatch.cli.policy_words import replayed

        show(replayed(found))
    return 0 if found["same"] else DIFFERENT
