"""Build one campaign, pool or framing attack: accounts by the dials, work lines by the text families, cover by
customers, all on the relay."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from stillwatch.lab.addresses import DAY_US
from stillwatch.lab.attackers.accounts import Crew, Part, raise_crew
from stillwatch.lab.attackers.bill import usage_of
from stillwatch.lab.attackers.dials import LEVELS, Dials, override
from stillwatch.lab.attackers.family import Family
from stillwatch.lab.attackers.independent import work_alone
from stillwatch.lab.attackers.lines import customers, work_lines
from stillwatch.lab.attackers.poison import add_decoy_users, add_shells, decoy_client, decoy_prompt
from stillwatch.lab.cost import price
from stillwatch.lab.relay import Planned, Rules, run_relay
from stillwatch.lab.relay_work import Desk
from stillwatch.lab.scenario import CampaignSpec
from stillwatch.lab.world import World

SMALLEST = 6
"""Accounts below which a campaign is not scaled."""


def dials_of(spec: CampaignSpec) -> Dials:
    """The dials a campaign runs under: its level, then its own settings."""
    changes = dict(spec.dials)
    if spec.stealth:
        changes = {"exits_per_block": 1.0, "heartbeat_h": 0.0} | changes
    if spec.ban_share is not None:
        changes["ban_share"] = spec.ban_share
    if spec.extraction_share is not None:
        changes["extraction_share"] = spec.extraction_share
    return override(LEVELS[spec.level], changes)


def scaled(number: int, scale: float) -> int:
    """Accounts at this scale; never below six, unless the scenario has fewer."""
    return number if number <= SMALLEST else max(SMALLEST, round(number * scale))


def build(world: World, spec: CampaignSpec, index: int, family: Family | None) -> None:
    """Add one attacker to the world. ``family`` is the text family of ``spec.variant``; None for a pool."""
    if spec.kind == "framing":
        from stillwatch.lab.attackers.framer import build_framing

        build_framing(world, spec, index)
        return
    dials = dials_of(spec)
    part = parts(world, index)
    size = scaled(spec.accounts, world.scale)
    start = world.start + int(spec.start_share * (world.end - world.start))
    crew = raise_crew(world, part, spec, dials, index, size, round(size * dials.ban_share), start)
    crew.block.campaign, crew.block.level = f"{spec.kind}-{index:02d}-{spec.variant}", spec.level
    share = dials.extraction_share if family is not None else 0.0
    desks = lines_and_cover(world, part, spec, dials, crew, share)
    if dials.decoy and family is not None:
        prompt = decoy_prompt(part)
        decoy_client(crew)
        for desk in desks:
            if desk.extraction:
                world.streams[desk.stream].system = prompt
    run(world, part, spec, dials, crew, desks, share, start)


def parts(world: World, index: int) -> Part:
    """Generators by aspect, so that one dial does not move what another draws."""
    return lambda name: world.generator(f"campaign:{index}:{name}")


def families_of(spec: CampaignSpec) -> list[tuple[str, Family]]:
    """The campaign's text families, the main one first."""
    from stillwatch.lab.attackers import VARIANTS

    named = [(name, VARIANTS[name]) for name in (spec.variant, *spec.also)]
    return [(name, family) for name, family in named if family is not None]


def lines_and_cover(
    world: World, part: Part, spec: CampaignSpec, dials: Dials, crew: Crew, share: float
) -> list[Desk]:
    """Desks of the relay: customers, then extraction lines."""
    shines = 0.0 if crew.block.device[crew.relayed].any() else dials.passed_devices
    desks = customers(world, part("customers"), crew.size, 1 - share, shines)
    if share > 0:
        desks += work_lines(world, part, spec, dials, families_of(spec), crew.size, share)
    return desks


def run(
    world: World, part: Part, spec: CampaignSpec, dials: Dials, crew: Crew, desks: list[Desk], share: float, start: int
) -> None:  # fmt: skip
    """Deal the work, add what rungs 7 and 8 add, and write the campaign with its bill into the world."""
    size, days = crew.size, (world.end - start) / DAY_US
    wanted = round(spec.exchanges_per_account * size)
    total = min(wanted, round(dials.daily_cap * size * days)) if dials.daily_cap else wanted
    people = int(crew.natural[:size].sum())
    relayed = Planned()
    if people < size:
        relayed = run_relay(
            world, part("relay"), crew.block, desks, total=round(total * (1 - people / size)),
            rules=rules_of(spec, dials, crew), members=crew.relayed, bans=crew.bans, joins=crew.joins, start_us=start,
        )  # fmt: skip
    alone = work_alone(world, part("alone"), crew, total / size, share)
    each = total / size
    shells = add_shells(
        world, part, crew, desks, round(dials.shells * (size - people)) if share else 0, each, start
    )
    users = 0
    if dials.decoy and share:
        users = add_decoy_users(world, part, round(dials.decoy * (size - people)), each, decoy_prompt(part))
    usage = usage_of(
        world, spec, crew, dials, desks, relayed, alone,
        shells=shells, shell_exchanges=round(shells * 0.5 * each), decoy_users=users, wanted=wanted, days=days,
    )  # fmt: skip
    world.campaigns.append(
        {
            "campaign_id": crew.block.campaign, "kind": spec.kind, "level": spec.level, "variant": spec.variant,
            "first": crew.block.first, "size": crew.block.size + shells,
            "planned": relayed.exchanges + alone.exchanges, "extraction": relayed.extraction + alone.extraction,
            "days": days, "dials": asdict(dials), "usage": usage, **price(usage).record(days),
        }
    )  # fmt: skip


def rules_of(spec: CampaignSpec, dials: Dials, crew: Crew) -> Rules:
    """How the relay deals, by the dials."""
    return Rules(
        fail_rate=0.02,
        sticky_s=dials.sticky_s,
        rotation=dials.rotation,
        failover=dials.failover,
        jitter_s=dials.jitter_s,
        duplicate_share=dials.duplicate_share,
        repeats=spec.repeats,
        heartbeat_h=dials.heartbeat_h,
        sealed_replay=spec.sealed_replay,
        frozen_at_us=crew.frozen if np.any(crew.frozen > 0) else None,
        passes_headers=spec.headers == "passed",
    )


__all__ = ["build", "dials_of", "families_of", "lines_and_cover", "parts", "rules_of", "run", "scaled"]
