"""Where a campaign's requests come from: lines of the extraction queue, and the customers who cover them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stillwatch.lab.addresses import HOUR_US
from stillwatch.lab.attackers.accounts import Part
from stillwatch.lab.attackers.dials import Dials
from stillwatch.lab.attackers.family import Family
from stillwatch.lab.habits import agent_stream, api_stream, chat_stream
from stillwatch.lab.hashing import unit
from stillwatch.lab.relay_work import Desk
from stillwatch.lab.scenario import CampaignSpec
from stillwatch.lab.text.instructions import Recipe, choose, recipe_voice
from stillwatch.lab.world import Stream, World

_SHIFTS = (-6, 0, 1, 8)
"""Time zones of people who keep office hours."""
_LINES_PER_ACCOUNT = 0.7


@dataclass(frozen=True, slots=True)
class Templates:
    """Streams of one text family: each template in fixed and, where wanted, in varied wording."""

    fixed: tuple[int, ...]
    varied: tuple[int, ...]
    teacher: int | None = None
    padded: bool = False
    """Its single requests are wrapped in small talk."""


def customers(world: World, rng: np.random.Generator, size: int, weight: float, devices: float) -> list[Desk]:
    """People and builders who buy access from the relay; ``weight`` is their share of all exchanges."""
    if weight <= 0:
        return []
    count = max(4, min(size * 3, 3000))
    volume = np.exp(rng.normal(0, 1.3, count))
    volume *= weight / volume.sum()
    desks = []
    for k in range(count):
        country, pick = int(rng.integers(0, 14)), rng.random()
        made: Stream
        if pick < 0.35:
            made = chat_stream(world, rng, country, 4.0)
        elif pick < 0.6:
            made = agent_stream(world, rng)
        else:
            made = api_stream(world, rng, country, 4.0)
        shines, device = rng.random() < devices, int(world.fresh(rng, 1)[0])
        desks.append(Desk(world.stream(made), weight=float(volume[k]), device=device if shines else 0))
    return desks


def templates(
    world: World, part: Part, spec: CampaignSpec, dials: Dials, name: str, family: Family, count: int
) -> Templates:
    """The instruction templates of one text family in this campaign."""
    recipes = family.recipes(world.library)
    fixed, varied = [], []
    for k in range(count):
        recipe = recipes[k % len(recipes)]
        fixed.append(_template(world, part, spec, dials, f"{name}:{k}", family, recipe, paraphrase=False))
        if dials.paraphrase:
            varied.append(_template(world, part, spec, dials, f"{name}:{k}", family, recipe, paraphrase=True))
    teacher = None
    if family.teacher is not None:
        shaped = family.teacher(world, part(f"teacher:{name}"))
        shaped.sealed |= spec.sealed_replay
        teacher = world.stream(shaped)
    padded = bool(dials.padding) and all(world.streams[s].conversation == dials.padding for s in fixed)
    return Templates(tuple(fixed), tuple(varied), teacher, padded)


def _template(
    world: World, part: Part, spec: CampaignSpec, dials: Dials, name: str, family: Family, recipe: Recipe,
    *, paraphrase: bool,
) -> int:  # fmt: skip
    rng = part(f"template:{name}:{paraphrase}")
    system = None
    if (
        not paraphrase and rng.random() < 0.4
    ):  # some pipelines put the whole ask into one shared system prompt
        system = ". ".join(choose(rng, pool) for pool in recipe.asks) + "."
        recipe = replace(recipe, asks=())
    tag = f"campaign:{world.accounts}:{name}:{paraphrase}"
    voice = world.library.add(tag, recipe_voice(rng, recipe, paraphrase=paraphrase))
    shaped = family.stream(world, rng, voice, paraphrase=paraphrase)
    shaped.system = system or shaped.system
    shaped.sealed |= spec.sealed_replay
    shaped.reply = world.library.get(recipe.reply) if recipe.reply else shaped.reply
    if dials.padding and not shaped.conversation:
        shaped.conversation, shaped.turns, shaped.follow = dials.padding, 3.0, world.library.get("followup")
    return world.stream(shaped)


def work_lines(
    world: World, part: Part, spec: CampaignSpec, dials: Dials, families: Sequence[tuple[str, Family]],
    size: int, share: float,
) -> list[Desk]:  # fmt: skip
    """Extraction lines; all draw from one queue of payloads, so no payload is dealt twice unless asked for."""
    count = round(dials.templates) or max(1, spec.templates)
    made = [templates(world, part, spec, dials, name, family, count) for name, family in families]
    lines = max(len(families), round(size * _LINES_PER_ACCOUNT))
    at = np.arange(lines)
    varied, early, office = (unit(at, salt) for salt in (211, 212, 213))
    hours, zones = part("pivot").integers(0, 24, lines), part("shifts").integers(0, len(_SHIFTS), lines)
    desks: list[Desk] = []
    for k in range(lines):
        family = made[k % len(made)]
        pool = family.varied if varied[k] < dials.paraphrase else family.fixed
        stream = pool[k // len(made) % len(pool)]
        desk = Desk(
            stream,
            weight=share / lines / (2 if family.teacher is not None else 1),
            extraction=True,
            switch_us=world.release + int(hours[k]) * HOUR_US if early[k] < dials.pivot else None,
            grader=family.teacher is not None,
            padded=family.padded,
            hours_zone=_SHIFTS[int(zones[k])] if office[k] < dials.human_hours else None,
        )
        desks.append(desk)
        if family.teacher is not None:
            desks.append(replace(desk, stream=family.teacher, teacher=True, grader=False, padded=False))
    return desks


__all__ = ["Templates", "customers", "templates", "work_lines"]
