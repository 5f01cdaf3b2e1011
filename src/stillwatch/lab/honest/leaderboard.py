"""Release day: unrelated laboratories run the same public benchmark with the same public harness.

*Looks alike*: one template, boxed step-by-step answers, the same payloads across many accounts and a surge
within a day of a release: the strongest campaign signs at once. The laboratories share no card, address or
key, everybody asks *all* questions rather than a share of a queue, and asks them once. Source: benchmark runs
are a named hard negative; waves of false positives follow model releases.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import HOUR_US
from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import reasoning_ask
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.instructions import FINAL_BOX
from stillwatch.lab.world import NEW_MODEL, Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one benchmark and the laboratories that run it."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "leaderboard")
    block.family[:] = NUMBER["acorn-python"]
    kind = ("math", "analyst", "code")[index % 3]
    stream = world.stream(
        Stream(
            voice=world.library.get(kind),
            reply=world.library.get("reply:code" if kind == "code" else "solution"),
            pre=reasoning_ask(world, rng, FINAL_BOX),
            length=(0.0, 0.2),
            out=(6.4, 0.6),
            temperature=0.0,
            max_tokens=4096,
            reasoning=True,
        )
    )
    questions = world.fresh(rng, each)
    for local in range(size):
        begin = world.release + int(rng.exponential(9.0) * HOUR_US)
        t = begin + np.sort(rng.integers(0, int(rng.uniform(0.3, 4.0) * HOUR_US), each))
        ready = t > block.created[local]
        who, seed = np.full(int(ready.sum()), local), rng.permutation(questions)[ready]
        world.ask(rng, block, who, t[ready], stream=stream, seed=seed, model=NEW_MODEL)
