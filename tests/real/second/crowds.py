"""Honest look-alikes with many accounts: seats, students, cohorts, client firms behind one vendor, app users."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from ..world import START, at, digest
from .habits import Habit, habit, talk_for, use, worded
from .rhythm import DAY
from .stage import Stage
from .text import fragment

DESKS = ("claims", "dispatch", "tenders", "payroll", "field service", "quality", "clinic", "catalogue")


def _fixed(usual: Habit, **params: Any) -> Habit:
    return Habit(usual.kind, usual.system, params, usual.measured, "borealis-2", usual.chore, usual.users)


def enterprise_proxy(stage: Stage, rnd: random.Random) -> None:
    """Ninety seats behind one gateway, its software and address; a dozen cost-centre cards; nothing declared."""
    for e in range(4):
        country = stage.places.country(rnd)
        address = stage.places.cloud(rnd, "microsoft") if e % 2 else stage.places.home(rnd, country)
        gateway = stage.places.software(rnd, "gateway", START, ("3.2", "3.4")[e % 2])
        house = f"You work for the {DESKS[e]} desk. {rnd.choice(stage.text.personas)[:900]}"
        house = f"{house}\nHouse rule {stage.led.canary('system_prompt')}."
        first = START - timedelta(days=rnd.uniform(150, 700))
        for s in range(90):
            # opened in waves, a department at a time
            created = first + timedelta(days=(s // 30) * 25 + rnd.uniform(0, 4))
            account = stage.led.account(
                rnd,
                klass="enterprise_proxy",
                org_key=f"enterprise_proxy-{e}",
                envs=[at(gateway, address, country)],
                card=stage.card("cost centre", e, s % 12),
                domain="own",
                country=country,
                plan="enterprise",
                verification="business",
                created=created,
            )
            usual = habit(stage, rnd, rnd.choice(("chat", "document", "question")), house)
            usual = usual if rnd.random() < 0.5 else habit(stage, rnd)
            use(stage, rnd, account, stage.n(rnd.lognormvariate(2.0, 1.0)), usual)


def university_nat(stage: Stage, rnd: random.Random) -> None:
    """A class of 110 behind one address, signed up in two lab sessions, with the same assignments and notebook."""
    for c in range(4):
        country = stage.places.country(rnd)
        nat = stage.places.home(rnd, country)
        lab = START - timedelta(days=rnd.uniform(9, 50))
        tasks = [fragment(rnd, p) for p in rnd.sample(stage.text.code, 5)]
        tasks += rnd.sample(stage.text.truthful, 4) + [q for q, _ in rnd.sample(stage.text.mmlu, 4)]
        notebook = "You help students of this course. Explain, do not just solve. Show your reasoning."
        shared = stage.places.software(rnd, "openai-python", lab)
        for s in range(110):
            created = lab + timedelta(days=7 * (s % 2), minutes=rnd.uniform(0, 90))
            own = stage.places.software(rnd, rnd.choice(("browser", "openai-python")), created)
            client = shared if s % 3 else own
            account = stage.led.account(
                rnd,
                klass="university_nat",
                org_key=f"university_nat-{c}",
                envs=[at(client, nat, country)],
                card=None,
                programme="education",
                plan="education",
                verification="email",
                domain=f"{digest('faculty', c, stage.seed, size=3)}.example",
                country=country,
                created=created,
            )
            for t in stage.arrivals(rnd, stage.n(rnd.uniform(4, 13)), country):
                t = min(t, 6.9 * DAY)
                asked = worded(rnd, rnd.choice(tasks))
                talk = stage.ask(
                    rnd,
                    "borealis-2",
                    asked,
                    system=notebook if s % 3 else None,
                    params={"temperature": 0.7} if s % 3 else {},
                )
                stage.hold(rnd, account, t, talk)


def byok_desktop(stage: Stage, rnd: random.Random) -> None:
    """A desktop app on strangers' machines with their own keys: one version, one default assistant."""
    for app in range(5):
        name, version = f"Desk{digest('app', app, stage.seed, size=2)}", f"1.{rnd.randrange(3, 30)}.{app}"
        system = rnd.choice(stage.text.personas)[:1200]
        for u in range(60):
            country = stage.places.country(rnd)
            home = stage.places.home(rnd, country)
            software = stage.places.desktop(rnd, name, version)
            account = stage.led.account(
                rnd,
                klass="byok_desktop",
                org_key=f"byok_desktop-{app}-{u}",
                envs=[at(software, home, country)],
                country=country,
            )
            usual = habit(stage, rnd, rnd.choice(("question", "chat", "document")), system)
            usual = _fixed(usual, temperature=0.8, max_tokens=4096, stream=True)
            use(stage, rnd, account, stage.n(rnd.lognormvariate(1.9, 1.0)), usual)


def startup_cohort(stage: Stage, rnd: random.Random) -> None:
    """Thirty-five start-ups on one accelerator's wifi, opened in its first week, on programme credits."""
    for c in range(4):
        country = stage.places.country(rnd)
        wifi = stage.places.home(rnd, country)
        opening = START - timedelta(days=rnd.uniform(10, 70))
        for s in range(35):
            created = opening + timedelta(days=rnd.uniform(0, 5))
            software = stage.places.software(rnd, None, created)
            spots = [at(software, wifi, country)]
            if s % 2:
                spots.append(at(software, stage.places.cloud(rnd), country))
            account = stage.led.account(
                rnd,
                klass="startup_cohort",
                org_key=f"startup_cohort-{c}-{s}",
                envs=spots,
                programme="start-up",
                card=None if s % 3 else "own",
                domain="own",
                country=country,
                plan="pay_as_you_go",
                verification="email",
                created=created,
            )
            use(stage, rnd, account, stage.n(rnd.lognormvariate(2.3, 1.1)), habit(stage, rnd))


def hackathon(stage: Stage, rnd: random.Random) -> None:
    """Fifty sign-ups within an hour on a venue's network, a sponsor's starter kit, two days of heavy use."""
    for h in range(4):
        country = stage.places.country(rnd)
        venue = stage.places.home(rnd, country)
        begin = rnd.choice((0.3, 2.4, 4.35, 4.4)) * DAY
        kit = f"Starter kit: you are the backend of team {{}}. {rnd.choice(stage.text.personas)[:300]}"
        for team in range(50):
            software = stage.places.software(
                rnd, rnd.choice(("openai-python", "openai-js", "anthropic-js")), START
            )
            ips = [(stage.places.near(rnd, venue[0], 27), venue[1]) for _ in range(2)]
            account = stage.led.account(
                rnd,
                klass="hackathon",
                org_key=f"hackathon-{h}-{team}",
                envs=[at(software, ip, country) for ip in ips],
                card=None,
                plan="free",
                verification="phone",
                country=country,
            )
            stage.born(account, begin + rnd.uniform(0, 3600))
            system = kit.replace("{}", str(team), 1) if team % 3 else None
            usual = habit(stage, rnd, rnd.choice(("agent", "question", "code")), system)
            for t in stage.rhythm.burst(rnd, stage.n(rnd.uniform(4, 20)), begin + 4000, 1.8 * DAY):
                stage.hold(rnd, account, t, talk_for(stage, rnd, t, usual), pause=20.0)


def support_vendor(stage: Stage, rnd: random.Random) -> None:
    """Thirty client firms with own accounts and cards; the vendor's template, egress and client serve them all."""
    for v in range(4):
        egress = [stage.places.cloud(rnd, "amazon") for _ in range(2)]
        software = stage.places.software(rnd, "anthropic-js" if v % 2 else "guzzle", START)
        template = (
            f"You answer customers of {{}} for our {DESKS[v + 3]} product. Policy: apologise once, never promise "
            "refunds, hand over to a person when asked. End with the ticket number."
        )
        for c in range(30):
            country = stage.places.country(rnd)
            account = stage.led.account(
                rnd,
                klass="support_vendor",
                org_key=f"support_vendor-{v}-{c}",
                envs=[at(software, place, "US") for place in egress],
                signup_ip=stage.places.home(rnd, country)[0],
                domain="own",
                country=country,
                plan=rnd.choice(("pay_as_you_go", "team")),
                verification="business",
            )
            system = template.format(digest("client", v, c, stage.seed, size=3).title())
            usual = habit(stage, rnd, "chat", system)
            usual = _fixed(usual, temperature=0.3, max_tokens=700, stream=bool(v % 2))
            use(stage, rnd, account, stage.n(rnd.lognormvariate(2.8, 0.9)), usual)


def repository_bots(stage: Stage, rnd: random.Random) -> None:
    """Reviews on every push from shared build machines: one open-source action, its prompt, strangers' keys."""
    for a in range(4):
        system = (
            "You review a pull request. List problems by file and line, the most severe first. "
            f"Be kind. Say nothing about style. (action {digest('action', a, stage.seed, size=2)})"
        )
        for r in range(25):
            software = stage.places.software(rnd, "openai-js" if a % 2 else "requests", START, None)
            account = stage.led.account(
                rnd,
                klass="repository_bots",
                org_key=f"repository_bots-{a}-{r}",
                envs=[at(software, stage.places.runner(rnd), "US") for _ in range(14)],
                signup_ip=stage.places.home(rnd, stage.places.country(rnd))[0],
            )
            for t in stage.arrivals(rnd, stage.n(rnd.lognormvariate(2.4, 0.8)), account.row["country"]):
                patch = "\n".join(
                    f"+{line}" for line in fragment(rnd, rnd.choice(stage.text.code)).split("\n")
                )
                talk = stage.ask(
                    rnd,
                    "borealis-2",
                    f"diff --git a/m.py b/m.py\n@@ -{rnd.randrange(900)},6 @@\n{patch}",
                    system=system,
                    params={"temperature": 0.0, "max_tokens": 1024},
                    context=stage.rhythm.context(rnd, "code"),
                )
                stage.hold(rnd, account, t, talk)


CLASSES = (
    enterprise_proxy,
    university_nat,
    byok_desktop,
    startup_cohort,
    hackathon,
    support_vendor,
    repository_bots,
)
