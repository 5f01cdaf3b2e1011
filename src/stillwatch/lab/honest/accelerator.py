"""A start-up programme's cohort: young firms in one house, signed up in one week with the programme's credits.

*Looks alike*: one address, one sign-up burst, one programme (a known weak entry point), no cards yet. The
firms are unrelated: each has its own product, domain and hours. Source: start-up programmes are named among
the weak entry points that real campaigns used, so honest members are punished first.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import DAY_US, HOUR_US
from stillwatch.lab.habits import own_streams, volumes
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one cohort."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "accelerator")
    block.country[:], block.zone_h[:] = block.country[0], block.zone_h[0]
    house = world.networks.offices(rng, block.country[:1])
    block.one_address(int(house[0]), 2, 12 * HOUR_US)
    block.plan_ip.alt_share[:] = rng.uniform(0.2, 0.7, size)
    block.plan_ip.alt_base[:] = world.networks.homes(rng, block.country)
    block.plan_ip.alt_spread[:] = 512
    block.signup_ip[:] = house[0]
    intake = world.start - int(rng.integers(1, 90)) * DAY_US
    block.created[:] = intake + rng.integers(0, 5 * DAY_US, size)
    block.created[:] = np.minimum(block.created, world.end - DAY_US // 2)
    block.programme = ["startup"] * size
    block.payment[rng.random(size) < 0.7] = 0
    first, number = own_streams(world, rng, block, agents=0.35)
    world.live(rng, block, volumes(rng, size, each, 1.2), first, number)
