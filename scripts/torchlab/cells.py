"""Teaching one student of the plan, and trying every test on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from scripts.torchlab import net
from scripts.torchlab.exam import examined
from scripts.torchlab.plan import Cell
from scripts.torchlab.world import World, mark_of
from stillwatch.prove.marks.mark import Tokens

LORA = 8
"""Rank of adapters."""
SERVED, PLAIN, ELSEWHERE = 10, 11, 12
"""Numbers of the texts' seeds."""


def run(world: World, cell: Cell) -> dict[str, Any]:
    """Teach one student and try every test on it."""
    scale, mark = world.scale, mark_of(cell.width, cell.scheme)
    count = scale.answers
    plain = world.answers(count, PLAIN)
    lesson, served = _lesson(world, cell, plain)
    model = world.base()
    if lesson.size:
        model = taught(world, cell, model, lesson, 80)
    if cell.after:
        rows = (
            world.rows("public")[:count] if cell.after == "public" else world.answers(count, 13, by="other")
        )
        model = taught(world, cell, model, rows, 81)
    held = world.answers(scale.read, 61)
    talk = (model, world.base()) if cell.talks else None
    return {
        "seed": world.seed, "scale": scale.name, "cell": cell.name, "guilty": cell.guilty, "width": cell.width,
        "share": cell.share if cell.guilty else 0.0, "scheme": cell.scheme, "lora": cell.lora, "epochs": cell.epochs,
        "tokens": int(lesson.shape[0] * (scale.length - scale.prompt)),
        "loss": round(float(net.nll(model, held, scale.prompt).mean()) / (scale.length - scale.prompt), 4),
        "distinct": round(distinct(served[:, scale.prompt:]), 4),
        "tests": list(examined(world, model, mark, served, plain, talk, reading=cell.reading)),
    }  # fmt: skip


def _lesson(world: World, cell: Cell, plain: Tokens) -> tuple[Tokens, Tokens]:
    """What a student learns, and what was served under the key."""
    count, mark = world.scale.answers, mark_of(cell.width, cell.scheme)
    served = world.answers(count, SERVED, mark, temperature=cell.temperature)
    if cell.lesson:
        nothing = np.empty((0, world.scale.length), dtype=np.int64)
        lessons: dict[str, Callable[[], Tokens]] = {
            "elsewhere": lambda: world.answers(count, ELSEWHERE, by="other"),
            "elsewhere-keyed": lambda: world.answers(count, 14, mark, 1_000_000, by="other"),
            "public": lambda: world.rows("public")[:count], "nothing": lambda: nothing,
        }  # fmt: skip
        return lessons[cell.lesson](), served
    cut = round(count * cell.share)
    learnt = np.concatenate([served[:cut], plain[cut:]])
    if cell.replaced:
        learnt = net.resampled(world.other, learnt, world.scale.prompt, cell.replaced, seed=world.draw(82))
    if cell.elsewhere:
        other = world.answers(count, ELSEWHERE, by="other")
        learnt[: round(count * cell.elsewhere)] = other[: round(count * cell.elsewhere)]
    return learnt, served[:cut] if cut else served


def taught(world: World, cell: Cell, model: Any, rows: Tokens, number: int) -> Any:
    scale = world.scale
    steps = max(1, rows.shape[0] // scale.batch) * cell.epochs
    return net.train(
        model, rows, seed=world.draw(number), steps=steps, batch=scale.batch, prompt=scale.prompt,
        rate=scale.lora_rate if cell.lora else scale.rate, lora=LORA if cell.lora else None,
    )  # fmt: skip


def distinct(rows: Tokens) -> float:
    """Share of distinct runs of three tokens: what a narrow window costs the teacher's variety."""
    runs = np.lib.stride_tricks.sliding_window_view(rows, 3, axis=1).reshape(-1, 3)
    return float(np.unique(runs, axis=0).shape[0] / runs.shape[0])
