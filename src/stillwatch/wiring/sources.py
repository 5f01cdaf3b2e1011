"""What a user named as input, as things to read: files, folders, object stores, and of these the days asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.detect.features import PORTABLE
from stillwatch.errors import ConfigError, SourceError
from stillwatch.ingest import Source, find_sources
from stillwatch.ingest.source import set_aside
from stillwatch.store.days import day_of, own_day_of
from stillwatch.store.forgetting import JOURNAL
from stillwatch.store.places import ObjectPlace, is_url, place_of

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open window ``[since, until)`` of what is read; open where None.

    >>> later = Span(since=datetime(2026, 11, 24, 6, tzinfo=UTC))
    >>> later.touches("day=2026-11-23/features-0123456789abcdef.parquet"), later.touches("day=2026-11-23/app.jsonl")
    (False, True)
    """

    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.since and self.until and self.since >= self.until:
            raise ConfigError(
                "--since must be before --until", hint="both are UTC; --until itself is not read"
            )

    def touches(self, name: str) -> bool:
        """Whether a file may hold rows of the window, as far as its name says: that of a store's own alone does."""
        day = own_day_of(name)
        if day is None:
            return True
        begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return (self.until is None or begins < self.until) and (
            self.since is None or begins + _DAY > self.since
        )

    def inside(self, batch: pa.RecordBatch, column: str) -> pa.RecordBatch:
        """The rows of the window."""
        if self.since is None and self.until is None:
            return batch
        times = batch.column(column).cast(pa.int64())
        kept = pc.is_valid(times)
        if self.since is not None:
            kept = pc.and_(kept, pc.greater_equal(times, _micro(self.since)))
        if self.until is not None:
            kept = pc.and_(kept, pc.less(times, _micro(self.until)))
        return batch.filter(kept)

    def about(self) -> dict[str, str]:
        """For a run's summary; empty when nothing is left out."""
        ends = {"since": self.since, "until": self.until}
        return {name: at.isoformat() for name, at in ends.items() if at is not None}


EVERYTHING = Span()


def split_sources(
    inputs: Sequence[str | Source], span: Span = EVERYTHING
) -> tuple[list[Source], list[Source], int]:
    """The feature files of earlier ingests among the inputs, wherever they lie, the logs, and how many were left out.

    Raises
    ------
    SourceError
        Nothing to read, an input that does not exist, or no partition that touches the window.
    """
    found = find_sources([each for given in inputs for each in _expanded(given)])
    touched = [source for source in found if span.touches(source.name)]
    if not touched:
        raise SourceError(
            ", ".join(map(str, inputs)), "no day of it lies between --since and --until",
            hint="`stillwatch store show` lists the days of a store",
        )  # fmt: skip
    features = [source for source in touched if _is_feature_file(source)]
    kept = {source.name for source in features}
    logs = [source for source in touched if source.name not in kept]
    return features, logs, len(found) - len(touched)


def unfinished_deletion(sources: Sequence[Source]) -> list[str]:
    """Stores that sources lie in and in which a deletion was interrupted: they still hold what should be gone."""
    names = [str(source.path or source.name) for source in sources]
    stores = {str(Path(name).parent.parent) if not is_url(name) else name.rsplit("/", 2)[0]
              for name in names if day_of(name) is not None}  # fmt: skip
    return sorted(each for each in stores if place_of(each).exists(JOURNAL))


def objects_of(url: str) -> list[Source]:
    """The objects under a URL, or the one that it names; hidden ones, and what an ingest refused, left out."""
    place = ObjectPlace(url)
    if (one := place.alone()) is not None:
        return [Source(url, None, True, partial(place.open, ""), one.size, one.version)]
    entries = place.entries()
    beside: dict[str, list[str]] = {}
    for entry in entries:
        folder, _, name = entry.name.rpartition("/")
        beside.setdefault(folder, []).append(name)
    sources = []
    for entry in entries:
        folder, _, name = entry.name.rpartition("/")
        if not set_aside(name, beside[folder]):
            opened = partial(place.open, entry.name)
            sources.append(
                Source(f"{place.name}/{entry.name}", None, False, opened, entry.size, entry.version)
            )
    return sources


def _expanded(given: str | Source) -> list[str | Source]:
    """A path stays as it is; the objects under a URL become sources."""
    if isinstance(given, Source) or not is_url(given):
        return [given]
    sources: list[str | Source] = [*objects_of(given)]
    if not sources:
        raise SourceError(given, "no object has this prefix", hint="check bucket and prefix")
    return sources


def _is_feature_file(source: Source) -> bool:
    """By its name and its mark; one that cannot be opened counts, so that the damage is said for what it is."""
    name = source.name.rpartition("/")[2] if source.path is None else source.path.name
    if not (name.startswith("features-") and name.endswith(".parquet")):
        return False
    try:
        with source.open() as file:
            return PORTABLE in (pq.read_schema(file).metadata or {})
    except (pa.ArrowException, OSError, SourceError):
        return True


def _micro(value: datetime) -> int:
    return int(value.timestamp() * 1_000_000)
