"""Whom the tests wrong: whole audits of a thousand innocent students, and random keys on the same materials.

An audit is five tests (soft, hard, probes, writing, siblings) under fifty issued keys, corrected together. Controls are
left out: they can only take a verdict away, so the rate here is the larger one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import stats

from scripts.students.power import TESTS
from scripts.students.world import ANSWERS, Texts, World, mark_of, plan_of
from stillwatch.prove.marks.mark import Keys
from stillwatch.prove.nulls import random_keys
from stillwatch.prove.radio import Counted, IssuedKey, Reading, weighted
from stillwatch.prove.school import (
    CountingStudent,
    Exam,
    Model,
    NeuralStudent,
    rank_siblings,
    write,
)
from stillwatch.prove.tails import LN10, holm
from stillwatch.prove.tuples import Tuples, generation_tuples, probe_tuples
from stillwatch.records import ClaimVerdict
from stillwatch.records.claim import Claim

WORLDS = tuple(range(201, 211))
"""Seeds of the ten worlds, none of which was looked at before."""
MORE = tuple(range(211, 231))
"""Seeds of twenty more, looked at once, in which every audit ranks served replies of its own."""
AUDITS, LESSON, READ, REPLIES, ISSUED, ALPHA = 100, 100, 20, 50, 50, 1e-6
KINDS = (
    "our answers, unmarked", "another laboratory's answers", "public text alone", "our answers, a key never tried",
    "another laboratory's answers under a mark of its own",
)  # fmt: skip
KINDS_OF_STUDENT = ("counting", "network")
Rows = Iterator[dict[str, Any]]


def lesson(world: World, kind: str, number: int, width: int) -> np.ndarray[Any, Any]:
    """What one innocent learns."""
    seed, mark, key = (
        world.draw(10_000 + number),
        mark_of(width),
        random_keys(world.draw(20_000 + number), 1)[0],
    )
    if kind == KINDS[0]:
        return write(world.ours, LESSON, seed=seed)
    if kind == KINDS[1]:
        return write(world.other, LESSON, seed=seed)
    if kind == KINDS[2]:
        return write(world.public, LESSON, seed=seed)
    if kind == KINDS[3]:
        return write(world.ours, LESSON, seed=seed, mark=mark, key=key)
    return write(world.other, LESSON, seed=seed, mark=mark, key=key)


def taught(world: World, kind: str, student: str, number: int, width: int, base: NeuralStudent) -> Model:
    """One innocent student: all share public text with each other, and networks share a base."""
    texts = lesson(world, kind, number, width)
    if student == "counting":
        return CountingStudent(world.public_texts, texts)
    return base.learn(texts, seed=world.draw(30_000 + number), epochs=2)


def audits(seed: int, count: int = AUDITS, *, fresh: bool = False) -> Rows:
    """Audits of one world, each of another student under keys of its own.

    ``fresh``: each ranks served replies and siblings of its own, so that audits of one world share none.
    """
    world = World(seed)
    base = NeuralStudent.born(world.draw(1)).learn(world.public_texts[:100], seed=world.draw(2), epochs=4)
    served, drawn = ranked(world, 22, 40)
    for number in range(count):
        if fresh:
            served, drawn = ranked(world, 100_000 + number, 200_000 + 10 * number)
        kind, student = KINDS[number % 5], KINDS_OF_STUDENT[number // 5 % 2]
        width = (2, 4)[number // 10 % 2]
        keys = random_keys(world.draw(50_000 + number), ISSUED)
        issued = [IssuedKey(f"key-{i}", key) for i, key in enumerate(keys)]
        model = taught(world, kind, student, number, width, base)
        one = Exam(world.ours, mark_of(width), world.plain(READ, 60_000 + number), issued)
        plan = plan_of(world.draw(70_000 + number))
        claims: list[Claim] = [test(one, "s", model, plan) for test in TESTS.values()]
        claims.append(rank_siblings(world.ours, served, drawn, "s", model, plan))
        yield audited(claims, seed=seed, kind=kind, student=student, width=width)


def ranked(world: World, served: int, siblings: int) -> tuple[Texts, list[Texts]]:
    """Served replies, and six siblings of each that were never released; by the numbers of their seeds."""
    texts = world.plain(REPLIES, served)
    draws = (world.draw(siblings + i) for i in range(6))
    return texts, [write(world.ours, REPLIES, seed=seed, prompts=texts[:, :2]) for seed in draws]


def audited(claims: list[Claim], **about: Any) -> dict[str, Any]:
    """What one audit came to."""
    valid = [claim for claim in claims if claim.verdict is not ClaimVerdict.INVALID]
    after = (
        np.exp(holm(np.array([claim.log10_p_adjusted * LN10 for claim in valid]))) if valid else np.ones(1)
    )
    return {
        **about,
        "keyed": bool((after < ALPHA).any()),
        "smallest_p": float(after.min()),
        "invalid": [claim.test for claim in claims if claim.verdict is ClaimVerdict.INVALID],
        "p": {claim.test: round(10**claim.log10_p_adjusted, 6) for claim in claims},
    }


def nulls(world: World, keys: int = 1_000) -> Rows:
    """Random keys on the materials of one student of each kind."""
    tried: Keys = random_keys(world.draw(90), keys)
    for number, kind in enumerate(KINDS):
        model = taught(world, kind, "network", number, 2, world.base)
        one = Exam(world.ours, mark_of(2), world.plain(100, 91), world.issued)
        for test, reading in readings(one, model, world.draw(92)).items():
            found = reading.under(tried, None, seed=world.draw(93), exact=False)
            yield {
                "seed": world.seed, "kind": kind, "test": test, "keys": keys,
                "below_1_percent": int((found.uniform_p < 0.01).sum()),
                "sd": round(float(found.standardised.std(ddof=1)), 4),
                "ks_p": round(float(stats.kstest(found.uniform_p, "uniform").pvalue), 5),
            }  # fmt: skip


def along(world: World, keys: int = 200) -> Rows:
    """Innocents that are read along new texts under the very key that is tried, as the guilty are, key by key."""
    mark = mark_of(2)
    tried = random_keys(world.draw(94), keys)
    for kind, teacher in ((KINDS[0], world.ours), (KINDS[1], world.other)):
        model = world.base.learn(write(teacher, ANSWERS, seed=world.draw(95)), seed=world.draw(12))
        found: dict[str, list[tuple[float, float]]] = {}
        for number, key in enumerate(tried):
            texts = write(world.ours, READ, seed=world.draw(80_000 + number), mark=mark, key=key)
            one = Exam(world.ours, mark, texts, [])
            for test, reading in readings(one, model, world.draw(90_000 + number)).items():
                said = reading.under(key[None, :], None, seed=number, exact=False)
                found.setdefault(test, []).append((float(said.standardised[0]), float(said.uniform_p[0])))
        for test, rows in found.items():
            z, p = np.array(rows).T
            yield {
                "seed": world.seed, "kind": kind, "test": test, "keys": keys,
                "below_1_percent": int((p < 0.01).sum()), "mean": round(float(z.mean()), 4),
                "sd": round(float(z.std(ddof=1)), 4), "ks_p": round(float(stats.kstest(p, "uniform").pvalue), 5),
            }  # fmt: skip


def readings(one: Exam, model: Model, seed: int) -> dict[str, Reading]:
    """The four readings of a model, ready for any key."""
    seen = one.seen(model)
    text, place = one.places
    prefixes = [one.texts[i, :cut].tolist() for i, cut in zip(text.tolist(), place.tolist(), strict=True)]
    likeliest = model.log_p(one.windows).argmax(axis=1)
    return {
        "soft": weighted(one.mark, one.positions.contexts, seen.candidates, seen.log_p, seen.log_q),
        "hard": Counted(one.mark, Tuples(one.positions.contexts, likeliest)),
        "probes": Counted(one.mark, probe_tuples(prefixes, one.said(model, seed), one.mark.width)),
        "writing": Counted(one.mark, generation_tuples(one.written(model, seed), one.mark.width)),
    }
