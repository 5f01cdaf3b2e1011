"""A rubric grading pipeline over one's own product's answers.

*Looks alike*: the teacher-as-judge shape, JSON scores, low temperature, thousands of distinct items, one to
three accounts.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.habits import one_stream
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.instructions import FORMATS_JSON, RUBRIC, SCALES, choose
from stillwatch.lab.text.voices import Shifted, Slots
from stillwatch.lab.world import Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one pipeline."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "llm_judge")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=index % 2 == 0)
    block.one_card()
    base, spread = world.networks.clouds(rng, 1)
    block.one_address(int(base[0]), int(spread[0]))
    block.one_client(int(block.family[0]))
    ask = world.library.borrowed_ask(rng, "grading") or f"{choose(rng, RUBRIC)}{choose(rng, SCALES)}.\n\n"
    ask += "Question: "
    item = world.library.voice("prose:business:plain")
    voice = Slots(
        (
            (
                ask,
                Shifted(item, 3, 2),
                "\n\nReply of our assistant: ",
                Shifted(world.library.voice("reply:en"), 4, 3),
            ),
        )
    )
    name = f"judge:{index}"
    stream = Stream(
        voice=world.library.add(name, voice),
        reply=world.library.get("reply:en"),
        system=world.library.system(rng, 3),
        post=choose(rng, FORMATS_JSON),
        out=(3.9, 0.4),
        temperature=0.0,
        max_tokens=512,
    )
    first, number = one_stream(world, block, stream)
    world.live(rng, block, np.full(size, each), first, number)
