"""A university course: one address range, one programme, sign-ups in one week, the same exercises.

*Looks alike*: sign-up cohort, education programme (a known weak entry point), shared payloads answered
within hours of each other. Students have their own mail or the campus domain and no card.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import DAY_US, HOUR_US
from stillwatch.lab.habits import one_stream, own_streams
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.instructions import THINK, choose
from stillwatch.lab.world import Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one course."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "campus", chat_share=0.6)
    block.one_org(int(world.fresh(rng, 1)[0]), declared=False)
    block.apart = True
    block.country[:], block.zone_h[:] = block.country[0], block.zone_h[0]
    block.one_address(int(world.networks.offices(rng, block.country[:1])[0]) & ~0xFF, 180, 12 * HOUR_US)
    block.plan_ip.alt_share[:] = rng.uniform(0.2, 0.6, size)
    block.plan_ip.alt_base[:] = world.networks.homes(rng, block.country)
    block.plan_ip.alt_spread[:] = 512
    term = world.start - int(rng.integers(-1, 60)) * DAY_US
    block.created[:] = np.minimum(term + rng.integers(0, 3 * DAY_US, size), world.end - DAY_US // 2)
    block.programme = ["education"] * size
    block.payment[:] = 0
    block.email = [
        f"campus{int(block.org[0]) % 10**6}.example" if x < 0.7 else m
        for x, m in zip(rng.random(size).tolist(), block.email, strict=True)
    ]
    kind = ("math", "code", "analyst")[index % 3]
    reply = world.library.get("reply:code" if kind == "code" else "solution")
    questions = world.fresh(rng, int(rng.integers(6, 25)))
    work = Stream(
        voice=world.library.get(kind),
        reply=reply,
        follow=world.library.get("followup"),
        pre=f"{choose(rng, THINK)}.\n\n" if rng.random() < 0.3 else "",
        length=(0.0, 0.3),
        out=(6.0, 0.7),
        conversation=0.3,
        turns=3,
        gap_s=90,
        streaming=True,
    )
    first, number = one_stream(world, block, work)
    half = np.maximum(rng.poisson(each * 0.5 * np.exp(rng.normal(-0.2, 0.6, size))), 1)
    world.live(rng, block, half, first, number, seeds=questions, leisure=True)
    own, count = own_streams(world, rng, block, sentences=3.0, agents=0.02)
    world.live(rng, block, half, own, count, leisure=True)
