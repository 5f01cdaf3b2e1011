"""Unrelated honest accounts: the population every rate is measured on.

Volumes are heavy-tailed (the top 10 % of clients carry 60-79 % of requests), arrivals bursty, nights quiet
for many and not for others (ServeGen per-client statistics; Azure LLM traces). About one API account in
eight is a coding agent, which gives programming around half of all tokens (OpenRouter token study).
"""

from __future__ import annotations

from stillwatch.lab.habits import own_streams, volumes
from stillwatch.lab.world import World


def build(world: World) -> None:
    """Add the ordinary accounts of the scenario."""
    p = world.scenario.ordinary
    size = round(p.accounts * world.scale)
    if not size:
        return
    rng = world.generator("ordinary")
    block = world.people(rng, size, "ordinary", chat_share=p.chat_share)
    first, number = own_streams(world, rng, block, sentences=p.sentences)
    counts = volumes(rng, size, p.exchanges_per_day * world.scenario.days, p.volume_sigma)
    world.live(rng, block, counts, first, number)
