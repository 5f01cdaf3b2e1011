"""The store: logs in, one day to a folder; what is there; what is too old goes; one customer's rows go."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.detect.features import portable
from stillwatch.errors import ConfigError, SourceError
from stillwatch.ingest import REJECTED
from stillwatch.report.files import rejected_line
from stillwatch.settings import Settings
from stillwatch.store.days import DayFile, DayWriter, day_files, rows_of
from stillwatch.store.forgetting import Plan, Whom, forget, plan_forget, resume, theirs, unfinished
from stillwatch.store.places import FolderPlace, Place, is_url, place_of
from stillwatch.store.watch_state import DATABASE, FEATURES, WatchState
from stillwatch.store.writer_lock import WriterLock
from stillwatch.wiring.features import with_fields
from stillwatch.wiring.intake import Intake, key_of, something_usable
from stillwatch.wiring.progress import Progress, writable, write_whole
from stillwatch.wiring.refusals import Refusals


def store_add(
    store: str, inputs: Sequence[str], *, settings: Settings, format: str | None, mapping: Path | None,
    progress: Progress, rejected: Path | None = None, env: Mapping[str, str] = os.environ,
    stdin: BinaryIO | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Read logs and keep them by day: features and digests, or the exchanges with ``retain``.

    A file that is there already is not written again, so the same command after an interruption goes on.
    """
    _no_watch(store, "written to from outside", "name another folder; a watch reads the logs itself")
    place, key = place_of(store), key_of(settings, env)
    retain = settings.privacy.content == "retain"
    written: list[DayFile] = []
    with _writing(place) as staging, Refusals(staging / REJECTED) as refused:
        _finish_first(place, staging, progress)
        intake = Intake(inputs, settings, key, format=format, mapping=mapping, stdin=stdin, progress=progress,
                        refused=refused)  # fmt: skip
        writer = DayWriter(place, staging, stem="exchanges" if retain else "features")
        progress.step("reading")
        intake.announce()
        for table in _tables(intake, retain, key.key_id):
            written += writer.add(table)
        written += writer.finish()
        if not written and intake.reader is not None:
            something_usable(intake.reader)
        reasons = dict(refused.reasons)
        if rejected is not None:
            with writable(rejected):
                write_whole(rejected, "".join(rejected_line(one) + "\n" for one in refused))
    fresh = [file for file in written if file.fresh]
    return {
        "rows": sum(file.rows for file in written), "rejected": sum(reasons.values()),
        "skipped": intake.reader.total.skipped if intake.reader else 0,
        "days": len({file.day for file in written}), "files": len(fresh),
        "files already there": len(written) - len(fresh), "bytes": sum(file.size for file in fresh),
        "content": settings.privacy.content, "key_id": key.key_id, "reasons": reasons,
    }  # fmt: skip


def _tables(intake: Intake, retain: bool, key_id: str) -> Iterable[pa.Table]:
    if retain:
        tables: Iterable[pa.Table] = (pa.Table.from_batches([batch]) for batch in intake.canonical())
    else:
        tables = (portable(batch, intake.feat.names, key_id) for batch in intake.batches())
    return (with_fields(table, intake) for table in tables)


def store_show(store: str, progress: Progress) -> dict[str, Any]:
    """What lies in a store, day by day."""
    place = place_of(store)
    files = _files(place, store)
    progress.step("reading footers", float(len(files)))
    days: dict[str, dict[str, int]] = {}
    for file in files:
        row = days.setdefault(file.day.isoformat(), {"files": 0, "rows": 0, "bytes": 0})
        row["files"] += 1
        row["rows"] += rows_of(place, file.name)
        row["bytes"] += file.size
        progress.advance(1.0)
    whole = {name: sum(row[name] for row in days.values()) for name in ("files", "rows", "bytes")}
    return {
        "store": place.name, "content": sorted({file.stem for file in files}), **whole,
        "unfinished_deletion": unfinished(place) is not None,
        "days": [{"day": day, **row} for day, row in days.items()],
    }  # fmt: skip


def store_expire(
    store: str, *, keep_days: int, today: date, really: bool, progress: Progress
) -> dict[str, Any]:
    """Remove the days that are older than the last ``keep_days``, today among them."""
    _no_watch(
        store, "expired by hand", "say how much it keeps where it is started: stillwatch watch --keep 30d"
    )
    place = _there(store)
    first = today - timedelta(days=keep_days - 1)
    with _writing(place) if really else nullcontext() as staging:
        _finish_first(place, staging, progress)
        old = [file for file in _files(place, store) if file.day < first]
        progress.step("removing" if really else "looking", float(len(old)))
        rows = 0
        for file in old:
            rows += rows_of(place, file.name)
            if really:
                place.remove(file.name)
            progress.advance(1.0)
    return {
        "done": really, "first_day_kept": first.isoformat(),
        "days": sorted({file.day.isoformat() for file in old}), "files": len(old), "rows": rows,
        "bytes": sum(file.size for file in old),
    }  # fmt: skip


def store_forget(
    store: str, *, accounts: Sequence[str], orgs: Sequence[str], runs: Sequence[str], really: bool,
    progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Take the rows of accounts or organisations out, and say what changed and which runs rested on it.

    A store may be the state of a watch that is not running.
    """
    whom = Whom(tuple(accounts), tuple(orgs))
    known = [_run(folder) for each in runs for folder in _run_folders(Path(each))]
    watched = _watched(store)
    plan, looked_at = (
        _forget_in_store(store, whom, really, progress) if watched is None
        else _forget_in_watch(watched, whom, really, progress)
    )  # fmt: skip
    return {
        "done": really, "rows": plan.rows, "files": len(plan.changes), "files_looked_at": looked_at,
        "changed": [asdict(change) for change in plan.changes],
        "runs": [row for run in known if (row := _rests(run, plan))],
    }  # fmt: skip


def _forget_in_store(store: str, whom: Whom, really: bool, progress: Progress) -> tuple[Plan, int]:
    """The plan, done or not, and how many files were looked at."""
    place = _there(store)
    with _writing(place) if really else nullcontext() as staging:
        _finish_first(place, staging, progress)
        files = _files(place, store)
        progress.step("looking", float(len(files)))
        plan = plan_forget(place, whom, progress.advance)
        if staging is not None:
            progress.step("rewriting", float(len(plan.changes)))
            forget(place, staging, plan, progress.advance)
    return plan, len(files)


def _forget_in_watch(state: Path, whom: Whom, really: bool, progress: Progress) -> tuple[Plan, int]:
    """The same in the state of a watch, whose ledger says which files count."""
    place = FolderPlace(state / FEATURES)
    lock = WriterLock(state)
    try:
        with closing(WatchState(state, {})) as ledger:
            files = ledger.paths()
            progress.step("looking", float(len(files)))
            plan = plan_forget(place, whom, progress.advance)
            if really:
                progress.step("rewriting")
                names = [change.name for change in plan.changes]
                ledger.forget(names, lambda table: theirs(table, "features", whom), plan.accounts)
    finally:
        lock.release()
    return plan, len(files)


def _watched(store: str) -> Path | None:
    """The state of a watch, when that is what was named, or its features; else None."""
    if is_url(store):
        return None
    path = Path(store).resolve()
    return next(
        (p for p in (path, path.parent if path.name == FEATURES else path) if (p / DATABASE).is_file()), None
    )


def _no_watch(store: str, what: str, hint: str) -> None:
    """Raise when the store belongs to a watch: its ledger would no longer agree with its files."""
    if _watched(store) is not None:
        raise ConfigError(f"{Path(store).name} is the state of a watch and cannot be {what}", hint=hint)


def _finish_first(place: Place, staging: Path | None, progress: Progress) -> None:
    """What another deletion began is done before anything else is; without a place to write it is only said."""
    if staging is None:
        if unfinished(place) is not None:
            progress.note(
                "a deletion was interrupted: its rows are still there; with --yes it is finished first"
            )
        return
    plan = resume(place, staging)
    if plan is not None:
        progress.note(
            f"finished a deletion that was interrupted: {plan.rows} rows of {len(plan.changes)} files"
        )


def _there(store: str) -> Place:
    """A store that exists: a slip of the finger makes no folder."""
    place = place_of(store)
    if unfinished(place) is None:
        _files(place, store)
    return place


def _files(place: Place, store: str) -> list[DayFile]:
    files = day_files(place)
    if not files:
        raise SourceError(
            store, "not a store: it holds no day=YYYY-MM-DD/ with features-*.parquet or exchanges-*.parquet",
            hint="make one: stillwatch store add STORE LOGS",
        )  # fmt: skip
    return files


@contextmanager
def _writing(place: Place) -> Any:
    """The one writer; what the system says of the folder is the user's to mend."""
    with writable(Path(place.name)), place.writing() as staging:
        yield staging


def _run_folders(given: Path) -> list[Path]:
    """The folder of a run, or every run in a folder."""
    found = [given] if (given / "summary.json").is_file() else []
    found = found or sorted(path.parent for path in given.glob("*/summary.json"))
    if not found:
        raise SourceError(str(given), "holds no run", hint="name what `stillwatch scan --out` wrote")
    return found


def _run(folder: Path) -> tuple[Path, dict[str, Any], pa.Table]:
    try:
        summary = json.loads((folder / "summary.json").read_text("utf-8"))
        accounts = pq.read_table(folder / "accounts.parquet", columns=["account_id", "campaign_id"])
    except (OSError, ValueError, KeyError) as error:
        raise SourceError(str(folder), "not a readable run", hint="leave it out, or scan again") from error
    if not isinstance(summary, dict):
        raise SourceError(str(folder), "not a readable run", hint="leave it out, or scan again")
    return folder, summary, accounts


def _rests(run: tuple[Path, dict[str, Any], pa.Table], plan: Plan) -> dict[str, Any] | None:
    """What a run has to do with the rows: files it read, accounts it names, campaigns they are in."""
    folder, summary, accounts = run
    gone = {change.sha256 for change in plan.changes}
    read = [one for one in summary.get("inputs") or [] if one.get("digest") in gone]
    named = accounts.filter(
        pc.is_in(accounts["account_id"], value_set=pa.array(sorted(plan.accounts), pa.string()))
    )
    if not read and not len(named):
        return None
    campaigns = sorted({str(c) for c in named["campaign_id"].to_pylist() if c})
    return {
        "run": str(folder), "files_it_read": len(read), "names_the_account": len(named) > 0,
        "campaigns": campaigns,
    }  # fmt: skip


__all__ = ["store_add", "store_expire", "store_forget", "store_show"]
