"""Honest traffic: ordinary accounts, and the classes that look like campaigns but are not.

Long because every class is one function of the same noun, a tenant; they share nothing with the campaigns.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np

from .arrivals import WEEK, Tenant, times
from .ledger import MODELS, NEW_MODEL, NEW_MODEL_AT, Account, Ledger, Talk, relay
from .sources import Dialogue
from .world import CLOUDS, OFFSETS, START, Env, at, digest, stream

Steps = list[tuple[list[dict[str, Any]], dict[str, Any]]]
DAY = 86400.0
OLD_MODELS = ("atlas-2", "atlas-3", "atlas-3-mini", "atlas-3-think")
SDK_DEFAULT = "You are a helpful assistant. Use the tools you are given and answer in the user's language."
TOUCHES = (
    "{}",
    "{}",
    "{}",
    "{}",
    "{} please",
    "{} Thanks!",
    "hi, {}",
    "Hello! {}",
    "{} (short answer)",
    "{}?",
    "{} Explain it simply.",
    "Quick one: {}",
    "{} Use bullet points.",
    "{}\n\nKeep it under 100 words.",
)
LANGUAGES = ("German", "French", "Japanese", "Brazilian Portuguese", "Korean", "Dutch", "Vietnamese")
JUDGE = (
    "Please act as an impartial judge and evaluate the quality of the responses provided by two AI "
    "assistants to the user prompt displayed below. Begin your evaluation by generating your own "
    "answer to the prompt. Then compare both assistants' answers, identify and correct any "
    "mistakes, consider if they are helpful, relevant and concise. After providing your "
    "explanation, output only one verdict: [[A>>B]], [[A>B]], [[A=B]], [[B>A]] or [[B>>A]]."
)
DESKS = (
    "work",
    "billing",
    "onboarding",
    "search",
    "travel",
    "legal",
    "clinic",
    "retail",
    "grid",
    "robotics",
)


def touch(rnd: random.Random, prompt: str) -> str:
    """A prompt as another person would type it; half the time exactly as it was."""
    prompt = rnd.choice(TOUCHES).format(prompt) if rnd.random() < 0.5 else prompt
    return prompt[:1].lower() + prompt[1:] if rnd.random() < 0.15 else prompt


def model_at(rnd: random.Random, t: float, usual: str) -> str:
    """Some honest users try a new model as soon as it is out."""
    return NEW_MODEL if t > NEW_MODEL_AT and rnd.random() < 0.12 else usual


def talk_for(led: Ledger, rnd: random.Random, t: float, usual: dict[str, Any]) -> Talk:
    """One conversation of an honest person or product."""
    text, kind = led.text, usual["kind"]
    system, tools = usual.get("system"), None
    if kind == "agent" and rnd.random() < 0.85:
        d = rnd.choice(text.tool_dialogues)
        steps, tools = led.script(rnd, d), d.tools
    elif kind == "chat" and rnd.random() < 0.7:
        d = rnd.choice(text.dialogues)
        first = 0 if rnd.random() < 0.7 else rnd.randrange(0, len(d.turns), 2)
        if first:
            d = Dialogue(d.turns[first:], key=d.key) if d.turns[first]["role"] == "user" else d
        steps = led.script(rnd, d)
    elif kind == "persona":
        steps = []
        for _ in range(rnd.choice((1, 1, 2, 3))):
            steps += led.single(touch(rnd, rnd.choice(text.questions)), led.reply(rnd))
    else:
        steps = led.single(
            touch(rnd, rnd.choice(text.questions)), led.reply(rnd, sentences=rnd.randrange(2, 7))
        )
    context = None
    if usual["sizes"] == "agent":
        a = led.sizes.agent[rnd.randrange(len(led.sizes.agent))]
        context = (int(a[0]), int(a[1]), float(a[2]))
    elif usual["sizes"] is not None:
        rows = getattr(led.sizes, usual["sizes"])
        a = rows[rnd.randrange(len(rows))]
        context = (int(a[0]), int(a[1]), 0.0)
    return Talk(
        model_at(rnd, t, usual["model"]),
        steps,
        system,
        tools,
        usual["params"],
        context,
        digest("conversation", led.seed, t, rnd.random(), size=16),
        f"u{rnd.randrange(usual['users'])}" if usual.get("users") else None,
    )


def usual(
    led: Ledger, rnd: random.Random, kind: str | None = None, system: str | None = None
) -> dict[str, Any]:
    """What one account sends, day in, day out."""
    kind = kind or rnd.choices(("chat", "question", "persona", "agent"), (35, 25, 25, 15))[0]
    if kind == "persona" and system is None:
        # a few personas are famous and reused by strangers
        system = led.text.personas[min(int(rnd.paretovariate(0.5)) - 1, len(led.text.personas) - 1)]
    params: dict[str, Any] = {"stream": rnd.random() < 0.4}
    if rnd.random() < 0.55:
        params["temperature"] = rnd.choice((0.0, 0.0, 0.2, 0.3, 0.5, 0.7, 0.7, 1.0, 1.0))
    if rnd.random() < 0.2:
        params["top_p"] = rnd.choice((0.9, 0.95, 1.0))
    if rnd.random() < 0.5:
        params["max_tokens"] = rnd.choice((256, 512, 1000, 1024, 2048, 4096, 8192))
    if rnd.random() < 0.04:
        params["logprobs"] = True
    if rnd.random() < 0.06:
        params["n"] = rnd.choice((1, 1, 2, 4))
    if rnd.random() < 0.04:
        params["seed"] = rnd.choice((0, 42, 42, 1234))
    sizes = {"agent": "agent", "persona": rnd.choice(("chat", None))}.get(
        kind, rnd.choices(("chat", "code", None), (3, 1, 5))[0]
    )
    return {
        "kind": kind,
        "system": system,
        "params": params,
        "sizes": sizes,
        "model": rnd.choices(OLD_MODELS, (15, 40, 25, 20))[0],
        "users": rnd.randrange(3, 60) if kind == "persona" and rnd.random() < 0.4 else 0,
    }


class Honest:
    """Plays the honest part of the week into a ledger."""

    def __init__(self, led: Ledger, tenants: list[Tenant], seed: int, scale: float) -> None:
        self.led, self.tenants, self.seed, self.scale = led, tenants, seed, scale
        rnd = stream(seed, "egress")
        self.shared_egress = [led.world.cloud(rnd, "amazon") for _ in range(40)]
        self.shared_vpn = [led.world.vpn_exit(rnd) for _ in range(60)]

    def play(self) -> None:
        self.ordinary()
        for part in (
            self.eval_vendors,
            self.red_teams,
            self.neutrality,
            self.judges,
            self.byok,
            self.enterprises,
            self.campuses,
            self.resellers,
            self.translation,
            self.synthetic,
            self.multi_agent,
            self.key_rotation,
        ):
            part(stream(self.seed, part.__name__))

    # --- helpers ---------------------------------------------------------------------------------------

    def n(self, count: float) -> int:
        return max(1, round(count * self.scale))

    def arrivals(self, rnd: random.Random, count: int, country: str = "GB") -> list[float]:
        rng = np.random.default_rng(rnd.getrandbits(64))
        shift = (24 - OFFSETS[country]) % 24
        return times(rng, self.tenants[rnd.randrange(len(self.tenants))], count, shift)

    def envs(self, rnd: random.Random, name: str | None, built: Any, country: str) -> list[Env]:
        """Where an ordinary account's requests come from, for half a day at a time."""
        world = self.led.world
        software = world.stack(rnd, name, built)
        person = "Mozilla" in software.user_agent or "claude-cli" in software.user_agent
        draw = rnd.random() + (0.45 if person else 0.0)
        if draw < 0.38:
            place = world.cloud(rnd)
            return [at(software, place, country) for _ in range(1)]
        if draw < 0.46:
            return [at(software, rnd.choice(self.shared_egress), "US") for _ in range(rnd.randrange(1, 4))]
        if draw > 0.94 and rnd.random() < 0.5:
            return [at(software, rnd.choice(self.shared_vpn), country) for _ in range(rnd.randrange(1, 5))]
        first = world.home(rnd, country)
        if rnd.random() < 0.5:
            return [at(software, first, country)]
        return [
            at(software, (world.near(rnd, first[0], 16), first[1]), country)
            for _ in range(rnd.randrange(2, 6))
        ]

    def run(self, rnd: random.Random, account: Account, count: int, habit: dict[str, Any]) -> None:
        """``count`` exchanges of ordinary use."""
        sent = 0
        starts = self.arrivals(rnd, count, account.row["country"])
        rnd.shuffle(starts)
        for t in starts:
            t = t if t > account.born_at + 60 else rnd.uniform(account.born_at + 60, WEEK - 60)
            if sent >= count:
                break
            sent += self.led.hold(rnd, account, t, talk_for(self.led, rnd, t, habit))

    def org(
        self,
        rnd: random.Random,
        klass: str,
        index: int,
        accounts: int,
        *,
        declared: bool,
        stack: str | None,
        cloud: bool = True,
        **more: Any,
    ) -> list[Account]:
        """An organisation with one card and one network, each account on its own key."""
        world = self.led.world
        key = f"{klass}-{index}"
        country = world.country(rnd)
        created = START - timedelta(days=rnd.uniform(60, 900))
        place = world.cloud(rnd, rnd.choice(sorted(CLOUDS))) if cloud else world.home(rnd, country)
        software = world.stack(rnd, stack, created)
        card = digest("card", key, self.seed, size=16)
        out = []
        for _ in range(accounts):
            spots = [at(software, (world.near(rnd, place[0], 28), place[1]), country) for _ in range(2)]
            args: dict[str, Any] = {
                "plan": rnd.choice(("team", "enterprise")),
                "verification": "business",
                "domain": "own",
                "card": card,
                "country": country,
            } | more
            out.append(
                self.led.account(
                    rnd,
                    klass=klass,
                    org_key=key,
                    envs=spots,
                    org_id=f"org_{digest(key, self.seed)}" if declared else None,
                    created=created + timedelta(days=rnd.uniform(0, 50)),
                    **args,
                )
            )
        return out

    def batch(
        self, rnd: random.Random, accounts: list[Account], jobs: list[Talk], hours: float = 6.0
    ) -> None:
        """A job list worked through in order during working hours, shared by one organisation's accounts."""
        start = rnd.randrange(0, 5) * DAY + rnd.uniform(6, 15) * 3600
        gap = hours * 3600 / max(1, len(jobs))
        lanes = [start + rnd.uniform(0, 60) for _ in accounts]
        for i, job in enumerate(jobs):
            lane = i % len(accounts)
            self.led.hold(rnd, accounts[lane], lanes[lane], job, pause=1.0)
            lanes[lane] += rnd.expovariate(1 / gap) * len(accounts)

    # --- ordinary --------------------------------------------------------------------------------------

    def ordinary(self) -> None:
        """Accounts of people and products; one in six carries a popular SDK's default system prompt."""
        rnd, led = stream(self.seed, "ordinary"), self.led
        wanted, sdk = self.n(3000), self.n(500)
        orgs = made = 0
        while made < wanted:
            size = min(wanted - made, rnd.choices((1, 2, 3), (85, 10, 5))[0])
            klass = "popular_sdk" if made < sdk else "ordinary"
            key = f"{klass}-{orgs}"
            orgs += 1
            country = led.world.country(rnd)
            declared = rnd.random() < (0.8 if size > 1 else 0.4)
            created = START - timedelta(days=1095 * (1 - rnd.random() ** 0.5) + 0.2)
            stack = (
                rnd.choices(("openai-python", "openai-js", "langchain"), (5, 3, 2))[0] if made < sdk else None
            )
            envs = self.envs(rnd, stack, created, country)
            card = digest("card", key, self.seed, size=16)
            kind = rnd.choice(("question", "agent", "chat")) if made < sdk else None
            habit = usual(led, rnd, kind, SDK_DEFAULT if made < sdk else None)
            channel = "chat" if "Mozilla" in envs[0].user_agent else "api"
            for _ in range(size):
                account = led.account(
                    rnd,
                    klass=klass,
                    org_key=key,
                    envs=envs,
                    card=card,
                    country=country,
                    channel=channel,
                    org_id=f"org_{digest(key, self.seed)}" if declared else None,
                    keys=rnd.choice((1, 1, 1, 2, 3)),
                    created=created + timedelta(days=rnd.uniform(0, 20)) if size > 1 else created,
                    plan=None if size == 1 else "team",
                    limited=rnd.choice((0.0, 0.005, 0.01, 0.04)),
                )
                account.row["created_at"] = min(account.row["created_at"], START - timedelta(hours=2))
                if size == 1 and rnd.random() < 0.03:
                    account.born_at = rnd.uniform(0, 6.5) * DAY
                    account.row["created_at"] = START + timedelta(seconds=account.born_at)
                    account.row["tos_accepted_at"] = START + timedelta(seconds=account.born_at + 50)
                self.run(rnd, account, min(1500, max(1, round(rnd.lognormvariate(1.55, 1.67)))), habit)
            made += size

    # --- look-alikes -----------------------------------------------------------------------------------

    def eval_vendors(self, rnd: random.Random) -> None:
        """Benchmark runs with the public harness templates over several models."""
        text = self.led.text
        shots = "\n\n".join(f"Question: {q}\nAnswer: {a}" for q, a in text.gsm8k[-5:])
        for v in range(6):
            accounts = self.org(
                rnd,
                "eval_vendor",
                v,
                rnd.randrange(1, 5),
                declared=v % 3 != 0,
                stack=rnd.choice(("aiohttp", "openai-python", "requests")),
            )
            suite: list[tuple[str, str]] = []
            for q, a in rnd.sample(text.gsm8k, 150):
                suite.append((f"{shots}\n\nQuestion: {q}\nAnswer:", a))
            for task in rnd.sample(sorted(text.bbh), 4):
                items = text.bbh[task]
                head = "\n\n".join(f"Q: {q}\nA: {a}" for q, a in items[:3])
                suite += [(f"{head}\n\nQ: {q}\nA: Let's think step by step.", a) for q, a in items[3:33]]
            suite += [(f"Complete the following function.\n\n{p}", s) for p, s in text.humaneval[:80]]
            for subject in rnd.sample(sorted(text.mmlu), 10):
                parts = text.mmlu[subject].split("\n\nQ: ")
                head, asked = "\n\nQ: ".join(parts[:-1]), parts[-1].split("\nA: ")
                suite.append((f"{head}\n\nQ: {asked[0]}\nA: Let's think step by step.", asked[-1]))
            suite += [(f"Q: {q}\nA:", a) for q, a in rnd.sample(text.truthfulqa, 120)]
            rnd.shuffle(suite)
            params = {
                "temperature": 0.0,
                "max_tokens": rnd.choice((256, 512, 1024)),
                "seed": 1234,
                "stream": False,
                "logprobs": v % 2 == 0,
            }
            models = rnd.sample(OLD_MODELS, 3)
            jobs = [
                Talk(m, self.led.single(p, a), params=params) for m in models for p, a in suite[: self.n(420)]
            ]
            self.batch(rnd, accounts, jobs, hours=rnd.uniform(3, 20))

    def red_teams(self, rnd: random.Random) -> None:
        """Safety testing with the public attack sets."""
        text = self.led.text
        for v in range(4):
            accounts = self.org(
                rnd,
                "red_team",
                v,
                rnd.randrange(1, 4),
                declared=v % 2 == 0,
                stack=rnd.choice(("openai-python", "requests", "openai-async")),
            )
            prompts = rnd.sample(text.xstest, 200) + rnd.sample(text.harmbench, 150)
            prompts += rnd.sample(text.advbench, 250)
            prompts += [f"{j}\n\n{rnd.choice(text.advbench)}" for j in rnd.sample(text.jailbreaks, 150)]
            rnd.shuffle(prompts)
            params = {"temperature": rnd.choice((0.0, 1.0)), "max_tokens": 512}
            jobs = [
                Talk(
                    "atlas-3",
                    self.led.single(p, "I can't help with that. " + self.led.reply(rnd)),
                    params=params,
                    finish=rnd.choice(("stop", "refusal")),
                )
                for p in prompts[: self.n(700)]
            ]
            self.batch(rnd, accounts, jobs, hours=10)

    def neutrality(self, rnd: random.Random) -> None:
        """Even-handedness research: the same request for both sides, several samples."""
        for v in range(4):
            accounts = self.org(
                rnd,
                "neutrality",
                v,
                rnd.randrange(1, 3),
                declared=v % 2 == 0,
                stack="anthropic-python",
                programme="research",
                plan="pay_as_you_go",
            )
            pairs = rnd.sample(self.led.text.neutrality, self.n(330))
            params = {"temperature": 1.0, "max_tokens": 1024}
            jobs = [
                Talk("atlas-3", self.led.single(p, self.led.reply(rnd, sentences=6)), params=params)
                for pair in pairs
                for p in pair
            ]
            self.batch(rnd, accounts, jobs, hours=14)

    def judges(self, rnd: random.Random) -> None:
        """A model as judge, with a rubric, over Arena-Hard questions."""
        for v in range(5):
            accounts = self.org(
                rnd,
                "judge",
                v,
                rnd.randrange(1, 3),
                declared=v % 2 == 0,
                stack=rnd.choice(("openai-python", "openai-async")),
            )
            params = {"temperature": 0.0, "max_tokens": 4096, "logprobs": v % 2 == 0}

            def job(question: str, params: dict[str, Any] = params) -> Talk:
                a, b = self.led.reply(rnd, sentences=5), self.led.reply(rnd, sentences=5)
                prompt = (
                    f"<|User Prompt|>\n{question}\n\n<|The Start of Assistant A's Answer|>\n{a}\n"
                    f"<|The End of Assistant A's Answer|>\n\n<|The Start of Assistant B's Answer|>\n{b}\n"
                    f"<|The End of Assistant B's Answer|>"
                )
                verdict = rnd.choice(("[[A>>B]]", "[[A>B]]", "[[A=B]]", "[[B>A]]"))
                return Talk(
                    "atlas-3",
                    self.led.single(prompt, f"{self.led.reply(rnd)} {verdict}"),
                    JUDGE,
                    None,
                    params,
                )

            chosen = [rnd.choice(self.led.text.arena) for _ in range(self.n(600))]
            self.batch(rnd, accounts, [job(q) for q in chosen], hours=8)

    def byok(self, rnd: random.Random) -> None:
        """Apps whose users bring their own key: one persona and one client, strangers behind it."""
        led, world = self.led, self.led.world
        for app in range(8):
            through_cloud = app % 2 == 1
            klass = "byok_cloud" if through_cloud else "byok_app"
            system = (
                f"{rnd.choice(led.text.personas)}\nYou live inside the app {led.canary('system_prompt')}."
            )
            software = world.stack(rnd, rnd.choice(("openai-js", "axios", "openai-python")), START)
            egress = [world.cloud(rnd, "amazon") for _ in range(3)]
            for u in range(60):
                country = world.country(rnd)
                home = world.home(rnd, country)
                envs = (
                    [at(software, p, "US") for p in egress]
                    if through_cloud
                    else [at(software, home, country)]
                )
                account = led.account(
                    rnd,
                    klass=klass,
                    org_key=f"{klass}-{app}-{u}",
                    envs=envs,
                    country=country,
                    signup_ip=home[0],
                )
                habit = usual(led, rnd, rnd.choice(("question", "chat")), system) | {"model": "atlas-3"}
                habit["params"] = {"temperature": 0.7, "max_tokens": 2048, "stream": True}
                self.run(rnd, account, self.n(rnd.lognormvariate(2.0, 1.0)), habit)

    def enterprises(self, rnd: random.Random) -> None:
        """Eighty seats behind one address and one card; nobody declared an organisation."""
        led, world = self.led, self.led.world
        for e in range(4):
            country = world.country(rnd)
            nat = world.home(rnd, country) if e % 2 else world.cloud(rnd, "microsoft")
            card = digest("card", "enterprise", e, self.seed, size=16)
            house = (
                f"You are the {rnd.choice(DESKS)} assistant of our company "
                f"({led.canary('system_prompt')}). " + rnd.choice(led.text.personas)
            )
            founded = START - timedelta(days=rnd.uniform(200, 800))
            for _ in range(80):
                created = founded + timedelta(days=rnd.uniform(0, 190))
                account = led.account(
                    rnd,
                    klass="enterprise",
                    org_key=f"enterprise-{e}",
                    card=card,
                    country=country,
                    domain="own",
                    envs=[at(world.stack(rnd, None, created), nat, country)],
                    created=created,
                    plan="enterprise",
                    verification="business",
                )
                habit = usual(led, rnd, "chat", house) if rnd.random() < 0.3 else usual(led, rnd)
                self.run(rnd, account, self.n(rnd.lognormvariate(2.0, 1.1)), habit)

    def campuses(self, rnd: random.Random) -> None:
        """A hundred students in one /20 who signed up in one week and share the homework."""
        led, world = self.led, self.led.world
        for c in range(4):
            country = world.country(rnd)
            block = world.home(rnd, country)
            week = START - timedelta(days=rnd.uniform(12, 60))
            homework = [q for q, _ in rnd.sample(led.text.gsm8k, 12)]
            homework += [p for p, _ in rnd.sample(led.text.humaneval, 6)]
            for s in range(100):
                created = week + timedelta(days=rnd.uniform(0, 7))
                software = world.stack(rnd, rnd.choice(("browser", "browser", "openai-python")), created)
                spots = [at(software, (world.near(rnd, block[0], 20), block[1]), country) for _ in range(3)]
                account = led.account(
                    rnd,
                    klass="campus",
                    org_key=f"campus-{c}",
                    envs=spots,
                    card=None,
                    programme="education",
                    plan="education",
                    created=created,
                    verification="email",
                    country=country,
                    domain=f"campus{digest(c, self.seed, size=2)}.example",
                    channel="chat" if "Mozilla" in software.user_agent else "api",
                )
                habit = usual(led, rnd, "question")
                if s % 3 == 0:
                    self.run(rnd, account, self.n(4), habit)
                for t in self.arrivals(rnd, self.n(rnd.uniform(4, 12)), country):
                    question = touch(rnd, rnd.choice(homework))
                    talk = Talk(
                        "atlas-3",
                        led.single(question, led.reply(rnd)),
                        params=habit["params"],
                        conversation=digest("conversation", t, rnd.random(), size=16),
                    )
                    led.hold(rnd, account, t, talk)

    def resellers(self, rnd: random.Random) -> None:
        """Undeclared but honest: twelve accounts on one card, many customers, sticky and with fail-over."""
        for v in range(4):
            accounts = self.org(rnd, "reseller", v, 12, declared=False, stack=rnd.choice(("openai-js", "go")))
            jobs = customer_jobs(self, rnd, self.n(1500), customers=120)
            relay(rnd, jobs, accounts, refused=0.02, sticky=3600.0)

    def translation(self, rnd: random.Random) -> None:
        """One prompt, many rows."""
        text = self.led.text
        for v in range(5):
            accounts = self.org(
                rnd,
                "translation",
                v,
                rnd.randrange(1, 3),
                declared=v % 2 == 0,
                stack="openai-python",
                channel="batch" if v == 1 else "api",
            )
            system = (
                f"Translate the customer message into {rnd.choice(LANGUAGES)}. Keep names and numbers. "
                f"Reply with the translation only. Domain: {DESKS[v]}."
            )
            rows = rnd.sample(text.answers, min(len(text.answers), self.n(900)))
            params = {"temperature": 0.0, "max_tokens": 1024}
            jobs = [
                Talk("atlas-3-mini", self.led.single(r, self.led.reply(rnd)), system, None, params)
                for r in rows
            ]
            self.batch(rnd, accounts, jobs, hours=5)

    def synthetic(self, rnd: random.Random) -> None:
        """Questions and answers made from an organisation's own documents, with a grant and without."""
        text = self.led.text
        for v in range(8):
            granted = v % 2 == 0
            klass = "synthetic_granted" if granted else "synthetic_ungranted"
            accounts = self.org(
                rnd,
                klass,
                v,
                rnd.randrange(1, 4),
                declared=granted or v % 4 == 1,
                stack=rnd.choice(("openai-async", "langchain")),
            )
            number = rnd.choice((3, 4, 5))
            system = (
                f"You write training material for the {DESKS[v]} desk. From the document, write "
                f"{number} question and answer pairs as JSON with the keys question and answer. "
                "Use only the document."
            )
            documents = [
                f"# {DESKS[v].title()} manual, section {i}\n\n{rnd.choice(text.answers)}\n\n"
                f"{rnd.choice(text.answers)}"
                for i in range(self.n(600))
            ]
            params = {"temperature": 0.7, "max_tokens": 2048}
            jobs = [
                Talk("atlas-3", self.led.single(d, self.led.reply(rnd, sentences=5)), system, None, params)
                for d in documents
            ]
            self.batch(rnd, accounts, jobs, hours=9)
            if granted:
                self.led.grants.append(
                    {
                        "grant_id": f"grant_{v}",
                        "account_id": None,
                        "org_id": accounts[0].row["org_id"],
                        "purpose": "synthetic_data",
                        "models": ["*"],
                        "valid_from": START - timedelta(days=90),
                        "valid_until": START + timedelta(days=275),
                        "max_exchanges": 100_000,
                        "max_output_tokens": None,
                        "note": "own documents",
                    }
                )

    def multi_agent(self, rnd: random.Random) -> None:
        """One person, five accounts, many agents working on one code base at once."""
        led, world = self.led, self.led.world
        for p in range(5):
            country = world.country(rnd)
            home = world.home(rnd, country)
            created = START - timedelta(days=rnd.uniform(100, 500))
            software = world.stack(rnd, "cli", created)
            system = (
                f"You are a coding agent in the repository {digest('repo', p, self.seed, size=4)}. "
                "Plan, edit, run the tests, report."
            )
            card = digest("card", "person", p, self.seed, size=16)
            accounts = [
                led.account(
                    rnd,
                    klass="multi_agent",
                    org_key=f"multi_agent-{p}",
                    envs=[at(software, home, country)],
                    card=card,
                    plan="max",
                    domain="gmail.com",
                    country=country,
                    verification="card",
                    created=created + timedelta(days=20 * i),
                )
                for i in range(5)
            ]
            for t in self.arrivals(rnd, self.n(240), country):
                d = rnd.choice(led.text.tool_dialogues)
                a = led.sizes.agent[rnd.randrange(len(led.sizes.agent))]
                talk = Talk(
                    "atlas-3-think",
                    led.script(rnd, d),
                    system,
                    d.tools,
                    {"max_tokens": 32000, "stream": True},
                    (int(a[0]), int(a[1]), float(a[2])),
                    digest("conversation", t, rnd.random(), size=16),
                )
                led.hold(rnd, rnd.choice(accounts), t, talk, pause=4.0)

    def key_rotation(self, rnd: random.Random) -> None:
        """A product moves its live conversations from an old account to a new one."""
        for v in range(4):
            old, new = self.org(rnd, "key_rotation", v, 2, declared=v % 2 == 0, stack="openai-js")
            new.row["created_at"] = START + timedelta(days=2)
            new.row["tos_accepted_at"] = START + timedelta(days=2, minutes=3)
            change = 3 * DAY + rnd.uniform(0, DAY)
            for t, _, send in sorted(
                customer_jobs(self, rnd, self.n(450), customers=40, think=True), key=lambda j: j[0]
            ):
                send(old if t < change else new, t, 200)


def customer_jobs(
    honest: Honest,
    rnd: random.Random,
    count: int,
    *,
    customers: int,
    think: bool = False,
    span: float = WEEK,
    env: Callable[[int, Account, float], Env | None] | None = None,
) -> list[tuple[float, str | None, Callable[[Account, float, int], float]]]:
    """Requests of unrelated customers behind a reseller: their conversations, turn by turn."""
    led = honest.led
    habits = [usual(led, rnd) for _ in range(customers)]
    if think:
        habits = [h | {"model": "atlas-3-think"} for h in habits]
    share = [rnd.paretovariate(1.1) for _ in range(customers)]
    jobs: list[tuple[float, str | None, Callable[[Account, float, int], float]]] = []
    starts = [t for _ in range(12) for t in honest.arrivals(rnd, count // 12 + 1)]
    rnd.shuffle(starts)
    for t in starts:
        if len(jobs) >= count:
            break
        customer = rnd.choices(range(customers), share)[0]
        t = t * span / WEEK if rnd.random() < 0.99 else rnd.uniform(0, span)
        talk = talk_for(led, rnd, t, habits[customer])
        if talk.model not in MODELS:
            continue
        key = digest("session", talk.system or talk.conversation)

        def send(
            account: Account, t: float, status: int, talk: Talk = talk, customer: int = customer
        ) -> float:
            if talk.done:
                return 0.0
            where = env(customer, account, t) if env else None
            return led.say(account, t, talk, status=status, env=where)

        for _ in talk.steps:
            jobs.append((t, key, send))
            t += rnd.expovariate(1 / 120) + 8
    return jobs
