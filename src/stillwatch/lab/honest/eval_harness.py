"""A benchmark loop: fixed format, fixed questions, run on every model and above all on release day.

*Looks alike*: step-by-step asks with boxed answers, no repeats within a run, every question once per model,
a surge on release. One vendor, one card, one to a few accounts, the same question set over and over.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import DAY_US, HOUR_US
from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import reasoning_ask
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.instructions import FINAL_BOX
from stillwatch.lab.world import NEW_MODEL, Stream, World, log_uniform


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one vendor: its runs are spread over its accounts."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "eval_harness")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=index % 3 == 0)
    block.one_card()
    block.one_client(NUMBER["acorn-python"])
    base, spread = world.networks.clouds(rng, 1, shared=0.1)
    block.one_address(int(base[0]), int(spread[0]))
    block.created[:] = np.minimum(block.created, world.start - DAY_US)
    kind = ("math", "code", "analyst")[index % 3]
    stream = world.stream(
        Stream(
            voice=world.library.get(kind),
            reply=world.library.get("reply:code" if kind == "code" else "solution"),
            pre=reasoning_ask(world, rng, FINAL_BOX),
            length=(0.0, 0.2),
            out=(6.3, 0.6),
            temperature=0.0,
            max_tokens=4096,
            reasoning=True,
        )
    )
    total = each * size
    runs = 4
    questions = world.fresh(rng, max(10, total // runs))
    for run in range(runs):
        begin = (
            world.release + int(rng.integers(0, 5)) * HOUR_US
            if run >= 2
            else world.start + int(rng.uniform(0, 0.9) * (world.end - world.start))
        )
        t = begin + np.sort(rng.integers(0, 2 * HOUR_US, len(questions)))
        local = rng.integers(0, size, len(questions))
        model = np.full(len(t), NEW_MODEL if run >= 2 else 1 + run % 2)
        model = np.where(t >= world.release, model, 1)
        world.ask(rng, block, local, t, stream=stream, seed=rng.permutation(questions), model=model)
    if index % 3 == 1:
        world.grant(block, "evaluation", "agreed evaluation runs")
