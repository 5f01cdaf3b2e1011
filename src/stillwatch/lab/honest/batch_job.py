"""One fixed prompt over millions of one's own records: labelling.

*Looks alike*: perfect repetition of structure, no repeats of payload, flat around the clock, huge volume.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.habits import one_stream
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.instructions import FORMATS_JSON, choose
from stillwatch.lab.text.payloads import record_voice
from stillwatch.lab.world import Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one labelling job."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "batch_job")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=index % 2 == 0)
    block.one_card()
    block.active[:], block.weekend[:] = 1.0, 1.0
    base, spread = world.networks.clouds(rng, 1)
    block.one_address(int(base[0]), int(spread[0]))
    block.one_client(int(block.family[0]))
    pre, _ = world.library.template(rng)
    voice = (
        world.library.add(f"batch:{index}", record_voice(rng))
        if index % 2
        else world.library.prose("marketing", "chatty")
    )
    stream = Stream(
        voice=voice,
        reply=world.library.get("reply:en"),
        pre=pre,
        post=choose(rng, FORMATS_JSON),
        length=(1.0, 0.4),
        out=(3.2, 0.4),
        temperature=0.0,
        max_tokens=256,
    )
    first, number = one_stream(world, block, stream)
    world.live(rng, block, np.full(size, each), first, number)
