"""``stillwatch lab``: synthetic traffic with known campaigns, and a score against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stillwatch.cli import offers
from stillwatch.cli.commands import SectionGroup, VerbCommand, debug_option, json_option, option
from stillwatch.cli.lab_search import VERBS
from stillwatch.cli.terminal import console, print_json, progress, safe


@click.group(cls=SectionGroup, short_help="Make test traffic, run and score detectors on it.")
def lab() -> None:
    """Make synthetic traffic in which the campaigns are known, and judge detectors by that truth.

    Honest customers, attackers, and attackers who try to evade or to frame others; all seeded. Whoever
    opens the truth of a world is recorded, and what was tuned on a world is not reported on it.
    """


@lab.command(
    cls=VerbCommand,
    short_help="Write one scenario's traffic and its truth.",
    examples=(
        ("stillwatch lab generate demo_day --seed 7 --out demo/traffic", "one day, small enough to read"),
        (
            "stillwatch lab generate ladder_L1 -P days=2 -P ordinary.accounts=5000 --out small",
            "the same with some keys of the scenario set otherwise",
        ),
        ("stillwatch lab scenarios", "which scenarios there are"),
    ),
)
@click.argument("scenario", shell_complete=offers.scenarios)
@option(
    "-P",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    section="Scenario",
    help="Set a key of the scenario file; may be given several times. The world goes by another name then.",
)
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
@option(
    "--corpus",
    section="Scenario",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False),
    help="Text to speak with instead of the lab's own grammars; docs/lab_generator.md says how it must lie there.",
)
@option(
    "--processes",
    section="Running",
    type=click.IntRange(1, 64),
    help="How many write at once, with the same bytes for any number; else one, and every core for a large world.",
)
@option("--quiet", "-q", section="General", is_flag=True, help="No progress; errors only.")
@debug_option()
def generate(
    scenario: str,
    seed: int,
    scale: float,
    out: str,
    corpus: str | None,
    processes: int | None,
    changes: tuple[str, ...],
    quiet: bool,
) -> None:
    """Write one scenario's traffic and its truth."""
    from stillwatch import wiring

    with progress(quiet=quiet) as told:
        wiring.generate(
            scenario,
            seed,
            scale,
            Path(out),
            told,
            corpus=Path(corpus) if corpus else None,
            processes=processes,
            changes=changes,
        )
    if not quiet:
        click.echo(f"wrote {safe(out)}")


@lab.command(
    cls=VerbCommand,
    short_help="List the scenarios.",
    examples=(("stillwatch lab scenarios", "what each one is"),),
)
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


_LEDGER_HELP = "Also read and record openings of truth in this ledger; may be given several times."


def _purpose(command: Any) -> Any:
    return option(
        "--purpose",
        section="Discipline",
        type=click.Choice(["report", "tune"]),
        default="report",
        show_default=True,
        help="`tune` when something may be changed after looking: figures are then no result.",
    )(command)


def _ledger(command: Any) -> Any:
    return option(
        "--ledger",
        "ledgers",
        section="Discipline",
        multiple=True,
        metavar="FILE",
        type=click.Path(dir_okay=False),
        help=_LEDGER_HELP,
    )(command)


@lab.command(
    cls=VerbCommand,
    short_help="List the suites.",
    examples=(("stillwatch lab suites", "what each one is for"),),
)
@json_option()
@debug_option()
def suites(as_json: bool) -> None:
    """List the suites that `lab run` knows."""
    from stillwatch import wiring

    rows: list[dict[str, Any]] = wiring.list_suites()
    if as_json:
        print_json(rows)
    else:
        from stillwatch.cli.summary import listing

        console().print(listing(rows, ("id", "title")))


@lab.command(
    cls=VerbCommand,
    short_help="Compare a detector's output with the truth.",
    examples=(
        ("stillwatch lab score demo/report --truth demo/traffic", "what was found, missed, and wronged"),
        (
            "stillwatch lab score mine --truth demo/traffic --json",
            "every figure; `mine` is your detector's folder",
        ),
        (
            "stillwatch lab score demo/report --truth demo/traffic --purpose tune",
            "before changing something: recorded, and never a result",
        ),
    ),
)
@click.argument("run_dir", metavar="FOLDER", type=click.Path(exists=True, file_okay=False))
@click.argument("truth_dir", metavar="[TRUTH]", required=False, type=click.Path(exists=True, file_okay=False))
@option(
    "--truth",
    "truth_option",
    section="Reading",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False),
    help="The world that `lab generate` wrote, or its truth; the same as the second argument.",
)
@_purpose
@_ledger
@json_option()
@debug_option()
def score(
    run_dir: str,
    truth_dir: str | None,
    truth_option: str | None,
    purpose: str,
    ledgers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare the output FOLDER of a scan, or of any other detector, with the truth of its world.

    FOLDER holds members.parquet or scores.parquet, and what else docs/lab.md lists. The opening of the truth is
    recorded in ledger.jsonl in the world's folder. Once a held-out world was opened for tuning, no figure is
    reported on it; figures on a world for development say what they are.
    """
    from stillwatch import wiring

    truth = _one_truth(truth_dir, truth_option)
    scored = wiring.lab_score(Path(run_dir), truth, purpose=purpose, ledgers=tuple(map(Path, ledgers)))
    if as_json:
        print_json(scored)
    else:
        from stillwatch.cli.scored import campaign_columns, scored_rows
        from stillwatch.cli.summary import facts, listing

        console().print(facts(scored_rows(scored)))
        if scored.get("decides") and scored.get("campaigns"):
            console().print()
            console().print(listing(campaign_columns(scored), ()))


@lab.command(
    "open",
    cls=VerbCommand,
    short_help="Look at a world's truth; recorded as tuning.",
    examples=(("stillwatch lab open demo/traffic --out demo/answers", "copy the truth, unsealed"),),
)
@click.argument("world", metavar="WORLD", type=click.Path(exists=True, file_okay=False))
@option(
    "--out",
    "-o",
    required=True,
    section="Writing",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Folder for the truth's files; it must not exist yet, or be empty.",
)
@_ledger
@json_option()
@debug_option()
def open_(world: str, out: str, ledgers: tuple[str, ...], as_json: bool) -> None:
    """Copy the truth of WORLD, unsealed, to look at it.

    The opening is recorded as one for tuning: no figure on this world is reported afterwards.
    """
    from stillwatch import wiring

    told = wiring.lab_open(Path(world), Path(out), ledgers=tuple(map(Path, ledgers)))
    if as_json:
        print_json(told)
    else:
        click.echo(f"wrote {safe(out)}; recorded as an opening for tuning")


@lab.command(
    cls=VerbCommand,
    short_help="Run detectors on the worlds of a suite.",
    examples=(
        ("stillwatch lab run smoke --out results/smoke", "a minute: does everything run?"),
        ("stillwatch lab run ladder --out results/ladder --jobs 2", "hours; interrupted, it goes on"),
        (
            "stillwatch lab run smoke --out results/mine --detector stillwatch --detector shared_template"
            ' --detector-command "mine=python mine.py {traffic} {out}"',
            "your own detector beside stillwatch and a baseline",
        ),
        (
            "stillwatch lab run compare --out results/ablation --detector stillwatch --detector stillwatch/kappa-1",
            "some of a suite's detectors",
        ),
    ),
)
@click.argument("suite", metavar="SUITE")
@option(
    "--out",
    "-o",
    required=True,
    section="Writing",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Folder for cells.jsonl, ledger.jsonl, results.json and report.html; given again, the suite goes on.",
)
@option(
    "--detector",
    "-d",
    "detectors",
    section="Detectors",
    multiple=True,
    metavar="ID",
    help="Run this one: stillwatch, the id of a baseline or ablation, or all `baselines` or `ablations`; may be given"
    " several times. Else those of the suite.",
)
@option(
    "--detector-command",
    "commands",
    section="Detectors",
    multiple=True,
    metavar="NAME=COMMAND",
    help="Run this program; {traffic} and {out} are folders. May be given several times. It runs alone unless"
    " --detector names others.",
)
@option(
    "--jobs",
    "-j",
    section="Running",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Worlds at a time, each in a process.",
)
@option(
    "--work",
    section="Running",
    metavar="FOLDER",
    type=click.Path(file_okay=False, exists=True),
    help="Where traffic lies while it is judged; else the system's temporary folder.",
)
@_purpose
@_ledger
@json_option("Print the table of results.json.")
@option("--quiet", "-q", section="General", is_flag=True, help="No progress; errors only.")
@debug_option()
def run(
    suite: str,
    out: str,
    detectors: tuple[str, ...],
    commands: tuple[str, ...],
    jobs: int,
    work: str | None,
    purpose: str,
    ledgers: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> int:
    """Generate the worlds of SUITE, run detectors on them, score them, and write one table and one page.

    SUITE is a name that `lab suites` lists, or a TOML file. Every cell is kept as it ends, so that an
    interrupted run goes on where it stopped. A detector's folder holds no truth while it runs.

    Exit status: 0 every cell ran; 1 some failed, and the page names them; 2 unusable suite or options.
    """
    from stillwatch import wiring

    with progress(quiet=quiet) as told:
        table = wiring.lab_run(
            suite,
            Path(out),
            detectors=detectors,
            commands=commands,
            jobs=jobs,
            purpose=purpose,
            ledgers=tuple(map(Path, ledgers)),
            work=Path(work) if work else None,
            progress=told,
        )
    if as_json:
        print_json(table)
    elif not quiet:
        _print_table(table)
    _print_failed(table["failed"])
    if not (quiet or as_json):
        click.echo(f"report: {safe(Path(out) / 'report.html')}")
    return 1 if table["failed"] else 0


@lab.command(
    "detect-time",
    cls=VerbCommand,
    short_help="How much is taken before a campaign is seen.",
    examples=(
        ("stillwatch lab detect-time demo/traffic", "looks at 1, 2, 5, 10, 20, 50, 100 % of every campaign"),
        ("stillwatch lab detect-time demo/traffic --hours 6 --hours 12", "two looks only"),
    ),
)
@click.argument("world", metavar="WORLD", type=click.Path(exists=True, file_okay=False))
@option(
    "--share",
    "shares",
    section="Looks",
    multiple=True,
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Look when this share of a campaign's exchanges has passed; may be given several times.",
)
@option(
    "--hours",
    "hours",
    section="Looks",
    multiple=True,
    type=click.FloatRange(0, min_open=True),
    metavar="H",
    help="Look this many hours after the log begins; may be given several times.",
)
@option(
    "--detector-command",
    "command",
    section="Detectors",
    metavar="NAME=COMMAND",
    help="Run this program instead of stillwatch; {traffic} and {out} are folders.",
)
@_purpose
@_ledger
@json_option()
@option("--quiet", "-q", section="General", is_flag=True, help="No progress; errors only.")
@debug_option()
def detect_time(
    world: str,
    shares: tuple[float, ...],
    hours: tuple[float, ...],
    command: str | None,
    purpose: str,
    ledgers: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Cut the log of WORLD at growing prefixes, judge each, and say what every campaign took until it was seen.

    One look is one run of the detector, so this takes a while.
    """
    from stillwatch import wiring

    with progress(quiet=quiet) as told:
        found = wiring.lab_detect_time(
            Path(world),
            command=command,
            shares=shares,
            hours=hours,
            purpose=purpose,
            ledgers=tuple(map(Path, ledgers)),
            progress=told,
        )
    if as_json:
        print_json(found)
    elif not quiet:
        from stillwatch.cli.scored import delay_columns, honest_line
        from stillwatch.cli.summary import listing

        click.echo(safe(found["standing"]["note"]))
        if found["campaigns"]:
            console().print(listing(delay_columns(found), ()))
        click.echo(safe(honest_line(found)))


def _one_truth(argument: str | None, named: str | None) -> Path:
    if argument is not None and named is not None and Path(argument) != Path(named):
        raise click.UsageError("the truth is named twice: give TRUTH or --truth")
    chosen = argument or named
    if chosen is None:
        raise click.UsageError("no truth: add --truth FOLDER")
    return Path(chosen)


def _print_table(table: dict[str, Any]) -> None:
    """The leaderboard's main columns."""
    from stillwatch.cli.summary import listing

    def told(rate: dict[str, Any]) -> str:
        if rate.get("share") is None:
            return "cannot be measured" if "why" in rate else "n/a"
        return f"{rate['share']:.3f} ({rate['low']:.3f} to {rate['high']:.3f})"

    rows = [
        {
            "detector": r["detector"],
            "worlds": r["family"] or "all held out",
            "recall at 1e-3": told(r["recall_at"]["0.001"]),
            "extractors at member": told(r["operating_points"]["member"]["recall"]),
            "honest at member": told(r["operating_points"]["member"]["false_positives"]),
            "standing": r["mark"],
        }
        for r in table["rows"]
    ]
    if rows:
        console().print(listing(rows, ()))


def _print_failed(cells: list[dict[str, Any]]) -> None:
    """What did not run and why, quiet or not; what to do is said once."""
    for cell in cells:
        where = f"{cell['detector']} on {cell['scenario']}, seed {cell['seed']}"
        click.echo(safe(f"failed: {where}: {cell['error']}"), err=True)
    for hint in dict.fromkeys(cell.get("hint") for cell in cells):
        if hint:
            click.echo(safe(f"hint: {hint}"), err=True)


for _verb in VERBS:
    lab.add_command(_verb)
