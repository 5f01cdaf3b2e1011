"""``stillwatch hub round``: a week in which members find out which of their clusters are one network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from stillwatch.cli.commands import (
    SectionGroup,
    VerbCommand,
    debug_option,
    general_options,
    json_option,
    option,
    reading_options,
)
from stillwatch.cli.edge import mapping_path, read_settings
from stillwatch.cli.hub_admin import HUB_FOLDER, folder_option
from stillwatch.cli.terminal import print_json, progress, safe, show, tell

MEMBER_FILE = "member.toml"
_FOLDER = click.Path(exists=True, file_okay=False)
_FILE = click.Path(exists=True, dir_okay=False)


def as_option() -> Callable[[Any], Any]:
    """``--as``: the member's file."""
    return option(
        "--as", "file", section="Reading", metavar="FILE", type=click.Path(dir_okay=False), default=MEMBER_FILE,
        show_default=True, help="The member's file, as `hub join` wrote it.",
    )  # fmt: skip


def ca_option() -> Callable[[Any], Any]:
    """``--ca``: whom to believe about certificates."""
    return option("--ca", section="Choosing", metavar="FILE", type=_FILE,
                  help="Authority of their certificates, if it is their own.")  # fmt: skip


@click.command(
    "open",
    cls=VerbCommand,
    short_help="Open this week's round (whoever runs the hub).",
    examples=(
        (
            "stillwatch hub round open --keyholder https://one.example --keyholder https://two.example",
            "the rest of the week to commit, 24 hours to show",
        ),
    ),
)
@option("--keyholder", "keyholders", required=True, section="Choosing", multiple=True, metavar="URL",
        help="Address of a key holder; twice.")  # fmt: skip
@option("--commit-hours", section="Choosing", type=click.FloatRange(0, 168, min_open=True), metavar="HOURS",
        help="From now to the cut-off, within this week; else as long as the week lasts, at most 96.")  # fmt: skip
@option("--show-hours", section="Choosing", type=click.FloatRange(0, 160, min_open=True), default=24.0,
        show_default=True, metavar="HOURS", help="From the cut-off to the end.")  # fmt: skip
@option("--honey", section="Choosing", metavar="FILE", type=_FILE,
        help="Values that no traffic has, one a line: address, device or identity, blank, value. "
             "Who hands one in is set aside.")  # fmt: skip
@option("--key", "key_file", section="Choosing", metavar="FILE", type=_FILE,
        help="A key that both key holders know as member `hub`; needed for --honey.")  # fmt: skip
@ca_option()
@folder_option(HUB_FOLDER)
@json_option()
@debug_option()
def open_(
    keyholders: tuple[str, ...], commit_hours: float | None, show_hours: float, honey: str | None, key_file: str | None,
    ca: str | None, folder: str, as_json: bool,
) -> None:  # fmt: skip
    """Open the round of this week, with the public keys that both key holders tell. One round a week."""
    from stillwatch import wiring

    made = wiring.begin_round(
        Path(folder), commit_hours=commit_hours, show_hours=show_hours, keyholders=keyholders,
        ca=Path(ca) if ca else None, honey=Path(honey) if honey else None, key=Path(key_file) if key_file else None,
    )  # fmt: skip
    tell(
        made, as_json,
        f"round {made['epoch']}: commit until {made['commit_until']}; {made['honey_tags']} honey tags",
    )  # fmt: skip


@click.command(
    cls=VerbCommand,
    short_help="Make this week's contribution, and commit to it.",
    examples=(
        ("stillwatch hub round commit report logs/", "the folder of a scan, and the logs that it read"),
    ),
)
@click.argument("run_dir", metavar="RUN", type=_FOLDER)
@click.argument("inputs", metavar="LOG...", nargs=-1, required=True)
@reading_options
@as_option()
@json_option()
@general_options
def commit(
    run_dir: str, inputs: tuple[str, ...], format: str | None, mapping: str | None, key_file: str | None, file: str,
    as_json: bool, settings_path: str | None, quiet: bool,
) -> None:  # fmt: skip
    """Commit to a contribution before the cut-off: the clusters of a run, as tags that show nothing.

    Values are blinded before they go to the key holders; each costs one unit of the budget at both.
    """
    from stillwatch import wiring

    with progress(quiet=quiet) as told:
        made = wiring.commit_round(
            Path(file), Path(run_dir), inputs, settings=read_settings(settings_path, key_file), format=format,
            mapping=mapping_path(mapping), progress=told,
        )  # fmt: skip
    left = (
        [f"{made['left']} clusters of lower standing stay at home: a contribution has no room for them"]
        if made["left"]
        else []
    )
    tell(
        made, as_json,
        f"{made['epoch']}: committed to {made['clusters']} clusters, {made['tags']} tags with those that fill up",
        *left, f"kept in {safe(made['file'])}; after the cut-off: stillwatch hub round show",
    )  # fmt: skip


@click.command(
    "show",
    cls=VerbCommand,
    short_help="Show what you committed to, after the cut-off.",
    examples=(("stillwatch hub round show", "until the round ends"),),
)
@as_option()
@json_option()
@debug_option()
def show_(file: str, as_json: bool) -> None:
    """Show your contribution after the cut-off, exactly as you committed to it."""
    from stillwatch import wiring

    made = wiring.show_round(Path(file))
    done = "it is there already" if made["already"] else "shown; receipt checked"
    tell(made, as_json, f"{safe(made['epoch'])}: {done}")


@click.command(
    cls=VerbCommand,
    short_help="See which of your clusters another member has too.",
    examples=(("stillwatch hub round result", "once the round is closed"),),
)
@as_option()
@json_option()
@debug_option()
def result(file: str, as_json: bool) -> None:
    """See what the newest round gave: pairs of your clusters and others', never whose they are. A lead, no verdict."""
    from stillwatch import wiring

    told = wiring.round_result(Path(file))
    if as_json:
        print_json(told)
        return
    state = "closed" if told["closed"] else _open_until(told)
    aside = f"; you were set aside: {told['set_aside']}" if told["set_aside"] else ""
    show(f"round {safe(told['epoch'])}: {state}{safe(aside)}")
    for pair in told["pairs"]:
        own = pair["campaign"] or f"cluster {pair['cluster']}"
        show(f"{safe(own)} (cluster {safe(pair['cluster'])}) is also another member's {safe(pair['other'])}: "
             f"{safe(pair['common'])} of the evidence in common; pair {safe(pair['pair'])}")  # fmt: skip
    if told["closed"] and not told["pairs"]:
        show("no pair: nothing is told below the threshold")


def _open_until(told: Mapping[str, Any]) -> str:
    """Until when an open round waits for what."""
    cut_off, ends = (
        datetime.fromtimestamp(int(told[name]) / 1e6, UTC) for name in ("commit_until_us", "reveal_until_us")
    )
    return f"open; commit until {cut_off:%Y-%m-%d %H:%M}, show until {ends:%Y-%m-%d %H:%M} UTC"


@click.group(
    "round", cls=SectionGroup, short_help="Find out which clusters are one network.",
    sections=(("Commands", (commit, show_, result, open_)),),
)  # fmt: skip
def hub_round() -> None:
    """A round of joining: commit before the cut-off, show after it, see the pairs. docs/join.md has the protocol."""


__all__ = ["MEMBER_FILE", "as_option", "ca_option", "hub_round"]
