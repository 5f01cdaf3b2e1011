"""What ordinary people and products send, day in, day out."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from ..ledger import Account, Talk
from .relay import Job
from .rhythm import DAY
from .stage import NEW_MODEL, NEW_MODEL_AT, OLD_MODELS, Stage

KINDS = {"question": 27, "chat": 24, "persona": 17, "document": 13, "agent": 10, "code": 9}
WORDINGS = (
    "{}", "{}", "{}", "{}", "{}", "so, {}", "{} pls", "{} Be brief.", "{} Give me an example.", "ok {}",
    "My question: {}", "{}\n\nAnswer in plain words.", "{} What do you think?", "{} (for a talk I am giving)",
    "{} List the sources you would check.", "hey, {}", "{}\nThank you in advance", "{} One paragraph, please.",
)  # fmt: skip
VERBS = (
    "Summarise", "Shorten", "Rewrite in plain language", "Proofread", "Turn into an e-mail", "Extract the names in",
    "List the claims in", "Make a headline for", "Rate the tone of", "Write three tags for", "Outline",
    "Find contradictions in", "Turn into a checklist",
)  # fmt: skip
CHORES = (
    "Explain this function.", "Review this.", "Add type hints.", "Write unit tests for this.", "Any bugs here?",
    "Make this faster.", "Port this to TypeScript.", "Write the docstring.", "Why would this be slow?",
)  # fmt: skip


@dataclass(frozen=True)
class Habit:
    """One account's way of using a model."""

    kind: str
    system: str | None
    params: dict[str, Any]
    measured: str | None
    """Trace its sizes are drawn from, where most of a request is outside the log."""
    model: str
    chore: str
    users: int


def habit(stage: Stage, rnd: random.Random, kind: str | None = None, system: str | None = None) -> Habit:
    """A habit drawn from the everyday mix."""
    kind = kind or rnd.choices(list(KINDS), list(KINDS.values()))[0]
    if system is None and kind == "persona":
        # a few are famous, most are somebody's own
        personas = stage.text.personas
        system = personas[min(int(rnd.paretovariate(0.4)) - 1, len(personas) - 1)]
    elif system is None and rnd.random() < 0.25:
        system = f"You help {rnd.choice(stage.text.roles).lower()}s. Answer briefly."
    params: dict[str, Any] = {"stream": rnd.random() < 0.55}
    if rnd.random() < 0.45:
        params["temperature"] = rnd.choice((0.0, 0.1, 0.2, 0.4, 0.6, 0.7, 0.8, 1.0, 1.0))
    if rnd.random() < 0.15:
        params["top_p"] = rnd.choice((0.8, 0.9, 0.95, 1.0))
    if rnd.random() < 0.6:
        params["max_tokens"] = rnd.choice((300, 500, 1024, 1500, 2048, 4000, 4096, 8192, 16384))
    if rnd.random() < 0.03:
        params["logprobs"] = True
    if rnd.random() < 0.05:
        params["n"] = rnd.choice((1, 2, 3))
    if rnd.random() < 0.05:
        params["seed"] = rnd.choice((0, 1, 42, 123, 2024))
    measured = {"agent": "agent", "code": "code"}.get(kind, rnd.choice(("chat", None, None)))
    chore = (
        rnd.choice(CHORES) if kind == "code" else rnd.choice(VERBS) + rnd.choice((" this", " the text below"))
    )
    users = rnd.randrange(4, 80) if kind in ("persona", "chat") and rnd.random() < 0.3 else 0
    return Habit(kind, system, params, measured, rnd.choices(OLD_MODELS, (8, 42, 28, 22))[0], chore, users)


def worded(rnd: random.Random, prompt: str) -> str:
    """A prompt as another person would type it."""
    prompt = rnd.choice(WORDINGS).format(prompt)
    return prompt.rstrip(".?!") if rnd.random() < 0.1 else prompt


def talk_for(stage: Stage, rnd: random.Random, t: float, usual: Habit) -> Talk:
    """One conversation of this habit at this time."""
    led, text = stage.led, stage.text
    system, tools = usual.system, None
    if usual.kind == "agent" and rnd.random() < 0.9:
        dialogue = rnd.choice(text.tool_dialogues)
        steps, tools = led.script(rnd, dialogue), dialogue.tools
    elif usual.kind == "chat":
        steps = led.script(rnd, rnd.choice(text.dialogues), limit=rnd.choice((2, 3, 6)))
    elif usual.kind == "document":
        document = rnd.choice(text.documents)[: rnd.choice((800, 1600, 4000))]
        steps = led.single(f"{usual.chore}:\n\n{document}", led.reply(rnd, document, sentences=3))
    elif usual.kind == "code":
        program = rnd.choice(text.code)
        steps = led.single(f"{usual.chore}\n\n```python\n{''.join(program)}\n```", led.reply(rnd))
    else:
        steps = []
        for _ in range(rnd.choice((1, 1, 1, 2, 3))):
            steps += led.single(worded(rnd, rnd.choice(text.questions)), led.reply(rnd))
    newest = t > NEW_MODEL_AT and rnd.random() < 0.1
    return stage.talk(
        rnd,
        NEW_MODEL if newest else usual.model,
        steps,
        system=system,
        tools=tools,
        params=usual.params,
        context=stage.rhythm.context(rnd, usual.measured) if usual.measured else None,
        end_user=f"u{rnd.randrange(usual.users)}" if usual.users else None,
    )


def use(stage: Stage, rnd: random.Random, account: Account, count: int, usual: Habit) -> None:
    """``count`` exchanges, or a few more, of ordinary use."""
    sent = 0
    starts = stage.arrivals(rnd, count, account.row["country"])
    rnd.shuffle(starts)
    for t in starts:
        if sent >= count:
            break
        if t < account.born_at + 60:
            t = rnd.uniform(account.born_at + 60, 7 * DAY)
        sent += stage.hold(rnd, account, t, talk_for(stage, rnd, t, usual))


def customers(
    stage: Stage, rnd: random.Random, count: int, *, people: int, model: str | None = None
) -> list[tuple[int, Job]]:
    """About ``count`` requests of unrelated customers, a few of them heavy: who, and what for a relay."""
    habits = [habit(stage, rnd) for _ in range(people)]
    weight = [rnd.paretovariate(1.2) for _ in range(people)]
    out: list[tuple[int, Job]] = []
    made = 0
    starts = [t for _ in range(10) for t in stage.arrivals(rnd, count // 8 + 1, stage.places.country(rnd))]
    rnd.shuffle(starts)
    for t in starts:
        if made >= count:
            break
        who = rnd.choices(range(people), weight)[0]
        talk = talk_for(stage, rnd, t, habits[who])
        if model and talk.model != NEW_MODEL:
            talk.model = model
        out.append((who, Job(t, talk, key=talk.conversation, pause=90.0)))
        made += len(talk.steps)
    return out
