"""Releases: when a model, or a version of a client, came out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from stillwatch.ingest.small_tables import as_paths, read_small
from stillwatch.records import CLIENT_RELEASE_SCHEMA, RELEASE_SCHEMA, Rejected


def read_releases(path: str | Path) -> tuple[pa.Table, list[Rejected]]:
    """Model releases from JSON lines, JSON, CSV, Parquet, or ``[[release]]`` tables in TOML.

    Returns:
        The releases, under RELEASE_SCHEMA, and the refused rows.

    Raises:
        SourceError: when the file cannot be opened or is no table.
    """
    table, rejected, _ = read_small(
        as_paths(path), RELEASE_SCHEMA, frozenset(RELEASE_SCHEMA.names), table="release"
    )
    return table, rejected


def read_client_releases(path: str | Path) -> tuple[pa.Table, list[Rejected]]:
    """Client releases, in the same containers as `read_releases`; TOML tables are ``[[client_release]]``."""
    table, rejected, _ = read_small(
        as_paths(path), CLIENT_RELEASE_SCHEMA, frozenset(CLIENT_RELEASE_SCHEMA.names), table="client_release"
    )
    return table, rejected
