"""People who work on their own: each with a machine, a line, a card, hours and words of their own.

The last rung of the ladder. Nothing is shared but the buyer, and nothing of the buyer is on the wire: by
construction these accounts send what ordinary accounts send, and no detector that reads traffic can tell. The lab
keeps the rung so that a detector which claims to find it is known to be wrong.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.attackers.accounts import Crew
from stillwatch.lab.habits import own_streams
from stillwatch.lab.hashing import I64, unit
from stillwatch.lab.people import Block
from stillwatch.lab.relay import Planned
from stillwatch.lab.world import World


def work_alone(world: World, rng: np.random.Generator, crew: Crew, each: float, share: float) -> Planned:
    """Plan about ``each`` exchanges for every natural account; ``share`` of them are handed on to the buyer."""
    block = crew.block
    rows = np.flatnonzero(crew.natural[: crew.size])
    if not len(rows):
        return Planned()
    first, number = own_streams(world, rng, block, sentences=6.0)
    wanted = np.zeros(block.size, dtype=np.int64)
    wanted[rows] = np.maximum(1, rng.poisson(each * np.exp(rng.normal(-0.32, 0.8, len(rows)))))
    streams = world.streams
    talk = np.array([streams[i].conversation for i in first.tolist()])
    turns = np.array([streams[i].turns for i in first.tolist()])
    local, t = world.times(rng, block, np.ceil(wanted / (1 + talk * (turns - 1))).astype(np.int64))
    stream = first[local] + (np.power(rng.random(len(t)), 1.6) * number[local]).astype(np.int64)
    return _sessions(world, rng, block, local, t, stream, share)


def _sessions(
    world: World, rng: np.random.Generator, block: Block, local: I64, t: I64, stream: I64, share: float
) -> Planned:
    numbers = world.numbers()
    multi = rng.random(len(t)) < numbers["conversation"][stream]
    more = rng.geometric(1.0 / np.maximum(numbers["turns"][stream] - 1, 1.01))
    size = np.where(multi, np.minimum(1 + more, 10), 1)
    row = np.repeat(np.arange(len(t)), size)
    turn = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    gap = np.exp(rng.normal(0, 0.9, len(row))) * numbers["gap_s"][stream[row]] * 1e6 * (turn > 0)
    passed = np.cumsum(gap)
    passed -= np.repeat(passed[np.cumsum(size) - size], size)
    when, who = t[row] + passed.astype(np.int64), local[row]
    seed, nonce = world.fresh(rng, len(t)), world.fresh(rng, len(t))
    kept = (unit(nonce, 91) < share)[row]
    failed = (rng.random(len(row)) < block.error_rate[who]) & ~multi[row]
    code = rng.choice(np.array([429, 429, 429, 500, 503, 529]), len(row))
    for rows, shift, status in (
        (np.arange(len(row)), 0, np.full(len(row), 200)),
        (np.flatnonzero(failed), -2_700_000, code),
    ):  # a failed request is sent again by the same account, seconds later
        world.emit(
            block, who[rows], when[rows] + shift, stream=stream[row[rows]], seed=seed[row[rows]],
            nonce=nonce[row[rows]], turn=np.where(multi[row[rows]], turn[rows], -1), status=status[rows],
            extraction=kept[rows], key_no=(nonce[row[rows]] >> np.uint64(9)) % np.uint64(2),
        )  # fmt: skip
    inside = (when >= world.start) & (when < world.end)
    both = inside[failed]
    return Planned(
        int(inside.sum() + both.sum()), int((inside & kept).sum() + (both & kept[failed]).sum()),
        int((inside & kept).sum()), refused=int(both.sum()),
    )  # fmt: skip
