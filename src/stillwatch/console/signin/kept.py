"""People's secrets and sessions in the store's own tables. Every call is a transaction of its own.

Only digests of tokens, Argon2id hashes of passwords and sealed second factors are kept. Names, roles and who is active
belong to :mod:`stillwatch.respond.people`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, select

from stillwatch.console.signin.register import Session, Someone
from stillwatch.records import Person
from stillwatch.respond import people
from stillwatch.respond import tables as t
from stillwatch.respond.errors import Unfit
from stillwatch.respond.work import Work
from stillwatch.store.sql import reading, writing

MOST_SUBJECT = 255
"""Characters of a provider's name for somebody (OpenID Connect Core, section 2)."""


class Kept:
    """The register over an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def by_id(self, person_id: int) -> Someone | None:
        """One person."""
        return self._one(t.people.c.person_id == person_id)

    def by_name(self, name: str) -> Someone | None:
        """One person; names are in lower case."""
        return self._one(t.people.c.name == name.strip().lower()[:64])

    def by_subject(self, issuer: str, subject: str) -> Someone | None:
        """One person, as a provider names them."""
        return self._one((t.people.c.oidc_issuer == issuer) & (t.people.c.oidc_subject == subject))

    def set_password(self, person_id: int, password_hash: str | None) -> None:
        """Another password; None leaves the account to a provider."""
        self._put(person_id, password_hash=password_hash)

    def set_factor(self, person_id: int, sealed: str | None, step: int) -> None:
        """Another second factor; None asks for one at the next sign-in."""
        self._put(person_id, totp_secret=sealed, totp_last_step=step)

    def use_step(self, person_id: int, step: int) -> bool:
        """Take a time step for this person; two at once cannot both have it."""
        earlier = t.people.c.totp_last_step.is_(None) | (t.people.c.totp_last_step < step)
        asked = (
            t.people.update().where(t.people.c.person_id == person_id, earlier).values(totp_last_step=step)
        )
        with writing(self._engine) as con:
            return bool(con.execute(asked).rowcount == 1)

    def open(self, session: Session) -> None:
        """Keep a session."""
        with writing(self._engine) as con:
            con.execute(
                t.sessions.insert().values(
                    session_digest=session.digest, person_id=session.person_id, kind=session.kind,
                    label=session.label, made_at=session.opened_at,
                    seen_at=session.seen_at, expires_at=session.expires_at, client=session.place,
                    user_agent=session.agent,
                )
            )  # fmt: skip

    def session(self, digest: str) -> tuple[Session, Someone] | None:
        """A session that was not ended, and whose it is."""
        alive = (t.sessions.c.session_digest == digest) & t.sessions.c.revoked_at.is_(None)
        with reading(self._engine) as con:
            row = con.execute(select(t.sessions).where(alive)).first()
            if row is None:
                return None
            found = _someone(
                con, con.execute(select(t.people).where(t.people.c.person_id == row.person_id)).one()
            )
        return _session(row), found

    def sessions(self, person_id: int, now: datetime) -> tuple[Session, ...]:
        """A person's sessions that stand, newest first."""
        s = t.sessions.c
        asked = select(t.sessions).where(s.person_id == person_id, s.revoked_at.is_(None), s.expires_at > now)
        with reading(self._engine) as con:
            return tuple(map(_session, con.execute(asked.order_by(s.made_at.desc()).limit(200))))

    def touch(self, digest: str, at: datetime) -> None:
        """Note that a session was used."""
        with writing(self._engine) as con:
            con.execute(t.sessions.update().where(t.sessions.c.session_digest == digest).values(seen_at=at))

    def end(self, digest: str, at: datetime) -> None:
        """End a session; nothing when it has ended."""
        self._end(t.sessions.c.session_digest == digest, at)

    def end_all(self, person_id: int, at: datetime, *, but: str = "") -> int:
        """End all sessions of a person but one; returns how many."""
        return self._end((t.sessions.c.person_id == person_id) & (t.sessions.c.session_digest != but), at)

    def _end(self, which: Any, at: datetime) -> int:
        asked = t.sessions.update().where(which, t.sessions.c.revoked_at.is_(None)).values(revoked_at=at)
        with writing(self._engine) as con:
            return int(con.execute(asked).rowcount)

    def _put(self, person_id: int, **values: Any) -> None:
        with writing(self._engine) as con:
            con.execute(t.people.update().where(t.people.c.person_id == person_id).values(**values))

    def _one(self, which: Any) -> Someone | None:
        with reading(self._engine) as con:
            row = con.execute(select(t.people).where(which)).first()
            return _someone(con, row) if row else None


def bind(work: Work, person: Person, issuer: str, subject: str) -> None:
    """How a provider names a person who was added in this transaction; from then on they come in through it."""
    p = t.people.c
    subject = subject.strip()
    if not 0 < len(subject) <= MOST_SUBJECT:
        raise Unfit("the provider's name for a person", hint=f"from 1 to {MOST_SUBJECT} characters")
    if work.conn.execute(
        select(p.person_id).where(p.oidc_issuer == issuer, p.oidc_subject == subject)
    ).first():
        raise Unfit(
            "somebody is already known to the provider by that name", hint="ask an admin of the console"
        )
    work.conn.execute(
        t.people.update()
        .where(p.person_id == person.person_id)
        .values(oidc_issuer=issuer, oidc_subject=subject)
    )
    work.note("person.bind", person.name, issuer=issuer)


def _someone(con: Connection, row: Any) -> Someone:
    return Someone(
        people.by_id(con, row.person_id), row.password_hash, row.totp_secret, row.totp_last_step or 0,
        row.oidc_subject is not None,
    )  # fmt: skip


def _session(row: Any) -> Session:
    return Session(row.session_digest, row.person_id, row.made_at, row.seen_at, row.expires_at, row.client,
                   row.user_agent, row.kind, row.label)  # fmt: skip
