"""``stillwatch lab evasion``, ``framing`` and ``fit``: what attackers could do, and how like life a world is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stillwatch.cli.commands import VerbCommand, debug_option, json_option, option
from stillwatch.cli.terminal import console, print_json, progress, safe


def _searching(command: Any) -> Any:
    """Options that both searches have."""
    for decorate in (
        debug_option(),
        option("--quiet", "-q", section="General", is_flag=True, help="No progress; errors only."),
        json_option("Print the report."),
        option(
            "--scenario", section="Search", metavar="NAME",
            help="Another compact world than the built-in one, of split develop.",
        ),
        option(
            "--confirm", section="Search", type=click.IntRange(1, 200), default=8, show_default=True,
            help="Fresh worlds on which up to six settings that worked are tried again; only these are reported.",
        ),
        option(
            "--minutes", section="Search", type=click.FloatRange(min=0, min_open=True),
            help="Begin no trial after so long; trying again comes on top. With the same --out, the search goes on.",
        ),
        option(
            "--guided", section="Search", type=click.IntRange(0), default=40, show_default=True,
            help="Trials led by those before; needs optuna (the extra `lab`).",
        ),
        option(
            "--random", "random_trials", section="Search", type=click.IntRange(1), default=20, show_default=True,
            help="Trials drawn at random before that.",
        ),
        option(
            "--seed", section="Search", type=click.IntRange(min=0), default=11, show_default=True,
            help="Seed of the search and of its world; the fresh worlds count on from it.",
        ),
        option(
            "--out", "-o", required=True, section="Writing", metavar="FOLDER", type=click.Path(file_okay=False),
            help="Folder for the trials and the report.",
        ),
    ):  # fmt: skip
        command = decorate(command)
    return command


@click.command(
    cls=VerbCommand,
    short_help="Search for the cheapest way past our detector.",
    examples=(
        ("stillwatch lab evasion --out frontier --minutes 30", "exchanges a day unseen against dollars each"),
        ("stillwatch lab evasion --out frontier --random 10 --guided 0", "random settings only"),
    ),
)
@_searching
def evasion(**given: Any) -> None:
    """Turn the dials of a campaign until a scan no longer asks for review, as cheaply as can be.

    Writes trials.jsonl, frontier.json and frontier.svg. A search is finite: attackers can do at least this.
    """
    _search("evasion", given)


@click.command(
    cls=VerbCommand,
    short_help="Search for the cheapest way to get somebody banned.",
    examples=(("stillwatch lab framing --out framing --minutes 30", "dollars to frame an account"),),
)
@_searching
def framing(**given: Any) -> None:
    """Imitate honest accounts with a campaign of one's own until a scan asks to review them, or to act.

    Writes trials.jsonl and framing.json, with what cannot be imitated and why.
    """
    _search("framing", given)


def _search(kind: str, given: dict[str, Any]) -> None:
    from stillwatch import wiring

    with progress(quiet=given["quiet"]) as told:
        report = wiring.lab_search(
            kind, Path(given["out"]), scenario=given["scenario"], seed=given["seed"], confirm=given["confirm"],
            random_trials=given["random_trials"], guided_trials=given["guided"], minutes=given["minutes"],
            progress=told,
        )  # fmt: skip
    if given["as_json"]:
        print_json(report)
    elif not given["quiet"]:
        from stillwatch.cli.summary import facts

        console().print(facts(_headline(kind, report)))
        click.echo(f"wrote {safe(given['out'])}; {_REPORT[kind]} has what each setting was")


_REPORT = {"evasion": "frontier.json", "framing": "framing.json"}


def _headline(kind: str, report: dict[str, Any]) -> dict[str, Any]:
    worlds = len(report["report_worlds"])
    rows: dict[str, Any] = {"trials": f"{report['trials']}, in world {_few(report['search_worlds'])}"}
    if kind == "evasion":
        rows["stayed unseen there"] = f"{report['trials_under']} of {report['trials']} settings"
        held = sum(p["held"] for p in report["retried"])
        fresh = f"{worlds} fresh world{'' if worlds == 1 else 's'} each"
        beaten = held - len(report["frontier"])
        rows["tried again"] = f"{len(report['retried'])} of these, in {fresh}; {held} held" + (
            f", {beaten} of them beaten in price and number by those below"
            if report["frontier"] and beaten
            else ""
        )
        for point in report["frontier"]:
            low, high = point["share_under_interval"]
            rows[f"setting {point['trial']}"] = (
                f"{point['taken_per_day']:,.0f} exchanges a day at ${point['cost_per_exchange_usd']:,.2f} each;"
                f" unseen in {point['worlds_under']} of {point['worlds']} fresh worlds (95 %: {low:.0%} to {high:.0%})"
            )
        if not report["frontier"]:
            rows["past the detector"] = _not_found(report, report["random_under_interval"])
        return rows
    for level, found in report["levels"].items():
        best = found["cheapest"]
        if best is None:
            rows[f"framed to {level}"] = _not_found(report, found["random_found_interval"])
            continue
        low, high = best["worlds_interval"]
        rows[f"framed to {level}"] = (
            f"from ${best['cost_usd']:,.0f} (setting {best['trial']}): a victim in"
            f" {best['worlds_with_a_victim_framed']} of {best['worlds']} fresh worlds (95 %: {low:.0%} to {high:.0%})"
        )
    return rows


def _not_found(report: dict[str, Any], among_random: list[float]) -> str:
    """Nothing held; how common settings that pass the search's world may still be among those drawn at random."""
    return (
        f"not found in {report['trials']} trials ({among_random[0]:.0%} to {among_random[1]:.0%} of random settings"
        " work in the search's world, 95 %)"
    )


def _few(seeds: list[int]) -> str:
    return " and ".join(str(s) for s in seeds)


@click.command(
    cls=VerbCommand,
    short_help="Hold a world against public traces.",
    examples=(("stillwatch lab fit demo/traffic --traces traces --out fit", "rates, bursts, rhythm, sizes"),),
)
@click.argument("world", metavar="WORLD", type=click.Path(exists=True, file_okay=False))
@option(
    "--traces",
    required=True,
    section="Reading",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False),
    help="Folder with the trace files; docs/lab_fit.md lists their names. Those that are missing are named.",
)
@option(
    "--out",
    "-o",
    required=True,
    section="Writing",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Folder for fit.json, fit.svg and fit.html.",
)
@json_option()
@debug_option()
def fit(world: str, traces: str, out: str, as_json: bool) -> None:
    """Measure the honest accounts of WORLD and public traces by the same code, and say how far apart they are."""
    from stillwatch import wiring

    rows = wiring.lab_fit(Path(world), Path(traces), Path(out))
    if as_json:
        print_json(rows)
    else:
        from stillwatch.cli.summary import listing

        console().print(listing(rows, ()))
        click.echo(f"wrote {safe(out)}")


VERBS = (evasion, framing, fit)
