"""One company, many accounts behind one address and one card.

*Looks alike*: shared payment, address and office hours. Half of the companies never declared their accounts
as one organisation. Staff do unrelated work.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import own_streams, volumes
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one company."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "enterprise", chat_share=0.4)
    block.one_org(int(world.fresh(rng, 1)[0]), declared=index % 2 == 0)
    block.one_card()
    block.country[:], block.zone_h[:] = block.country[0], block.zone_h[0]
    block.one_address(int(world.networks.offices(rng, block.country[:1])[0]), 1)
    block.signup_ip[:] = block.plan_ip.base
    block.email = [f"c{int(block.org[0]) % 10**9}.example"] * size
    standard = rng.random(size) < 0.6
    block.family[standard & ~block.chat] = NUMBER["tern-cli"]
    first, number = own_streams(world, rng, block, agents=0.3)
    world.live(rng, block, volumes(rng, size, each, 1.2), first, number)
