"""What ordinary people and builders send: streams with their own wording, public templates, agents,
documents, chat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stillwatch.lab.addresses import COUNTRIES
from stillwatch.lab.hashing import I64
from stillwatch.lab.people import Block
from stillwatch.lab.population import figure, token_law
from stillwatch.lab.text.english import DOMAINS
from stillwatch.lab.text.instructions import (
    ASKS,
    FINAL_BOX,
    FINAL_TAGS,
    FORMATS_JSON,
    RUBRIC,
    SCALES,
    SOLVE,
    THINK,
    choose,
    paraphrases,
)
from stillwatch.lab.text.library import STYLES
from stillwatch.lab.text.tools import tool_definitions
from stillwatch.lab.text.voices import Fresh, Part, Shifted, Slots
from stillwatch.lab.world import Stream, World

_FIELDS = tuple(DOMAINS)
_PUBLIC = int(figure("templates", "public"))
_ZIPF = 1.0 / np.arange(1, _PUBLIC + 1) ** figure("templates", "zipf")
_ZIPF /= _ZIPF.sum()


def voices_for(world: World, rng: np.random.Generator, country: int) -> tuple[int, int]:
    """Prompt and reply voice of a person from this country."""
    tongues = COUNTRIES[country][3]
    lang = tongues[0] if rng.random() < 0.75 else tongues[-1]
    if lang == "en" or rng.random() < 0.12:
        field = _FIELDS[int(rng.integers(len(_FIELDS)))]
        style = STYLES[int(rng.choice(5, p=[0.4, 0.15, 0.15, 0.15, 0.15]))]
        return world.library.prose(field, style), world.library.get("reply:en")
    return world.library.get(f"tongue:{lang}"), world.library.get(f"reply:{lang}")


def chat_stream(world: World, rng: np.random.Generator, country: int, sentences: float) -> Stream:
    """A person who types: many short conversations."""
    voice, reply = voices_for(world, rng, country)
    boost = world.scenario.ordinary.multi_turn
    return Stream(
        voice=voice,
        reply=reply,
        follow=world.library.get("followup"),
        length=(np.log(sentences) - 0.6 + rng.normal(0, 0.5), 0.6),
        out=token_law(rng, "chat_output"),
        hidden=token_law(rng, "chat_input"),
        conversation=min(0.9, boost * rng.uniform(0.05, 0.35)),
        turns=2.0 + rng.exponential(1.2),
        gap_s=float(np.exp(rng.normal(4.3, 0.5))),
        streaming=True,
        sealed=rng.random() < 0.3,
        reasoning=rng.random() < 0.3,
    )


def public_template(world: World, rng: np.random.Generator) -> tuple[str | None, str, str]:
    """One of the world's public templates: frameworks' defaults and viral prompts, with Zipf popularity."""
    number = int(rng.choice(_PUBLIC, p=_ZIPF))
    own = world.library.rng(f"public:{number}")
    system = world.library.system(own, 3) if number % 2 == 0 else None
    pre, post = world.library.template(own, 0.4)
    if number % 13 == 5:
        pre, post = f"{choose(own, THINK)}{choose(own, FINAL_BOX)}.\n\n", ""
    return system, ("" if system and number % 4 == 0 else pre), post


def api_stream(world: World, rng: np.random.Generator, country: int, sentences: float) -> Stream:
    """A builder's program: own or public template over own inputs."""
    voice, reply = voices_for(world, rng, country)
    kind = rng.random()
    system: str | None
    if kind < 0.22:
        system, pre, post = public_template(world, rng)
    else:
        system = world.library.system(rng, int(rng.integers(2, 7))) if rng.random() < 0.75 else None
        pre, post = world.library.template(rng) if rng.random() < 0.7 else ("", "")
    if rng.random() < 0.035:
        pre = (
            world.library.borrowed_ask(rng, "reasoning")
            or f"{choose(rng, SOLVE)}. {choose(rng, THINK)}{choose(rng, FINAL_BOX) if rng.random() < 0.2 else ''}.\n\n"
        )
    elif rng.random() < 0.015:
        pre = world.library.borrowed_ask(rng, "grading") or f"{choose(rng, RUBRIC)}{choose(rng, SCALES)}.\n\n"
        post = choose(rng, FORMATS_JSON)
    elif rng.random() < 0.03:  # honest people ask for the same things as campaigns do
        first, second = (ASKS[int(i)] for i in rng.permutation(len(ASKS))[:2])
        borrowed = world.library.borrowed_ask(rng, "generation" if len(world.streams) % 3 else "reasoning")
        if borrowed:
            pre = borrowed
        elif rng.random() < 0.4:
            opening: tuple[Part, ...] = (
                Fresh(paraphrases(rng, first)),
                ". ",
                Fresh(paraphrases(rng, second)),
                ".\n\n",
            )
            spoken = Slots(((*opening, Shifted(world.library.voices[voice], 0)),))
            voice, pre = world.library.add(f"varied:{len(world.streams)}", spoken), ""
        else:
            pre = f"{choose(rng, first)}. {choose(rng, second)}.\n\n"
        post = f"\n\n{choose(rng, FINAL_TAGS).lstrip(' ,;.')}" if rng.random() < 0.3 else post
    stream = Stream(
        voice=voice,
        reply=reply,
        system=system,
        pre=pre,
        post=post,
        follow=world.library.get("followup"),
        length=(np.log(sentences) + rng.normal(0, 0.6), 0.55),
        out=token_law(rng, "program_output"),
        conversation=min(
            0.8,
            world.scenario.ordinary.multi_turn * (rng.uniform(0.05, 0.4) if rng.random() < 0.25 else 0.01),
        ),
        turns=2.0 + rng.exponential(1.5),
        gap_s=float(np.exp(rng.normal(3.2, 0.9))),
        temperature=[None, 0.0, 0.0, 0.2, 0.7, 1.0][int(rng.integers(6))],
        max_tokens=[None, 256, 512, 1024, 2048, 4096, 8192][int(rng.integers(7))],
        hidden=token_law(rng, "program_input") if rng.random() < figure("program_input", "share") else None,
        streaming=rng.random() < 0.4,
        reasoning=rng.random() < 0.25,
        sealed=rng.random() < 0.12,
    )
    if 0.22 < kind < 0.34:
        stream.voice, stream.length = (
            world.library.get(f"document:{_FIELDS[int(rng.integers(len(_FIELDS)))]}"),
            (np.log(sentences) + 0.9, 0.4),
        )
    elif 0.34 < kind < 0.42:
        stream.voice = world.library.get("record")
    elif 0.42 < kind < 0.45:
        stream.voice, stream.reply = world.library.get("math"), world.library.get("solution")
    return stream


def reasoning_ask(world: World, rng: np.random.Generator, finals: Sequence[str]) -> str:
    """The opening of an honest program that wants worked solutions; ``finals`` say where the answer goes."""
    borrowed = world.library.borrowed_ask(rng, "reasoning")
    return borrowed or f"{choose(rng, SOLVE)}. {choose(rng, THINK)}{choose(rng, finals)}.\n\n"


def agent_stream(
    world: World, rng: np.random.Generator, *, system: str | None = None, tools: str | None = None
) -> Stream:
    """A coding agent: tools, long histories, most tokens are input."""
    return Stream(
        voice=world.library.get("repo" if rng.random() < 0.6 else "code"),
        reply=world.library.get("reply:code"),
        follow=world.library.get("tool_result"),
        system=system or world.library.system(rng, 8),
        tools=tools or tool_definitions(rng, int(rng.integers(3, 9))),
        length=(0.7, 0.5),
        out=(rng.normal(5.2, 0.4), 0.8),
        hidden=token_law(rng, "agent_input"),
        conversation=0.25,
        turns=4.0,
        gap_s=float(np.exp(rng.normal(2.3, 0.5))),
        max_tokens=int(rng.choice([4096, 8192, 16384, 32000])),
        streaming=True,
        reasoning=True,
        sealed=rng.random() < 0.5,
    )


def own_streams(
    world: World, rng: np.random.Generator, block: Block, *, sentences: float = 6.0, agents: float = 0.13
) -> tuple[I64, I64]:
    """One to four own streams per account; returns first stream and number of streams."""
    first, number = [], []
    product = [
        (
            world.library.product(world.library.rng(f"product:{i}")),
            tool_definitions(world.library.rng(f"tools:{i}"), 6),
        )
        for i in range(8)
    ]
    for local in range(block.size):
        country = int(block.country[local])
        count = 1 + int(rng.integers(0, 2)) + int(rng.random() < 0.2)
        first.append(len(world.streams))
        number.append(count)
        is_agent = not block.chat[local] and rng.random() < agents
        for _ in range(count):
            if block.chat[local]:
                world.stream(chat_stream(world, rng, country, sentences))
            elif is_agent:
                system, tools = (
                    product[int(rng.integers(len(product)))] if rng.random() < 0.7 else (None, None)
                )
                world.stream(agent_stream(world, rng, system=system, tools=tools))
            else:
                world.stream(api_stream(world, rng, country, sentences))
    return np.array(first, dtype=np.int64), np.array(number, dtype=np.int64)


def one_stream(world: World, block: Block, stream: Stream) -> tuple[I64, I64]:
    """Every account of the block sends this stream only."""
    number = world.stream(stream)
    return np.full(block.size, number, dtype=np.int64), np.ones(block.size, dtype=np.int64)


def conversations(rng: np.random.Generator, t: I64, gap_s: tuple[int, int]) -> tuple[I64, I64, I64]:
    """Conversations of two turns and more that begin at ``t``: which one, which turn, and when, for every request.

    Args
    ----
    gap_s: least and most seconds from one turn to the next.
    """
    turns = 1 + rng.geometric(0.45, len(t))
    row = np.repeat(np.arange(len(t)), turns)
    first = np.cumsum(turns) - turns
    turn = np.arange(len(row)) - first[row]
    passed = np.cumsum(rng.integers(*gap_s, len(row)) * (turn > 0)) * 1_000_000
    return row, turn, t[row] + passed - passed[first][row]


def volumes(rng: np.random.Generator, size: int, mean: float, sigma: float) -> I64:
    """Heavy-tailed exchanges per account with this mean; the tail is cut at 300 times the mean."""
    raw = mean * np.exp(rng.normal(0, sigma, size) - sigma * sigma / 2)
    most: float = figure("volume", "most_times_mean") * mean
    return np.maximum(rng.poisson(np.minimum(raw, most)), 1).astype(np.int64)
