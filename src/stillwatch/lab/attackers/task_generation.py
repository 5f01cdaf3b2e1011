"""New tasks from seed tasks: self-instruct and evolution of instructions.

*Looks alike*: synthetic data on own documents, test-case generators.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.attackers.family import Family
from stillwatch.lab.text.instructions import GENERATE, Recipe
from stillwatch.lab.text.library import Library
from stillwatch.lab.text.voices import Shifted
from stillwatch.lab.world import Stream, World

_FORMATS = (
    ' Output JSON [{"task": "...", "input": "..."}]',
    ", each in its own <task> tag",
    " as a numbered list without comments",
)


def recipes(library: Library) -> list[Recipe]:
    """Three seeds, or one to evolve."""
    code, math = library.voice("code"), library.voice("math")
    three = ("\n1. ", Shifted(code, 1), "\n2. ", Shifted(math, 2), "\n3. ", Shifted(code, 3))
    return [Recipe((GENERATE,), _FORMATS, three), Recipe((GENERATE,), _FORMATS, (Shifted(code, 0),))]


def stream(world: World, rng: np.random.Generator, voice: int, *, paraphrase: bool) -> Stream:
    """Sampled warm."""
    return Stream(
        voice=voice,
        reply=world.library.get("reply:en"),
        length=(0.5, 0.4),
        out=(6.6, 0.4),
        temperature=1.0,
        top_p=0.95,
        max_tokens=3072,
    )


FAMILY = Family(recipes, stream)
