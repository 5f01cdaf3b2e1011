"""One world of the study: a teacher of ours, another laboratory's, public text, a base that everybody starts from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from stillwatch.prove.marks import Mark, make_mark
from stillwatch.prove.nulls import random_keys
from stillwatch.prove.power import Effect
from stillwatch.prove.radio import IssuedKey, Plan
from stillwatch.prove.school import NeuralStudent, Teacher, write
from stillwatch.records.claim import Claim

Texts = np.ndarray[Any, Any]
SCHEME, KEYS, ANSWERS, PUBLIC = "sglang-gumbel", 64, 1_000, 400
READ = 100
"""New texts of ours that a suspect is read along."""
HELD_OUT = (101, 102, 103)
"""Seeds that are reported on. The school's sizes, rates and epochs were settled on seeds 1, 2, 3 and 7."""


@dataclass(frozen=True)
class World:
    """Everything that one seed decides."""

    seed: int
    keys: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", random_keys(self.seed * 1_000, KEYS))

    @cached_property
    def ours(self) -> Teacher:
        return Teacher.of(self.seed * 1_000 + 1)

    @cached_property
    def other(self) -> Teacher:
        return Teacher.of(self.seed * 1_000 + 2)

    @cached_property
    def public(self) -> Teacher:
        return Teacher.of(self.seed * 1_000 + 3)

    @cached_property
    def public_texts(self) -> Texts:
        return write(self.public, PUBLIC, seed=self.draw(0))

    @cached_property
    def base(self) -> NeuralStudent:
        return NeuralStudent.born(self.draw(1)).learn(self.public_texts, seed=self.draw(2))

    @property
    def issued(self) -> list[IssuedKey]:
        """64 keys; what the guilty learnt is under the first."""
        return [IssuedKey(f"key-{i}", key, f"campaign-{i}") for i, key in enumerate(self.keys)]

    def draw(self, number: int) -> int:
        """A seed of this world."""
        return self.seed * 100_000 + number

    def plain(self, count: int, number: int) -> Texts:
        """Unmarked answers of ours."""
        return write(self.ours, count, seed=self.draw(number))

    def dyed(self, count: int, number: int, width: int, key: int = 0) -> Texts:
        """Answers of ours under an issued key."""
        return write(self.ours, count, seed=self.draw(number), mark=mark_of(width), key=self.keys[key])


def mark_of(width: int) -> Mark:
    """The mark of the study."""
    return make_mark(SCHEME, width=width)


def plan_of(seed: int) -> Plan:
    """A plan; power is what the study measures, so the effect that it states is not used."""
    return Plan(seed, Effect(1.0, "not used in the study"))


def row(claim: Claim, true: str | None = "key-0") -> dict[str, Any]:
    """What is kept of a claim: the true key's figures (the leading key's where there is none), and who was named."""
    lead = min(claim.keys, key=lambda key: key.log10_p_value)
    told = next((key for key in claim.keys if key.key_id == true), lead)
    return {
        "test": claim.test, "scored": told.scored, "z": round(told.standardised, 3),
        "log10_p": round(told.log10_p_value, 3), "log10_p_adjusted": round(told.log10_p_adjusted, 3),
        "named": [key.key_id for key in claim.keys if key.fired], "verdict": claim.verdict.value,
    }  # fmt: skip
