"""Political even-handedness research: paired prompts from both sides, repeated on several models.

*Looks alike*: sensitive topics in bulk from one template, like censorship rewriting.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.habits import one_stream
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one research group."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "neutrality_research")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=False)
    block.one_card()
    block.one_client(int(block.family[0]))
    block.programme = ["research"] * size
    voice = world.library.get("paired" if index % 2 else "sensitive")
    stream = Stream(
        voice=voice,
        reply=world.library.get("reply:en"),
        length=(0.0, 0.1),
        out=(5.8, 0.4),
        temperature=0.7,
        max_tokens=1024,
    )
    first, number = one_stream(world, block, stream)
    pairs = world.fresh(rng, max(10, size * each // 3))
    world.live(rng, block, np.full(size, each), first, number, seeds=pairs)
