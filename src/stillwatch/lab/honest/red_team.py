"""A safety team runs jailbreak suites over a few accounts.

*Looks alike*: thousands of variations on one narrow aim, refused often, repeated on each model.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.habits import one_stream
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one team."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "red_team")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=index % 2 == 0)
    block.one_card()
    base, spread = world.networks.clouds(rng, 1)
    block.one_address(int(base[0]), int(spread[0]))
    block.one_client(int(block.family[0]))
    block.programme = ["research"] * size
    stream = Stream(
        voice=world.library.get("jailbreak"),
        reply=world.library.get("reply:en"),
        out=(3.5, 0.6),
        temperature=1.0,
        max_tokens=256,
        refusal=0.45,
    )
    first, number = one_stream(world, block, stream)
    suite = world.fresh(rng, max(20, size * each // 3))
    world.live(rng, block, np.full(size, each), first, number, seeds=suite)
