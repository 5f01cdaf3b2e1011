"""Agentic trajectories: tool definitions, repository issues, several tool turns per item.

*Looks alike*: every coding agent. What differs is the queue: each issue once, dealt over accounts.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.attackers.family import Family
from stillwatch.lab.text.instructions import AGENT, AGENT_AIM, FINAL_TAGS, Recipe, choose
from stillwatch.lab.text.library import Library
from stillwatch.lab.text.tools import tool_definitions
from stillwatch.lab.text.voices import Shifted
from stillwatch.lab.world import Stream, World


def recipes(library: Library) -> list[Recipe]:
    """Act with tools, narrate the plan."""
    item = Shifted(library.voice("repo"), 0)
    return [Recipe((AGENT_AIM,), FINAL_TAGS, (item,))]


def stream(world: World, rng: np.random.Generator, voice: int, *, paraphrase: bool) -> Stream:
    """Multi-turn with tools; the system prompt stays fixed until wording is varied."""
    return Stream(
        voice=voice,
        reply=world.library.get("reply:code"),
        follow=world.library.get("tool_result"),
        tools=tool_definitions(rng, 5),
        system=None if paraphrase else f"{choose(rng, AGENT)}. {choose(rng, AGENT_AIM)}.",
        length=(0.5, 0.4),
        out=(5.9, 0.6),
        hidden=(8.0, 0.6),
        conversation=0.85,
        turns=4.5,
        gap_s=9.0,
        max_tokens=8192,
        reasoning=True,
        sealed=True,
    )


FAMILY = Family(recipes, stream)
