"""The tables of a TAXII server.

``versions.added_us`` is the time of adding and the order of everything: it rises strictly over the whole store, and is
given out under one lock that is held until the transaction ends. So nobody sees a later one before an earlier one, and
a page that begins behind it skips nothing. Tokens are kept as digests.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

FORM = 1
"""Rises when a table changes."""
METADATA = MetaData()


def _col(name: str, kind: object, **options: object) -> Column[object]:
    return Column(name, kind, **{"nullable": False, **options})  # type: ignore[arg-type]  # columns of any type


head = Table(
    "taxii_head", METADATA, Column("one", Integer, primary_key=True, autoincrement=False), _col("form", Integer),
    _col("last_us", BigInteger), _col("cursor_key", LargeBinary),
)  # fmt: skip
"""One row: the form of the tables, the last time of adding, the key of cursors (which grant nothing)."""
members = Table(
    "taxii_members", METADATA, _col("name", String(64), primary_key=True), _col("identity", String(80), index=True),
    _col("clearance", Integer), _col("active", Boolean), _col("added_us", BigInteger),
)  # fmt: skip
"""``clearance`` is the highest TLP that is served to a member; ``identity`` its STIX id, or empty."""
tokens = Table(
    "taxii_tokens", METADATA, _col("digest", String(64), primary_key=True), _col("member", String(64), index=True),
    _col("made_us", BigInteger), _col("expires_us", BigInteger), _col("revoked", Boolean),
)  # fmt: skip
collections = Table(
    "taxii_collections", METADATA, _col("collection_id", String(36), primary_key=True), _col("root", String(32)),
    _col("title", String(200), unique=True), _col("description", Text), _col("holds", Integer),
)  # fmt: skip
"""``holds`` is the highest TLP that is taken in."""
access = Table(
    "taxii_access", METADATA, _col("member", String(64), primary_key=True),
    _col("collection_id", String(36), primary_key=True), _col("can_read", Boolean), _col("can_write", Boolean),
)  # fmt: skip
objects = Table(
    "taxii_objects", METADATA, _col("object_id", String(104), primary_key=True), _col("owner", String(64)),
    _col("level", Integer), _col("revoked_ns", BigInteger),
)  # fmt: skip
"""What holds for an object in all collections: whose it is, how closely held, what withdrew it (0: nothing)."""
versions = Table(
    "taxii_versions", METADATA, Column("added_us", BigInteger, primary_key=True, autoincrement=False),
    _col("collection_id", String(36)), _col("object_id", String(104)), _col("type", String(64)),
    _col("version", String(40)), _col("version_ns", BigInteger), _col("level", Integer), _col("oldest", Boolean),
    _col("latest", Boolean), _col("withdrawn", Boolean), _col("body", LargeBinary),
    UniqueConstraint("collection_id", "object_id", "version_ns"),
    Index("ix_taxii_versions_order", "collection_id", "latest", "level", "added_us"),
    Index("ix_taxii_versions_type", "collection_id", "type", "latest", "level", "added_us"),
    Index("ix_taxii_versions_object", "object_id"),
)  # fmt: skip
deleted = Table(
    "taxii_deleted", METADATA, _col("object_id", String(104), primary_key=True),
    _col("collection_id", String(36), primary_key=True),
    Column("version_ns", BigInteger, primary_key=True, autoincrement=False), _col("member", String(64)),
    _col("at_us", BigInteger),
)  # fmt: skip
"""Versions that were deleted: they do not come back by being sent again."""
statuses = Table(
    "taxii_statuses", METADATA, _col("status_id", String(36), primary_key=True), _col("member", String(64)),
    _col("root", String(32)), _col("at_us", BigInteger, index=True), _col("body", Text),
)  # fmt: skip
served = Table(
    "taxii_served", METADATA, _col("member", String(64), primary_key=True),
    Column("added_us", BigInteger, primary_key=True, autoincrement=False), _col("object_id", String(104), index=True),
    _col("version_ns", BigInteger), _col("at_us", BigInteger),
)  # fmt: skip
"""Who was first served which withdrawn or closely held version, and when."""

__all__ = ["FORM", "METADATA"]
