"""``stillwatch scan``: logs in, pools and campaigns out."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch.cli import offers
from stillwatch.cli.commands import MOMENT, VerbCommand, general_options, json_option, option, reading_options
from stillwatch.cli.edge import mapping_path, read_settings, standard_input, utc, with_memory_limit
from stillwatch.cli.logged import log_the_run
from stillwatch.cli.terminal import console, print_json, progress, show
from stillwatch.errors import ConfigError

if TYPE_CHECKING:
    from stillwatch.records import ScanResult

DEFAULT_NULL_RUNS = 20
SOMETHING = 10
KEPT_MEMORY = "MIMALLOC_PURGE_DELAY"
"""What Arrow's allocator reads when it is loaded: for how many milliseconds freed memory is kept. At half a second that
of a batch is there for the next; given back at once, it is cleared anew each time, a tenth of the time of decoding."""


class ScanCommand(VerbCommand):
    """Lets ``--check-null`` stand before a path: only a number after it is its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--check-null" in args:
            place = args.index("--check-null")
            following = args[place + 1] if place + 1 < len(args) else ""
            if not following.isdecimal():
                args = [*args[:place], f"--check-null={DEFAULT_NULL_RUNS}", *args[place + 1 :]]
        return super().parse_args(ctx, args)


@click.command(
    cls=ScanCommand,
    short_help="Find pools and campaigns in logs.",
    examples=(
        ("stillwatch scan logs/ --key-file stillwatch.key --out report", "a folder of logs"),
        (
            "stillwatch scan logs/ --accounts accounts.parquet --grants grants.toml --out report",
            "with what you know about accounts, and who may distil",
        ),
        ("zstdcat day.jsonl.zst | stillwatch scan - --json | jq .counts", "from a pipe, into a program"),
        (
            "stillwatch scan archive --since 2026-11-20 --until 2026-11-24 --out report",
            "four days of a store; s3://bucket/archive works as well",
        ),
        (
            "stillwatch scan /shared/logs --engine spark --master spark://head:7077 --out report",
            "on a cluster, when one machine is too small",
        ),
        ("stillwatch scan logs/ --check-null", "does it find anything in shuffled data? It should not"),
    ),
)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", shell_complete=offers.paths)
@reading_options
@option(
    "--since",
    section="Reading",
    metavar="TIME",
    type=MOMENT,
    help="Leave out what started before (UTC: YYYY-MM-DD, or with THH:MM:SS); days of a store are not even opened.",
)
@option(
    "--until",
    section="Reading",
    metavar="TIME",
    type=MOMENT,
    help="Leave out what started then or later.",
)
@option(
    "--accounts",
    multiple=True,
    section="Context",
    metavar="FILE",
    shell_complete=offers.paths,
    help="Account table (Parquet or JSONL); may be given more than once.",
)
@option(
    "--grants",
    section="Context",
    metavar="FILE",
    shell_complete=offers.paths,
    help="Permissions to distil (TOML or JSONL).",
)
@option(
    "--releases",
    section="Context",
    metavar="FILE",
    shell_complete=offers.paths,
    help="When each model was released.",
)
@option(
    "--client-releases",
    section="Context",
    metavar="FILE",
    shell_complete=offers.paths,
    help="When each client version was released.",
)
@option(
    "--baseline",
    section="Context",
    metavar="FILE",
    shell_complete=offers.paths,
    help="Reference cohort from `stillwatch baseline fit`; else the built-in way of `detect.reference`.",
)
@option(
    "--leads",
    section="Context",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="What others shared (`stillwatch share pull`), shown beside the findings of --out and never part of them.",
)
@option(
    "--sources",
    section="Context",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    default="sources.toml",
    show_default=True,
    help="With --leads: how reliable you find each source.",
)
@option(
    "--out",
    "-o",
    section="Writing",
    metavar="FOLDER",
    type=click.Path(file_okay=False),
    help="Folder for the report and tables; written whole or not at all.",
)
@option("--overwrite", section="Writing", is_flag=True, help="Replace an earlier run in that folder.")
@option(
    "--log/--no-log",
    "log",
    section="Writing",
    default=None,
    help="The run must enter the log of evidence, or must not. Else it does when a log is kept; a failure is told.",
)
@json_option("Print summary.json to standard output; everything else goes to standard error.")
@option(
    "--engine",
    section="Machine",
    type=click.Choice(["duckdb", "spark"]),
    default=None,
    help="Where tables are worked on: in this process, or on Spark. The result is the same; else `run.engine`.",
)
@option(
    "--master",
    section="Machine",
    metavar="URL",
    default=None,
    help="Spark's master, with `--engine spark`: local, spark://HOST:PORT, yarn, ...; else `run.master`.",
)
@option(
    "--check-null",
    section="Checking",
    type=click.IntRange(min=1),
    metavar="[RUNS]",
    default=None,
    help=f"Also scan RUNS shuffled copies ({DEFAULT_NULL_RUNS} when no number is given), "
    "which should give nothing.",
)
@option(
    "--explain-plan",
    section="Checking",
    is_flag=True,
    help="Also show each step with rows, bytes, seconds and peak memory; `stillwatch profile` shows it again.",
)
@option(
    "--memory-limit",
    section="General",
    metavar="SIZE",
    help="Memory the engine may use before it spills to disk, such as 4GB; wins over run.memory_limit.",
)
@general_options
def scan(
    inputs: tuple[str, ...],
    format: str | None,
    mapping: str | None,
    key_file: str | None,
    since: datetime | None,
    until: datetime | None,
    accounts: tuple[str, ...],
    grants: str | None,
    releases: str | None,
    client_releases: str | None,
    baseline: str | None,
    leads: str | None,
    sources: str,
    out: str | None,
    overwrite: bool,
    log: bool | None,
    as_json: bool,
    engine: str | None,
    master: str | None,
    check_null: int | None,
    explain_plan: bool,
    memory_limit: str | None,
    settings_path: str | None,
    quiet: bool,
) -> int:
    """Find pools and campaigns in logs.

    INPUT is a file, a folder, an address such as s3://bucket/folder, or `-` for standard input. Files may be
    JSONL, NDJSON (gzip or zstd), Parquet, or any format that `stillwatch formats` lists.

    Exit status: 0 nothing at review or above; 10 something; 2 unusable input or settings; 1 internal
    failure.
    """
    os.environ.setdefault(KEPT_MEMORY, "500")
    from stillwatch import wiring
    from stillwatch.wiring.garbage import seldom

    settings = with_memory_limit(read_settings(settings_path, key_file), memory_limit).with_engine(
        engine, master
    )
    if master is not None and settings.run.engine != "spark":
        raise ConfigError("--master is Spark's", hint="add --engine spark")
    if log:
        wiring.must_log(settings, Path(out) if out else None)
    if leads is not None and out is None:
        raise ConfigError("leads are shown beside a run", hint="name its folder: --out FOLDER")
    if leads is not None and "-" in inputs:
        raise ConfigError("--leads reads the logs a second time", hint="name files, not standard input")
    costs: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    with seldom(), progress(quiet=quiet) as told:
        with wiring.leads_aside(Path(out or ""), bool(out and overwrite)):
            result = wiring.scan(
                inputs,
                settings=settings,
                out=Path(out) if out else None,
                accounts=accounts,
                grants=grants,
                releases=releases,
                client_releases=client_releases,
                baseline=baseline,
                format=format,
                mapping=mapping_path(mapping),
                overwrite=overwrite,
                check_null=check_null or 0,
                since=utc(since),
                until=utc(until),
                progress=told,
                env=os.environ,
                stdin=standard_input(inputs),
                profiled=costs.update,
            )
        if leads is not None and out is not None:
            beside = wiring.match_leads(
                inputs,
                Path(out),
                Path(leads),
                Path(sources),
                settings=settings,
                format=format,
                mapping=mapping_path(mapping),
                since=utc(since),
                until=utc(until),
                progress=told,
            )
    status = exit_status(result)
    if as_json:
        print_json(result.summary)
    elif not quiet:
        from stillwatch.cli.summary import print_summary

        print_summary(result, Path(out) if out else None, status)
        if leads is not None:
            met = sum(bool(row["campaigns"]) for row in beside["matches"])
            show(
                f"{len(beside['matches'])} of {beside['leads']} leads from others met this traffic, "
                f"{met} of them a group: {Path(out or '') / 'leads.html'}, `stillwatch explain`; "
                "they are no verdict and changed nothing above"
            )
    if out and log is not False:
        log_the_run(Path(out), settings, must=bool(log), quiet=quiet)
    if explain_plan:
        from stillwatch.cli.profile import plan_table

        console(err=as_json).print(plan_table(costs))
    return status


def exit_status(result: ScanResult) -> int:
    """10 when any account is hinted for review or action, else 0."""
    hints: Any = result.accounts.column("disposition_hint").unique().to_pylist()
    return SOMETHING if {"review", "act"} & {str(hint) for hint in hints} else 0
