"""An organisation moves live conversations from an old account to a new one; or two organisations merge.

*Looks alike*: the same conversation continues on another account, and the old account falls silent, as
after a ban.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import DAY_US, HOUR_US
from stillwatch.lab.habits import api_stream, conversations
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one organisation: accounts come in old/new pairs with one moment of change each."""
    pairs, each = max(1, log_uniform(rng, p.accounts) // 2), log_uniform(rng, p.exchanges)
    size = 2 * pairs
    block = world.people(rng, size, "key_rotation")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=index % 3 == 0)
    if index % 2 == 0:
        block.one_card()
    base, spread = world.networks.clouds(rng, 1)
    block.one_address(int(base[0]), int(spread[0]))
    for old in range(0, size, 2):
        block.family[old + 1], block.variant[old + 1], block.lag[old + 1] = (
            block.family[old],
            block.variant[old],
            block.lag[old],
        )
    stream = api_stream(world, rng, 0, 3.0)
    stream.conversation = 0.5
    number = world.stream(stream)
    change = world.start + (rng.uniform(0.25, 0.75, size) * (world.end - world.start)).astype(np.int64)
    block.created[:] = np.minimum(block.created, change - HOUR_US)
    counts = np.zeros(size, dtype=np.int64)
    counts[::2] = each * 2
    local, t = world.times(rng, block, np.maximum(counts // 2, 0))
    row, turn, when = conversations(rng, t, (20, 400))
    moment = change[local[row]]
    # Half of what was begun in the last day goes on under the new account within the next.
    kept = (rng.random(len(t)) < 0.5)[row]
    recent = kept & (turn > 0) & (t[row] < moment) & (t[row] > moment - DAY_US)
    when = np.where(recent, when + rng.integers(HOUR_US, DAY_US, len(t))[row] + moment - t[row], when)
    who = np.where(when >= moment, local[row] + 1, local[row])
    seed, nonce = world.fresh(rng, len(t)), world.fresh(rng, len(t))
    world.emit(block, who, when, stream=number, seed=seed[row], nonce=nonce[row], turn=turn)
