"""Ordinary accounts of the second week, and the many strangers a popular framework makes look alike."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from ..world import START, Env, at
from ..world import digest as short
from .habits import Habit, habit, use
from .rhythm import DAY
from .stage import Stage

SCAFFOLD = (
    "You are an assistant built with an open framework. Work in steps: decide what is needed, call a tool if one "
    "helps, read its result, then give the final answer. If no tool fits, answer directly."
)
"""The default system prompt that every new project of one framework starts with."""


def _places(stage: Stage, rnd: random.Random, software: Env, country: str) -> list[Env]:
    """Where an account's requests come from: at home, in a cloud, behind an egress or exit strangers share."""
    places = stage.places
    person = software.device is not None
    shared = random.Random(f"{stage.seed}:shared {rnd.randrange(70)}")
    draw = rnd.random() + (0.35 if person else 0.0)
    if draw < 0.30:
        return [at(software, places.cloud(rnd), country)]
    if draw < 0.42:
        return [at(software, places.cloud(shared, rnd.choice(("amazon", "google"))), "US")]
    if draw > 1.22:
        return [at(software, places.proton_exit(shared), "NL") for _ in range(rnd.randrange(1, 3))]
    home = places.home(rnd, country)
    if rnd.random() < 0.55:
        return [at(software, home, country)]
    return [
        at(software, (places.near(rnd, home[0], 17), home[1]), country) for _ in range(rnd.randrange(2, 7))
    ]


def _household(
    stage: Stage,
    rnd: random.Random,
    klass: str,
    index: int,
    size: int,
    software: str | None,
    usual: Habit,
) -> None:
    """One to three accounts of the same people."""
    key = f"{klass}-{index}"
    country = stage.places.country(rnd)
    created: datetime = START - timedelta(days=1000 * (1 - rnd.random() ** 0.6) + 0.3)
    client = stage.places.software(rnd, software, created)
    envs = _places(stage, rnd, client, country)
    declared = rnd.random() < (0.7 if size > 1 else 0.35)
    for _ in range(size):
        account = stage.led.account(
            rnd,
            klass=klass,
            org_key=key,
            envs=envs,
            card=stage.card(key),
            country=country,
            org_id=f"org_{short(key, stage.seed)}" if declared else None,
            created=min(
                created + timedelta(days=rnd.uniform(0, 30)), START - timedelta(hours=rnd.uniform(2, 70))
            ),
            channel="chat" if "Mozilla" in client.user_agent else "api",
            keys=rnd.choice((1, 1, 1, 2, 4)),
            plan="team" if size > 1 else None,
            limited=rnd.choice((0.0, 0.0, 0.003, 0.02)),
        )
        if size == 1 and rnd.random() < 0.04:
            stage.born(account, rnd.uniform(0, 6.4) * DAY)
        use(stage, rnd, account, min(1400, max(1, round(rnd.lognormvariate(1.5, 1.55)))), usual)


def ordinary(stage: Stage, rnd: random.Random) -> None:
    """People and products."""
    made = orgs = 0
    while made < stage.n(2600):
        size = rnd.choices((1, 2, 3), (86, 9, 5))[0]
        _household(stage, rnd, "ordinary", orgs, size, None, habit(stage, rnd))
        made, orgs = made + size, orgs + 1


def framework_default(stage: Stage, rnd: random.Random) -> None:
    """Projects that never changed the framework's default system prompt."""
    for i in range(stage.n(420)):
        usual = habit(stage, rnd, rnd.choice(("agent", "question", "document")), SCAFFOLD)
        stack = rnd.choices(("langchain", "openai-python", "openai-js", "litellm"), (6, 2, 2, 1))[0]
        _household(stage, rnd, "framework_default", i, 1, stack, usual)


CLASSES = (ordinary, framework_default)
