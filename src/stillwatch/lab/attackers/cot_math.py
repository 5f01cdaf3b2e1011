"""Step-by-step mathematics with a boxed result.

Shape after public reasoning-distillation recipes: long outputs, max_tokens 8k-16k, temperature 0.6, top_p
0.95, several identical requests per problem. *Looks alike*: benchmark harnesses, homework, tutoring
products.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.attackers.family import Family
from stillwatch.lab.text.instructions import FINAL_BOX, FINAL_TAGS, SOLVE, THINK, Recipe
from stillwatch.lab.text.library import Library
from stillwatch.lab.text.voices import Shifted
from stillwatch.lab.world import Stream, World


def recipes(library: Library) -> list[Recipe]:
    """Boxed and tagged forms."""
    item = Shifted(library.voice("math"), 0)
    return [Recipe((SOLVE, THINK), FINAL_BOX, (item,)), Recipe((THINK, SOLVE), FINAL_TAGS, (item,))]


def stream(world: World, rng: np.random.Generator, voice: int, *, paraphrase: bool) -> Stream:
    """Long answers, sampled."""
    return Stream(
        voice=voice,
        reply=world.library.get("solution"),
        length=(0.5, 0.4),
        out=(7.4, 0.7),
        refusal=0.01,
        temperature=0.6,
        top_p=0.95,
        max_tokens=16384,
        reasoning=True,
        sealed=True,
    )


FAMILY = Family(recipes, stream)
