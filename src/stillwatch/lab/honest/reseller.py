"""An honest reseller that never declared itself: a pool of accounts with one card, serving many unrelated
customers.

*Looks alike*: it *is* one controller: least-recently-used rotation, sticky sessions, fail-over of live
conversations. Only the use differs: diverse customers, no extraction. Some pass their customers'
identifiers on.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import HOUR_US
from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import api_stream, chat_stream
from stillwatch.lab.relay import Desk, Rules, run_relay
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one reseller."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "reseller")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=False)
    block.one_card()
    block.one_client(NUMBER[("gatelite", "proxy-router", "acorn-go")[index % 3]], lag_us=20 * 24 * HOUR_US)
    base, _ = world.networks.clouds(rng, 1, shared=0.0)
    block.one_address(int(base[0]), 2, HOUR_US)
    desks = []
    for _ in range(max(5, size * 3)):
        country = int(rng.integers(0, 14))
        made = (
            api_stream(world, rng, country, 4.0)
            if rng.random() < 0.6
            else chat_stream(world, rng, country, 4.0)
        )
        desks.append(
            Desk(
                world.stream(made),
                weight=float(np.exp(rng.normal(0, 1.2))),
                end_user=int(world.fresh(rng, 1)[0]) if index % 2 else 0,
                device=int(world.fresh(rng, 1)[0]) if rng.random() < 0.4 else 0,
            )
        )
    run_relay(world, rng, block, desks, total=size * each, rules=Rules())
