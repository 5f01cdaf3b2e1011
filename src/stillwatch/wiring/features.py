"""Logs into features that hold no text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.detect.features import portable
from stillwatch.errors import ConfigError
from stillwatch.ingest import KEPT, REJECTED
from stillwatch.report.swap import put_in_place
from stillwatch.settings import Settings
from stillwatch.wiring.intake import Intake, key_of, something_usable
from stillwatch.wiring.progress import Progress, staging, writable
from stillwatch.wiring.refusals import Refusals
from stillwatch.wiring.run_result import formats_of


def ingest(
    inputs: Sequence[str], *, settings: Settings, out: Path, format: str | None, mapping: Path | None,
    overwrite: bool, progress: Progress, env: Mapping[str, str] = os.environ, stdin: BinaryIO | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Read logs and keep what a scan needs: features and digests, or the canonical form with ``retain``."""
    with writable(out):
        _check_kept(out, overwrite)
    key = key_of(settings, env)
    retain = settings.privacy.content == "retain"
    stem = "exchanges" if retain else "features"
    rows = files = 0
    with staging(out) as place:
        with Refusals(Path(place) / REJECTED) as refused:
            intake = Intake(
                inputs,
                settings,
                key,
                format=format,
                mapping=mapping,
                stdin=stdin,
                progress=progress,
                refused=refused,
            )
            progress.step("reading")
            intake.announce()
            if retain:
                source: Iterable[pa.Table] = (pa.Table.from_batches([b]) for b in intake.canonical())
            else:
                source = (portable(b, intake.feat.names, key.key_id) for b in intake.batches())
            for table in source:
                table = with_fields(table, intake)
                pq.write_table(table, Path(place) / f"{stem}-{files:05d}.parquet", compression="zstd")
                rows, files = rows + len(table), files + 1
            if not rows and intake.reader is not None:
                something_usable(intake.reader)
        _check_kept(out, overwrite)
        put_in_place(Path(place), out.resolve())
    reader = intake.reader
    return {
        "rows": rows, "rejected": len(refused),
        "skipped": reader.total.skipped if reader else 0, "files": files,
        "content": settings.privacy.content, "key_id": key.key_id, "formats": formats_of(intake),
        "reasons": dict(refused.reasons),
    }  # fmt: skip


def with_fields(table: pa.Table, intake: Intake) -> pa.Table:
    """The table with the names of the fields that the input ever gave, for the scan that reads it."""
    seen = ",".join(sorted(intake.feat.seen_fields)).encode()
    return table.replace_schema_metadata({**(table.schema.metadata or {}), b"fields": seen})


def _check_kept(out: Path, overwrite: bool) -> None:
    """Raise when an ingest may not write there: no folder, not empty, or not an ingest's."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out.name} is not a folder", hint="name a folder that does not exist yet")
    present = list(out.iterdir()) if out.exists() else []
    if present and not overwrite:
        raise ConfigError(f"{out.name} is not empty", hint="choose another folder or pass --overwrite")
    foreign = [
        p for p in present if p.name != REJECTED and not (p.name.startswith(KEPT) and p.suffix == ".parquet")
    ]
    if foreign:
        raise ConfigError(
            f"{out.name} holds {foreign[0].name!r}, which no ingest wrote; it is left as it is",
            hint="name another folder",
        )
