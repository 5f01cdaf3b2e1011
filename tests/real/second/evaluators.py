"""Honest look-alikes that measure models: benchmarks, attack sets, both sides of a question, rubrics."""

from __future__ import annotations

import random
from typing import Any

from ..ledger import Talk
from ..world import at
from .stage import OLD_MODELS, Stage

REFUSAL = "I can't help with that."


def benchmark_vendor(stage: Stage, rnd: random.Random) -> None:
    """Several models, pass@k (the same request ten times), multiple choice with log-probabilities."""
    text = stage.text
    for v in range(6):
        accounts = stage.firm(
            rnd,
            "benchmark_vendor",
            v,
            rnd.randrange(1, 5),
            declared=v % 3 == 0,
            software=rnd.choice(("aiohttp", "openai-async", "litellm")),
        )
        suite: list[tuple[str, str, dict[str, Any]]] = []
        sampled = {"temperature": 0.8, "top_p": 0.95, "max_tokens": 768}
        for program, solution in rnd.sample(text.code, 30):
            asked = (
                f"Read the following function signature and docstring, and fully implement it.\n\n{program}"
            )
            suite += [(asked, solution, sampled)] * 10
        choice = {"temperature": 0.0, "max_tokens": 4, "logprobs": True}
        for item in rnd.sample(text.truthful, 250) + rnd.sample(text.religion, 150):
            suite.append((item, rnd.choice("ABC"), choice))
        suite += [(q, rnd.choice("ABCD"), choice) for q, _ in rnd.sample(text.mmlu, 120)]
        short = {"temperature": 0.0, "max_tokens": 64}
        for task in rnd.sample(sorted(text.bbh), 6):
            head = f"Task: {task.replace('_', ' ')}. Give only the answer.\n\n"
            suite += [(head + q, a, short) for q, a in rnd.sample(text.bbh[task], 40)]
        rnd.shuffle(suite)
        models = rnd.sample(OLD_MODELS, rnd.choice((2, 3, 4)))
        jobs = [
            stage.ask(
                rnd, rnd.choice(models), q, stage.led.reply(rnd, a) if len(a) > 20 else a, params=params
            )
            for q, a, params in suite[: stage.n(1100)]
        ]
        stage.batch(rnd, accounts, jobs, hours=rnd.uniform(2, 16))


def red_team(stage: Stage, rnd: random.Random) -> None:
    """Safety testing: contextual HarmBench, the whole of AdvBench, long jailbreaks, over-refusal checks."""
    text = stage.text
    for v in range(5):
        accounts = stage.firm(
            rnd,
            "red_team",
            v,
            rnd.randrange(1, 4),
            declared=v % 2 == 1,
            software=rnd.choice(("openai-async", "anthropic-python", "requests")),
        )
        prompts = rnd.sample(text.contextual_harm, 200) + rnd.sample(text.common.advbench, 260)
        prompts += [f"Is it fine to answer this? {p}" for p in rnd.sample(text.common.xstest, 120)]
        prompts += [
            f"{j}\n\n{rnd.choice(text.contextual_harm)}" for j in rnd.sample(text.long_jailbreaks, 120)
        ]
        rnd.shuffle(prompts)
        params = {"temperature": rnd.choice((0.0, 0.7, 1.0)), "max_tokens": rnd.choice((256, 1024))}
        models = rnd.sample(OLD_MODELS, 2)
        jobs = [
            stage.ask(
                rnd,
                rnd.choice(models),
                p,
                f"{REFUSAL} {stage.led.reply(rnd)}",
                params=params,
                finish=rnd.choice(("stop", "refusal", "refusal")),
            )
            for p in prompts[: stage.n(700)]
        ]
        stage.batch(rnd, accounts, jobs, hours=rnd.uniform(4, 12))


def bias_audit(stage: Stage, rnd: random.Random) -> None:
    """Academics: every item five times, groups swapped, then both sides of political requests."""
    text = stage.text
    for v in range(4):
        accounts = stage.firm(
            rnd,
            "bias_audit",
            v,
            rnd.randrange(1, 3),
            declared=v % 2 == 0,
            software="anthropic-python",
            programme="research",
            plan="pay_as_you_go",
        )
        params = {"temperature": 1.0, "max_tokens": 600, "n": 1}
        asked: list[str] = []
        for item in rnd.sample(text.religion, 60):
            asked += [f"{item}\nAnswer with one letter and one sentence of reasoning."] * 5
        for pair in rnd.sample(text.neutrality, 260):
            asked += pair
        jobs = [stage.ask(rnd, "borealis-2", p, params=params) for p in asked[: stage.n(820)]]
        stage.batch(rnd, accounts, jobs, hours=rnd.uniform(6, 15))


def rubric_qa(stage: Stage, rnd: random.Random) -> None:
    """Marks by rubric: call-centre quality, pupils' essays, tickets. One prompt, scores as JSON."""
    subjects = ("support reply", "pupil's essay", "sales call", "nurse's note", "grant proposal")
    for v, subject in enumerate(subjects):
        accounts = stage.firm(
            rnd,
            "rubric_qa",
            v,
            rnd.randrange(1, 4),
            declared=v % 2 == 0,
            software=rnd.choice(("openai-python", "okhttp", "openai-js")),
        )
        marks = ", ".join(
            rnd.sample(("clarity", "tone", "accuracy", "structure", "empathy", "completeness"), 4)
        )
        system = (
            f"You mark a {subject} by our house rubric. Give each of {marks} a score from 1 to 5 with one "
            "sentence of reason, then a total. Be strict: 5 is rare. Answer as JSON."
        )
        params = {"temperature": 0.0, "max_tokens": 400, "logprobs": v % 3 == 0}

        def job(system: str = system, params: dict[str, Any] = params) -> Talk:
            piece = rnd.choice(stage.text.documents)[:1500]
            score = f'{{"total": {rnd.randrange(6, 20)}, "why": "{stage.led.reply(rnd, sentences=1)}"}}'
            return stage.ask(rnd, "borealis-2-flash", piece, score, system=system, params=params)

        stage.batch(rnd, accounts, [job() for _ in range(stage.n(700))], hours=rnd.uniform(3, 10))


def ab_testing(stage: Stage, rnd: random.Random) -> None:
    """A prompt-testing service: every variant of a prompt, every model, several temperatures, on client keys."""
    for v in range(4):
        egress = stage.places.cloud(rnd, "google")
        clients = [
            stage.firm(
                rnd,
                "ab_testing",
                10 * v + c,
                1,
                declared=rnd.random() < 0.3,
                software="openai-js",
                signup_ip=stage.places.home(rnd, stage.places.country(rnd))[0],
            )[0]
            for c in range(8)
        ]
        for account in clients:
            account.envs = [
                at(e, (stage.places.near(rnd, egress[0], 29), egress[1]), "US") for e in account.envs
            ]
            base = rnd.choice(stage.text.personas)[:700]
            variants = [f"{lead}{base}" for lead in ("", "Think first. ", "Be concise. ", "Be formal. ")]
            cases = rnd.sample(stage.text.questions, 12)
            jobs = [
                stage.ask(
                    rnd,
                    model,
                    case,
                    system=variant,
                    params={"temperature": heat, "max_tokens": 512, "seed": 7},
                )
                for case in cases
                for variant in variants
                for model in ("borealis-1", "borealis-2")
                for heat in (0.0, 0.7)
            ]
            rnd.shuffle(jobs)
            stage.batch(rnd, [account], jobs[: stage.n(90)], hours=rnd.uniform(0.5, 3))


CLASSES = (benchmark_vendor, red_team, bias_audit, rubric_qa, ab_testing)
