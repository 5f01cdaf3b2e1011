"""A relay's scheduler, after the mechanics read in two public relays (research/threat.md, section 2.2)."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..arrivals import WEEK
from ..ledger import Account, Talk
from ..world import Env, digest
from .rhythm import DAY
from .stage import Stage

REST_S = {401: 1800.0, 403: 1800.0, 500: 300.0, 502: 300.0, 503: 60.0, 504: 300.0, 529: 600.0}
"""How long an account rests after an error; after 429 it rests until its limit is expected to reset."""
STICKY_S = 3600.0
HEARTBEAT = "You are Claude Code, Anthropic's official CLI for Claude."


@dataclass(slots=True)
class Job:
    """A conversation waiting for an account; the relay places it turn by turn."""

    t: float
    talk: Talk | Callable[[], Talk]
    """A callable makes the conversation when its time comes, from what was answered until then."""
    key: str | None = None
    pause: float = 60.0
    env: Callable[[Account, float], Env] | None = None
    more: dict[str, Any] = field(default_factory=dict)
    done: Callable[[Talk], None] | None = None


def session_key(talk: Talk) -> str:
    """The system prompt if there is one, else the first message: one fixed system prompt, one account."""
    first = talk.steps[0][0][0]["content"] if talk.steps else ""
    return digest("session", talk.system or first)


@dataclass(slots=True)
class Relay:
    """Accounts in the order of their last use, with rests and pins."""

    stage: Stage
    accounts: list[Account]
    weights: list[float] | None = None
    """How busy each account is kept, where a queue deals by chance instead of by last use."""
    sticky_s: float = STICKY_S
    hops: int = 5
    _used: dict[int, float] = field(default_factory=dict)
    _rests: dict[int, float] = field(default_factory=dict)
    _gone: set[int] = field(default_factory=set)
    _pins: dict[str, tuple[int, float]] = field(default_factory=dict)

    def _usable(self, i: int, t: float) -> bool:
        return i not in self._gone and self._rests.get(i, 0.0) <= t and self.accounts[i].born_at < t

    def _choose(self, rnd: random.Random, key: str | None, t: float) -> int | None:
        pin = self._pins.get(key) if key else None
        if pin is not None and pin[1] > t and self._usable(pin[0], t):
            return pin[0]
        free = [i for i in range(len(self.accounts)) if self._usable(i, t)]
        if free and self.weights:
            return rnd.choices(free, [self.weights[i] for i in free])[0]
        return min(free, key=lambda i: (self._used.get(i, -1.0), i)) if free else None

    def _status(self, rnd: random.Random, i: int, t: float) -> int:
        account = self.accounts[i]
        if t >= account.dead_from:
            self._gone.add(i)
            return 403
        status = self.stage.rhythm.status(rnd, t, account.limited)
        if status != 200:
            self._rests[i] = t + REST_S.get(status, rnd.choice((60.0, 300.0, 900.0, 1800.0)))
        return status

    def run(self, rnd: random.Random, jobs: list[Job]) -> None:
        """Sends everything. A refused request goes to the next account within two seconds or so."""
        waiting = [(job.t, n, job, 0) for n, job in enumerate(jobs)]
        heapq.heapify(waiting)
        n = len(waiting)
        while waiting:
            t, _, job, hop = heapq.heappop(waiting)
            if t >= WEEK:
                continue
            n += 1
            i = self._choose(rnd, job.key, t)
            if i is None:
                if hop < self.hops:
                    heapq.heappush(waiting, (t + rnd.uniform(20, 70), n, job, hop + 1))
                continue
            if not isinstance(job.talk, Talk):
                job.talk = job.talk()
            self._used[i] = t
            if job.key:
                self._pins[job.key] = (i, t + self.sticky_s)
            status = self._status(rnd, i, t)
            account = self.accounts[i]
            env = job.env(account, t) if job.env else None
            took = self.stage.led.say(account, t, job.talk, status=status, env=env, **job.more)
            if status != 200:
                if hop < self.hops:
                    heapq.heappush(waiting, (t + rnd.uniform(0.2, 2.5), n, job, hop + 1))
            elif not job.talk.done:
                later = t + took + rnd.expovariate(1 / job.pause) + 0.5
                heapq.heappush(waiting, (later, n, job, 0))
            elif job.done:
                job.done(job.talk)

    def heartbeats(self, rnd: random.Random, hour: float) -> None:
        """Once a day a timer asks every account whether it still lives."""
        for day in range(7):
            for i, account in enumerate(self.accounts):
                t = day * DAY + hour * 3600 + i * 1.3 + rnd.uniform(0, 0.8)
                if not account.born_at < t < account.dead_from:
                    continue
                talk = self.stage.ask(
                    rnd,
                    "borealis-2-flash",
                    "hi",
                    "Hi! What can I do for you?",
                    system=HEARTBEAT,
                    params={"max_tokens": 1000, "stream": True},
                )
                self.stage.led.say(account, t, talk)
