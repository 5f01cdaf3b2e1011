"""Synthetic training data made from one's own documents, by a few accounts of one firm.

*Looks alike*: it is dataset generation; only size, single ownership and the documents tell. Every second
firm holds a grant.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.habits import one_stream
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.english import DOMAINS
from stillwatch.lab.text.instructions import FORMATS_JSON, GENERATE, choose
from stillwatch.lab.world import Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one firm."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "synthetic_own_docs")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=index % 4 < 2)
    block.one_card()
    base, spread = world.networks.clouds(rng, 1)
    block.one_address(int(base[0]), int(spread[0]))
    block.one_client(int(block.family[0]))
    field = list(DOMAINS)[index % len(DOMAINS)]
    stream = Stream(
        voice=world.library.get(f"document:{field}"),
        reply=world.library.get("reply:en"),
        system=world.library.system(rng, 3),
        pre=world.library.borrowed_ask(rng, "generation")
        or f"{choose(rng, GENERATE)} from this passage of our handbook.\n\n",
        post=choose(rng, FORMATS_JSON),
        length=(1.9, 0.3),
        out=(5.9, 0.5),
        temperature=0.7,
        max_tokens=2048,
    )
    first, number = one_stream(world, block, stream)
    world.live(rng, block, np.full(size, each), first, number)
    if index % 2 == 0:
        world.grant(block, "synthetic_data", "data from own documents")
