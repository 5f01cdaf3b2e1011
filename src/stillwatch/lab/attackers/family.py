"""A text family: what a campaign asks, in how many ways, and how its requests are shaped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stillwatch.lab.text.instructions import Recipe
from stillwatch.lab.text.library import Library
from stillwatch.lab.world import Stream, World


@dataclass(frozen=True, slots=True)
class Family:
    """One extraction family; each lives in its own module."""

    recipes: Callable[[Library], list[Recipe]]
    """Kinds of ask; a campaign's templates are drawn from them."""
    stream: Callable[..., Stream]
    """``stream(world, rng, voice, paraphrase=...)``: request shape around the voice."""
    teacher: Callable[[World, np.random.Generator], Stream] | None = None
    """Exchanges whose answers the family quotes in later prompts."""
