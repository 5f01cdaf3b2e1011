"""Honest look-alikes that work through job lists, or serve others, with a handful of accounts each."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..ledger import Account, Talk
from ..world import START, at, digest
from . import recipes
from .habits import customers, worded
from .relay import Relay
from .rhythm import DAY
from .stage import Stage
from .text import renumber

LANGUAGES = ("Spanish", "Polish", "Italian", "Turkish", "Indonesian", "Swedish", "Czech", "Arabic")
TRADES = (
    "medical devices",
    "tenancy law",
    "machine tools",
    "tourism",
    "insurance",
    "games",
    "food labels",
    "energy",
)
SCHEMES = (
    ("intent", ("question", "complaint", "order", "chat", "abuse")),
    ("safety", ("safe", "borderline", "unsafe")),
    ("topic", ("money", "health", "relations", "law", "technology", "other")),
    ("sentiment", ("positive", "neutral", "negative")),
)


def honest_reseller(stage: Stage, rnd: random.Random) -> None:
    """Undeclared: ten accounts on two cards, many customers, sticky sessions, fail-over after a refusal."""
    for v in range(5):
        accounts = stage.firm(
            rnd, "honest_reseller", v, 10, declared=False, software=rnd.choice(("go", "litellm", "openai-js"))
        )
        for i, account in enumerate(accounts):
            account.row["payment_digest"] = stage.card("reseller", v, i % 2)
            account.limited = 0.015
        jobs = customers(stage, rnd, stage.n(1400), people=140)
        Relay(stage, accounts).run(rnd, [job for _, job in jobs])


def labelling(stage: Stage, rnd: random.Random) -> None:
    """Double annotation: each item goes to two of twelve annotators' accounts, with the same guidelines."""
    for v, (name, labels) in enumerate(SCHEMES):
        accounts = stage.firm(
            rnd, "labelling", v, 12, declared=v == 0, software=rnd.choice(("openai-python", "browser"))
        )
        guide = (
            f"Annotation guideline {name} v{rnd.randrange(2, 9)}. Choose exactly one of {', '.join(labels)}. "
            "If in doubt choose the last. Reply with the label, then your confidence in percent."
        )
        params = {"temperature": 0.0, "max_tokens": 16, "logprobs": v == 1}
        items = rnd.choices(stage.text.questions, k=stage.n(480))
        lanes: dict[int, list[Talk]] = {i: [] for i in range(12)}
        for item in items:
            for i in rnd.sample(range(12), 2):
                answer = f"{rnd.choice(labels)} {rnd.randrange(50, 100)}%"
                talk = stage.ask(rnd, "borealis-2-flash", item[:900], answer, system=guide, params=params)
                lanes[i].append(talk)
        for i, jobs in lanes.items():
            stage.batch(rnd, [accounts[i]], jobs, hours=rnd.uniform(4, 8))


def translation_agency(stage: Stage, rnd: random.Random) -> None:
    """Freelancers at home on the agency's card: translate, then review, one prompt for each step."""
    places = stage.places
    for v in range(5):
        accounts = stage.firm(rnd, "translation_agency", v, 10, declared=v == 0, software="openai-js")
        language, trade = LANGUAGES[v], TRADES[v]
        glossary = "; ".join(rnd.sample(stage.text.roles, 5))
        steps = (
            f"Translate into {language} for {trade}. Keep placeholders. Never translate: {glossary}.",
            f"Review this {language} translation for {trade}. List errors by severity, then the corrected text.",
        )
        for account in accounts:
            country = places.country(rnd)
            software = places.software(rnd, "openai-js", account.row["created_at"])
            account.envs = [at(software, places.home(rnd, country), country)]
            rows = rnd.choices(stage.text.documents, k=stage.n(40))
            jobs = [
                stage.ask(
                    rnd,
                    "borealis-2",
                    row[:1800],
                    stage.led.reply(rnd, row),
                    system=system,
                    params={"temperature": 0.2, "max_tokens": 2048},
                )
                for row in rows
                for system in steps
            ]
            stage.batch(rnd, [account], jobs, hours=rnd.uniform(3, 8))


def multi_agent_coder(stage: Stage, rnd: random.Random) -> None:
    """One person, six accounts: a planner writes tasks, workers take the next free account, a reviewer reads.

    Half of them use a home-made orchestrator, whose client does not look like the one its name claims.
    """
    roles = {
        "planner": "You plan. Split the goal into task specifications as JSON, each with tests.",
        "worker": "You implement one task specification in the repository. Use the tools. Show all steps.",
        "reviewer": "You review a worker's patch. Explain your full reasoning, then approve or reject.",
    }
    for p in range(5):
        country = stage.places.country(rnd)
        home = stage.places.home(rnd, country)
        born = START - timedelta(days=rnd.uniform(60, 400))
        accounts = []
        for i in range(6):
            software = stage.places.software(rnd, "cli", born)
            if p % 2:
                software = replace(
                    software, tls=f"t13d1311h2_{digest('orchestrator', p, size=6)}", headers=()
                )
            account = stage.led.account(
                rnd,
                klass="multi_agent_coder",
                org_key=f"multi_agent_coder-{p}",
                envs=[at(software, home, country)],
                card=stage.card("coder", p),
                plan="max",
                verification="card",
                domain="gmail.com",
                country=country,
                created=born + timedelta(days=9 * i),
                limited=0.04,
            )
            accounts.append(account)
        repo = digest("repository", p, stage.seed, size=4)
        for t in stage.arrivals(rnd, stage.n(260), country):
            role = rnd.choices(list(roles), (1, 6, 3))[0]
            dialogue = rnd.choice(stage.text.tool_dialogues)
            talk = stage.talk(
                rnd,
                "borealis-2-deep",
                stage.led.script(rnd, dialogue),
                system=f"{roles[role]} Repository {repo}.",
                tools=dialogue.tools,
                params={"max_tokens": 32000, "stream": True},
                context=stage.rhythm.context(rnd, "agent"),
            )
            stage.hold(rnd, rnd.choice(accounts), t, talk, pause=3.0, patience=4)


def merger(stage: Stage, rnd: random.Random) -> None:
    """Two organisations become one: on a day in the week, one's live conversations move to the other's accounts."""
    for v in range(4):
        old = stage.firm(rnd, "merger", v, 4, declared=v % 2 == 0, software="openai-js")
        new = stage.firm(rnd, "merger", v, 6, declared=v % 2 == 0, software="go")
        for account in [*old, *new]:
            half = "old" if account in old else "new"
            declared = account.row["org_id"] is not None
            account.row["org_id"] = f"org_{digest('merger', v, half, stage.seed)}" if declared else None
        for account in new:
            account.row["payment_digest"] = old[0].row["payment_digest"] if v < 2 else stage.card("merged", v)
        change = rnd.uniform(2.0, 4.5) * DAY
        for i, (_, job) in enumerate(customers(stage, rnd, stage.n(560), people=50, model="borealis-2-deep")):
            # every third conversation is open on the day of the change
            t, talk = job.t if i % 3 else change - rnd.uniform(0, 3600), job.talk
            assert isinstance(talk, Talk)
            while not talk.done and t < 7 * DAY:
                side = old if t < change else new
                account = side[int(digest(job.key), 16) % len(side)]
                status = stage.rhythm.status(rnd, t, account.limited)
                took = stage.led.say(account, t, talk, status=status)
                t += took + (rnd.expovariate(1 / 3000) + 3 if status == 200 else rnd.uniform(1, 4))


def own_data(stage: Stage, rnd: random.Random) -> None:
    """Small models for own use, trained on material made from own documents; half of the firms have a grant."""
    for v in range(8):
        granted = v < 4
        klass = "own_data_granted" if granted else "own_data_ungranted"
        accounts = stage.firm(
            rnd,
            klass,
            v,
            rnd.randrange(1, 4),
            declared=granted or v % 2 == 0,
            software=rnd.choice(("openai-async", "langchain", "litellm")),
        )
        system = (
            f"Product: {TRADES[v]}. From the passage, write what a customer could ask, the answer, and the "
            f"sentence that proves it. {rnd.randrange(2, 7)} items, JSON lines. Never add knowledge of your own."
        )
        params = {"temperature": rnd.choice((0.3, 0.7, 1.0)), "max_tokens": 1500}
        jobs = [
            stage.ask(
                rnd,
                "borealis-2",
                f"[{TRADES[v]} handbook, p. {i}] {rnd.choice(stage.text.documents)[:1500]}",
                stage.led.reply(rnd, sentences=5),
                system=system,
                params=params,
            )
            for i in range(stage.n(520))
        ]
        stage.batch(rnd, accounts, jobs, hours=rnd.uniform(4, 14))
        if granted:
            stage.led.grants.append(_grant(v, accounts[0], "synthetic_data", "own handbooks"))


def licensed_distiller(stage: Stage, rnd: random.Random) -> None:
    """Firms that distil with written permission: campaign recipes, several accounts, a declared organisation."""
    for v in range(4):
        accounts = stage.firm(
            rnd, "licensed_distiller", v, 8, declared=True, software="openai-async", plan="enterprise"
        )
        pool = recipes.instructions(rnd, stage.text)
        jobs = []
        for _ in range(stage.n(620)):
            prompt = recipes.think(rnd, stage.text) if v % 2 else recipes.evolve(rnd, next(pool)[:700])
            talk = stage.ask(
                rnd,
                "borealis-2-deep" if v % 2 else "borealis-2",
                prompt,
                system=recipes.DEEP if v % 2 else None,
                params={"temperature": 0.7, "max_tokens": 8192},
            )
            jobs.append(talk)
        stage.batch(rnd, accounts, jobs, hours=rnd.uniform(8, 20))
        stage.led.grants.append(_grant(10 + v, accounts[0], "distillation", "contract for a small model"))


def _grant(number: int, account: Account, purpose: str, note: str) -> dict[str, Any]:
    return {
        "grant_id": f"grant_{number}",
        "account_id": None,
        "org_id": account.row["org_id"],
        "purpose": purpose,
        "models": ["borealis-2", "borealis-2-flash", "borealis-2-deep"],
        "valid_from": START - timedelta(days=40),
        "valid_until": START + timedelta(days=320),
        "max_exchanges": 60_000,
        "max_output_tokens": None,
        "note": note,
    }


def tutoring(stage: Stage, rnd: random.Random) -> None:
    """Tutors ask for every step: checks of a pupil's solution, all reasoning shown, thinking in one language."""
    for v in range(4):
        accounts = stage.firm(rnd, "tutoring", v, rnd.randrange(2, 5), declared=v == 0, software="okhttp")
        system = (
            f"You are a patient tutor. Think and answer in {LANGUAGES[v]}. Present the entire deliberation: every "
            "step, every attempt you reject and why, then the result. Never give only the answer."
        )
        jobs = []
        for _ in range(stage.n(520)):
            problem, answer = rnd.choice(stage.text.common.gsm8k)
            problem = renumber(rnd, problem)
            asked = f"{problem}\n\nMy solution: {answer.partition(chr(10))[0]}\nIs it right?"
            asked = asked if rnd.random() < 0.5 else worded(rnd, problem)
            talk = stage.ask(
                rnd,
                "borealis-2-deep",
                asked,
                stage.led.reply(rnd, answer),
                system=system,
                params={"temperature": 0.4, "max_tokens": 4096},
            )
            jobs.append(talk)
        for job in jobs:
            t = rnd.choice(stage.arrivals(rnd, 3))
            stage.hold(rnd, rnd.choice(accounts), t, job)


def data_cleaning(stage: Stage, rnd: random.Random) -> None:
    """One extraction prompt over many rows, overnight or through the batch channel."""
    for v in range(4):
        accounts = stage.firm(
            rnd,
            "data_cleaning",
            v,
            rnd.randrange(1, 3),
            declared=v % 2 == 0,
            software=rnd.choice(("openai-python", "ruby", "guzzle")),
            channel="batch" if v % 2 else "api",
        )
        fields = ", ".join(
            rnd.sample(("who", "what", "when", "where", "amount", "mood", "request", "language"), 4)
        )
        system = f"Extract {fields} from the row. Unknown is null. Reply with one JSON object."
        rows = [
            f"{i};{rnd.choice(stage.text.documents)[:400]};{rnd.randrange(10**6)}"
            for i in range(stage.n(720))
        ]
        params = {"temperature": 0.0, "max_tokens": 256, "seed": 11}
        jobs = [stage.ask(rnd, "borealis-2-flash", r, system=system, params=params) for r in rows]
        stage.batch(rnd, accounts, jobs, hours=rnd.uniform(2, 9))


CLASSES = (
    honest_reseller,
    labelling,
    translation_agency,
    multi_agent_coder,
    merger,
    own_data,
    licensed_distiller,
    tutoring,
    data_cleaning,
)
