"""A process that receives: a socket, the HTTP door, and the folder behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.detect.features import PORTABLE
from stillwatch.errors import ConfigError
from stillwatch.ingest import REJECTED, Limits, PostBounds
from stillwatch.settings import Settings
from stillwatch.store import Segments
from stillwatch.wiring.garbage import settled
from stillwatch.wiring.intake import EARLIEST, key_of
from stillwatch.wiring.joining import joined
from stillwatch.wiring.listening import address_of, listening
from stillwatch.wiring.progress import writable

EXTRA_HINT = "install them: pip install 'stillwatch[gateway]'"


def receive(
    into: Path, *, listen: str, settings: Settings, env: Mapping[str, str] = os.environ,
    ready: Callable[[str], None],
) -> None:  # fmt: skip
    """Receive until SIGTERM or SIGINT; ``ready`` is called with the address once requests are answered."""
    try:
        from stillwatch.receive import Budget, Door, Metrics, make_app, serve
        from stillwatch.wiring.receiving import Receiver
    except ImportError as error:
        raise ConfigError(f"the parts that serve HTTP are missing ({error.name})", hint=EXTRA_HINT) from error
    keeps_text = settings.privacy.content == "retain"
    key = None if keeps_text else key_of(settings, env)
    bounds = settings.receive
    with listening(listen) as sock, _folder(into, settings) as segments:
        if key is not None:
            _same_key(into, key.key_id)
        metrics = Metrics()
        receiver = Receiver(
            segments, key, _limits(settings), _bounds(settings), settings.ingest.batch_rows, metrics
        )
        budget = Budget(bounds.max_waiting_bytes)
        door = Door(receiver, budget, metrics, bounds.max_body_bytes, bounds.retry_after_s)
        receiver.start()
        settled()
        try:
            serve(
                make_app(door), sock, read_timeout_s=bounds.read_timeout_s, max_connections=bounds.max_connections,
                ready=lambda: ready(address_of(sock)),
            )  # fmt: skip
        finally:
            receiver.stop()


def _folder(into: Path, settings: Settings) -> Segments:
    stem = "exchanges" if settings.privacy.content == "retain" else "features"
    with writable(into):
        return Segments(
            into, stem=stem, segment_bytes=settings.receive.segment_bytes,
            segment_age_s=settings.receive.segment_age_s, now=lambda: datetime.now(UTC), kept=(REJECTED,),
            finish=joined,
        )  # fmt: skip


def _limits(settings: Settings) -> Limits:
    ingest = settings.ingest
    return Limits(ingest.earliest or EARLIEST, ingest.latest or Limits().latest, ingest.max_record_bytes)


def _bounds(settings: Settings) -> PostBounds:
    bounds = settings.receive
    return PostBounds(
        bounds.max_unpacked_bytes, bounds.max_ratio, bounds.max_nesting, settings.ingest.max_record_bytes
    )


def _same_key(folder: Path, key_id: str) -> None:
    """Raise when the folder's newest features were made with another key: no scan could read both."""
    for path in sorted(folder.glob("features-*.parquet"))[-1:]:
        made_with = (pq.read_schema(path).metadata or {}).get(PORTABLE, b"").decode()
        if made_with != key_id:
            raise ConfigError(
                f"{folder.name} was made with digest key {made_with or 'unknown'}, this run uses {key_id}",
                hint="use the key it was made with, or name another folder",
            )
