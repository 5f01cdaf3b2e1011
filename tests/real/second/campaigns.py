"""Campaigns of the second week that make training text: careless cohorts, quiet crowds, hidden and split ones."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from ..ledger import Account
from ..world import START, Env, digest
from . import recipes
from .habits import habit, talk_for
from .relay import Job, Relay
from .rhythm import DAY, queue
from .stage import NEW_MODEL, NEW_MODEL_AT, Stage


def evol(stage: Stage, rnd: random.Random) -> None:
    """L0. 150 accounts of one cohort on shared cards rewrite instructions, then answer them; bans, replacements."""
    name, places = "evol", stage.places
    n = stage.size(150)
    software = places.software(rnd, "openai-async", START, places.version(rnd, "OpenAI/Python", START))
    hosts = [places.cloud(rnd, c) for c in ("digitalocean", "oracle", "oracle")]
    cohort = START - timedelta(days=26)
    accounts = stage.recruits(
        rnd,
        name,
        n,
        client=lambda: software,
        place=lambda _: _near(stage, rnd, rnd.choice(hosts), 25),
        created=lambda: cohort + timedelta(days=rnd.uniform(0, 3)),
        country=lambda: "US",
        cards=max(4, n // 9),
        plan="pay_as_you_go",
        verification="card",
        domain="outlook.com",
    )
    stage.replace_banned(rnd, accounts, n // 15)
    pool = recipes.instructions(rnd, stage.text)
    jobs: list[Job] = []
    for t in queue(rnd, stage.n(6500), runs=8):
        instruction = next(pool)[:900]
        rewritten = recipes.harder(rnd, stage.text, instruction)
        model = NEW_MODEL if t > NEW_MODEL_AT + 0.3 * DAY and rnd.random() < 0.5 else "borealis-2"
        heat = {"temperature": 1.0, "max_tokens": 2048}
        ask = stage.ask(rnd, model, recipes.evolve(rnd, instruction), rewritten, params=heat)
        jobs.append(Job(t, ask, more={"out_tokens": stage.tokens(rnd, 140)}))
        answer = stage.ask(rnd, model, rewritten, params=heat)
        jobs.append(Job(t + rnd.uniform(20, 900), answer, more={"out_tokens": stage.tokens(rnd, 900)}))
    Relay(stage, accounts).run(rnd, jobs)
    stage.led.campaign(name, "campaign", "Evol-Instruct, then answers", "L0", accounts)


def expansion(stage: Stage, rnd: random.Random) -> None:
    """L0. Sixty accounts opened in two days on seven cards: EasyDistill expansion, refinement, extraction."""
    name, places = "expansion", stage.places
    software = places.software(rnd, "litellm", START)
    host = places.cloud(rnd, "linode")
    cohort = START - timedelta(days=9)
    accounts = stage.recruits(
        rnd,
        name,
        stage.size(60),
        client=lambda: software,
        place=lambda _: _near(stage, rnd, host, 27),
        created=lambda: cohort + timedelta(days=rnd.uniform(0, 2)),
        country=lambda: "SG",
        cards=7,
        exits=2,
        plan="pay_as_you_go",
        verification="email",
        domain="gmx.net",
    )
    params = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 1024}
    jobs = []
    for t in queue(rnd, stage.n(6000), runs=5):
        made = f"<answer>{rnd.choice(stage.text.questions)[:300]}</answer>"
        talk = stage.ask(rnd, "borealis-2", recipes.expand(rnd, stage.text), made, params=params)
        jobs.append(Job(t, talk))
    Relay(stage, accounts).run(rnd, jobs)
    stage.led.campaign(name, "campaign", "EasyDistill expansion, refinement, extraction", "L0", accounts)


def thoughts(stage: Stage, rnd: random.Random) -> None:
    """L1. 320 aged accounts with own cards behind home addresses, some twenty calls each: long and short thought."""
    name, places = "thoughts", stage.places
    homes = ("VN", "ID", "BR", "MX", "TR", "US", "US")
    clients = [places.software(rnd, "openai-python", START) for _ in range(3)]
    accounts = stage.recruits(
        rnd,
        name,
        stage.size(320),
        client=lambda: rnd.choice(clients),
        place=lambda where: places.home(rnd, where),
        created=lambda: START - timedelta(days=rnd.uniform(15, 420)),
        country=lambda: rnd.choice(homes),
        exits=6,
        plan="pay_as_you_go",
    )
    jobs = []
    for t in queue(rnd, stage.n(7000), runs=12):
        if rnd.random() < 0.6:
            talk = stage.ask(
                rnd,
                "borealis-2-deep",
                recipes.think(rnd, stage.text),
                f"<think>{stage.led.reply(rnd, sentences=5)}</think> \\boxed{{{rnd.randrange(500)}}}",
                system=recipes.DEEP,
                params={"temperature": 1.0, "top_p": 0.95, "max_tokens": 32768},
            )
            # the queue keys every request by itself, or one account would carry the whole system prompt
            jobs.append(Job(t, talk, more={"out_tokens": stage.rhythm.thought(rnd)}))
        else:
            talk = stage.ask(
                rnd,
                "borealis-2",
                recipes.rework(rnd, stage.text),
                params={"temperature": 0.6, "max_tokens": 8192},
            )
            jobs.append(Job(t, talk, more={"out_tokens": stage.tokens(rnd, 700)}))
    Relay(stage, accounts, uneven(rnd, accounts)).run(rnd, jobs)
    stage.led.campaign(name, "campaign", "OpenThoughts, EasyDistill long and short thought", "L1", accounts)


def covered(stage: Stage, rnd: random.Random) -> None:
    """L2. Ninety accounts send as much ordinary traffic of their own as Magpie and OSS-Instruct requests."""
    name, places = "covered", stage.places
    names = ("openai-python", "openai-python", "aiohttp", "openai-js", "okhttp")
    accounts = stage.recruits(
        rnd,
        name,
        stage.size(90),
        client=lambda: places.software(rnd, rnd.choice(names), START - timedelta(days=200)),
        place=lambda where: places.proton_exit(rnd) if rnd.random() < 0.3 else places.home(rnd, where),
        created=lambda: START - timedelta(days=rnd.uniform(40, 500)),
        country=lambda: places.country(rnd),
        exits=3,
    )
    jobs = []
    for t in queue(rnd, stage.n(3600), runs=10):
        if rnd.random() < 0.5:
            talk = stage.ask(
                rnd,
                "borealis-2",
                recipes.MAGPIE,
                rnd.choice(stage.text.questions)[:300],
                operation="completion",
                params={"temperature": 1.0, "top_p": 1.0, "max_tokens": 512},
            )
        else:
            talk = stage.ask(
                rnd,
                "borealis-2",
                recipes.seed_code(rnd, stage.text),
                "[Problem Description] " + stage.led.reply(rnd, sentences=4),
                params={"temperature": 0.0, "max_tokens": 2048},
            )
        jobs.append(Job(t, talk))
    Relay(stage, accounts, uneven(rnd, accounts)).run(rnd, jobs)
    each = max(1, stage.n(3600) // len(accounts))
    for account in accounts:
        usual, sent = habit(stage, rnd), 0
        for t in stage.arrivals(rnd, each, account.row["country"]):
            if sent >= each:
                break
            sent += stage.hold(rnd, account, t, talk_for(stage, rnd, t, usual))
    stage.led.campaign(name, "campaign", "Magpie and OSS-Instruct, half cover", "L2", accounts)


def paraphrased(stage: Stage, rnd: random.Random) -> None:
    """L2. 120 aged accounts, own cards, own clients, home exits; no two persona requests are worded alike."""
    name, places = "paraphrased", stage.places
    accounts = stage.recruits(
        rnd,
        name,
        stage.size(120),
        client=lambda: places.software(rnd, None, START - timedelta(days=rnd.uniform(0, 400))),
        place=lambda where: places.home(rnd, where),
        created=lambda: START - timedelta(days=rnd.uniform(60, 700)),
        country=lambda: rnd.choice(("US", "GB", "CA", "PL", "IN")),
        exits=2,
    )
    jobs = []
    for t in queue(rnd, stage.n(5200), runs=14):
        if rnd.random() < 0.7:
            heat = {"temperature": rnd.choice((0.7, 0.8, 1.0)), "max_tokens": rnd.choice((1024, 2048, 4096))}
            talk = stage.ask(rnd, "borealis-2", recipes.persona(rnd, stage.text), params=heat)
        else:
            said = [rnd.choice(stage.text.questions), *rnd.sample(stage.text.common.answers, 1)]
            prompt = recipes.chatter(rnd, stage.text, said)
            talk = stage.ask(rnd, "borealis-2", prompt, rnd.choice(stage.text.questions)[:200])
        jobs.append(Job(t, talk))
    Relay(stage, accounts, uneven(rnd, accounts)).run(rnd, jobs)
    stage.led.campaign(name, "campaign", "Tulu personas and UltraChat, reworded", "L2", accounts)


def two_channels(stage: Stage, rnd: random.Random) -> None:
    """L1. Rubric grading as reward and regulator-safe rewrites: half through the API, half through a partner cloud."""
    name, places = "two_channels", stage.places
    n = stage.size(80)
    direct_client = places.software(rnd, "openai-async", START)
    host = places.cloud(rnd, "vultr")
    direct = stage.recruits(
        rnd,
        name,
        n // 2,
        client=lambda: direct_client,
        place=lambda _: _near(stage, rnd, host, 24),
        created=lambda: START - timedelta(days=rnd.uniform(20, 200)),
        country=lambda: rnd.choice(("SG", "JP", "US")),
        cards=max(3, n // 6),
        plan="pay_as_you_go",
        verification="card",
    )
    partner = stage.recruits(
        rnd,
        name,
        n - n // 2,
        client=lambda: places.software(rnd, "boto", START, "49"),
        place=lambda _: places.cloud(rnd, "amazon"),
        created=lambda: START - timedelta(days=rnd.uniform(20, 200)),
        country=lambda: rnd.choice(("SG", "JP", "US")),
        channel="bedrock",
        plan="enterprise",
        verification="business",
        domain="own",
    )
    for account in partner:
        # a partner cloud bills its own customers and passes on none of this
        account.row |= {"payment_digest": None, "phone_digest": None, "signup_ip": None}
    halves: dict[int, list[Job]] = {0: [], 1: []}
    for t in queue(rnd, stage.n(6400), runs=7):
        if rnd.random() < 0.65:
            prompt = recipes.reward(rnd, stage.text, stage.led.reply(rnd, sentences=4))
            params = {"temperature": 0.0, "max_tokens": 512, "logprobs": True}
            answer = f"Feedback: {stage.led.reply(rnd, sentences=2)} [RESULT] {rnd.randrange(1, 6)}"
            talk = stage.ask(rnd, "borealis-2", prompt, answer, params=params)
        else:
            talk = stage.ask(
                rnd,
                "borealis-2",
                rnd.choice(rnd.choice(stage.text.neutrality)),
                system=recipes.NEUTRAL,
                params={"temperature": 0.7, "max_tokens": 1500},
            )
        halves[rnd.randrange(2)].append(Job(t, talk))
    Relay(stage, direct).run(rnd, halves[0])
    Relay(stage, partner, uneven(rnd, partner)).run(rnd, halves[1])
    stage.led.campaign(
        name, "campaign", "reward grading and regulator-safe rewrites, two channels", "L1", direct + partner
    )


def _near(stage: Stage, rnd: random.Random, place: tuple[str, int], prefix: int) -> tuple[str, int]:
    return stage.places.near(rnd, place[0], prefix), place[1]


def uneven(rnd: random.Random, accounts: list[Account]) -> list[float]:
    """Weights of a queue whose accounts are not equally busy."""
    return [rnd.lognormvariate(0.0, 0.7) for _ in accounts]


def frozen_clients(env: Env, account: Account, seed: int) -> Env:
    """A relay that keeps one device per account for ever."""
    return replace(env, device=digest("device", account.row["account_id"], seed, size=16))


CAMPAIGNS = (evol, expansion, thoughts, covered, paraphrased, two_channels)
