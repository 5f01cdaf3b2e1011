"""``stillwatch lab``: synthetic traffic with known campaigns, and a score against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stillwatch.cli.commands import SectionGroup, VerbCommand, debug_option, json_option, option
from stillwatch.cli.terminal import console, print_json, progress, safe


@click.group(cls=SectionGroup, short_help="Make test traffic and score a scan of it.")
def lab() -> None:
    """Make synthetic traffic in which the campaigns are known, and score a scan against that truth.

    Honest customers, attackers, and attackers who try to evade or to frame others; all seeded.
    """


@lab.command(
    cls=VerbCommand,
    short_help="Write one scenario's traffic and its truth.",
    examples=(
        ("stillwatch lab generate demo_day --seed 7 --out demo/traffic", "one day, small enough to read"),
        ("stillwatch lab scenarios", "which scenarios there are"),
    ),
)
@click.argument("scenario")
@option(
    "--seed",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    section="Scenario",
    help="The same seed gives the same bytes.",
)
@option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    section="Scenario",
    help="How many times as many accounts.",
)
@option(
    "--out",
    "-o",
    required=True,
    section="Writing",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Folder for the traffic; the truth goes into a folder of its own inside.",
)
@option("--quiet", "-q", section="General", is_flag=True, help="No progress; errors only.")
@debug_option()
def generate(scenario: str, seed: int, scale: float, out: str, quiet: bool) -> None:
    """Write one scenario's traffic and its truth."""
    from stillwatch import wiring

    with progress(quiet=quiet) as told:
        wiring.generate(scenario, seed, scale, Path(out), told)
    if not quiet:
        click.echo(f"wrote {safe(out)}")


@lab.command(cls=VerbCommand, short_help="List the scenarios.")
@json_option()
@debug_option()
def scenarios(as_json: bool) -> None:
    """List the scenarios that `lab generate` knows."""
    from stillwatch import wiring

    rows: list[dict[str, Any]] = wiring.list_scenarios()
    if as_json:
        print_json(rows)
    else:
        from stillwatch.cli.summary import listing

        console().print(listing(rows, ("id", "title")))


@lab.command(
    cls=VerbCommand,
    short_help="Compare a scan with the truth.",
    examples=(
        ("stillwatch lab score demo/report demo/traffic/truth", "what was found, missed, and wronged"),
    ),
)
@click.argument("run_dir", metavar="FOLDER", type=click.Path(exists=True, file_okay=False))
@click.argument("truth_dir", metavar="TRUTH", type=click.Path(exists=True, file_okay=False))
@json_option()
@debug_option()
def score(run_dir: str, truth_dir: str, as_json: bool) -> None:
    """Compare the output FOLDER of a scan with the TRUTH that `lab generate` wrote."""
    from stillwatch import wiring

    scored = wiring.lab_score(Path(run_dir), Path(truth_dir))
    if as_json:
        print_json(scored)
    else:
        from stillwatch.cli.summary import facts

        console().print(facts(scored))
