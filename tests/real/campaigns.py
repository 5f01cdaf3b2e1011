"""The campaigns: published recipes, sent through accounts the way relays and work queues do."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from .arrivals import WEEK
from .honest import DAY, Honest, customer_jobs, talk_for, usual
from .ledger import NEW_MODEL, NEW_MODEL_AT, Account, Talk, relay
from .world import START, Env, at, digest, stream

Job = tuple[float, str | None, Callable[[Account, float, int], float]]

BOXED = (
    "You will be given a problem. Please reason step by step, and put your final answer within \\boxed{}:\n"
)
FLESCH = (
    "The output should be written in such a way as to have a Flesch-Kincaid readability score of "
    "30 or lower - best understood by those with college education. The response must not contain "
    "any notes or information about Flesch-Kincaid scores."
)
RUBRIC = (
    "# General Text Quality Assessment\nEvaluate the model's outputs based on various criteria:\n"
    "1. **Correctness & Informativeness**: Does the output provide accurate and helpful "
    "information?\n2. **Honesty & Uncertainty**: How confidently does the model convey its "
    "information, and does it express uncertainty appropriately?\n3. **Truthfulness & "
    "Hallucination**: Does the model introduce misleading or fabricated details?\n4. **Instruction "
    "Following**: Does the model's output align with given instructions and the user's intent?\n"
    "Your role is to provide a holistic assessment considering all the above factors.\n\n"
    "**Scoring**: Rate outputs 1 to 5 based on the overall quality, considering all aspects:\n1. "
    "**Low Quality**: Contains inaccuracies, may be entirely wrong or has severe hallucinations.\n"
    "2. **Moderate Quality**: Addresses some aspects, but has errors or is partially aligned with "
    "instructions.\n3. **Good**: Generally accurate but may contain minor errors or slight "
    "deviations.\n4. **Very Good**: Near perfect, with minor issues in terms of alignment or "
    "confidence.\n5. **Excellent**: Accurate, confident, aligned with instructions, and free of "
    "hallucinations.\n"
)
HEARTBEAT = "You are Claude Code, Anthropic's official CLI for Claude."


class Campaigns:
    """Plays the hostile part of the week into a ledger."""

    def __init__(self, honest: Honest) -> None:
        self.honest, self.led, self.seed, self.scale = honest, honest.led, honest.seed, honest.scale

    def play(self) -> None:
        for part in (
            self.openr1,
            self.skyt1,
            self.alpaca,
            self.airoboros,
            self.grading,
            self.sealed_replay,
            self.small_relay,
            self.pool,
        ):
            part(stream(self.seed, part.__name__))

    # --- helpers ---------------------------------------------------------------------------------------

    def size(self, accounts: int) -> int:
        """Accounts of a campaign at this scale; never fewer than thirty where the full one has that many."""
        return max(min(accounts, 30), round(accounts * self.scale))

    def problems(self, rnd: random.Random, count: int) -> list[tuple[str, str]]:
        """Problems as a distiller collects them: GSM8K, BIG-Bench Hard, Arena."""
        text = self.led.text
        found = list(text.gsm8k)
        for task in sorted(text.bbh):
            found += [(q, f"{self.led.reply(rnd)} The answer is {a}.") for q, a in text.bbh[task][40:]]
        found += [(q, self.led.reply(rnd, sentences=6)) for q in text.arena]
        rnd.shuffle(found)
        return found[:count]

    def boxed(self, answer: str) -> str:
        body, _, final = answer.partition("\n#### ")
        return f"{body}\n\n\\boxed{{{final or 'see above'}}}"

    def waves(
        self, rnd: random.Random, count: int, *, first: float = 0.0, last: float = WEEK, jobs: int = 6
    ) -> list[float]:
        """Times of a work queue: a few runs, each hours long, each at its own even pace."""
        out: list[float] = []
        for part in range(jobs):
            begin = first + (last - first) * (part + rnd.uniform(0.05, 0.4)) / jobs
            length = (last - first) / jobs * rnd.uniform(0.25, 0.55)
            here = count // jobs if part < jobs - 1 else count - len(out)
            out += [begin + rnd.random() * length for _ in range(here)]
        return sorted(out)

    def job(self, talk: Talk, **more: Any) -> Callable[[Account, float, int], float]:
        """The next turn of a conversation, for the relay to place."""

        def send(account: Account, t: float, status: int) -> float:
            return 0.0 if talk.done else self.led.say(account, t, talk, status=status, **more)

        return send

    def tokens(self, rnd: random.Random, median: float, spread: float = 0.6) -> int:
        return int(rnd.lognormvariate(0.0, spread) * median)

    def heartbeats(self, rnd: random.Random, accounts: list[Account]) -> None:
        """A relay's cron asks every account once a day whether it still lives."""
        for day in range(7):
            for i, account in enumerate(accounts):
                talk = Talk(
                    "atlas-3-mini",
                    self.led.single("hi", "Hello! How can I help you today?"),
                    HEARTBEAT,
                    None,
                    {"max_tokens": 1000, "stream": True},
                )
                self.led.say(account, day * DAY + 4 * 3600 + i * 1.7 + rnd.uniform(0, 1), talk)

    def cards(self, name: str, groups: int, i: int) -> str:
        return digest("card", name, i % groups, self.seed, size=16)

    # --- recipes ---------------------------------------------------------------------------------------

    def openr1(self, rnd: random.Random) -> None:
        """L0. Four identical requests a problem, over accounts that share cards, cohort, exits and client."""
        led, world, name = self.led, self.led.world, "openr1"
        n = self.size(300)
        software = world.stack(rnd, "openai-async", START, world.version(rnd, "OpenAI/Python", START))
        hosts = [world.cloud(rnd, c) for c in ("vultr", "digitalocean", "linode")]
        exits = [(world.near(rnd, ip, 24), asn) for ip, asn in hosts for _ in range(10)]
        cohort = START - timedelta(days=40)
        accounts = []
        for i in range(n):
            created = cohort + timedelta(days=rnd.uniform(0, 4))
            envs = [at(software, rnd.choice(exits), "US") for _ in range(5)]
            accounts.append(
                led.account(
                    rnd,
                    klass=name,
                    org_key=name,
                    campaign=name,
                    extractor=True,
                    envs=envs,
                    created=created,
                    card=self.cards(name, max(4, n // 8), i),
                    plan="pay_as_you_go",
                    verification="email",
                    domain=rnd.choice(("mailbox-a.example", "mailbox-b.example", "gmail.com")),
                    country="US",
                )
            )
        # one in twenty is banned during the week and replaced the day after
        for gone, fresh in zip(accounts[: n // 20], accounts[-(n // 20) :], strict=True):
            gone.dead_from = rnd.uniform(2, 4) * DAY
            gone.row |= {"status": "banned", "status_changed_at": START + timedelta(seconds=gone.dead_from)}
            fresh.born_at = gone.dead_from + rnd.uniform(0.5, 1.0) * DAY
            fresh.row["created_at"] = START + timedelta(seconds=fresh.born_at - 3600)
            fresh.row["tos_accepted_at"] = fresh.row["created_at"] + timedelta(minutes=1)
        params = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 16384, "stream": False}
        problems = self.problems(rnd, round(4000 * self.scale))
        jobs: list[Job] = []
        for t, (q, a) in zip(self.waves(rnd, len(problems)), problems, strict=True):
            for _ in range(4):
                moved = t > NEW_MODEL_AT + 6 * 3600 and rnd.random() < (
                    0.5 if t < NEW_MODEL_AT + DAY else 0.7
                )
                talk = Talk(
                    NEW_MODEL if moved else "atlas-3-think",
                    led.single(BOXED + q, self.boxed(led.reply(rnd, a))),
                    params=params,
                )
                jobs.append((t + rnd.uniform(0, 4), None, self.job(talk, out_tokens=self.tokens(rnd, 4200))))
        relay(rnd, jobs, accounts, refused=0.02)
        led.campaign(name, "campaign", "open-r1 generate_reasoning", "L0", accounts)

    def skyt1(self, rnd: random.Random) -> None:
        """L1. One long-thought system prompt; cards and ages differ; a queue deals the problems out."""
        led, world, name = self.led, self.led.world, "skyt1"
        system = led.text.easydistill_cot.split("\n\n{problem}")[0].replace("{{", "{").replace("}}", "}")
        pool = [(ip, rnd.choice(world.hosting_asns)) for ip in rnd.sample(world.proxies, 90)]
        pool += [world.home(rnd, c) for c in ("VN", "BR", "IN", "US", "SG") for _ in range(18)]
        version = world.version(rnd, "OpenAI/Python", START)
        software = world.stack(rnd, "openai-python", START, version)
        accounts = []
        for _ in range(self.size(120)):
            country = world.country(rnd)
            envs = [at(software, rnd.choice(pool), country) for _ in range(6)]
            accounts.append(
                led.account(
                    rnd,
                    klass=name,
                    org_key=name,
                    campaign=name,
                    extractor=True,
                    envs=envs,
                    country=country,
                    signup_ip=world.home(rnd, country)[0],
                    plan="pay_as_you_go",
                    verification=rnd.choice(("phone", "card")),
                )
            )
        problems = self.problems(rnd, 99999)[: round(8000 * self.scale)]
        times = self.waves(rnd, len(problems), jobs=9)
        params = {"temperature": 0.7, "top_p": 0.95, "max_tokens": 16384}
        jobs: list[Job] = []
        for t, (q, a) in zip(times, problems, strict=True):
            answer = (
                f"<|begin_of_thought|> {led.reply(rnd, a)} <|end_of_thought|>\n\n<|begin_of_solution|> "
                f"{self.boxed(a)} <|end_of_solution|>"
            )
            talk = Talk(
                "atlas-3-think",
                led.single(f"Return your final response within \\boxed{{}}. {q}", answer),
                system,
                None,
                params,
            )
            jobs.append((t, None, self.job(talk, out_tokens=self.tokens(rnd, 3600))))
        relay(rnd, jobs, accounts, refused=0.035)
        led.campaign(name, "campaign", "Sky-T1 long thought", "L1", accounts)

    def alpaca(self, rnd: random.Random) -> None:
        """L0. Twenty task instructions a call, three seeds each."""
        led, world, name = self.led, self.led.world, "alpaca"
        software = world.stack(rnd, "openai-python", START, world.version(rnd, "OpenAI/Python", START))
        exits = [world.cloud(rnd, "amazon") for _ in range(8)]
        cohort = START - timedelta(days=19)
        accounts = [
            led.account(
                rnd,
                klass=name,
                org_key=name,
                campaign=name,
                extractor=True,
                country="US",
                envs=[at(software, rnd.choice(exits), "US") for _ in range(3)],
                created=cohort + timedelta(days=rnd.uniform(0, 2)),
                card=self.cards(name, 8, i),
                plan="pay_as_you_go",
                verification="card",
                domain="outlook.com",
            )
            for i in range(self.size(40))
        ]
        params = {"temperature": 1.0, "top_p": 1.0, "n": 1, "max_tokens": 3072}
        jobs: list[Job] = []
        for t in self.waves(rnd, 100 * len(accounts), jobs=5):
            prompt = led.text.alpaca.strip() + "\n"
            for i, (what, given, answer) in enumerate(rnd.sample(led.text.seeds, 3), 1):
                what = re.sub(r"\s+", " ", what).strip().rstrip(":")
                prompt += f"###\n{i}. Instruction: {what}\n{i}. Input:\n{given or '<noinput>'}\n"
                prompt += f"{i}. Output:\n{answer}\n"
            prompt += "###\n4. Instruction:"
            made = " ".join(f"{k}. Instruction: {rnd.choice(led.text.questions)[:90]}" for k in range(4, 8))
            talk = Talk("atlas-3-mini", led.single(prompt, made), params=params)
            jobs.append((t, None, self.job(talk, out_tokens=self.tokens(rnd, 1900, 0.3))))
        relay(rnd, jobs, accounts, refused=0.01)
        led.campaign(name, "campaign", "Alpaca self-instruct", "L0", accounts)

    def airoboros(self, rnd: random.Random) -> None:
        """L1. Many generator prompts mixed, and as much ordinary traffic on the same accounts for cover."""
        led, world, name = self.led, self.led.world, "airoboros"
        fill = {
            "language": "English",
            "flesch": f"{FLESCH} (profile {led.canary('prompt')})",
            "topic_avoidance": "",
            "format_task": "",
            "include_source": "",
            "languages": "Python, JavaScript, Go, Rust, C++",
            "next_year": "2027",
            "skip": "",
            "style_extra": "",
            "related_software": "One of the tasks should require PostgreSQL.",
            "task_display_style": "ordered list",
        }
        slots = {
            *fill,
            "batch_size",
            "topics",
            "topic",
            "word_count",
            "question_count",
            "task_count",
            "input_count",
        }
        recipes = [r for r in led.text.airoboros if set(re.findall(r"\{(\w+)\}", r)) <= slots]
        topics = [q.split(".")[0][:60] for q in led.text.questions if len(q) < 120]
        exits = [world.vpn_exit(rnd) for _ in range(60)]
        software = world.stack(rnd, "aiohttp", START)
        n = self.size(200)
        accounts = [
            led.account(
                rnd,
                klass=name,
                org_key=name,
                campaign=name,
                extractor=True,
                plan="pay_as_you_go",
                envs=[at(software, rnd.choice(exits), "NL") for _ in range(6)],
                country=world.country(rnd),
                created=START - timedelta(days=rnd.uniform(20, 110)),
                card=self.cards(name, max(6, n // 5), i) if i % 3 else "own",
                domain="gmail.com",
            )
            for i in range(n)
        ]
        covers = [usual(led, rnd) for _ in range(60)]
        total = round(12_000 * self.scale)
        jobs: list[Job] = []
        for t in self.waves(rnd, total // 2, jobs=11):
            values = fill | {
                "batch_size": str(rnd.choice((5, 10, 20))),
                "topic": rnd.choice(topics),
                "topics": "Topics: " + "; ".join(rnd.sample(topics, 4)),
                "word_count": "600",
                "question_count": "3",
                "task_count": "10",
                "input_count": "2",
            }
            prompt = rnd.choice(recipes)
            for slot, value in values.items():
                prompt = prompt.replace("{" + slot + "}", value)
            talk = Talk(
                "atlas-3",
                led.single(prompt, "TSK 1. " + led.reply(rnd, sentences=6)),
                None,
                None,
                {"temperature": 0.7},
            )
            jobs.append((t, None, self.job(talk, out_tokens=self.tokens(rnd, 1500))))
        sent = 0
        while sent < total // 2:
            t = rnd.choice(self.honest.arrivals(rnd, 4))
            talk = talk_for(led, rnd, t, rnd.choice(covers))
            for _ in talk.steps:
                jobs.append((t, talk.conversation, self.job(talk)))
                t += rnd.expovariate(1 / 60) + 5
                sent += 1
        relay(rnd, jobs, accounts, refused=0.015)
        led.campaign(name, "campaign", "airoboros instructors, half cover", "L1", accounts)

    def grading(self, rnd: random.Random) -> None:
        """L0. The model as reward model: a rubric, a score, log-probabilities."""
        led, world, name = self.led, self.led.world, "grading"
        software = world.stack(rnd, "openai-async", START, world.version(rnd, "OpenAI/Python", START))
        exits = [(world.near(rnd, ip, 26), asn) for ip, asn in [world.cloud(rnd, "oracle")] for _ in range(9)]
        accounts = [
            led.account(
                rnd,
                klass=name,
                org_key=name,
                campaign=name,
                extractor=True,
                country="SG",
                envs=[at(software, rnd.choice(exits), "SG") for _ in range(3)],
                created=START - timedelta(days=rnd.uniform(30, 36)),
                card=self.cards(name, 5, i),
                plan="pay_as_you_go",
                verification="card",
            )
            for i in range(30)
        ]
        params = {"temperature": 0.0, "max_tokens": 256, "n": 1, "logprobs": True}
        rubric = f"{RUBRIC}Rubric {led.canary('prompt')}.\n"
        problems = self.problems(rnd, round(1150 * self.scale))
        jobs: list[Job] = []
        for t, (q, _) in zip(self.waves(rnd, len(problems), jobs=10), problems, strict=True):
            for _ in range(4):
                prompt = (
                    f"{rubric}\n## Format\n\n### Input\nInstruction: {q}\n\nTexts:\n<text 1> "
                    f"{led.reply(rnd, sentences=5)}\n\n### Output\nRating: [Rating]\nRationale: [Rationale]"
                )
                answer = f"Rating: {rnd.randrange(1, 6)}\nRationale: {led.reply(rnd, sentences=2)}"
                talk = Talk("atlas-3", led.single(prompt, answer), None, None, params)
                jobs.append((t + rnd.uniform(0, 2), None, self.job(talk)))
        relay(rnd, jobs, accounts, refused=0.01)
        led.campaign(name, "campaign", "rubric grading as reward", "L0", accounts)

    def sealed_replay(self, rnd: random.Random) -> None:
        """L1. Four calls an account in two days: others' sealed reasoning, and a demand to print it."""
        led, world, name = self.led, self.led.world, "sealed_replay"
        n = self.size(400)
        software = replace(
            world.stack(rnd, "openai-python", START),
            tls=f"t13d1311h2_{digest('go', size=6)}_{digest('go relay', size=6)}",
        )
        pool = [world.home(rnd, c) for c in ("US", "US", "GB", "CA", "AU") for _ in range(max(12, n // 10))]
        accounts = [
            led.account(
                rnd,
                klass=name,
                org_key=name,
                campaign=name,
                extractor=True,
                country="US",
                envs=[at(software, rnd.choice(pool), "US") for _ in range(2)],
                created=START + timedelta(days=rnd.uniform(-3, -0.1)),
                plan="pay_as_you_go",
                verification="phone",
                domain=rnd.choice(("gmail.com", "outlook.com", "proton.me")),
            )
            for _ in range(n)
        ]
        first = 3.6 * DAY
        problems = self.problems(rnd, n)
        params = {"max_tokens": 8192}
        issued: list[tuple[str, list[dict[str, Any]]]] = []
        jobs: list[Job] = []
        for t, (q, a) in zip(
            self.waves(rnd, n, first=first, last=first + 0.9 * DAY, jobs=3), problems, strict=True
        ):
            talk = Talk(NEW_MODEL, led.single(q, a), params=params)

            def ask(account: Account, t: float, status: int, talk: Talk = talk) -> float:
                took = led.say(account, t, talk, status=status)
                if status == 200:
                    issued.append((talk.seals[-1], list(talk.history)))
                return took

            jobs.append((t, None, ask))
        for t in self.waves(rnd, 3 * n, first=first + 0.2 * DAY, last=first + 2 * DAY, jobs=6):
            demand = rnd.choice(led.text.reasoning_attacks)
            weaker = rnd.random() < 0.5

            def replay(
                account: Account, t: float, status: int, demand: str = demand, weaker: bool = weaker
            ) -> float:
                seal, history = issued[rnd.randrange(len(issued))] if issued else ("", [])
                talk = Talk(
                    "atlas-3-think" if weaker else NEW_MODEL,
                    led.single(demand, led.reply(rnd, sentences=7)),
                    params=params,
                    history=list(history),
                )
                return led.say(account, t, talk, status=status, sealed_in=[seal] if seal else None)

            jobs.append((t, None, replay))
        relay(rnd, jobs, accounts, refused=0.004)
        led.campaign(name, "campaign", "sealed-reasoning replay", "L1", accounts)

    def small_relay(self, rnd: random.Random) -> None:
        """Six pooled accounts carry a whole EasyDistill run."""
        led, world, name = self.led, self.led.world, "small_relay"
        software = world.stack(rnd, "cli", START, "1.57.0")
        accounts = []
        for i in range(6):
            place = world.cloud(rnd, "vultr")
            accounts.append(
                led.account(
                    rnd,
                    klass=name,
                    org_key=name,
                    campaign=name,
                    extractor=True,
                    envs=[at(software, place, "US")],
                    created=START - timedelta(days=rnd.uniform(50, 300)),
                    plan="max",
                    verification="card",
                    card=self.cards(name, 3, i),
                    domain="gmail.com",
                    country="US",
                )
            )
        frame = led.text.easydistill_cot.replace("{{", "{").replace("}}", "}")
        problems = self.problems(rnd, round(9000 * self.scale))
        problems += rnd.sample(problems, max(0, round(9000 * self.scale) - len(problems)))
        jobs: list[Job] = []
        for t, (q, a) in zip(self.waves(rnd, len(problems), jobs=7), problems, strict=True):
            answer = f"<|begin_of_thought|> {led.reply(rnd, a)} <|end_of_thought|> {self.boxed(a)}"
            talk = Talk(
                "atlas-3-think",
                led.single(frame.replace("{problem}", q), answer),
                None,
                None,
                {"temperature": 0.8, "max_tokens": 8192, "stream": True},
            )
            jobs.append((t, digest("session", q[:40]), self.job(talk, out_tokens=self.tokens(rnd, 3000))))
        self.heartbeats(rnd, accounts)
        relay(rnd, jobs, accounts, refused=0.03)
        led.campaign(name, "campaign", "EasyDistill chain of thought behind a relay", "relay", accounts)

    def pool(self, rnd: random.Random) -> None:
        """Twenty-five relay accounts serve unrelated customers; nobody extracts anything."""
        led, world, name = self.led, self.led.world, "pool"
        frozen = world.stack(rnd, "cli", START, "1.57.0")
        accounts = []
        for i in range(25):
            place = world.cloud(rnd, rnd.choice(("linode", "digitalocean", "vultr")))
            accounts.append(
                led.account(
                    rnd,
                    klass=name,
                    org_key=name,
                    campaign=name,
                    extractor=False,
                    envs=[at(frozen, place, "US")],
                    created=START - timedelta(days=rnd.uniform(30, 240)),
                    plan="max",
                    verification="phone",
                    card=self.cards(name, 9, i) if i % 2 else "own",
                    domain=rnd.choice(("gmail.com", "outlook.com")),
                    country="US",
                )
            )
        customers = 300
        theirs = [
            (
                rnd.choice(("Linux", "MacOS", "Windows")),
                rnd.choice(("x64", "arm64")),
                digest("device", "pool", i, self.seed, size=16),
            )
            for i in range(customers)
        ]

        def env(customer: int, account: Account, t: float) -> Env:
            # the relay keeps its own stack but passes on each customer's system and device
            os, arch, device = theirs[customer]
            base = account.env(t)
            swapped = {"x-stainless-os": os, "x-stainless-arch": arch}
            return replace(
                base, device=device, headers=tuple((k, swapped.get(k, v)) for k, v in base.headers)
            )

        jobs = customer_jobs(self.honest, rnd, round(3750 * self.scale), customers=customers, env=env)
        self.heartbeats(rnd, accounts)
        relay(rnd, jobs, accounts, refused=0.03)
        led.campaign(name, "pool", "relay with unrelated customers", "relay", accounts)
