"""Rung 7: make the campaign's traits look common among people who are trusted.

Two ways. *Verified shells* are accounts the attacker registers as businesses of their own, old enough to count as
trusted, that show the campaign's exits, client and wordings in harmless traffic, so that a reference cohort learns
these traits as ordinary. A *decoy product* is a free program that honest people use with keys of their own: its
system prompt and client are the campaign's, so that whoever flags the campaign flags its users.

*Looks alike*: the decoy's users are a bring-your-own-key product; that is the point.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.lab.addresses import DAY_US
from stillwatch.lab.attackers.accounts import Crew, Part
from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import api_stream, own_streams
from stillwatch.lab.hashing import mix
from stillwatch.lab.relay_work import Desk
from stillwatch.lab.text.instructions import product_prompt
from stillwatch.lab.world import World

HARMLESS = 20
"""Payloads a shell repeats: nothing new is learnt from them."""
DECOY_CLASS = "decoy_user"
"""Truth class of the decoy's honest users."""


def add_shells(
    world: World, part: Part, crew: Crew, desks: list[Desk], count: int, each: float, start: int
) -> int:
    """Add ``count`` verified shells right behind the crew's accounts; returns how many."""
    if not count:
        return 0
    rng, main = part("shells"), crew.block
    shells = world.people(rng, count, main.kind)
    shells.one_org(int(main.org[0]), declared=False)
    shells.declared[:] = mix(shells.key, 17)  # each says it is a company of its own
    shells.campaign, shells.level = main.campaign, main.level
    shells.verification = [("business", "identity")[i % 2] for i in range(count)]
    shells.created[:] = np.minimum(shells.created, start - rng.integers(100, 400, count) * DAY_US)
    shells.status, shells.status_at = ["active"] * count, np.zeros(count, dtype=np.int64)
    like = rng.integers(0, crew.size, count)
    for name in ("base", "spread", "period", "alt_share"):
        getattr(shells.plan_ip, name)[:] = getattr(main.plan_ip, name)[like]
    shells.family[:], shells.variant[:] = main.family[like], main.variant[like]
    shells.lag[:] = np.where(crew.frozen[like] > 0, world.start - crew.frozen[like], main.lag[like])
    lines = [d.stream for d in desks if d.extraction and not d.teacher]
    first, number = [], []
    for k in range(count):
        first.append(world.stream(replace(world.streams[lines[int(rng.integers(len(lines)))]], sealed=False)))
        world.stream(api_stream(world, rng, int(shells.country[k]), 4.0))
        number.append(2)
    counts = np.maximum(2, rng.poisson(0.5 * each, count))
    world.live(rng, shells, counts, np.array(first), np.array(number), seeds=world.fresh(rng, HARMLESS))
    return count


def decoy_prompt(part: Part) -> str:
    """System prompt of the decoy product."""
    return product_prompt(part("decoy-prompt"))


def decoy_client(crew: Crew) -> None:
    """The campaign poses as users of the product: same program, versions and platforms as people have them."""
    rows = ~crew.natural
    crew.block.family[rows] = NUMBER["ide-plugin"]
    crew.frozen[rows] = 0


def add_decoy_users(world: World, part: Part, count: int, each: float, prompt: str) -> int:
    """Honest people who use the product with their own keys; they belong to nobody."""
    if not count:
        return 0
    rng = part("decoy-users")
    users = world.people(rng, count, DECOY_CLASS)
    users.family[:] = NUMBER["ide-plugin"]
    first, number = own_streams(world, rng, users, agents=0.5)
    for k in range(count):
        world.streams[int(first[k])].system = prompt
    world.live(rng, users, np.maximum(1, rng.poisson(0.6 * each, count)), first, number)
    return count


__all__ = ["DECOY_CLASS", "HARMLESS", "add_decoy_users", "add_shells", "decoy_client", "decoy_prompt"]
