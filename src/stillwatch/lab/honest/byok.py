"""Bring your own key: one product, many unrelated users' own accounts.

*Looks alike*: one system prompt, one template, one client, and for the cloud variant the product's own
egress; everything that names an operator except control. Users pay with their own cards and sign up when
they like. Every second product is a desktop program that calls from its users' addresses. Source:
shared-infrastructure evidence alone flagged all such products in a prototype of the hub test.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import HOUR_US
from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import api_stream, one_stream
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one product and its users."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "byok")
    families = [NUMBER[n] for n in ("acorn-node", "acorn-python", "ide-plugin", "gatelite", "acorn-go")]
    family = families[int(rng.integers(len(families)))]
    block.one_client(family, variants=6 if index % 2 else 1, lag_us=int(rng.integers(1, 60)) * 24 * HOUR_US)
    if index % 2 == 0:
        base, spread = world.networks.clouds(rng, 1, shared=0.3)
        block.one_address(int(base[0]), int(spread[0]), HOUR_US)
    else:
        block.plan_ip.base[:] = world.networks.homes(rng, block.country)
        block.plan_ip.spread[:] = 4096
    stream = api_stream(world, rng, 0, 3.5)
    stream.system = world.library.product(rng)
    stream.pre, stream.post = world.library.template(rng, 0.5)
    stream.conversation = 0.25
    first, number = one_stream(world, block, stream)
    counts = np.maximum(rng.poisson(each * np.exp(rng.normal(-0.7, 1.2, size))), 1)
    world.live(rng, block, counts, first, number)
