"""One person with two or three accounts who carries a conversation over when a limit is reached.

*Looks alike*: fail-over in miniature: a history with answers given to another account, minutes after a 429.
The person sits at home, uses one browser and asks about everything.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import DAY_US
from stillwatch.lab.habits import chat_stream, conversations
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one person."""
    size, each = max(2, log_uniform(rng, p.accounts)), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "twin_accounts", chat_share=1.0)
    block.one_org(int(world.fresh(rng, 1)[0]), declared=False)
    block.country[:], block.zone_h[:] = block.country[0], block.zone_h[0]
    block.one_address(int(world.networks.homes(rng, block.country[:1])[0]), 4)
    block.one_client(int(block.family[0]))
    block.device[:] = block.device[0]
    block.created[:] = np.minimum(block.created, world.start - DAY_US)
    number = world.stream(chat_stream(world, rng, int(block.country[0]), 4.0))
    sessions = np.zeros(size, dtype=np.int64)
    sessions[0] = max(2, size * each // 3)
    _, t = world.times(rng, block, sessions, leisure=True)
    row, turn, when = conversations(rng, t, (30, 240))
    limit = np.where(rng.random(len(t)) < 0.12, rng.integers(1, 6, len(t)), 99)
    start = rng.integers(0, size, len(t))
    moved = turn >= limit[row]
    who = (start[row] + moved) % size
    seed, nonce = world.fresh(rng, len(t)), world.fresh(rng, len(t))
    world.emit(block, who, when, stream=number, seed=seed[row], nonce=nonce[row], turn=turn)
    hit = turn == limit[row]
    refused = (start[row[hit]], when[hit] - 20_000_000)
    if hit.any():
        world.emit(
            block,
            *refused,
            stream=number,
            seed=seed[row[hit]],
            nonce=nonce[row[hit]],
            turn=turn[hit],
            status=429,
        )
