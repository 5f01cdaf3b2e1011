"""Strangers who come out of the same VPN exits.

*Looks alike*: dozens of accounts on one /24 of a hosting network, changing addresses every hour, from
everywhere: proxy exits. Nothing else is shared. Source: VPN users are a hard negative by law in one draft
statute; commercial exits are shared by design.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import HOUR_US
from stillwatch.lab.habits import own_streams, volumes
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add the users of one exit."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "vpn_exit", chat_share=0.5)
    block.one_address(int(world.networks.vpns(rng, 1)[0]), (24, 240)[index % 2], HOUR_US)
    at_home = rng.random(size) < 0.5
    block.signup_ip[at_home] = block.plan_ip.base[at_home]
    first, number = own_streams(world, rng, block)
    world.live(rng, block, volumes(rng, size, each, 1.4), first, number)
