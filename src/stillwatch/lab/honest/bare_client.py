"""People whose program sends none of the usual headers, and an old build at that.

*Looks alike*: a rare client, missing platform headers, a version that never moves: what a relay's frozen
client looks like. Source: an honest account was banned because its open-source client lacked the expected
headers and user agent, and freed when it sent them (NousResearch/hermes-agent#2176).
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import DAY_US
from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import own_streams, volumes
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add the users of one program; each is a person of their own."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "bare_client")
    block.family[:] = NUMBER[("reqwest", "requests", "okhttp")[index % 3]]
    block.variant[:] = int(rng.integers(0, 60000))
    block.lag[:] = int(rng.integers(120, 400)) * DAY_US
    first, number = own_streams(world, rng, block, agents=0.5)
    world.live(rng, block, volumes(rng, size, each, 1.2), first, number)
