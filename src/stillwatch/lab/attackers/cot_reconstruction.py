"""Write out the reasoning behind a finished answer: the answer was given earlier to another account.

*Looks alike*: teachers who ask for an explanation of a sample solution.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.attackers.family import Family
from stillwatch.lab.attackers.rubric_grading import teacher
from stillwatch.lab.text.instructions import FINAL_TAGS, RECONSTRUCT, THINK, Recipe
from stillwatch.lab.text.library import Library
from stillwatch.lab.text.voices import Answer, Shifted
from stillwatch.lab.world import Stream, World


def recipes(library: Library) -> list[Recipe]:
    """Question, answer, and the ask for the way between."""
    payload = (Shifted(library.voice("math"), 0), "\n\nAnswer:\n", Answer(library.voice("solution")))
    return [Recipe((RECONSTRUCT,), FINAL_TAGS, payload), Recipe((RECONSTRUCT, THINK), FINAL_TAGS, payload)]


def stream(world: World, rng: np.random.Generator, voice: int, *, paraphrase: bool) -> Stream:
    """Long answers."""
    return Stream(
        voice=voice,
        reply=world.library.get("solution"),
        length=(0.5, 0.4),
        out=(7.0, 0.5),
        refusal=0.04,
        temperature=0.7,
        max_tokens=8192,
    )


FAMILY = Family(recipes, stream, teacher)
