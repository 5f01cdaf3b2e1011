"""Relays of the second week: agent trajectories, sealed reasoning replayed, six busy accounts, and a grey proxy."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..ledger import Account, Talk
from ..world import START, Env, digest
from . import recipes
from .campaigns import frozen_clients
from .habits import customers
from .relay import Job, Relay, session_key
from .rhythm import DAY, queue
from .stage import NEW_MODEL, NEW_MODEL_AT, Stage, masked


def trajectories(stage: Stage, rnd: random.Random) -> None:
    """L1. 25 subscriptions, hundreds of calls each: tasks made for tools, then solved call by call by an agent."""
    name, places = "trajectories", stage.places
    client = replace(
        places.software(rnd, "cli", START, "2.62.0"), tls=f"t13d1311h2_{digest('relay', size=6)}"
    )
    accounts = stage.recruits(
        rnd,
        name,
        25,
        client=lambda: client,
        place=lambda _: places.cloud(rnd, rnd.choice(("oracle", "linode", "google"))),
        created=lambda: START - timedelta(days=rnd.uniform(10, 150)),
        country=lambda: "US",
        cards=6,
        exits=1,
        plan="max",
        verification="phone",
    )
    stage.replace_banned(rnd, accounts, 3)
    for account in accounts:
        account.envs = [frozen_clients(e, account, stage.seed) for e in account.envs]
    jobs = []
    made = 0
    for t in queue(rnd, stage.n(9000), runs=9):
        if made >= stage.n(9000):
            break
        dialogue = rnd.choice(stage.text.tool_dialogues)
        model = NEW_MODEL if t > NEW_MODEL_AT and rnd.random() < 0.5 else "borealis-2-deep"
        if rnd.random() < 0.45:
            prompt = recipes.task_for(rnd, dialogue.tools or "[]")
            talk = stage.ask(rnd, model, prompt, params={"temperature": 1.0, "max_tokens": 4096})
        else:
            talk = stage.talk(
                rnd,
                model,
                stage.led.script(rnd, dialogue),
                system=f"{recipes.TRAJECTORY}\nEpisode {rnd.randrange(10**6)}.",
                tools=dialogue.tools,
                params={"temperature": 1.0, "max_tokens": 16384, "stream": True},
                context=stage.rhythm.context(rnd, "agent"),
            )
        jobs.append(Job(t, talk, key=session_key(talk), pause=8.0))
        made += len(talk.steps)
    relay = Relay(stage, accounts)
    relay.heartbeats(rnd, 3.2)
    relay.run(rnd, jobs)
    stage.led.campaign(name, "campaign", "agent trajectories and tool tasks", "L1", accounts)


def trace_replay(stage: Stage, rnd: random.Random) -> None:
    """L1. 640 young accounts, four calls each in a day and a half: sealed reasoning of others, to be printed."""
    name, places = "trace_replay", stage.places
    n = stage.size(640)
    clients = [places.software(rnd, s, START) for s in ("openai-python", "go", "aiohttp")]
    accounts = stage.recruits(
        rnd,
        name,
        n,
        client=lambda: rnd.choice(clients),
        place=lambda where: places.home(rnd, where),
        created=lambda: START + timedelta(days=rnd.uniform(-6, 3.9)),
        country=lambda: rnd.choice(("US", "CA", "GB", "DE", "MX")),
        exits=2,
        verification="phone",
    )
    for account in accounts:
        account.born_at = max(0.0, (account.row["created_at"] - START).total_seconds())
        account.row["tos_version"] = "2026-07"
    first = 4.0 * DAY
    issued: list[Talk] = []
    params: dict[str, Any] = {"max_tokens": 16384, "stream": False}

    def keep(talk: Talk) -> None:
        issued.append(talk)

    jobs = []
    for t in queue(rnd, n, first=first, last=first + 0.8 * DAY, runs=3):
        talk = stage.ask(rnd, NEW_MODEL, recipes.think(rnd, stage.text), params=params)
        jobs.append(Job(t, talk, done=keep, more={"out_tokens": stage.rhythm.thought(rnd)}))
    for t in queue(rnd, 3 * n, first=first + 0.1 * DAY, last=first + 1.5 * DAY, runs=4):
        demand = recipes.demand(rnd)
        weaker = rnd.random() < 0.6

        def replayed(demand: str = demand, weaker: bool = weaker) -> Talk:
            source = rnd.choice(issued) if issued else None
            return stage.ask(
                rnd,
                "borealis-2-deep" if weaker else NEW_MODEL,
                demand,
                stage.led.reply(rnd, sentences=8),
                params=params,
                history=list(source.history) if source else [],
                seals=source.seals[-1:] if source else [],
            )

        jobs.append(Job(t, replayed))
    Relay(stage, accounts).run(rnd, jobs)
    stage.led.campaign(name, "campaign", "sealed-reasoning replay", "L1", accounts)


def six_accounts(stage: Stage, rnd: random.Random) -> None:
    """A relay of six accounts on three cards carries a whole R1-style run, four samples a problem."""
    name, places = "six_accounts", stage.places
    client = places.software(rnd, "anthropic-python", START)
    accounts = stage.recruits(
        rnd,
        name,
        6,
        client=lambda: client,
        place=lambda where: places.home(rnd, where),
        created=lambda: START - timedelta(days=rnd.uniform(70, 330)),
        country=lambda: rnd.choice(("US", "JP")),
        exits=1,
        plan="max",
        verification="card",
        limited=0.03,
    )
    for i, account in enumerate(accounts):
        account.row["payment_digest"] = stage.card(name, i % 3)
    params = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 32768, "stream": True}
    jobs = []
    for t in queue(rnd, max(1, stage.n(8400) // 4), runs=11):
        problem = recipes.think(rnd, stage.text)
        for _ in range(4):
            answer = f"<think>{stage.led.reply(rnd, sentences=4)}</think> \\boxed{{{rnd.randrange(900)}}}"
            talk = stage.ask(
                rnd, "borealis-2-deep", f"Reason step by step.\n{problem}", answer, params=params
            )
            more = {"out_tokens": stage.rhythm.thought(rnd)}
            jobs.append(Job(t + rnd.uniform(0, 9), talk, key=session_key(talk), more=more))
    relay = Relay(stage, accounts)
    relay.heartbeats(rnd, 5.0)
    relay.run(rnd, jobs)
    stage.led.campaign(name, "campaign", "R1-style long thought behind a relay", "relay", accounts)


def pool(stage: Stage, rnd: random.Random) -> None:
    """Forty accounts of a grey proxy serve 400 unrelated customers; nobody extracts anything."""
    name, places = "pool", stage.places
    client = places.software(rnd, "cli", START, "2.62.0")
    accounts = stage.recruits(
        rnd,
        name,
        40,
        client=lambda: client,
        place=lambda _: places.cloud(rnd, rnd.choice(("vultr", "digitalocean", "oracle"))),
        created=lambda: START - timedelta(days=rnd.uniform(15, 260)),
        country=lambda: "US",
        cards=14,
        exits=1,
        extractor=False,
        plan="max",
        verification="phone",
    )
    stage.replace_banned(rnd, accounts, 2)
    systems = ("Linux", "MacOS", "Windows")
    theirs = [(rnd.choice(systems), digest("device", name, i, stage.seed, size=16)) for i in range(400)]
    jobs = []
    for who, job in customers(stage, rnd, stage.n(6000), people=400):

        def env(account: Account, t: float, who: int = who) -> Env:
            # the customer's device and system show through the relay's own stack
            return replace(masked(account.env(t), x_stainless_os=theirs[who][0]), device=theirs[who][1])

        job.env = env
        jobs.append(job)
    relay = Relay(stage, accounts)
    relay.heartbeats(rnd, 4.4)
    relay.run(rnd, jobs)
    stage.led.campaign(name, "pool", "grey proxy with unrelated customers", "relay", accounts)


CAMPAIGNS = (trajectories, trace_replay, six_accounts, pool)
