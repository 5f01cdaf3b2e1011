"""Signed in: a random token in a cookie, its digest in the store, and an end that comes by itself."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillwatch.console.signin.kept import Kept
from stillwatch.console.signin.register import BROWSER, PROGRAM, Session, Someone
from stillwatch.console.signin.seals import Seals
from stillwatch.records import Permission, Person, Role

_TOUCH_S = 60.0
API_PREFIX = "swt_"


@dataclass(frozen=True, slots=True)
class Seen:
    """Who is asking."""

    someone: Someone
    session: Session
    csrf: str
    """Token that every form of this session carries."""

    @property
    def person(self) -> Person:
        """The person."""
        return self.someone.person

    @property
    def must_enrol(self) -> bool:
        """Nothing else first: the second factor is missing."""
        return self.someone.must_enrol and self.session.kind == BROWSER

    @property
    def role_words(self) -> str:
        """The roles in a fixed order, for a person to read."""
        return ", ".join(role.value for role in Role if role in self.person.roles) or "no role"

    def may(self, permission: Permission | str) -> bool:
        """Whether this person may do something."""
        return not self.must_enrol and self.person.may(Permission(permission))


@dataclass(frozen=True, slots=True)
class Sessions:
    """Opens, finds and ends sessions."""

    kept: Kept
    seals: Seals
    life: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(minutes=30)
    api_life: timedelta = timedelta(days=90)

    def open(
        self, someone: Someone, place: str, now: datetime, *, kind: str = BROWSER, label: str = "", agent: str = "",
    ) -> str:  # fmt: skip
        """Sign somebody in; returns the token, which is kept nowhere."""
        token = (API_PREFIX if kind == PROGRAM else "") + secrets.token_urlsafe(32)
        long = kind == PROGRAM and someone.password_hash is not None
        ends = now + (
            self.api_life if long else self.life
        )  # a provider is asked again once a session would be
        who = someone.person.person_id
        session = Session(digest_of(token), who, now, now, ends, place[:80], agent[:200], kind, label[:80])
        self.kept.open(session)
        return token

    def seen(self, token: str, now: datetime) -> Seen | None:
        """Whose token this is; None when it is nobody's, has ended, or its owner may no longer come in."""
        if not token or len(token) > 200:
            return None
        found = self.kept.session(digest_of(token))
        if found is None:
            return None
        session, someone = found
        if (session.kind == PROGRAM) != token.startswith(API_PREFIX):
            return None
        if not someone.person.active or self._over(session, now):
            self.kept.end(session.digest, now)
            return None
        if (now - session.seen_at).total_seconds() > _TOUCH_S:
            self.kept.touch(session.digest, now)
        return Seen(someone, session, self.seals.token(token))

    def _over(self, session: Session, now: datetime) -> bool:
        idle = session.kind == BROWSER and now - session.seen_at > self.idle
        return now >= session.expires_at or idle


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
