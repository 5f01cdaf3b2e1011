"""Reasoning traces in many languages: the thinking is to stay in the language of the question.

*Looks alike*: global products with one English system prompt.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.attackers.family import Family
from stillwatch.lab.text.instructions import FINAL_TAGS, MIRROR, THINK, Recipe
from stillwatch.lab.text.languages import TONGUES
from stillwatch.lab.text.library import Library
from stillwatch.lab.text.voices import Shifted
from stillwatch.lab.world import Stream, World


def recipes(library: Library) -> list[Recipe]:
    """One recipe per language."""
    return [
        Recipe((MIRROR, THINK), FINAL_TAGS, (Shifted(library.voice(f"tongue:{lang}"), 0),), f"reply:{lang}")
        for lang in sorted(TONGUES)
    ]


def stream(world: World, rng: np.random.Generator, voice: int, *, paraphrase: bool) -> Stream:
    """Long answers."""
    return Stream(
        voice=voice,
        reply=world.library.get("reply:en"),
        length=(1.2, 0.4),
        out=(7.2, 0.6),
        temperature=0.6,
        max_tokens=16384,
        reasoning=True,
        sealed=True,
    )


FAMILY = Family(recipes, stream)
