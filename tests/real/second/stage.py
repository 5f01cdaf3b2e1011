"""What every class of the second week needs: accounts, conversations, clients that retry, job lists."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ..arrivals import WEEK
from ..ledger import Account, Ledger, Talk
from ..sources import Message
from ..world import CLOUDS, START, Env, at, digest, stream
from .places import HOURS, Places
from .rhythm import DAY, Rhythm
from .text import Text

MODELS = {
    # name: (days before the week's start when it was released, reasons in a sealed block)
    "borealis-1": (520, False),
    "borealis-2": (210, False),
    "borealis-2-flash": (210, False),
    "borealis-2-deep": (130, True),
    "borealis-3-deep": (-1.8, True),
}
NEW_MODEL = "borealis-3-deep"
NEW_MODEL_AT = 1.8 * DAY
OLD_MODELS = ("borealis-1", "borealis-2", "borealis-2-flash", "borealis-2-deep")
MAILBOXES = ("gmail.com", "outlook.com", "icloud.com", "proton.me", "yahoo.com", "gmx.net")
Steps = list[tuple[list[Message], Message]]


@dataclass(frozen=True)
class Stage:
    """The second week while it is played."""

    led: Ledger
    text: Text
    places: Places
    rhythm: Rhythm
    seed: int
    scale: float

    def play(self, parts: Sequence[Callable[[Stage, random.Random], None]]) -> None:
        """Each class with draws of its own, so that changing one leaves the others as they were."""
        for part in parts:
            part(self, stream(self.seed, part.__name__))

    # --- sizes and times -------------------------------------------------------------------------------

    def n(self, count: float) -> int:
        return max(1, round(count * self.scale))

    def size(self, accounts: int) -> int:
        """Accounts of a campaign at this scale; never fewer than thirty where the full one has that many."""
        return max(min(accounts, 30), round(accounts * self.scale))

    def arrivals(self, rnd: random.Random, count: int, country: str = "GB") -> list[float]:
        return self.rhythm.arrivals(rnd, count, (24 - HOURS[country]) % 24)

    def tokens(self, rnd: random.Random, median: float, spread: float = 0.5) -> int:
        return int(rnd.lognormvariate(0.0, spread) * median)

    # --- conversations ---------------------------------------------------------------------------------

    def talk(self, rnd: random.Random, model: str, steps: Steps, **more: Any) -> Talk:
        """A conversation; its id is in the log only for accounts whose client sends one."""
        more.setdefault("conversation", digest("conversation", self.seed, rnd.random(), size=16))
        return Talk(model, steps, **more)

    def ask(
        self, rnd: random.Random, model: str, prompt: str, answer: str | None = None, **more: Any
    ) -> Talk:
        """One question and its answer."""
        answer = answer if answer is not None else self.led.reply(rnd, sentences=rnd.randrange(2, 7))
        return self.talk(rnd, model, self.led.single(prompt, answer), **more)

    def hold(
        self,
        rnd: random.Random,
        account: Account,
        t: float,
        talk: Talk,
        *,
        pause: float = 40.0,
        patience: int = 2,
        **more: Any,
    ) -> int:
        """All turns on one account. The SDK retries after seconds; whoever gave up comes back once, later."""
        before, gave_up = len(self.led.rows), 0
        while not talk.done and t < WEEK and gave_up < 2:
            for tries in range(patience + 1):
                status = self.rhythm.status(rnd, t, account.limited)
                took = self.led.say(account, t, talk, status=status, retry=tries, **more)
                t += took
                if status == 200 or t >= WEEK:
                    break
                t += min(8.0, 0.5 * 2**tries) * rnd.uniform(0.75, 1.0)
            if status == 200:
                t += rnd.expovariate(1 / pause) + 0.5
            else:
                gave_up += 1
                t += rnd.expovariate(1 / 400) + 60
        return len(self.led.rows) - before

    def batch(
        self, rnd: random.Random, accounts: Sequence[Account], jobs: Sequence[Talk], *, hours: float = 6.0
    ) -> None:
        """A job list in the bursts of a measured trace on a working day, dealt out over the accounts."""
        begin = rnd.randrange(0, 6) * DAY + rnd.uniform(5, 17) * 3600
        starts = self.rhythm.burst(rnd, len(jobs), begin, min(hours * 3600, WEEK - begin - 60))
        for i, (t, job) in enumerate(zip(starts, jobs, strict=True)):
            self.hold(rnd, accounts[i % len(accounts)], t, job, pause=1.0, patience=5)

    # --- accounts --------------------------------------------------------------------------------------

    def card(self, *parts: object) -> str:
        return digest("card", self.seed, *parts, size=16)

    def firm(
        self,
        rnd: random.Random,
        klass: str,
        index: int,
        accounts: int,
        *,
        declared: bool,
        software: str | None,
        cloud: bool = True,
        **more: Any,
    ) -> list[Account]:
        """An organisation with one card and one network, whose accounts were opened over some months."""
        key = f"{klass}-{index}"
        country = self.places.country(rnd)
        place = (
            self.places.cloud(rnd, rnd.choice(sorted(CLOUDS))) if cloud else self.places.home(rnd, country)
        )
        founded = START - timedelta(days=rnd.uniform(90, 1000))
        client = self.places.software(rnd, software, founded)
        args: dict[str, Any] = {
            "card": self.card(key),
            "country": country,
            "domain": "own",
            "plan": rnd.choice(("pay_as_you_go", "team", "enterprise")),
            "verification": rnd.choice(("card", "business", "business")),
        } | more
        out = []
        for _ in range(accounts):
            ips = [self.places.near(rnd, place[0], 28) for _ in range(rnd.randrange(1, 4))]
            created = founded + timedelta(days=rnd.uniform(0, 85))
            spot = [at(client, (ip, place[1]), country) for ip in ips]
            out.append(
                self.led.account(
                    rnd,
                    klass=klass,
                    org_key=key,
                    envs=spot,
                    org_id=f"org_{digest(key, self.seed)}" if declared else None,
                    **{"created": created, **args},
                )
            )
        return out

    def recruits(
        self,
        rnd: random.Random,
        name: str,
        count: int,
        *,
        client: Callable[[], Env],
        place: Callable[[str], tuple[str, int]],
        created: Callable[[], datetime],
        country: Callable[[], str],
        cards: int | None = None,
        exits: int = 4,
        extractor: bool = True,
        limited: float | None = None,
        **more: Any,
    ) -> list[Account]:
        """Accounts of a campaign: ``cards`` shared instruments, or one each."""
        out = []
        for _ in range(count):
            where = country()
            software = client()
            account = self.led.account(
                rnd,
                klass=name,
                org_key=name,
                campaign=name,
                extractor=extractor,
                envs=[at(software, place(where), where) for _ in range(exits)],
                created=created(),
                country=where,
                card=self.card(name, rnd.randrange(cards)) if cards else "own",
                **{"domain": rnd.choice(MAILBOXES), **more},
            )
            account.limited = limited if limited is not None else rnd.choice((0.003, 0.01, 0.03))
            out.append(account)
        return out

    def replace_banned(self, rnd: random.Random, accounts: list[Account], count: int) -> None:
        """Some are banned in mid-week; as many of the others are opened within a day to take their place."""
        for gone, fresh in zip(accounts[:count], accounts[-count:] if count else [], strict=True):
            gone.dead_from = rnd.uniform(1.5, 5.0) * DAY
            gone.row |= {"status": "banned", "status_changed_at": START + timedelta(seconds=gone.dead_from)}
            fresh.born_at = gone.dead_from + rnd.uniform(0.1, 0.9) * DAY
            opened = START + timedelta(seconds=fresh.born_at - rnd.uniform(600, 7200))
            fresh.row |= {"created_at": opened, "tos_accepted_at": opened + timedelta(minutes=1)}
            fresh.row["tos_version"] = "2026-07"

    def born(self, account: Account, second: float) -> None:
        """Moves an account's sign-up into the week."""
        account.born_at = second
        opened = START + timedelta(seconds=second)
        account.row |= {"created_at": opened, "tos_accepted_at": opened + timedelta(seconds=50)}
        account.row["tos_version"] = "2026-07"


def masked(env: Env, **headers: str) -> Env:
    """The same place with some client headers replaced, as a relay passes them on."""
    return replace(env, headers=tuple((k, headers.get(k.replace("-", "_"), v)) for k, v in env.headers))
