"""What signing in works with: somebody with the secrets that are checked, and a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stillwatch.records import Person

BROWSER, PROGRAM = "browser", "api"


@dataclass(frozen=True, slots=True)
class Someone:
    """A person, with what a sign-in is checked against."""

    person: Person
    password_hash: str | None = None
    """None for people who come through a provider alone."""
    totp_sealed: str | None = None
    """The second factor's secret, sealed with the console's key. None until it is set up; a password that was given
    by somebody else is changed in the same step."""
    totp_step: int = 0
    """The time step used last."""
    has_subject: bool = False
    """Known to a provider."""

    @property
    def must_enrol(self) -> bool:
        """A local account that does nothing before its second factor and a password of its own are set."""
        return self.password_hash is not None and self.totp_sealed is None


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in from somewhere."""

    digest: str
    """Of the token: who reads the database cannot sign in with what it holds."""
    person_id: int
    opened_at: datetime
    seen_at: datetime
    expires_at: datetime
    place: str
    """Client address, for the person to recognise."""
    agent: str = ""
    kind: str = BROWSER
    """``browser``, or ``api`` for a program."""
    label: str = ""
