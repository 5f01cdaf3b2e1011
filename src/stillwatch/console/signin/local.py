"""Signing in with a name, a password and a code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from stillwatch.console.signin import passwords, totp
from stillwatch.console.signin.kept import Kept
from stillwatch.console.signin.register import Someone
from stillwatch.console.signin.seals import Seals
from stillwatch.console.signin.throttle import Throttle
from stillwatch.errors import ConfigError

REFUSED = "Name, password or code is wrong."
"""One sentence for every way to fail, so that nobody learns which part was right."""


@dataclass(frozen=True, slots=True)
class Denied:
    """No sign-in, and what to tell."""

    said: str
    wait_s: int = 0


@dataclass(frozen=True, slots=True)
class Local:
    """The door for people with a local account."""

    kept: Kept
    seals: Seals
    throttle: Throttle

    def check(self, name: str, password: str, code: str, place: str, now: datetime) -> Someone | Denied:
        """Who this is, or why not. A person without a second factor comes in, to set it up and for nothing else."""
        stamp = now.timestamp()
        wait = self.throttle.wait_s(name, place, stamp)
        if wait:
            return Denied(f"Too many tries. Wait {-(-wait // 60)} min, then try again.", wait)
        someone = self.kept.by_name(name)
        known = someone is not None and someone.person.active
        good = passwords.matches(someone.password_hash if someone and known else None, password)
        if not (someone and good and self._second(someone, code, now)):
            self.throttle.failed(name, place, stamp)
            return Denied(REFUSED)
        self.throttle.passed(name, place)
        if someone.password_hash and passwords.outdated(someone.password_hash):
            self.kept.set_password(someone.person.person_id, passwords.hashed(password))
        return someone

    def _second(self, someone: Someone, code: str, now: datetime) -> bool:
        if someone.totp_sealed is None:
            return True
        step = totp.step_of(self.seals.opened(someone.totp_sealed), code, now, after=someone.totp_step)
        return step is not None and self.kept.use_step(someone.person.person_id, step)

    def enrol(self, someone: Someone, secret: str, code: str, password: str, now: datetime) -> Someone:
        """Set up the second factor and a password of one's own, in one step.

        Raises:
            ConfigError: the code is wrong, or the password will not do.
        """
        step = totp.step_of(secret, code, now)
        if step is None:
            raise ConfigError(
                "that code is not right", hint="see that your phone's clock is right, and type the next one"
            )
        if passwords.matches(someone.password_hash, password):
            raise ConfigError("that is the password you were given", hint="take one of your own")
        kept, sealed = passwords.hashed(password, name=someone.person.name), self.seals.sealed(secret)
        self.kept.set_password(someone.person.person_id, kept)
        self.kept.set_factor(someone.person.person_id, sealed, step)
        return replace(someone, password_hash=kept, totp_sealed=sealed, totp_step=step)
