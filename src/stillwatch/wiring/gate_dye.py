"""What a gateway does with the dye desk: strips what clients say about marks, and hands the engine policy's key.

Keys are issued beforehand (``stillwatch dye issue``), because each has to be in the log before it is used; a key that
was not issued is never injected. What is issued while a gateway runs is found at the next request. Nothing here
raises: a folder that cannot be read leaves requests without a key, and is told once.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, StillwatchError
from stillwatch.protect.dye.desk import Desk
from stillwatch.protect.dye.inject import inject
from stillwatch.protect.dye.issue import Dye, Subject
from stillwatch.protect.dye.master import Master
from stillwatch.records import Action, Decision
from stillwatch.settings import Settings
from stillwatch.store.dye import DyeFolder

log = logging.getLogger("stillwatch.gateway")
HINT = "make one with `stillwatch dye master --out FILE` and name it in dye.master_file, or put it into {env}"


class _NoLog:
    """A gateway issues nothing."""

    def commit(self, digest: str) -> Mapping[str, Any]:
        raise ConfigError("a gateway issues no keys", hint="stillwatch dye issue")


def load_master(settings: Settings, env: Mapping[str, str] = os.environ) -> Master:
    """The master, from a file that is its owner's alone or from the environment. It has no default."""
    dye = settings.dye
    hint = HINT.format(env=dye.master_env)
    if dye.master_file is None:
        text = env.get(dye.master_env, "")
        if not text.strip():
            raise ConfigError("the dye desk has no master", hint=hint)
        return Master.from_hex(text, dye.master_env)
    path = Path(dye.master_file)
    try:
        mode, text = path.stat().st_mode, path.read_text("ascii", "replace")
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ConfigError(f"master file {path.name}: {reason}", hint=hint) from error
    if os.name == "posix" and mode & 0o077:
        raise ConfigError(
            f"master file {path.name} can be read by others", hint=f"run `chmod 600 {path.name}`"
        )
    return Master.from_hex(text, path.name)


class Dyer:
    """The keys of one epoch, by the names under which policy knows them."""

    def __init__(self, desk: Desk, folder: DyeFolder, epoch: str, everyone: str | None) -> None:
        self._desk, self._folder, self._epoch, self._everyone = desk, folder, epoch, everyone
        self._stamp: object = None
        self._dyes: dict[tuple[str, str | None], Dye] = {}
        self._told: set[str] = set()

    @classmethod
    def open(cls, settings: Settings, env: Mapping[str, str] = os.environ) -> Dyer | None:
        """The desk's keys where settings say that a gateway injects them. Refuses to start without a master."""
        if not settings.dye.inject:
            return None
        folder = DyeFolder(Path(settings.dye.folder))
        dyer = cls(
            Desk(load_master(settings, env), _NoLog(), folder),
            folder,
            settings.dye.epoch,
            settings.dye.everyone,
        )
        dyer._refresh()
        return dyer

    def dyed(self, body: Mapping[str, Any], decision: Decision, *, writes: bool) -> dict[str, Any] | None:
        """The body for the engine; None when it stays as it is."""
        dye = self._dye(decision) if writes else None
        out, changed = inject(body, dye)
        return out if changed or (dye is not None and dye.request()) else None

    def _dye(self, decision: Decision) -> Dye | None:
        """The key that policy names; that of the account alone where one was issued."""
        try:
            self._refresh()
        except (StillwatchError, OSError) as failure:
            self._tell(f"the dye desk cannot be read: {failure}")
        wanted = decision.terms.key if Action.MARK in decision.actions else None
        if wanted:
            found = self._dyes.get((wanted, decision.account_id)) or self._dyes.get((wanted, None))
            if found is not None:
                return found
            self._tell("a marking key that policy names was not issued: stillwatch dye issue")
        return self._dyes.get((self._everyone, None)) if self._everyone else None

    def _refresh(self) -> None:
        stamp = self._folder.stamp()
        if stamp == self._stamp:
            return
        issued = self._desk.issued()
        self._dyes = {_named(d.issue.subject): d for d in issued if d.issue.subject.epoch == self._epoch}
        self._stamp = stamp

    def _tell(self, words: str) -> None:
        if words not in self._told:
            self._told.add(words)
            log.warning("%s", words)


def _named(subject: Subject) -> tuple[str, str | None]:
    return subject.name, subject.account_id
