"""Putting objects in and taking them out: versions stay, withdrawals stay, nobody writes over another.

Rules, in the order in which they are asked:

1. What is added is held no closer than its collection holds, and says nothing in another member's name.
2. An object belongs to whoever sent it first, and keeps its marking for good: a looser version would hand on what was
   closely held, a closer one would hide a withdrawal from those who have the former.
3. A withdrawn object gets no newer version; a deleted version does not come back; a version that is here with other
   content is not replaced. A version that lies ahead of the clock would hide those that come, and is not taken.

Writers wait for one another at one row (`locked`), so that times of adding rise in the order in which they are seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from stillwatch.records.sharing import Tlp
from stillwatch.share.taxii import tables as t
from stillwatch.share.taxii.moments import written
from stillwatch.share.taxii.objects import Checked, Failed

AHEAD_NS = 10 * 60 * 10**9
"""How far another's clock may go before ours."""
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Taken:
    """An object that is here now."""

    object_id: str
    version: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Into:
    """Where something is put, by whom."""

    collection_id: str
    holds: Tlp
    member: str
    others: frozenset[str]
    """STIX ids of the other members."""


@dataclass(slots=True)
class _Known:
    """What is known of one object."""

    owner: str
    level: int
    revoked_ns: int
    here: dict[int, bytes]
    """Versions in this collection."""
    there: dict[int, bytes]
    """Versions in others."""
    gone: set[int]


def locked(conn: Connection) -> int:
    """Wait for other writers; the last time of adding."""
    row = t.head.update().where(t.head.c.one == 1).values(one=1)
    conn.execute(row)
    return int(conn.execute(select(t.head.c.last_us)).scalar_one())


def add(conn: Connection, into: Into, given: Sequence[Checked | Failed], now_us: int) -> list[Taken | Failed]:
    """Put objects in; one answer for each, in their order."""
    last = _before(locked(conn), len(given), now_us)
    made: list[Taken | Failed] = []
    for start in range(0, len(given), _CHUNK):
        last = _chunk(conn, into, given[start : start + _CHUNK], now_us, last, made)
    conn.execute(update(t.head).values(last_us=last))
    return made


def _before(last: int, count: int, now_us: int) -> int:
    """The moment before the first of so many, chosen so that the last of them lies on a whole millisecond.

    Some clients keep no finer time: asking for what came after it, they would be given the same object for ever.
    """
    first = max(now_us, last + 1)
    return -(-(first + count) // 1000) * 1000 - count


def _chunk(
    conn: Connection, into: Into, given: Sequence[Checked | Failed], now_us: int, last: int,
    made: list[Taken | Failed],
) -> int:  # fmt: skip
    known = _known(conn, into, {o.object_id for o in given if isinstance(o, Checked)})
    rows: list[dict[str, object]] = []
    fresh: list[dict[str, object]] = []
    withdrawn: dict[str, int] = {}
    touched: set[str] = set()
    for one in given:
        last += 1
        if isinstance(one, Failed):
            made.append(one)
            continue
        before = known.get(one.object_id)
        reason = _refused(one, before, into, now_us)
        version = one.version
        if reason:
            made.append(Failed(one.object_id, version, reason))
            continue
        if before is not None and _same(one, before):
            made.append(Taken(one.object_id, version or written(max(before.here) // 1000), "it was here"))
            continue
        ns = one.version_ns or last * 1000
        version = version or written(last)
        if before is None:
            before = known[one.object_id] = _Known(into.member, int(one.level), 0, {}, {}, set())
            fresh.append(
                {"object_id": one.object_id, "owner": into.member, "level": int(one.level), "revoked_ns": 0}
            )
        if one.revoked:
            before.revoked_ns = withdrawn[one.object_id] = ns
        before.here[ns] = one.body
        touched.add(one.object_id)
        rows.append({
            "added_us": last, "collection_id": into.collection_id, "object_id": one.object_id, "type": one.type,
            "version": version, "version_ns": ns, "level": int(one.level), "oldest": False, "latest": False,
            "withdrawn": one.revoked, "body": one.body,
        })  # fmt: skip
        made.append(Taken(one.object_id, version))
    if fresh:
        conn.execute(insert(t.objects), fresh)
    if rows:
        _ends(rows, known)
        _no_ends(conn, into.collection_id, known, touched, {(r["object_id"], r["version_ns"]) for r in rows})
        conn.execute(insert(t.versions), rows)
    for object_id, ns in withdrawn.items():
        conn.execute(update(t.objects).where(t.objects.c.object_id == object_id).values(revoked_ns=ns))
    return last


def _refused(one: Checked, before: _Known | None, into: Into, now_us: int) -> str:
    """Why an object is not taken; empty when it is."""
    if one.level > into.holds:
        return f"held at TLP:{one.level.label.upper()}; this collection holds up to TLP:{into.holds.label.upper()}"
    if one.author in into.others or one.object_id in into.others:
        return "speaks in the name of another member"
    if one.version_ns > now_us * 1000 + AHEAD_NS:
        return "its version lies in the future"
    if before is None:
        return ""
    if before.owner != into.member:
        copies = {**before.there, **before.here}
        if one.level is Tlp.CLEAR and copies.get(one.version_ns) == one.body:
            return ""
        return "belongs to another member"
    if int(one.level) != before.level:
        return "an object keeps its marking: give it a new id"
    if before.revoked_ns and (one.version_ns or now_us * 1000) > before.revoked_ns:
        return "was withdrawn: give it a new id"
    if one.version_ns and one.version_ns in before.gone:
        return "this version was deleted"
    if one.version_ns and before.here.get(one.version_ns, one.body) != one.body:
        return "this version is here with other content: raise `modified`"
    return ""


def _same(one: Checked, before: _Known) -> bool:
    """Whether this very object is here already; one without a version is, when its newest says the same."""
    if not before.here:
        return False
    return before.here.get(one.version_ns or max(before.here)) == one.body


def _known(conn: Connection, into: Into, ids: set[str]) -> dict[str, _Known]:
    found = {
        row.object_id: _Known(row.owner, row.level, row.revoked_ns, {}, {}, set())
        for row in conn.execute(select(t.objects).where(t.objects.c.object_id.in_(ids)))
    }
    v = t.versions.c
    asked = select(v.collection_id, v.object_id, v.version_ns, v.body).where(v.object_id.in_(set(found)))
    for row in conn.execute(asked):
        known = found[row.object_id]
        side = known.here if row.collection_id == into.collection_id else known.there
        side[row.version_ns] = bytes(row.body)
    d = t.deleted.c
    deleted = select(d.object_id, d.version_ns).where(
        d.object_id.in_(set(found)), d.collection_id == into.collection_id
    )
    for name, ns in conn.execute(deleted):
        found[name].gone.add(ns)
    return found


def _ends(rows: Iterable[dict[str, object]], known: dict[str, _Known]) -> None:
    """Say which of the new versions are the oldest and the newest."""
    for row in rows:
        here = known[str(row["object_id"])].here
        row["oldest"], row["latest"] = row["version_ns"] == min(here), row["version_ns"] == max(here)


def _no_ends(
    conn: Connection, collection_id: str, known: dict[str, _Known], touched: set[str], new: set[tuple[object, object]]
) -> None:  # fmt: skip
    """The versions that were the oldest or the newest, and are no more."""
    v = t.versions.c
    for name in touched:
        here = known[name].here
        before = [ns for ns in here if (name, ns) not in new]
        for flag, end, was in (
            ("latest", max(here), max(before, default=None)), ("oldest", min(here), min(before, default=None)),
        ):  # fmt: skip
            if was is not None and was != end:
                conn.execute(
                    update(t.versions)
                    .where(v.collection_id == collection_id, v.object_id == name, v.version_ns == was)
                    .values({flag: False})
                )


def remove(
    conn: Connection, into: Into, name: str, times: Sequence[int] | None, ends: frozenset[str], now_us: int
) -> str:
    """Delete versions of an object; all when neither times nor ends are given.

    Returns:
        Why not; empty when it is done.
    """
    locked(conn)
    v = t.versions.c
    held = conn.execute(select(t.objects).where(t.objects.c.object_id == name)).one()
    if held.owner != into.member:
        return "belongs to another member"
    if held.revoked_ns:
        return "a withdrawal stays, so that whoever has the object hears of it"
    here = sorted(
        conn.execute(
            select(v.version_ns).where(v.collection_id == into.collection_id, v.object_id == name)
        ).scalars()
    )
    chosen = set(_chosen(here, times, ends))
    left = [ns for ns in here if ns not in chosen]
    where = (v.collection_id == into.collection_id, v.object_id == name)
    conn.execute(delete(t.versions).where(*where, v.version_ns.in_(chosen)))
    conn.execute(
        insert(t.deleted),
        [{"object_id": name, "collection_id": into.collection_id, "version_ns": ns, "member": into.member,
          "at_us": now_us} for ns in sorted(chosen)],
    ) if chosen else None  # fmt: skip
    if left:
        flags = {"oldest": v.version_ns == left[0], "latest": v.version_ns == left[-1]}
        conn.execute(update(t.versions).where(*where).values(flags))
    return ""


def _chosen(here: Sequence[int], times: Sequence[int] | None, ends: frozenset[str]) -> Iterator[int]:
    for place, ns in enumerate(here):
        first, last = place == 0, place == len(here) - 1
        if (
            (times is None and not ends)
            or "all" in ends
            or ns in (times or ())
            or ("first" in ends and first)
            or ("last" in ends and last)
        ):
            yield ns


def note_served(conn: Connection, member: str, rows: Iterable[tuple[int, str, int]], now_us: int) -> None:
    """Write down who was served what for the first time: time of adding, object, version."""
    asked = {added: (name, ns) for added, name, ns in rows}
    s = t.served.c
    had = set(
        conn.execute(select(s.added_us).where(s.member == member, s.added_us.in_(set(asked)))).scalars()
    )
    new = [
        {"member": member, "added_us": added, "object_id": name, "version_ns": ns, "at_us": now_us}
        for added, (name, ns) in asked.items()
        if added not in had
    ]
    if new:
        conn.execute(_unless_there(conn), new)


def _unless_there(conn: Connection):  # type: ignore[no-untyped-def]  # one of two dialects' own
    if conn.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as pg

        return pg(t.served).on_conflict_do_nothing()
    from sqlalchemy.dialects.sqlite import insert as lite

    return lite(t.served).on_conflict_do_nothing()


__all__ = ["Into", "Taken", "add", "locked", "note_served", "remove"]
