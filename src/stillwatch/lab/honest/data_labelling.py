"""A labelling firm with double annotation: every item goes through two of its accounts, hours apart.

*Looks alike*: identical payloads on different accounts, one template, one office, steady shifts; as best-of-R
dealt over a pool. The firm's accounts are annotators' seats, one card pays, and nothing but labels comes
back. Source: labelling batch jobs with one fixed prompt are a named hard negative; double annotation is the
trade's usual quality check.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.habits import one_stream
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.instructions import FORMATS_JSON, choose
from stillwatch.lab.world import Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one firm."""
    size, each = max(2, log_uniform(rng, p.accounts)), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "data_labelling")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=index % 2 == 0)
    block.one_card()
    block.country[:], block.zone_h[:] = block.country[0], block.zone_h[0]
    block.one_address(int(world.networks.offices(rng, block.country[:1])[0]), 2)
    block.one_client(int(block.family[0]))
    block.active[:] = 0.8
    pre, _ = world.library.template(rng)
    stream = Stream(
        voice=world.library.get(("prose:travel:chatty", "record", "prose:marketing:typos")[index % 3]),
        reply=world.library.get("reply:en"),
        pre=pre,
        post=choose(rng, FORMATS_JSON),
        length=(1.2, 0.4),
        out=(3.0, 0.4),
        temperature=0.0,
        max_tokens=128,
    )
    number, _ = one_stream(world, block, stream)
    local, t = world.times(rng, block, np.full(size, max(1, each // 2)))
    items, again = world.fresh(rng, len(t)), (local + rng.integers(1, size, len(t))) % size
    later = t + rng.integers(1_200, 6 * 3_600, len(t)) * 1_000_000
    for who, when in ((local, t), (again, np.maximum(later, block.created[again] + 60_000_000))):
        world.ask(rng, block, who, when, stream=number[0], seed=items)
