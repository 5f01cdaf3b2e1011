"""A hackathon: strangers in one hall, signed up the same morning, working through a night from one starter kit.

*Looks alike*: sign-up burst, one address, one system prompt and template, activity around the clock that
starts and stops for all at once: a campaign's start and end. Teams build unrelated things once past the kit.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import HOUR_US
from stillwatch.lab.habits import own_streams, volumes
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one event."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "hackathon")
    block.country[:], block.zone_h[:] = block.country[0], block.zone_h[0]
    block.one_address(int(world.networks.offices(rng, block.country[:1])[0]) & ~0xFF, 60, 6 * HOUR_US)
    begin = world.start + int(rng.uniform(0.0, 0.5) * (world.end - world.start))
    span = min(36 * HOUR_US, world.end - begin - HOUR_US)
    block.created[:] = begin - rng.integers(0, 3 * HOUR_US, size)
    block.programme = ["startup" if x < 0.6 else None for x in rng.random(size).tolist()]
    block.payment[rng.random(size) < 0.6] = 0
    first, number = own_streams(world, rng, block, agents=0.4)
    kit, (pre, post) = world.library.product(rng), world.library.template(rng)
    for team in np.flatnonzero(rng.random(size) < 0.6).tolist():
        for s in range(int(first[team]), int(first[team] + number[team])):
            own = world.streams[s]
            own.system = kit
            if own.tools is None:
                own.pre, own.post = pre, post
    local = np.repeat(np.arange(size), volumes(rng, size, each, 0.8))
    t = begin + (rng.beta(1.3, 1.1, len(local)) * span).astype(np.int64)
    stream = first[local] + (rng.random(len(local)) * number[local]).astype(np.int64)
    world.sessions(rng, block, local, t, stream, world.fresh(rng, len(local)))
