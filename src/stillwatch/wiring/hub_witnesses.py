"""Witnesses of a hub's log: asked beside the requests, so that nobody waits for a witness who does not ask for one.

A hub that shows one log to one member and another to the next gets one of them signed: a witness signs only what grew
from what it signed before. Members say how many signatures they demand.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stillwatch.errors import StillwatchError, UpstreamError, where_it_failed
from stillwatch.wiring.witnesses import cosigned, named

if TYPE_CHECKING:
    from stillwatch.evidence.note import Verifier
    from stillwatch.wiring.hub_folder import HubFolder, HubLog

EVERY_S = 60.0
"""How often the hub does what nobody asks for, and how long a witness that failed is left alone."""
_LOG = logging.getLogger("stillwatch.hub")


class HubWitnesses:
    """The witnesses of one hub's log. One thread asks.

    Raises:
        ConfigError: what the hub's file names are no witnesses.
    """

    def __init__(self, log: HubLog, hub: HubFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._needed = max(1, hub.witnesses_needed)
        self._named = named(hub.witnesses)
        self._lines: dict[str, str] = {}
        """Who signed the newest checkpoint, and how."""
        self._text = ""
        self._sizes: dict[str, int] = {}
        self._rests: dict[str, float] = {}

    @property
    def keys(self) -> list[str]:
        """Their keys, as members name them."""
        return [witness.vkey for _, witness in self._named]

    def ask(self) -> None:
        """Have the newest checkpoint signed by whoever has not; it is served as soon as enough have."""
        signed = self._log.newest
        if signed != self._text:
            self._text, self._lines = signed, {}
        now = self._clock()
        todo = [
            (url, witness) for url, witness in self._named
            if witness.vkey not in self._lines and self._rests.get(witness.vkey, now) <= now
        ]  # fmt: skip
        if not todo:
            return
        with ThreadPoolExecutor(len(todo)) as pool:
            asked = {pool.submit(self._asked, *each, signed): each[1] for each in todo}
            for done in as_completed(asked):
                self._heard(asked[done], done.result())

    def _asked(self, url: str, witness: Verifier, signed: str) -> str:
        """The witness's line, or nothing."""
        try:
            return cosigned(url, witness, signed, self._sizes.get(witness.vkey, 0), self._log.steps)
        except StillwatchError as error:
            _LOG.error("the log was not witnessed: %s; %s", error.message, error.hint)
            return ""

    def _heard(self, witness: Verifier, line: str) -> None:
        from stillwatch.evidence.note import Checkpoint

        if not line:
            self._rests[witness.vkey] = self._clock() + EVERY_S
            return
        self._sizes[witness.vkey] = Checkpoint.parse(self._text).size
        self._lines[witness.vkey] = line
        if len(self._lines) >= self._needed:
            self._log.witnessed(self._text + "".join(self._lines.values()))


@contextmanager
def by_itself(log: HubLog, *jobs: Callable[[], None]) -> Iterator[None]:
    """Do what nobody asks for, each time that the log grew and once a minute, in a thread of its own.

    What fails is said in the hub's log and tried again.
    """
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            log.grew.clear()
            for job in jobs:
                try:
                    job()
                except Exception as error:
                    told = error.message if isinstance(error, UpstreamError) else where_it_failed(error)
                    _LOG.error("%s", told)
            log.grew.wait(EVERY_S)

    thread = threading.Thread(target=work, name="hub", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        log.grew.set()
        thread.join(5.0)


__all__ = ["EVERY_S", "HubWitnesses", "by_itself"]
