"""Where doors bring their requests: decisions are made in a few threads, so that a slow store or a long body does
not hold up the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from stillwatch.errors import StillwatchError
from stillwatch.records import Decision, Request
from stillwatch.wiring.policy import Gate

T = TypeVar("T")
NAMELESS = (
    "a request came whose account no trusted gateway named: see gateway.trusted_proxies and account_header"
)
_THREADS = 4


class Desk:
    """A gate and the threads that ask it."""

    def __init__(self, gate: Gate, *, fail: str) -> None:
        self.gate = gate
        self._closed = fail == "closed"
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="stillwatch-decide")

    async def run(self, job: Callable[[], T]) -> T:
        """Do something in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, job)

    def later(self, job: Callable[[], None]) -> None:
        """Do something in a thread, and wait for nothing."""
        with suppress(RuntimeError):  # closed already
            self._threads.submit(job)

    def judge(self, request: Request) -> Decision:
        """The decision on a request. One of nobody is decided by the rules for everyone, or refused as settings say."""
        if not request.account_id:
            if self._closed:
                return self.gate.undecided(request, NAMELESS)
            self.gate.told(StillwatchError(NAMELESS))
        return self.gate.decide(request)

    def close(self) -> None:
        """Let the threads finish."""
        self._threads.shutdown(wait=True)
