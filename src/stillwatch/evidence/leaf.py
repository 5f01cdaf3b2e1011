"""Leaves of the log: what kind of record, its digest, when. Never the record itself.

A record that could be guessed is logged by a commitment with its own salt, not by its bare digest.
"""

from __future__ import annotations

from datetime import datetime

from stillwatch.evidence.canonical import canonical
from stillwatch.records.evidence import LeafKind


def leaf(kind: LeafKind, digest: str, at: datetime) -> bytes:
    """The entry of a leaf; ``digest`` is a SHA-256 in hexadecimal.

    >>> from datetime import UTC
    >>> leaf(LeafKind.RUN, "00", datetime(2026, 1, 1, tzinfo=UTC)).decode()
    '{"at":"2026-01-01T00:00:00+00:00","digest":"sha256:00","kind":"run"}'
    """
    return canonical({"kind": kind, "digest": f"sha256:{digest}", "at": at})
