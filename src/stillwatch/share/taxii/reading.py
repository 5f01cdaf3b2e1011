"""Pages of what is kept, for one reader: in order of adding, and only what the reader's clearance allows.

One question becomes one statement that walks an index once for every level that may be read (and every type that is
asked for), takes a page from each and merges them. So a page costs the same in a collection of a million objects,
also for a reader who may see few of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, true, union_all

from stillwatch.records.sharing import Tlp
from stillwatch.share.taxii import tables as t
from stillwatch.share.taxii.query import Query

_V = t.versions.c
MANIFEST = (_V.added_us, _V.object_id, _V.version, _V.version_ns, _V.level)
OBJECTS = (*MANIFEST, _V.withdrawn, _V.body)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order of adding, and whether there are more behind them."""

    rows: Sequence[Row[Any]]
    more: bool


def page(
    conn: Connection, collection_id: str, query: Query, clearance: Tlp, *, columns: Sequence[Any] = OBJECTS
) -> Page:
    """The next page of a question."""
    if query.empty:
        return Page((), False)
    rows = conn.execute(_statement(collection_id, query, clearance, columns)).fetchall()
    return Page(rows[: query.limit], len(rows) > query.limit)


def is_there(conn: Connection, collection_id: str, name: str, clearance: Tlp) -> bool:
    """Whether a reader may know that an object is here."""
    asked = (
        select(_V.added_us)
        .where(_V.collection_id == collection_id, _V.object_id == name, _V.level <= int(clearance))
        .limit(1)
    )
    return conn.execute(asked).first() is not None


def _statement(collection_id: str, query: Query, clearance: Tlp, columns: Sequence[Any]) -> Select[Any] | Any:
    here = and_(_V.collection_id == collection_id, _V.added_us > query.after_us, _versions(query))
    last_only = set(query.versions) == {"last"}
    if query.ids:  # by the object's own index: conditions and order on others' columns are computed
        flag = func.coalesce(_V.latest, False) == true() if last_only else true()
        kinds = func.coalesce(_V.type, "").in_(query.types) if query.types else true()
        allowed = func.coalesce(_V.level, int(Tlp.RED)) <= int(clearance)
        asked = select(*columns).where(here, flag, kinds, allowed, _V.object_id.in_(query.ids))
        return asked.order_by(_V.added_us + 0).limit(query.limit + 1)
    parts = [
        _ordered(
            select(*columns).where(
                here, _V.latest == latest, _V.level == level, _V.type == kind if kind else true()
            ),
            query,
        ).subquery()
        for latest, level, kind in product(
            (True,) if last_only else (True, False), range(int(clearance) + 1), query.types or (None,)
        )
    ]
    whole = union_all(*(select(part) for part in parts)).subquery()
    return select(whole).order_by(whole.c.added_us).limit(query.limit + 1)


def _ordered(asked: Select[Any], query: Query) -> Select[Any]:
    return asked.order_by(_V.added_us).limit(query.limit + 1)


def _versions(query: Query) -> ColumnElement[bool]:
    chosen = set(query.versions)
    if "all" in chosen or chosen == {"last"}:
        return true()
    ends: list[ColumnElement[bool]] = []
    if "last" in chosen:
        ends.append(_V.latest == true())
    if "first" in chosen:
        ends.append(_V.oldest == true())
    if query.version_times:
        ends.append(_V.version_ns.in_(query.version_times))
    return or_(*ends)


__all__ = ["MANIFEST", "OBJECTS", "Page", "is_there", "page"]
