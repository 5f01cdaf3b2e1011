"""Teaching one student of the plan, and trying every test on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from scripts.smollab import net
from scripts.smollab.exam import examined
from scripts.smollab.plan import Cell
from scripts.smollab.world import UNISSUED, World, mark_of
from scripts.torchlab.cells import distinct
from stillwatch.prove.marks.mark import Tokens

SERVED, PLAIN, HELD = 10, 11, 61
"""Numbers of the texts' seeds."""
REWRITTEN, ELSEWHERE = 13, 14


def run(world: World, cell: Cell) -> dict[str, Any]:
    """Teach one student and try every test on it."""
    scale, mark = world.scale, mark_of(cell.width)
    lesson, served = _lesson(world, cell)
    model = world.ours
    if lesson.size:
        model = net.train(
            world.weights, lesson, seed=world.draw(80), passes=scale.passes, batch=scale.batch, prompt=scale.prompt,
            rate=scale.lora_rate if cell.lora else scale.rate, lora=cell.lora,
        )  # fmt: skip
    held, said = world.answers(HELD, new=True), scale.length - scale.prompt
    return {
        "seed": world.seed, "scale": scale.name, "cell": cell.name, "guilty": cell.guilty, "width": cell.width,
        "share": cell.share if cell.guilty else 0.0, "lora": cell.lora, "tokens": int(lesson.shape[0] * said),
        "loss": round(float(net.nll(model, held, scale.prompt).mean()) / said, 4),
        "distinct": round(distinct(served[:, scale.prompt:]), 4),
        "kept": _kept(lesson, served, scale.prompt) if cell.lesson == "rewritten" else None,
        "tests": list(examined(world, cell, model, mark, served, PLAIN)),
    }  # fmt: skip


def _lesson(world: World, cell: Cell) -> tuple[Tokens, Tokens]:
    """What a student learns, and what was served under the key."""
    mark = mark_of(cell.width)
    served = world.answers(SERVED, mark)
    if cell.lesson == "rewritten":
        return world.rewritten(served, REWRITTEN), served
    if cell.lesson == "unissued":
        return world.answers(ELSEWHERE, mark, UNISSUED), served
    if cell.lesson == "nothing":
        return served[:0], served
    cut = round(len(served) * cell.share)
    learnt = (
        served[:cut] if cut == len(served) else np.concatenate([served[:cut], world.answers(PLAIN)[cut:]])
    )
    return learnt, served[:cut] if cut else served


def _kept(rewritten: Tokens, served: Tokens, prompt: int) -> float:
    """Share of an answer's runs of three tokens that stand in its rewriting too, mean."""

    def runs(row: Tokens) -> set[tuple[int, ...]]:
        return {tuple(run) for run in np.lib.stride_tricks.sliding_window_view(row[prompt:], 3).tolist()}

    each = [len(runs(b) & runs(a)) / len(runs(a)) for b, a in zip(rewritten, served, strict=True)]
    return round(float(np.mean(each)), 4)
