"""A student with a tokeniser of its own: it learns our answers as text, and is asked as text.

Soft and hard need likelihoods under our tokens, which such a student does not have: it writes, and is probed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scripts.torchlab import net
from scripts.torchlab.exam import OPENING, Rows, plan_of, told
from scripts.torchlab.plan import Cell
from scripts.torchlab.world import World, mark_of
from stillwatch.prove.marks.mark import Tokens
from stillwatch.prove.radio import free_generation, prefix_probes, reading_positions

GIVEN, MORE = 12, 4
"""Its own tokens that it is given of a prefix, and that it says after one: the first of ours lies within them."""


def run(world: World, cell: Cell) -> dict[str, Any]:
    """Teach it, and try what an interface of text allows."""
    scale, mark = world.scale, mark_of(cell.width, cell.scheme)
    served = world.answers(scale.answers, 10, mark)
    texts = world.tokeniser.decode_batch(served.tolist())
    rows = _rows(world, texts)
    steps = max(1, rows.shape[0] // scale.batch) * cell.epochs
    model = net.train(
        world.foreign_base(), rows, seed=world.draw(80), steps=steps, batch=scale.batch, rate=scale.rate
    )
    held = _rows(world, world.tokeniser.decode_batch(world.answers(scale.read, 61).tolist()))
    return {
        "seed": world.seed, "scale": scale.name, "cell": cell.name, "guilty": True, "width": cell.width,
        "share": cell.share, "scheme": cell.scheme, "lora": False, "epochs": cell.epochs, "tokens": int(rows.size),
        "loss": round(float(net.nll(model, held, 1).mean()) / (scale.length - 1), 4), "distinct": None,
        "tests": [*_probed(world, cell, model, world.answers(scale.read, 60, mark), "new"),
                  *_probed(world, cell, model, served[: scale.read], "served"), *_written(world, cell, model)],
    }  # fmt: skip


def _rows(world: World, texts: list[str]) -> Tokens:
    """Texts in rows of the other tokeniser."""
    flat = [t for one in world.foreign.encode_batch(texts) for t in one.ids]
    count = len(flat) // world.scale.length
    return np.array(flat[: count * world.scale.length], dtype=np.int64).reshape(count, world.scale.length)


def _said(world: World, model: Any, prefixes: list[str], more: int, number: int) -> list[str]:
    """What the student writes after texts, of which it is given the last of its own tokens."""
    given = [one.ids[-GIVEN:] for one in world.foreign.encode_batch(prefixes)]
    fits = [i for i, ids in enumerate(given) if len(ids) == GIVEN]
    out = [""] * len(prefixes)
    if fits:
        prompts = np.array([given[i] for i in fits], dtype=np.int64)
        whole = net.write(model, prompts, GIVEN + more, seed=world.draw(number))
        for i, text in zip(fits, world.foreign.decode_batch(whole[:, GIVEN:].tolist()), strict=True):
            out[i] = text
    return out


def _probed(world: World, cell: Cell, model: Any, texts: Tokens, name: str) -> Rows:
    mark = mark_of(cell.width, cell.scheme)
    at = reading_positions(texts.tolist(), cell.width)
    fits = np.flatnonzero(at.place >= world.scale.prompt)
    some = np.sort(np.random.default_rng(world.draw(53)).permutation(fits)[: world.scale.probes])
    prefixes = [texts[at.text[i], : at.place[i]].tolist() for i in some.tolist()]
    words = world.tokeniser.decode_batch(prefixes)
    kept, said = [], []
    for prefix, text, more in zip(prefixes, words, _said(world, model, words, MORE, 55), strict=True):
        whole = world.tokeniser.encode(text + more).ids
        if more and len(whole) > len(prefix) and whole[: len(prefix)] == prefix:
            kept.append(prefix)
            said.append(whole[len(prefix)])
    claim = prefix_probes("s", mark, kept, said, world.issued, plan_of(world))
    yield told(claim, "probes", name) | {"calls": int(some.size)}


def _written(world: World, cell: Cell, model: Any) -> Rows:
    mark = mark_of(cell.width, cell.scheme)
    opening = min(OPENING, world.scale.length // 2)
    openings = world.answers(world.scale.read, 60, mark)[:, :opening].tolist()
    words = world.tokeniser.decode_batch(openings)
    said = _said(world, model, words, world.scale.length - opening, 54)
    answers = [(p, world.tokeniser.encode(text).ids) for p, text in zip(openings, said, strict=True) if text]
    yield told(free_generation("s", mark, answers, world.issued, plan_of(world)), "writing", "new")
