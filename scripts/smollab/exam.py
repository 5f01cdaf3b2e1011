"""Examining a student as an audit would a suspect whose weights it has: the same texts, keys and budgets for all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np

from scripts.smollab import net
from scripts.smollab.plan import Cell
from scripts.smollab.world import SIBLINGS, World
from scripts.torchlab.exam import told
from stillwatch.prove.marks.mark import Mark, Tokens
from stillwatch.prove.power import Effect
from stillwatch.prove.radio import Plan, free_generation, from_likeliest, hard, prefix_probes, soft
from stillwatch.prove.siblings import Replies, siblings
from stillwatch.records.claim import Claim

NEW = 60
"""Number of the seed of texts that were never served."""
Rows = Iterator[dict[str, Any]]


def plan_of(world: World) -> Plan:
    """A plan; power is what the study measures, so the effect that it states is not used."""
    return Plan(world.draw(50), Effect(1.0, "not used in the study"))


def examined(world: World, cell: Cell, model: Any, mark: Mark, served: Tokens, plain: int) -> Rows:
    """Every test of one student.

    Args:
        served: texts that were served under the key, for readings along what the ledger holds.
        plain: number of the unmarked texts that were served, for siblings.
    """
    new = world.answers(NEW, mark, new=True)
    some = served[np.random.default_rng(world.draw(51)).permutation(len(served))[: world.scale.read]]
    for name, texts in (("new", new), ("served", some)):
        yield from _read(world, model, mark, texts, name)
    claim = free_generation("s", mark, written(world, model, new), world.issued, plan_of(world))
    yield told(claim, "writing", "new")
    if cell.siblings:
        yield told(ranked(world, model, plain), "siblings", "served")


def _read(world: World, model: Any, mark: Mark, texts: Tokens, name: str) -> Rows:
    at, prompt, plan = world.along(texts, mark.width), world.scale.prompt, plan_of(world)
    its, own = (
        net.read(model, texts, at, prompt, world.draw(52)),
        ours_along(world, mark.width, texts.tobytes()),
    )
    both = from_likeliest(its.tokens, its.log_p, own.tokens, own.log_p)
    yield told(soft("s", mark, at, both, world.issued, plan), "soft", name)
    yield told(hard("s", mark, at, its.tokens[:, 0].copy(), world.issued, plan), "hard", name)
    prefixes = [texts[i, :place].tolist() for i, place in zip(at.text, at.place, strict=True)]
    claim = prefix_probes("s", mark, prefixes, its.said.tolist(), world.issued, plan)
    yield told(claim, "probes", name) | {"calls": len(prefixes)}


@cache
def ours_along(world: World, width: int, texts: bytes) -> net.Seen:
    """Our own model read along texts, once for all students."""
    rows = np.frombuffer(texts, dtype=np.int64).reshape(-1, world.scale.length)
    seen: net.Seen = net.read(
        world.ours, rows.copy(), world.along(rows, width), world.scale.prompt, world.draw(52)
    )
    return seen


def written(world: World, model: Any, texts: Tokens) -> list[tuple[list[int], list[int]]]:
    """What a model answers to the questions of texts."""
    scale = world.scale
    asked = texts[: scale.written, : scale.prompt]
    whole = net.write(
        model, asked, scale.length - scale.prompt, seed=world.draw(54), top=scale.top, never=world.never
    )
    return [(row[: scale.prompt], row[scale.prompt :]) for row in whole.tolist()]


def ranked(world: World, model: Any, plain: int) -> Claim:
    """Unmarked replies that were served, among siblings that were never released."""
    rows, own = world.replies(plain)
    prompt = world.scale.prompt
    shape = (-1, 1 + SIBLINGS)
    digests = tuple(sha256(row[:prompt].tobytes()).hexdigest() for row in rows[:: 1 + SIBLINGS])
    its, plan = net.nll(model, rows, prompt), plan_of(world)
    replies = Replies(its.reshape(shape), own.reshape(shape), digests)
    return siblings("s", replies, plan.seed, plan.effect, alpha=plan.alpha)
