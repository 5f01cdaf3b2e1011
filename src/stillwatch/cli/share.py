"""``stillwatch share``: tell other laboratories and authorities what was seen, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import offers, share_leads, share_psi, share_report, share_server
from stillwatch.cli.commands import (
    SectionGroup,
    VerbCommand,
    debug_option,
    json_option,
    option,
    settings_option,
)
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import print_json, safe, show
from stillwatch.errors import StillwatchError

_FOLDER = click.Path(exists=True, file_okay=False)
_FILE = click.Path(exists=True, dir_okay=False)
_SELDOM = ("spec_version", "type", "created", "modified", "created_by_ref", "object_marking_refs")
"""Fields that every object has; `--json` shows them."""


def _what(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is shared, and with whom."""
    where: dict[str, Any] = {"section": "What, and with whom"}
    for added in (
        option("--previous", metavar="PATH", type=click.Path(exists=True), **where,
               help="What was shared before on this campaign: its ids are kept, so that readers replace it."),
        option("--tlp", "level", type=click.Choice(("clear", "green", "amber", "amber+strict", "red")), **where,
               help="Who may read (TLP 2.0). Else amber, amber+strict for actors, clear for the public."),
        option("--product", type=click.Choice(("tactics", "actors")), default="tactics", show_default=True, **where,
               help="How it is done, or who is believed to be behind it: the second is a person's judgement."),
        option("--audience", required=True, type=click.Choice(("lab", "cloud", "government", "public")), **where,
               help="Whose list of allowed fields counts."),
        option("--facts", required=True, metavar="FILE", type=_FILE, **where,
               help="Who you are, and what people add: indicators, summary, attribution (TOML)."),
        option("--campaign", required=True, metavar="ID", shell_complete=offers.groups, **where,
               help="Campaign of the run."),
    ):  # fmt: skip
        command = added(command)
    return command


@click.command(
    cls=VerbCommand,
    short_help="Show exactly what would leave.",
    examples=(
        (
            "stillwatch share preview report --campaign C-1 --facts share.toml --audience lab",
            "what a laboratory gets",
        ),
        (
            "stillwatch share preview report --campaign C-1 --facts share.toml --audience public --json",
            "every field, as it would leave",
        ),
    ),
)
@click.argument("run_dir", metavar="RUN", type=_FOLDER)
@_what
@json_option()
@debug_option()
def preview(
    run_dir: str, campaign: str, facts: str, audience: str, product: str, level: str | None, previous: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Show what would leave to an audience, what is dropped because it is not on its list, and what stops everything.

    Writes nothing and sends nothing. Exit status: 0 it may be drafted, 2 something is refused.
    """
    from stillwatch import wiring

    told = wiring.preview_share(
        Path(run_dir), campaign=campaign, facts=Path(facts), audience=audience, product=product, level=level,
        previous=Path(previous) if previous else None,
    )  # fmt: skip
    if as_json:
        print_json(told)
    else:
        _shown(told)
    if told["refused"]:
        raise StillwatchError(
            f"{len(told['refused'])} places stop this from leaving", hint="change the text or the facts there"
        )


def _shown(told: dict[str, Any]) -> None:
    people = "one person releases it" if told["people_needed"] == 1 else "two people release it"
    show(f"to {told['audience']} at TLP:{told['tlp'].upper()}, {told['product']}: {people}")
    names = {o["id"]: o.get("name", o["type"]) for o in told["objects"]}
    for stix in told["objects"]:
        if stix["type"] in ("marking-definition", "extension-definition"):
            show(f"{stix['type']} {safe(stix.get('name', ''))}")
        elif stix["type"] == "relationship":
            ends = (safe(names.get(stix[end], "?")) for end in ("source_ref", "target_ref"))
            show(f" {stix['relationship_type']} ".join(ends))
        else:
            show(f"{stix['type']}")
            for path, value in _leaves(stix):
                if path not in _SELDOM:
                    show(f"    {safe(path)}: {safe(names.get(value, value))}")
    if told["dropped"]:
        show("dropped, because it is not on the list of this audience:")
    for row in told["dropped"]:
        show(
            f"    {safe(row['object_type'])}{'.' if row['field'] else ''}{safe(row['field'])}: {row['reason']}"
        )
    if told["refused"]:
        show("refused; nothing leaves until this is changed:")
    for row in told["refused"]:
        show(f"    {safe(row['where'])}: {row['rule']}: {row['reason']}")


def _leaves(value: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [
            leaf for key, inner in value.items() for leaf in _leaves(inner, f"{path}.{key}" if path else key)
        ]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner, path)]
    return [(path, str(value))]


@click.command(
    cls=VerbCommand,
    short_help="Write what is to leave, for people to read and sign.",
    examples=(
        (
            "stillwatch share draft report --campaign C-1 --facts share.toml --audience lab --out draft",
            "then `share release draft`",
        ),
    ),
)
@click.argument("run_dir", metavar="RUN", type=_FOLDER)
@_what
@option("--out", "-o", required=True, section="Writing", metavar="FOLDER", type=click.Path(file_okay=False),
        help="Folder of the draft; must not exist.")  # fmt: skip
@json_option()
@debug_option()
def draft(
    run_dir: str, campaign: str, facts: str, audience: str, product: str, level: str | None, previous: str | None,
    out: str, as_json: bool,
) -> None:  # fmt: skip
    """Write a draft: the bundle as it would leave (STIX 2.1), and the form that people sign.

    Nothing is written when the gate refuses something.
    """
    from stillwatch import wiring

    made = wiring.draft_share(
        Path(run_dir), Path(out), campaign=campaign, facts=Path(facts), audience=audience, product=product,
        level=level, previous=Path(previous) if previous else None,
    )  # fmt: skip
    if as_json:
        print_json(made)
        return
    show(
        f"{safe(made['draft'])}: {made['objects']} objects for {made['audience']} at TLP:{made['tlp'].upper()}"
    )
    show(f"{made['dropped']} things dropped; release.json lists them")
    people = "one person releases" if made["people_needed"] == 1 else "two people release"
    show(f"read bundle.json, then {people} it: stillwatch share release {safe(made['draft'])} --signer NAME")


@click.command(
    cls=VerbCommand,
    short_help="Sign a draft; enough signatures release it.",
    examples=(
        ("stillwatch share release draft --signer 'A. Rossi'", "the person who drafted it"),
        ("stillwatch share release draft --signer 'B. Okafor'", "the second, where two are needed"),
    ),
)
@click.argument("folder", metavar="DRAFT", type=_FOLDER)
@option("--signer", section="Signing", metavar="NAME", help="Whose key signs, when several keys are here.")
@json_option()
@settings_option()
@debug_option()
def release(folder: str, signer: str | None, as_json: bool, settings_path: str | None) -> None:
    """Sign what is in a draft, after you have read it. The first person signs with a key of role `acquirer`, the
    second with one of role `reviewer` (`stillwatch evidence key new`).

    Above TLP:AMBER, and for any attribution, two people sign. With the last signature the release becomes a leaf of
    the log, when one is kept, and a MISP event is written beside the bundle. Nothing is sent.
    """
    from stillwatch import wiring

    made = wiring.release_share(Path(folder), settings=read_settings(settings_path), signer=signer)
    if as_json:
        print_json(made)
        return
    show(f"signed by {safe(' and '.join(made['signed_by']))}: {made['sha256']}")
    if made["released"]:
        show(f"released to {made['audience']} at TLP:{made['tlp'].upper()}: bundle.json, misp.json")
        if made["leaf"] is None:
            click.echo(
                "note: no log is kept; `stillwatch evidence key new NAME --role log` begins one", err=True
            )
    else:
        show("not released yet: a second person signs it with `stillwatch share release`")


@click.command(
    cls=VerbCommand,
    short_help="Check that a draft is released.",
    examples=(("stillwatch share check draft", "bytes, gate, signatures, people"),),
)
@click.argument("folder", metavar="DRAFT", type=_FOLDER)
@json_option()
@settings_option()
@debug_option()
def check(folder: str, as_json: bool, settings_path: str | None) -> None:
    """Check that enough people signed these very bytes and that the gate lets them out.

    Exit status: 0 released; 2 it is not, and why is said.
    """
    from stillwatch import wiring

    found = wiring.check_share(Path(folder), settings=read_settings(settings_path))
    if as_json:
        print_json(found)
    else:
        who = safe(" and ".join(found["released_by"]))
        show(
            f"released by {who} to {found['audience']} at TLP:{found['tlp'].upper()}: {found['objects']} objects"
        )


@click.group(
    "share", cls=SectionGroup, short_help="Tell others what was seen; hear what they saw.",
    sections=(
        ("Send", (preview, draft, release, check, *share_leads.SEND, share_report.report)),
        ("Receive", share_leads.RECEIVE), ("Compare", (share_psi.psi,)), ("Run a server", share_server.SERVE),
    ),
    examples=(
        ("stillwatch share preview report --campaign C-1 --facts share.toml --audience lab", "what would leave"),
        ("stillwatch share pull", "what others shared, as leads"),
    ),
)  # fmt: skip
def share() -> None:
    """Share a campaign with another laboratory, a cloud, an authority or the public, as STIX 2.1 and MISP, and hear
    what others share, over TAXII 2.1.

    What an audience's list does not name is dropped, what nobody may have stops everything, and people release it.
    What comes in is a lead, never a verdict.
    """
