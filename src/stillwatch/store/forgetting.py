"""Take one customer's rows out of a store, and say what changed.

Every file that holds such rows is written again without them; the new file is put in place before the old one goes,
so that no other row is ever missing. What is to be done is first noted in the store (`.forget.json`); after a kill or
a power cut the next writer does the rest, file by file, and both ends meet: a file's new name is the digest of its
bytes, so doing it twice makes one file. Until then the store says that it is unfinished.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import SourceError
from stillwatch.store.days import DayFile, day_files, settle
from stillwatch.store.places import Place

JOURNAL = ".forget.json"
_OF = {
    "features": {"account": "acct", "org": "org"},
    "exchanges": {"account": "account_id", "org": "org_id"},
}
Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Whom:
    """Whose rows are meant."""

    accounts: tuple[str, ...] = ()
    orgs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """One file that holds rows of theirs."""

    name: str
    rows: int
    """Theirs."""
    of: int
    """All rows of the file."""
    sha256: str
    """Of the file as it was: runs name their inputs by it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deletion does, file by file."""

    whom: Whom
    changes: tuple[Change, ...]
    accounts: frozenset[str] = frozenset()
    """Of the rows that were found: those that are named, and those of an organisation that is."""

    @property
    def rows(self) -> int:
        """Rows that go."""
        return sum(change.rows for change in self.changes)


def plan_forget(place: Place, whom: Whom, told: Told = lambda _: None) -> Plan:
    """Look for their rows; nothing is changed. Reads the two columns of names alone."""
    changes = []
    accounts: set[str] = set()
    for file in day_files(place):
        rows = of = 0
        with _reading(place, file) as parquet:
            names = [c for c in _OF[file.stem].values() if c in parquet.schema_arrow.names]
            for batch in parquet.iter_batches(columns=names):
                of += len(batch)
                found = batch.filter(theirs(batch, file.stem, whom))
                rows += len(found)
                accounts.update(
                    pc.unique(found.column(_OF[file.stem]["account"]).cast(pa.string())).to_pylist()
                )
        if rows:
            changes.append(Change(file.name, rows, of, _digest(place, file.name)))
        told(1.0)
    return Plan(whom, tuple(changes), frozenset(accounts) | set(whom.accounts))


def forget(place: Place, staging: Path, plan: Plan, told: Told = lambda _: None) -> None:
    """Do what was planned; when this returns their rows are in no file of the store."""
    if not plan.changes:
        return
    _note(place, staging, plan)
    _go_on(place, staging, plan, told)


def unfinished(place: Place) -> Plan | None:
    """The deletion that was interrupted, if there is one.

    Raises:
        SourceError: the note of it cannot be read.
    """
    if not place.exists(JOURNAL):
        return None
    try:
        with place.open(JOURNAL) as file:
            noted = json.load(file)
        whom = Whom(tuple(noted["accounts"]), tuple(noted["orgs"]))
        return Plan(whom, tuple(Change(**change) for change in noted["changes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{place.name}/{JOURNAL}", "the note of an interrupted deletion is damaged",
            hint="remove that file and run the same `stillwatch store forget` again",
        ) from error  # fmt: skip


def resume(place: Place, staging: Path) -> Plan | None:
    """Finish what was interrupted."""
    plan = unfinished(place)
    if plan is not None:
        _go_on(place, staging, plan, lambda _: None)
    return plan


def _go_on(place: Place, staging: Path, plan: Plan, told: Told) -> None:
    for change in plan.changes:
        if place.exists(change.name):
            _rewrite(place, staging, change.name, plan.whom)
        told(1.0)
    place.remove(JOURNAL)


def _rewrite(place: Place, staging: Path, name: str, whom: Whom) -> None:
    """The same file without their rows: the new one first, then the old one goes."""
    file = DayFile(name, date.fromisoformat(name.partition("/")[0].removeprefix("day=")), 0)
    path, kept = staging / "part", 0
    with _reading(place, file) as parquet:
        with pq.ParquetWriter(path, parquet.schema_arrow, compression="zstd") as writer:
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group)
                rest = table.filter(pc.invert(theirs(table, file.stem, whom)))
                kept += len(rest)
                if len(rest):
                    writer.write_table(rest)
    if kept and settle(place, path, file.day, file.stem, kept).name == name:
        return
    path.unlink(missing_ok=True)
    place.remove(name)


def theirs(rows: pa.RecordBatch | pa.Table, stem: str, whom: Whom) -> pa.Array:
    """Which rows are theirs; never null."""
    found = pa.nulls(len(rows), pa.bool_()).fill_null(False)
    for kind, names in (("account", whom.accounts), ("org", whom.orgs)):
        column = _OF[stem][kind]
        if names and column in rows.schema.names:
            found = pc.or_(found, pc.is_in(rows.column(column).cast(pa.string()), value_set=pa.array(names)))
    return found


@contextmanager
def _reading(place: Place, file: DayFile) -> Iterator[pq.ParquetFile]:
    """An open Parquet file of a store; damage is said with the file's name."""
    with place.open(file.name) as raw:
        try:
            yield pq.ParquetFile(raw)
        except pa.ArrowException as error:
            raise _damaged(file.name) from error
        except OSError as error:
            if error.errno is not None:  # the system's, not the file's
                raise
            raise _damaged(file.name) from error


def _damaged(name: str) -> SourceError:
    return SourceError(
        name, "a damaged Parquet file: nobody can say whose rows it holds",
        hint="restore it, or remove it and add its logs again; then run this again",
    )  # fmt: skip


def _note(place: Place, staging: Path, plan: Plan) -> None:
    path = staging / "note"
    body = asdict(plan.whom) | {"changes": [asdict(change) for change in plan.changes]}
    path.touch(mode=0o600)
    path.write_text(json.dumps(body), encoding="utf-8")
    place.put(JOURNAL, path)


def _digest(place: Place, name: str) -> str:
    whole = hashlib.sha256()
    with place.open(name) as file:
        while chunk := file.read(1 << 20):
            whole.update(chunk)
    return whole.hexdigest()


__all__ = ["JOURNAL", "Change", "Plan", "Whom", "forget", "plan_forget", "resume", "theirs", "unfinished"]
