"""Customers of a service that closed down arrive together, with the prompts they exported.

*Looks alike*: a sign-up burst of hundreds of accounts in days, one client from one migration guide, the old
service's default system prompt. They are unrelated, pay for themselves and keep their own hours.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import DAY_US
from stillwatch.lab.habits import own_streams, volumes
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one wave."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "migrated")
    closed = world.start - int(rng.integers(-1, 20)) * DAY_US
    block.created[:] = closed + (rng.exponential(1.5, size) * DAY_US).astype(np.int64)
    block.created[:] = np.minimum(block.created, world.end - DAY_US // 4)
    guided = rng.random(size) < 0.6
    block.family[guided], block.lag[guided] = block.family[0], 0
    first, number = own_streams(world, rng, block)
    old = world.library.product(rng)
    for local in np.flatnonzero(rng.random(size) < 0.5).tolist():
        for s in range(int(first[local]), int(first[local] + number[local])):
            world.streams[s].system = old
    world.live(rng, block, volumes(rng, size, each, 1.2), first, number)
