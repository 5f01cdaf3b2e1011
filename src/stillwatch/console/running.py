"""Plans under way in this process: carried out beside the pages, one at a time for each plan.

What a plan has done stands in the store, not here: when this process ends, however it ends, the plan is taken up again
where it stands by whoever presses *Resume*, and no account is acted on twice.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from stillwatch.errors import StillwatchError, where_it_failed
from stillwatch.records import Permission, Person
from stillwatch.respond import outbox
from stillwatch.settings import Settings
from stillwatch.wiring.desk import Desk
from stillwatch.wiring.takedown import run_plan

_AT_ONCE = 4


class Quiet:
    """A page shows no progress of its own; the store has it."""

    def step(self, name: str, total: float | None = None) -> None:
        """Nothing."""

    def advance(self, amount: float) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class Runner:
    """Carries plans out."""

    def __init__(self, desk: Desk, settings: Settings, env: Mapping[str, str] = os.environ) -> None:
        self._desk, self._settings, self._env = desk, settings, env
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="plan")
        self._lock = threading.Lock()
        self._under_way: dict[int, str] = {}
        """Plan -> why it stopped; empty while it goes on."""
        self._again: dict[int, Callable[[], None]] = {}
        """What was asked of a plan while it was under way: looked at again before it ends here."""

    def run(self, person: Person, number: int) -> None:
        """Carry a plan out, or on from where it stands; what has been refused for good is tried once more."""
        with self._desk.look(person) as work:
            work.need(Permission.PLAN_RUN)
        self._begin(number, lambda: self._carry(person, number))

    def undo(self, person: Person, number: int, reason: str) -> None:
        """Take a plan back: decided here and now, carried out beside the pages."""
        with self._desk.work(person) as work:
            outbox.undo(work, number, reason)
        self._begin(number, lambda: self._carry(person, number))

    def said(self, number: int) -> str | None:
        """None: not under way here. Empty: under way. Else why it stopped."""
        with self._lock:
            return self._under_way.get(number)

    def close(self) -> None:
        """Wait for what is under way; what has not begun stays in the outbox."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _begin(self, number: int, job: Callable[[], None]) -> None:
        with self._lock:
            if self._under_way.get(number) == "":
                self._again[number] = job
                return
            self._under_way[number] = ""
        self._pool.submit(job)

    def _carry(self, person: Person, number: int) -> None:
        why: str | None = None
        try:
            run_plan(self._desk, person, number, settings=self._settings, progress=Quiet(), again_failed=True,
                     env=self._env)  # fmt: skip
        except StillwatchError as error:
            why = f"{error.message}. {error.hint}"
        except Exception as error:
            logging.getLogger("stillwatch.console").error("plan %d: %s", number, where_it_failed(error))
            why = "something failed in here; it was noted. Resume the plan."
        finally:
            self._ended(number, why)

    def _ended(self, number: int, why: str | None) -> None:
        with self._lock:
            job = self._again.pop(number, None)
            if job is None and why is None:
                self._under_way.pop(number, None)
            elif job is None:
                self._under_way[number] = str(why)
        if job is not None:
            self._pool.submit(job)
