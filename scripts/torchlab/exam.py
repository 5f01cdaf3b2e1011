"""Examining a network as one would a suspect: the same texts, keys and budgets for every student of a world."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np

from scripts.torchlab import net
from scripts.torchlab.world import World
from stillwatch.prove.marks.mark import Mark, Tokens
from stillwatch.prove.power import Effect
from stillwatch.prove.radio import (
    Plan,
    free_generation,
    hard,
    prefix_probes,
    reading_positions,
    soft,
)
from stillwatch.prove.siblings import Replies, siblings
from stillwatch.records.claim import Claim

OPENING = 24
"""Tokens of a text that a suspect is given when it writes freely."""
REPLIES, SIBLINGS = 50, 6
Rows = Iterator[dict[str, Any]]


def plan_of(world: World) -> Plan:
    """A plan; power is what the study measures, so the effect that it states is not used."""
    return Plan(world.draw(50), Effect(1.0, "not used in the study"))


def examined(
    world: World, model: Any, mark: Mark, served: Tokens, plain: Tokens, talk: Any = None, *, reading: int = 1
) -> Rows:
    """Every test of one student.

    Args:
        served: texts that were served under the key, for readings along what the ledger holds.
        plain: unmarked texts that were served, for siblings.
        talk: the model as it decodes, where that differs from its weights.
        reading: times as many new texts as the scale says.
    """
    new = world.answers(world.scale.read * reading, 60, mark)
    along = served[np.random.default_rng(world.draw(51)).permutation(served.shape[0])[: world.scale.read]]
    for name, texts in (("new", new), ("served", along)):
        yield from _read(world, model, mark, texts, name)
    claim = free_generation(
        "s", mark, written(world, talk or (model, None), new), world.issued, plan_of(world)
    )
    yield told(claim, "writing", "new")
    yield told(ranked(world, model, plain), "siblings", "served")


def _read(world: World, model: Any, mark: Mark, texts: Tokens, name: str) -> Rows:
    at = reading_positions(texts.tolist(), mark.width)
    # A prompt is nobody's answer: positions are read from its end on.
    kept = at.place >= world.scale.prompt
    at = type(at)(at.text[kept], at.place[kept], at.contexts[kept], at.seen_before)
    seen, plan = net.read(model, world.ours, texts, at, world.draw(52)), plan_of(world)
    yield told(soft("s", mark, at, seen.soft, world.issued, plan), "soft", name)
    yield told(hard("s", mark, at, seen.likeliest, world.issued, plan), "hard", name)
    some = np.sort(np.random.default_rng(world.draw(53)).permutation(at.place.size)[: world.scale.probes])
    prefixes = [texts[at.text[i], : at.place[i]].tolist() for i in some.tolist()]
    claim = prefix_probes("s", mark, prefixes, seen.said[some].tolist(), world.issued, plan)
    yield told(claim, "probes", name) | {"calls": int(some.size)}


def written(world: World, talk: tuple[Any, Any], texts: Tokens) -> list[tuple[list[int], list[int]]]:
    """What a model, or the mean of two, writes after the openings of texts."""
    opening = min(OPENING, world.scale.length // 2)
    model, beside = talk
    whole = net.write(model, texts[:, :opening], world.scale.length, seed=world.draw(54), beside=beside)
    return [(row[:opening], row[opening:]) for row in whole.tolist()]


def ranked(world: World, model: Any, plain: Tokens) -> Claim:
    """Unmarked replies that were served, among siblings that were never released."""
    prompt, served = world.scale.prompt, plain[-REPLIES:]
    drawn = [
        net.write(world.ours, served[:, :prompt], world.scale.length, seed=world.draw(70 + i))
        for i in range(SIBLINGS)
    ]
    rows = np.stack([served, *drawn], axis=1).reshape(-1, served.shape[1])
    shape = (served.shape[0], 1 + SIBLINGS)
    digests = tuple(sha256(row[:prompt].tobytes()).hexdigest() for row in served)
    its, own = (net.nll(m, rows, prompt).reshape(shape) for m in (model, world.ours))
    plan = plan_of(world)
    return siblings("s", Replies(its, own, digests), plan.seed, plan.effect, alpha=plan.alpha)


def told(claim: Claim, test: str, along: str) -> dict[str, Any]:
    """What is kept of a claim: the true key's figures, and who was named."""
    row: dict[str, Any] = {"test": test, "along": along, "verdict": claim.verdict.value}
    if not claim.keys:
        return row | {"scored": claim.scored, "log10_p": round(claim.log10_p_value, 3)}
    key = next(one for one in claim.keys if one.key_id == "key-0")
    return row | {
        "scored": key.scored, "z": round(key.standardised, 3), "log10_p": round(key.log10_p_value, 3),
        "log10_p_adjusted": round(key.log10_p_adjusted, 3), "named": [k.key_id for k in claim.keys if k.fired],
        "null_sd": round(claim.null.sd, 3) if claim.null else None,
        "null_ks_p": round(claim.null.ks_p_value, 4) if claim.null else None,
    }  # fmt: skip
