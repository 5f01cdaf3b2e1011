"""Members of a server, their tokens, collections, and who may do what where.

A token is 256 random bits; the store has its digest alone. Everything is refused that nobody allowed: a member without
a row in ``access`` does not learn that a collection exists.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from stillwatch.errors import ConfigError
from stillwatch.records.sharing import Tlp
from stillwatch.share.taxii import tables as t

_NAME = re.compile(r"[a-z][a-z0-9-]{1,31}")
_IDENTITY = re.compile(r"identity--[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
RESERVED = frozenset({"taxii2"})


@dataclass(frozen=True, slots=True)
class Member:
    """Who asks."""

    name: str
    clearance: Tlp


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as one member sees it."""

    collection_id: str
    root: str
    title: str
    description: str
    holds: Tlp
    can_read: bool
    can_write: bool


def digest(token: str) -> str:
    """How a token is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def set_up(conn: Connection) -> None:
    """Make the tables in a new store; an older or newer form is refused."""
    t.METADATA.create_all(conn)
    form = conn.execute(select(t.head.c.form)).scalar()
    if form is None:
        conn.execute(insert(t.head).values(one=1, form=t.FORM, last_us=0, cursor_key=secrets.token_bytes(32)))
    elif form != t.FORM:
        raise ConfigError(
            f"the store has form {form}, this version works with {t.FORM}",
            hint="use the version that wrote it",
        )


def put_member(
    conn: Connection, name: str, *, clearance: Tlp | None, identity: str | None, active: bool, now_us: int
) -> bool:
    """Add a member or change one; whether it is new. What is not given stays."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is not a member's name", hint="small letters, digits and hyphens, 2 to 32"
        )
    if identity and not _IDENTITY.fullmatch(identity):
        raise ConfigError("identity: not a random STIX identity", hint="identity-- and a UUID of version 4")
    known = conn.execute(select(t.members).where(t.members.c.name == name)).first()
    if known is None:
        if clearance is None:
            raise ConfigError(
                f"{name} is new: say what may be served to it", hint="for example --clearance amber"
            )
        conn.execute(
            insert(t.members).values(
                name=name, identity=identity or "", clearance=int(clearance), active=active, added_us=now_us
            )
        )
        return True
    values: dict[str, Any] = {"active": active}
    if clearance is not None:
        values["clearance"] = int(clearance)
    if identity is not None:
        values["identity"] = identity
    conn.execute(update(t.members).where(t.members.c.name == name).values(values))
    return False


def new_token(conn: Connection, member: str, *, expires_us: int, now_us: int, alone: bool) -> str:
    """A token of a member, told this once; `alone` revokes those it has."""
    _must_be(conn, member)
    token = f"swx_{secrets.token_urlsafe(32)}"
    if alone:
        conn.execute(update(t.tokens).where(t.tokens.c.member == member).values(revoked=True))
    conn.execute(
        insert(t.tokens).values(
            digest=digest(token), member=member, made_us=now_us, expires_us=expires_us, revoked=False
        )
    )
    return token


def whose(conn: Connection, token: str, name: str | None, now_us: int) -> Member | None:
    """The member that a token is of, when it may be used now; `name` has to fit where one is given."""
    m, k = t.members.c, t.tokens.c
    asked = (
        select(m.name, m.clearance)
        .join(t.tokens, k.member == m.name)
        .where(k.digest == digest(token), k.revoked.is_(False), k.expires_us > now_us, m.active.is_(True))
    )
    row = conn.execute(asked).first()
    if row is None or (name is not None and name != row.name):
        return None
    return Member(row.name, Tlp(row.clearance))


def put_collection(
    conn: Connection, collection_id: UUID, title: str, *, root: str, description: str, holds: Tlp
) -> str:
    """Add a collection; its id."""
    if not title.strip() or len(title) > 200:
        raise ConfigError(
            "a collection needs a title of at most 200 characters", hint="name it for its readers"
        )
    if not _NAME.fullmatch(root) or root in RESERVED:
        raise ConfigError(
            f"{root!r} cannot be an API root", hint="small letters, digits and hyphens, 2 to 32"
        )
    c = t.collections.c
    if conn.execute(select(c.title).where(c.title == title)).first():
        raise ConfigError("there is a collection with this title", hint="give it another title")
    conn.execute(
        insert(t.collections).values(
            collection_id=str(collection_id), root=root, title=title, description=description,
            holds=int(holds),
        )
    )  # fmt: skip
    return str(collection_id)


def allow(conn: Connection, member: str, collection_id: str, *, can_read: bool, can_write: bool) -> None:
    """Say what a member may do in a collection; neither takes it back."""
    _must_be(conn, member)
    c, a = t.collections.c, t.access.c
    if conn.execute(select(c.root).where(c.collection_id == collection_id)).first() is None:
        raise ConfigError("no such collection", hint="stillwatch share roster lists them")
    conn.execute(t.access.delete().where(a.member == member, a.collection_id == collection_id))
    if can_read or can_write:
        conn.execute(
            insert(t.access).values(
                member=member, collection_id=collection_id, can_read=can_read, can_write=can_write
            )
        )


def seen_by(
    conn: Connection, member: Member, root: str | None = None, collection_id: str | None = None
) -> list[Collection]:
    """Collections that a member knows of, by title; all, those of a root, or one."""
    c, a = t.collections.c, t.access.c
    asked = select(t.collections, a.can_read, a.can_write).join(t.access, a.collection_id == c.collection_id)
    asked = asked.where(a.member == member.name)
    if root is not None:
        asked = asked.where(c.root == root)
    if collection_id is not None:
        asked = asked.where(c.collection_id == collection_id)
    return [
        Collection(r.collection_id, r.root, r.title, r.description, Tlp(r.holds), r.can_read, r.can_write)
        for r in conn.execute(asked.order_by(c.title))
    ]


def other_identities(conn: Connection, member: str) -> frozenset[str]:
    """STIX ids of the other members: nobody speaks in their name."""
    m = t.members.c
    return frozenset(conn.execute(select(m.identity).where(m.name != member, m.identity != "")).scalars())


def roster(conn: Connection) -> dict[str, Any]:
    """Everybody and everything, for whoever runs the server; no token."""
    good = conn.execute(select(t.tokens.c.member).where(t.tokens.c.revoked.is_(False))).scalars().all()
    members = [
        {"name": r.name, "clearance": Tlp(r.clearance).label, "identity": r.identity, "active": r.active,
         "tokens": good.count(r.name)}
        for r in conn.execute(select(t.members).order_by(t.members.c.name))
    ]  # fmt: skip
    rows = conn.execute(select(t.access).order_by(t.access.c.member)).all()
    collections = [
        {"id": r.collection_id, "root": r.root, "title": r.title, "holds": Tlp(r.holds).label,
         "readers": [a.member for a in rows if a.collection_id == r.collection_id and a.can_read],
         "writers": [a.member for a in rows if a.collection_id == r.collection_id and a.can_write]}
        for r in conn.execute(select(t.collections).order_by(t.collections.c.title))
    ]  # fmt: skip
    return {"members": members, "collections": collections}


def withdrawals(conn: Connection) -> list[dict[str, Any]]:
    """Withdrawn objects, newest first: who had them before, and who has been served the withdrawal."""
    o, s, v = t.objects.c, t.served.c, t.versions.c
    found = []
    for row in conn.execute(select(t.objects).where(o.revoked_ns > 0).order_by(o.revoked_ns.desc())):
        told = conn.execute(select(s.member, s.version_ns).where(s.object_id == row.object_id)).all()
        places = conn.execute(select(v.collection_id).where(v.object_id == row.object_id)).scalars()
        readers = {
            r.member
            for r in conn.execute(
                select(t.access.c.member).join(t.members, t.members.c.name == t.access.c.member).where(
                    t.access.c.can_read.is_(True), t.access.c.collection_id.in_(set(places)),
                    t.members.c.clearance >= row.level, t.members.c.active.is_(True),
                )
            )
        }  # fmt: skip
        heard = {r.member for r in told if r.version_ns >= row.revoked_ns}
        found.append({
            "object_id": row.object_id, "owner": row.owner, "heard": sorted(heard),
            "not_yet": sorted(readers - heard - {row.owner}),
        })  # fmt: skip
    return found


def _must_be(conn: Connection, member: str) -> None:
    if conn.execute(select(t.members.c.name).where(t.members.c.name == member)).first() is None:
        raise ConfigError(f"no member {member!r}", hint="stillwatch share member adds one")


__all__ = [
    "Collection", "Member", "allow", "new_token", "other_identities", "put_collection", "put_member", "roster",
    "seen_by", "set_up", "whose", "withdrawals",
]  # fmt: skip
