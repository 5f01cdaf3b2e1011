"""The teacher as judge: answers of one account are graded on another, as labels for reinforcement learning.

*Looks alike*: quality pipelines over one's own product.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.attackers.family import Family
from stillwatch.lab.text.instructions import RUBRIC, SCALES, THINK, Recipe
from stillwatch.lab.text.library import Library
from stillwatch.lab.text.voices import Answer, Shifted
from stillwatch.lab.world import Stream, World

_FORMATS = (
    ' Output JSON {"score": n, "rationale": "..."}',
    " and end with SCORE: n",
    " inside <score> tags after the rationale",
)


def recipes(library: Library) -> list[Recipe]:
    """Problem, attempt, score."""
    payload = (Shifted(library.voice("math"), 0), "\n\nAttempt:\n", Answer(library.voice("solution")))
    asks = tuple(f"{r}{s}" for r in RUBRIC for s in SCALES[:3])
    return [Recipe((asks, THINK), _FORMATS, payload), Recipe((asks,), _FORMATS, payload)]


def stream(world: World, rng: np.random.Generator, voice: int, *, paraphrase: bool) -> Stream:
    """Short labelled answers."""
    return Stream(
        voice=voice,
        reply=world.library.get("reply:en"),
        length=(0.5, 0.4),
        out=(5.0, 0.5),
        temperature=0.0,
        max_tokens=1024,
    )


def teacher(world: World, rng: np.random.Generator) -> Stream:
    """The attempts that are graded later; three sentences, as the grader quotes them."""
    return Stream(
        voice=world.library.get("math"),
        reply=world.library.get("solution"),
        length=(0.5, 0.4),
        out=(6.8, 0.5),
        temperature=1.0,
        max_tokens=4096,
    )


FAMILY = Family(recipes, stream, teacher)
