"""An exotic but popular client with its default system prompt, used by very many unrelated accounts.

*Looks alike*: a rare client and an identical system prompt across hundreds of accounts, without any common
control.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import own_streams, volumes
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one client's users."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "popular_sdk")
    block.family[:] = NUMBER[("rare-sdk", "flowbox", "proxy-router")[index % 3]]
    block.variant[:] = rng.integers(0, 4, size) * 7
    first, number = own_streams(world, rng, block, agents=0.0)
    system = world.library.product(rng)
    for local in range(size):
        for s in range(int(first[local]), int(first[local] + number[local])):
            world.streams[s].system = system
    world.live(rng, block, volumes(rng, size, each, 1.5), first, number)
