"""One person orchestrating many coding agents over several accounts of their own.

*Looks alike*: high-volume structured output, tools, around the clock, several accounts in step. A real user
of five paid accounts was banned for this (public issue threads of 2026), so it is kept as its own class.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import agent_stream, one_stream
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one person."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "coding_agents")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=False)
    block.country[:], block.zone_h[:] = block.country[0], block.zone_h[0]
    block.one_address(int(world.networks.homes(rng, block.country[:1])[0]), 4)
    block.one_client(NUMBER["tern-cli"])
    block.active[:], block.weekend[:] = 0.9, 1.1
    if index % 2 == 0:
        block.one_card()
    stream = agent_stream(world, rng)
    first, number = one_stream(world, block, stream)
    world.live(rng, block, np.full(size, each), first, number)
