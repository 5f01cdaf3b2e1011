"""A customer with a licence to distil: everything a campaign does, under a recorded grant.

*Looks alike*: it *is* distillation: step-by-step asks with boxed answers, distinct problems, two samples of
each, several accounts of one firm. Only the grant and the open organisation differ; it must never come out
as more than a granted use. Source: authorised distillation products of providers themselves.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.habits import reasoning_ask
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.instructions import FINAL_TAGS
from stillwatch.lab.world import Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one licence holder."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "licensed_distiller")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=True)
    block.one_card()
    base, spread = world.networks.clouds(rng, 1, shared=0.0)
    block.one_address(int(base[0]), int(spread[0]))
    block.one_client(int(block.family[0]))
    block.active[:], block.weekend[:] = 1.0, 1.0
    block.verification = ["business"] * size
    kind = ("math", "code")[index % 2]
    stream = world.stream(
        Stream(
            voice=world.library.get(kind),
            reply=world.library.get("reply:code" if kind == "code" else "solution"),
            pre=reasoning_ask(world, rng, FINAL_TAGS),
            length=(0.5, 0.4),
            out=(7.0, 0.6),
            temperature=0.8,
            max_tokens=8192,
            reasoning=True,
        )
    )
    local, t = world.times(rng, block, np.full(size, max(1, each // 2)))
    problems = world.fresh(rng, len(t))
    for sample in range(2):
        when = t + sample * rng.integers(30, 600, len(t)) * 1_000_000
        who = (local + sample) % size
        when = np.maximum(when, block.created[who] + 60_000_000)
        world.ask(rng, block, who, when, stream=stream, seed=problems)
    world.grant(block, "distillation", "licensed distillation of a small model")
