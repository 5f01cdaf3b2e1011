"""An agency runs the accounts of many clients: one office, one tool, the clients' own cards and own
work."""

from __future__ import annotations

import numpy as np

from stillwatch.lab.habits import own_streams, volumes
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one agency. *Looks alike*: many accounts, one address and client, load balanced by the staff's day."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "agency")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=False)
    block.country[:], block.zone_h[:] = block.country[0], block.zone_h[0]
    block.one_address(int(world.networks.offices(rng, block.country[:1])[0]), 2)
    block.one_client(int(block.family[0]), variants=3)
    first, number = own_streams(world, rng, block, agents=0.05)
    if index % 2 == 0:
        pre = world.streams[int(first[0])].pre
        for local in range(size):
            world.streams[int(first[local])].pre = pre
    world.live(rng, block, volumes(rng, size, each, 0.9), first, number)
