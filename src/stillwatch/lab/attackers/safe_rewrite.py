"""Censorship rewriting: delicate questions turned into compliant answers.

*Looks alike*: moderation products, neutrality research.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.attackers.family import Family
from stillwatch.lab.text.instructions import REWRITE, Recipe
from stillwatch.lab.text.library import Library
from stillwatch.lab.text.voices import Shifted
from stillwatch.lab.world import Stream, World

_FORMATS = (
    ' Output JSON {"query": "...", "safe_answer": "..."}',
    " inside <safe> tags",
    " with the headings QUERY and RESPONSE",
)


def recipes(library: Library) -> list[Recipe]:
    """Rewrite."""
    return [
        Recipe((REWRITE,), _FORMATS, (Shifted(library.voice("sensitive"), 0),)),
        Recipe((REWRITE, REWRITE), _FORMATS, (Shifted(library.voice("sensitive"), 0),)),
    ]


def stream(world: World, rng: np.random.Generator, voice: int, *, paraphrase: bool) -> Stream:
    """Medium answers."""
    return Stream(
        voice=voice,
        reply=world.library.get("reply:en"),
        length=(0.5, 0.4),
        out=(5.6, 0.4),
        refusal=0.05,
        temperature=0.3,
        max_tokens=1024,
    )


FAMILY = Family(recipes, stream)
