"""A reading in which each distinct input counts once with its whole score: exact tail, any number of keys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.prove import power
from stillwatch.prove.marks.mark import Keys, Mark, Tokens, score_keys
from stillwatch.prove.nulls import randomised_p
from stillwatch.prove.radio.family import Mask, Statistics
from stillwatch.prove.tuples import Tuples


@dataclass(frozen=True, slots=True)
class Counted:
    """Tuples of a suspect under a mark.

    ``deduplicate=False`` exists for the test that shows why it must never be used.
    """

    mark: Mark
    tuples: Tuples
    deduplicate: bool = True

    @property
    def contexts(self) -> Tokens:
        return self.tuples.contexts

    @property
    def statistic(self) -> str:
        return f"sum of {self.mark.id} scores over distinct inputs"

    @property
    def dropped(self) -> tuple[tuple[str, int], ...]:
        return self.tuples.dropped

    def needed(self, level: float) -> float:
        return power.exact(level)

    def under(self, keys: Keys, kept: Mask | None, seed: int, exact: bool = True) -> Statistics:
        contexts, tokens = self.tuples.contexts, self.tuples.tokens
        if kept is not None:
            contexts, tokens = contexts[kept], tokens[kept]
        found = score_keys(self.mark, keys, contexts, tokens, deduplicate=self.deduplicate)
        law = self.mark.law
        n = np.maximum(1, found.scored)
        standardised = (found.total - found.scored * law.mean) / np.sqrt(n * law.variance)
        pairs = list(zip(found.total.tolist(), found.scored.tolist(), strict=True))
        log_p = np.array([law.log_sf(total, scored) for total, scored in pairs])
        above = (
            np.array([law.log_sf(total + 1.0, scored) for total, scored in pairs]) if law.lattice else log_p
        )
        return Statistics(found.total, found.scored, standardised, log_p, randomised_p(log_p, above, seed))
