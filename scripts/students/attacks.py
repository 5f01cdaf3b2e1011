"""What published attacks on the mark leave of the tests, and what they cost the attacker.

The attacker holds the answers, a base, another laboratory's model and a thesaurus, and does not know the key. Attacks
on data and on training change the student; attacks on decoding change what it says, and nothing beneath: whoever reads
the weights reads the row of the student that was not attacked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scripts.students.power import TESTS, exam
from scripts.students.removal import Neutralised, Rules, Tempered, averaged, repeated, rewritten
from scripts.students.world import ANSWERS, READ, Texts, World, mark_of, plan_of, row
from stillwatch.prove.school import LENGTH, Model, NeuralStudent, nll, rank_siblings, write
from stillwatch.prove.school.teacher import PROMPT

SEEDS = (301, 302, 303)
"""Reported on. The attacks and their strengths were settled on seed 1."""
SETTINGS = ((2, 0.25), (4, 1.0))
"""Window, and share of dyed answers."""
REPLIES, ACCOUNTS, COLD = 50, 8, 0.5
CHILLED = "asked for at temperature 0.5, decoded at 2"
Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Attacker:
    """What an attacker has, for one world and setting."""

    world: World
    width: int
    share: float

    @property
    def cut(self) -> int:
        return round(ANSWERS * self.share)

    @cached_property
    def plain(self) -> Texts:
        """Unmarked replies that were served, with siblings in escrow."""
        return self.world.plain(ANSWERS, 11)[self.cut :]

    @cached_property
    def texts(self) -> Texts:
        """All that was collected; the attacker cannot tell dyed from plain."""
        return np.concatenate([self.world.dyed(self.cut, 10, self.width), self.plain])

    @cached_property
    def student(self) -> NeuralStudent:
        return self.learn(self.texts)

    @cached_property
    def unmarked(self) -> NeuralStudent:
        """The same without a mark: what the attacker would like to have, and what innocents of ours are."""
        return self.learn(self.world.plain(ANSWERS, 17))

    @cached_property
    def published(self) -> Rules:
        """Rules by the student and the base that it started from."""
        return Rules.stolen(self.texts, self.width, self.student, self.world.base)

    @cached_property
    def compared(self) -> Rules:
        """Rules by the student and one that was taught by unmarked answers of ours, from before the key."""
        return Rules.stolen(self.texts, self.width, self.student, self.unmarked)

    @cached_property
    def sparse(self) -> Texts:
        """Of n-grams that come again, all but the first rewritten."""
        return self.rewritten(45, where=repeated(self.texts, self.width))

    @cached_property
    def cold(self) -> Texts:
        """The same number of answers, asked for at temperature 0.5."""
        model, world = Tempered(self.world.ours, COLD), self.world
        dyed = write(model, self.cut, seed=world.draw(46), mark=mark_of(self.width), key=world.keys[0])
        return np.concatenate([dyed, write(model, ANSWERS - self.cut, seed=world.draw(47))])

    def learn(self, texts: Texts) -> NeuralStudent:
        return self.world.base.learn(texts, seed=self.world.draw(12))

    def taught_by(self, model: Model, number: int) -> NeuralStudent:
        """A second student, taught by answers of the first."""
        return self.learn(write(model, ANSWERS, seed=self.world.draw(number)))

    def rewritten(self, number: int, **how: Any) -> Texts:
        return rewritten(self.texts, self.world, self.world.draw(number), **how)


def attacked(by: Attacker) -> Iterator[tuple[str, str, Model]]:
    """Where an attack works, its name and what it comes to, one at a time."""
    world, student = by.world, by.student
    yield "-", "not taught", world.base
    yield "-", "taught without a mark", by.unmarked
    yield "-", "no attack", student
    half = np.random.default_rng(world.draw(41)).random(by.texts.shape) < 0.5
    yield "data", "half of the tokens rewritten", by.learn(by.rewritten(42, where=half))
    yield "data", "every token rewritten", by.learn(by.rewritten(43))
    against = by.rewritten(44, rules=by.published, strength=4.0)
    yield "data", "every token rewritten, against stolen rules", by.learn(against)
    first = by.learn(by.sparse)
    yield "data", "n-grams that come again rewritten", first
    yield "data, training", "the same, then a second student", by.taught_by(first, 59)
    yield "data, decoding", CHILLED, Tempered(by.learn(by.cold), 1 / COLD)
    per = -(-by.cut // ACCOUNTS)
    dyed = [world.dyed(per, 48 + i, by.width, key=i) for i in range(ACCOUNTS)]
    yield "data", f"collected by {ACCOUNTS} accounts, a key each", by.learn(np.concatenate([*dyed, by.plain]))
    yield "training", "weights averaged with the base's", averaged(student, world.base)
    yield "training", "a second student, taught by the first", by.taught_by(student, 60)
    for strength in (1.0, 2.0, 4.0):
        yield "decoding", f"neutralised, strength {strength:g}", Neutralised(student, by.published, strength)
    careful = Neutralised(student, by.compared, 2.0)
    yield "decoding", "neutralised by an unmarked twin, strength 2", careful
    yield "decoding", "temperature 1.5", Tempered(student, 1.5)
    again = by.taught_by(Neutralised(student, by.published, 2.0), 61)
    yield "decoding, training", "neutralised, strength 2, then a second student", again
    yield "decoding, training", "neutralised by the twin, then a second student", by.taught_by(careful, 62)


def by_attack(seed: int) -> Rows:
    """Every attack under every test, read along new texts under the key in question."""
    world = World(seed)
    held = world.plain(200, 19)
    for width, share in SETTINGS:
        by = Attacker(world, width, share)
        one = exam(world, width, world.dyed(READ, 13, width))
        for where, name, model in attacked(by):
            loss = round(float(nll(model, held).mean()) / (LENGTH - PROMPT), 3)
            about = {
                "seed": seed,
                "width": width,
                "share": share,
                "where": where,
                "attack": name,
                "loss": loss,
            }
            plan = plan_of(world.draw(20))
            for test, ask in TESTS.items():
                yield {**about, **row(ask(one, "s", model, plan)), "test": test}
            if len(by.plain) >= REPLIES:
                claim = rank_siblings(world.ours, *escrowed(by, name), "s", model, plan)
                yield {**about, "test": "siblings", "log10_p": round(claim.log10_p_value, 3),
                       "verdict": claim.verdict.value}  # fmt: skip


def escrowed(by: Attacker, attack: str) -> tuple[Texts, list[Texts]]:
    """Unmarked replies that were served, and siblings from the same model at the same temperature."""
    cold = attack == CHILLED
    served = (by.cold if cold else by.texts)[by.cut :][:REPLIES]
    model: Model = Tempered(by.world.ours, COLD) if cold else by.world.ours
    seeds = [by.world.draw(30 + i) for i in range(6)]
    return served, [write(model, REPLIES, seed=seed, prompts=served[:, :PROMPT]) for seed in seeds]
