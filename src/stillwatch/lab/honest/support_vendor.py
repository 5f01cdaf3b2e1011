"""A support vendor: one template and one server for the assistants of many client firms.

*Looks alike*: one address, one client, one wording across accounts with distinct cards, evenly busy: a relay
with separate cards. The firms own their accounts and pay for them; what is asked are their customers'
questions, which repeat, and the names in the template differ. The vendor does run them all: one controller,
no extraction.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import DAY_US, HOUR_US
from stillwatch.lab.habits import one_stream, volumes
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.english import DOMAINS
from stillwatch.lab.world import Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one vendor and its client firms."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "support_vendor")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=False)
    base, spread = world.networks.clouds(rng, 1, shared=0.0)
    block.one_address(int(base[0]), int(spread[0]), HOUR_US)
    block.one_client(int(block.family[0]), lag_us=int(rng.integers(1, 60)) * DAY_US)
    template, (pre, post) = world.library.product(rng), world.library.template(rng, 0.5)
    fields = list(DOMAINS)
    first = np.zeros(size, dtype=np.int64)
    for local in range(size):
        stream = Stream(
            voice=world.library.prose(fields[int(rng.integers(len(fields)))], "chatty"),
            reply=world.library.get("reply:en"),
            follow=world.library.get("followup"),
            system=f"{template} You answer for {block.email[local].split('.')[0]}.",
            pre=pre,
            post=post,
            length=(0.6, 0.5),
            out=(4.6, 0.5),
            conversation=0.3,
            turns=2.6,
            gap_s=70.0,
            temperature=0.2,
            max_tokens=512,
            streaming=True,
        )
        first[local] = one_stream(world, block, stream)[0][0]
    asked = world.fresh(rng, max(20, size * each // 2))
    counts = volumes(rng, size, each, 0.9)
    world.live(rng, block, counts, first, np.ones(size, dtype=np.int64), seeds=asked)
