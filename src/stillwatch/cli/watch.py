"""``stillwatch watch``: read what is new every so often, look several times a day."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stillwatch.cli import interrupts, offers
from stillwatch.cli.commands import VerbCommand, general_options, json_option, option, reading_options
from stillwatch.cli.edge import mapping_path, read_settings, with_memory_limit
from stillwatch.cli.logged import log_the_run
from stillwatch.cli.terminal import Progress, console, is_tty, print_json, safe
from stillwatch.cli.terminal import progress as bars_or_lines
from stillwatch.errors import ConfigError

if TYPE_CHECKING:
    from stillwatch.wiring import Visit

SOMETHING, INTERRUPTED = 10, 130
MOST_LOOKS = 24
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Span(click.ParamType[int]):
    """A length of time such as ``90s``, ``15m``, ``6h`` or ``30d``, in seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhd])", str(value))
        if not found or not int(found[1]):
            self.fail(f"{value!r} is no length of time: write 90s, 15m, 6h or 30d", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


@click.command(
    cls=VerbCommand,
    short_help="Keep watch: read what is new, look several times a day.",
    examples=(
        (
            "stillwatch watch logs/ --accounts accounts.parquet --key-file stillwatch.key --out report",
            "until it is stopped; report/ always holds the last look",
        ),
        ("stillwatch watch logs/ --key-file stillwatch.key --out report --once", "one visit, from cron"),
        (
            "stillwatch watch s3://bucket/logs --key-file stillwatch.key --out report",
            "objects, each read once",
        ),
        (
            "stillwatch watch /shared/logs --engine spark --master spark://head:7077 --out /shared/report",
            "on a cluster, a micro-batch at each visit",
        ),
        ("stillwatch watch --status --out report", "how the watch of that report stands"),
    ),
)
@click.argument("inputs", nargs=-1, metavar="INPUT...", shell_complete=offers.paths)
@reading_options
@option(
    "--every", section="Watching", metavar="TIME", type=Span(), default="15m", show_default=True,
    help="How often the logs are visited.",
)  # fmt: skip
@option(
    "--looks", section="Watching", metavar="NUMBER", type=click.IntRange(1, MOST_LOOKS), default=3, show_default=True,
    help="Looks a day, at equal distances from midnight UTC. They share the error rates of the day.",
)  # fmt: skip
@option(
    "--keep", section="Watching", metavar="TIME", type=Span(), default="30d", show_default=True,
    help="Whole days of exchanges that are kept, back from the newest.",
)  # fmt: skip
@option("--once", section="Watching", is_flag=True, help="One visit, then end.")
@option(
    "--state", section="Watching", metavar="FOLDER", type=click.Path(file_okay=False),
    help="Folder of what the watch remembers; else beside the report, with `.state` added to its name.",
)  # fmt: skip
@option("--status", "ask", section="Watching", is_flag=True, help="Say how the watch stands, and do nothing.")
@option(
    "--take-over", section="Watching", is_flag=True,
    help="Take the state from a watch on another machine that is gone for good.",
)  # fmt: skip
@option(
    "--accounts", multiple=True, section="Context", metavar="FILE", shell_complete=offers.paths,
    help="Account table (Parquet or JSONL); may be given more than once. Read again at every look, like the rest.",
)  # fmt: skip
@option(
    "--grants", section="Context", metavar="FILE", shell_complete=offers.paths,
    help="Permissions to distil (TOML or JSONL).",
)  # fmt: skip
@option(
    "--releases", section="Context", metavar="FILE", shell_complete=offers.paths,
    help="When each model was released.",
)  # fmt: skip
@option(
    "--client-releases", section="Context", metavar="FILE", shell_complete=offers.paths,
    help="When each client version was released.",
)  # fmt: skip
@option(
    "--baseline", section="Context", metavar="FILE", shell_complete=offers.paths,
    help="Reference cohort from `stillwatch baseline fit`; else the built-in way of `detect.reference`.",
)  # fmt: skip
@option(
    "--leads", section="Context", metavar="FILE", type=click.Path(exists=True, dir_okay=False),
    help="What others shared (`stillwatch share pull`), looked for beside each look, never part of it: leads.html.",
)  # fmt: skip
@option(
    "--sources", section="Context", metavar="FILE", type=click.Path(dir_okay=False), default="sources.toml",
    show_default=True, help="With --leads: how reliable you find each source.",
)  # fmt: skip
@option(
    "--out", "-o", required=True, section="Writing", metavar="FOLDER", type=click.Path(file_okay=False),
    help="Run folder of the last look, as of a scan; replaced whole by the next.",
)  # fmt: skip
@option("--overwrite", section="Writing", is_flag=True, help="Begin in a folder that holds an earlier run.")
@option(
    "--engine", section="Machine", type=click.Choice(["duckdb", "spark"]), default=None,
    help="Where logs are read and looked at: in this process, or on Spark. The result is the same; else `run.engine`.",
)  # fmt: skip
@option(
    "--master", section="Machine", metavar="URL", default=None,
    help="Spark's master, with `--engine spark`: local, spark://HOST:PORT, yarn, ...; else `run.master`.",
)  # fmt: skip
@option(
    "--memory-limit", section="Machine", metavar="SIZE",
    help="Memory the engine may use before it spills to disk, such as 4GB; wins over run.memory_limit.",
)  # fmt: skip
@json_option("Print one JSON object for each visit (or the status) to standard output.")
@general_options
def watch(
    inputs: tuple[str, ...],
    format: str | None,
    mapping: str | None,
    key_file: str | None,
    every: int,
    looks: int,
    keep: int,
    once: bool,
    state: str | None,
    ask: bool,
    take_over: bool,
    accounts: tuple[str, ...],
    grants: str | None,
    releases: str | None,
    client_releases: str | None,
    baseline: str | None,
    leads: str | None,
    sources: str,
    out: str,
    overwrite: bool,
    engine: str | None,
    master: str | None,
    memory_limit: str | None,
    as_json: bool,
    settings_path: str | None,
    quiet: bool,
) -> int:
    """Keep watch over logs that grow.

    INPUT is a folder, a file or a URL such as s3://bucket/logs, as for `scan`; a folder or prefix may be empty as yet.
    Every visit reads what is new, once: lines that were appended, files and objects that are new. Several times a day
    everything that is kept is looked at as one scan looks at it, and the run folder is replaced. The error rates of the
    settings then hold for all looks of a day together. Nothing sticks: a campaign that is no longer supported leaves.

    Ends in good order on Ctrl-C or SIGTERM; killed at any point, it goes on where it was.

    Exit status with --once: 0 the last look has nothing at review or above; 10 something; 2 unusable input or
    settings; 1 internal failure.
    """
    from stillwatch import wiring

    folder = Path(state) if state else Path(out).with_name(f"{Path(out).name}.state")
    if ask:
        status = wiring.watch_status(folder, datetime.now(UTC))
        if as_json:
            print_json(status)
        else:
            click.echo("\n".join(told_status(status)))
        return 0
    if not inputs:
        raise click.UsageError("name the logs to watch", click.get_current_context())
    if "-" in inputs:
        raise click.UsageError(
            "standard input cannot be watched: name a file or folder", click.get_current_context()
        )
    if keep % _UNITS["d"]:
        raise click.UsageError("--keep is a number of whole days, such as 30d", click.get_current_context())
    settings = with_memory_limit(read_settings(settings_path, key_file), memory_limit).with_engine(
        engine, master
    )
    if master is not None and settings.run.engine != "spark":
        raise ConfigError("--master is Spark's", hint="add --engine spark")
    options = wiring.WatchOptions(
        inputs, Path(out), folder, looks=looks, keep_days=keep // _UNITS["d"], every_s=float(every), format=format,
        mapping=mapping_path(mapping),
        context=wiring.Context(accounts, grants, releases, client_releases, baseline),
        overwrite=overwrite, take_over=take_over, leads=Path(leads) if leads else None, sources=Path(sources),
    )  # fmt: skip

    def told(visit: Visit) -> None:
        if as_json:
            print_json(visit_row(visit))
        elif not quiet:
            click.echo(safe(told_visit(visit)))
        if visit.looked is not None:
            log_the_run(Path(out), settings, must=False, quiet=quiet or as_json)

    rounds = Rounds(quiet=quiet, phases=once or is_tty(sys.stderr))
    ended = False
    with _terminated():
        try:
            found = wiring.watch(
                options, settings=settings, once=once, told=lambda visit: rounds.over(visit, told),
                wait=rounds.wait, progress=rounds, env=os.environ,
            )  # fmt: skip
        except KeyboardInterrupt:
            ended = True
        except Exception:
            if not interrupts.asked():
                raise
            ended = True  # a library made an error of it
        finally:
            rounds.close()
    if ended:
        if not quiet:
            click.echo("ended; started again, it goes on from here", err=True)
        return INTERRUPTED if once else 0
    return SOMETHING if found else 0


class Rounds:
    """Progress of a process that works now and then: bars while it works and one live line while it waits on a
    terminal; in a pipe the phases of a single visit, and of a long watch notes alone."""

    def __init__(self, *, quiet: bool, phases: bool) -> None:
        self._quiet, self._phases = quiet, phases
        self._stack = ExitStack()
        self._now: Progress | None = None
        self._live: Any = None

    def step(self, name: str, total: float | None = None) -> None:
        """Begin a named phase."""
        _stop_if_asked()
        if self._phases:
            self._working().step(name, total)

    def advance(self, amount: float) -> None:
        """Move on within it."""
        _stop_if_asked()
        if self._now is not None:
            self._now.advance(amount)

    def note(self, text: str) -> None:
        """Say something once."""
        if self._now is not None:
            self._now.note(text)
        elif not self._quiet:
            click.echo(f"note: {safe(text)}", err=True)

    def over(self, visit: Visit, told: Callable[[Visit], None]) -> None:
        """The visit is done: its bars are closed and it is told in one line."""
        self.close()
        told(visit)

    def wait(self, seconds: float, visit: Visit) -> bool:
        """Wait, and say on a terminal what for."""
        if not self._quiet and is_tty(sys.stderr):
            if self._live is None:
                self._live = self._stack.enter_context(console(err=True).status("waiting"))
            self._live.update(f"waiting; next look after {visit.next_look:%H:%M} UTC, Ctrl-C ends")
        time.sleep(seconds)  # between visits; a signal ends it early
        return not interrupts.asked()

    def close(self) -> None:
        """Take down what is shown."""
        self._stack.close()
        self._now = self._live = None

    def _working(self) -> Progress:
        if self._now is None:
            self._stack.close()
            self._live = None
            self._now = self._stack.enter_context(bars_or_lines(quiet=self._quiet))
        return self._now


def _stop_if_asked() -> None:
    """Also when a library swallowed it, and after earlier visits that were done."""
    if interrupts.asked():
        raise KeyboardInterrupt


@contextmanager
def _terminated() -> Iterator[None]:
    """SIGTERM is Ctrl-C."""
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def visit_row(visit: Visit) -> dict[str, Any]:
    """A visit for a program."""
    look = None
    if visit.looked is not None:
        summary = visit.looked.result.summary
        look = summary["watch"] | {"counts": summary["counts"]}
    return {
        "at": visit.at.isoformat(), "read": asdict(visit.read), "retired": visit.retired,
        "look": look, "next_look": visit.next_look.isoformat(), "leads": lead_counts(visit),
    }  # fmt: skip


def told_visit(visit: Visit) -> str:
    """A visit in one line."""
    read = visit.read
    aside = [
        f"{count:,} {what}"
        for count, what in (
            (read.refused, "refused"), (read.skipped, "passed over"), (read.late, "too old"),
            (visit.retired, "left what is kept"),
        )
        if count
    ]  # fmt: skip
    text = f"{visit.at:%Y-%m-%d %H:%M:%S} UTC: {read.rows:,} new exchanges"
    text += f" ({', '.join(aside)})" if aside else ""
    if visit.looked is None:
        return f"{text}{told_leads(visit)}; next look after {visit.next_look:%H:%M}"
    looked = visit.looked
    counts = looked.result.summary["counts"]
    text += f"; look {looked.result.summary['watch']['look']}: "
    text += f"{_many(counts.get('campaigns', 0), 'campaign')}, {_many(counts.get('pools', 0), 'pool')}"
    changes = [f"new: {', '.join(looked.new)}"] if looked.new else []
    changes += [f"left: {', '.join(looked.left)}"] if looked.left else []
    return text + (f" ({'; '.join(changes)})" if changes else "") + told_leads(visit)


def lead_counts(visit: Visit) -> dict[str, int] | None:
    """How many leads were looked for, met the traffic, and met a group; None when nobody looked."""
    if visit.leads is None:
        return None
    rows = visit.leads["matches"]
    return {
        "looked_for": visit.leads["leads"],
        "met": len(rows),
        "met_a_group": sum(bool(row["campaigns"]) for row in rows),
    }


def told_leads(visit: Visit) -> str:
    """Leads that were met; they are no verdict, so they come last and in few words."""
    counts = lead_counts(visit)
    if counts is None:
        return ""
    return (
        f"; {counts['met']:,} of {_many(counts['looked_for'], 'lead')} from others met this traffic, "
        f"{counts['met_a_group']:,} of them a group (no verdict: leads.html)"
    )


def told_status(status: dict[str, Any]) -> Iterator[str]:
    """How a watch stands, in lines."""
    counts, about, holder = status["counts"], status["about"], status["holder"]
    yield (
        safe(f"running as process {holder['pid']} on {holder['host']}")
        if holder
        else "not running; it goes on where it was when it is started"
    )
    days = f"{counts['rows']:,} exchanges of {counts['first_day']} to {counts['last_day']}"
    yield f"kept: {days if counts['rows'] else 'nothing yet'}"
    files = f"{_many(counts['files'], 'file')}, from {_many(counts['logs'], 'log')}"
    yield f"  {counts['bytes'] / 2**20:,.1f} MiB in {files}"
    yield f"  {counts['refused']:,} refused, {counts['late']:,} too old, {counts['skipped']:,} passed over"
    yield f"last read: {counts['last_read'] or 'never'}"
    yield f"looks: {about.get('looks', '?')} a day, the next after {status['next_look']}"
    for row in status["looks"]:
        facts = row["facts"]
        said = (
            f"{_many(facts['campaigns'], 'campaign')}, {_many(facts['pools'], 'pool')}"
            f" in {facts['rows']:,} exchanges, {facts['seconds']:.0f} s"
            if row["published"]
            else "begun and not finished; the next start makes it again"
        )
        yield f"  {row['number']}: {row['begun']}, {row['claim']:.0%} of the day's rate: {said}"
    for group in status["groups"]:
        claimed = f"firmly claimed on {group['claimed']}" if group["claimed"] else "not firmly claimed"
        yield safe(
            f"group {group['first']}: {group['accounts']:,} accounts, since {group['since']}, {claimed}"
        )
    for log in status["useless"]:
        yield safe(f"of no use: {log['name']}: {log['why']}")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
