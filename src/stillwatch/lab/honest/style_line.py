"""A viral line in people's global settings: "present the whole deliberation", in every prompt they send.

*Looks alike*: reasoning extraction word for word, shared by unrelated accounts. It is a matter of taste:
the people do their own work, in their own languages, with their own agents. Source: one such line in a
Japanese global configuration had 13 of 13 requests refused and 16 of 16 pass when reworded
(anthropics/claude-code#90922; likewise #90510).
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import own_streams, volumes
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.instructions import THINK, choose
from stillwatch.lab.world import World, log_uniform

_LINES = {
    6: "成果物には検討の過程をすべて提示すること。",
    7: "답변에는 검토 과정을 전부 제시할 것.",
    3: "Stelle in jeder Antwort den ganzen Gedankengang dar.",
    4: "Présente l'ensemble de ta réflexion avec chaque résultat.",
}
"""The line in the language of a country (number in ``COUNTRIES``); elsewhere in English."""


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add the followers of one line."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "style_line")
    users = rng.random(size) < 0.6
    block.family[users] = NUMBER["tern-cli"]
    english = f"{choose(rng, THINK)} and present the entire deliberation."
    first, number = own_streams(world, rng, block, agents=0.5)
    for local in range(size):
        line = _LINES.get(int(block.country[local]), english) if index % 2 else english
        for s in range(int(first[local]), int(first[local] + number[local])):
            own = world.streams[s].system
            world.streams[s].system = f"{own}\n{line}" if own else line
    world.live(rng, block, volumes(rng, size, each, 1.2), first, number)
