"""An expert analyst persona with the ask for complete and transparent reasoning over data questions.

*Looks alike*: business intelligence assistants with a strong persona prompt.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.attackers.family import Family
from stillwatch.lab.text.instructions import FINAL_TAGS, PERSONA, PERSONA_AIM, Recipe
from stillwatch.lab.text.library import Library
from stillwatch.lab.text.voices import Shifted
from stillwatch.lab.world import Stream, World


def recipes(library: Library) -> list[Recipe]:
    """Persona, aim, question."""
    return [Recipe((PERSONA, PERSONA_AIM), FINAL_TAGS, (Shifted(library.voice("analyst"), 0),))]


def stream(world: World, rng: np.random.Generator, voice: int, *, paraphrase: bool) -> Stream:
    """Long answers."""
    return Stream(
        voice=voice,
        reply=world.library.get("reply:en"),
        length=(0.5, 0.4),
        out=(6.8, 0.5),
        temperature=0.7,
        max_tokens=8192,
        reasoning=True,
        sealed=True,
    )


FAMILY = Family(recipes, stream)
