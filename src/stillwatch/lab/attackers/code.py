"""Code generation with explanations: specifications in, complete functions out.

*Looks alike*: coding assistants, now about half of all tokens.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.attackers.family import Family
from stillwatch.lab.text.instructions import CODE_ASK, FINAL_TAGS, THINK, Recipe
from stillwatch.lab.text.library import Library
from stillwatch.lab.text.voices import Shifted
from stillwatch.lab.world import Stream, World


def recipes(library: Library) -> list[Recipe]:
    """Reasoned code."""
    item = Shifted(library.voice("code"), 0)
    return [Recipe((CODE_ASK, THINK), FINAL_TAGS, (item,)), Recipe((THINK, CODE_ASK), FINAL_TAGS, (item,))]


def stream(world: World, rng: np.random.Generator, voice: int, *, paraphrase: bool) -> Stream:
    """Long answers in code."""
    return Stream(
        voice=voice,
        reply=world.library.get("reply:code"),
        length=(0.5, 0.4),
        out=(6.9, 0.6),
        temperature=0.7,
        max_tokens=8192,
        reasoning=True,
    )


FAMILY = Family(recipes, stream)
