"""Build one campaign or pool: accounts by the dials, work lines by the variant, cover by customers, all on
the relay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stillwatch.lab.addresses import DAY_US, HOUR_US
from stillwatch.lab.attackers.dials import LEVELS, Dials
from stillwatch.lab.attackers.family import Family
from stillwatch.lab.clients import NUMBER
from stillwatch.lab.habits import agent_stream, api_stream, chat_stream
from stillwatch.lab.hashing import U64, mix
from stillwatch.lab.people import Block
from stillwatch.lab.relay import Ban, Desk, Rules, run_relay
from stillwatch.lab.scenario import CampaignSpec
from stillwatch.lab.text.instructions import choose, recipe_voice
from stillwatch.lab.world import Stream, World


def build(world: World, spec: CampaignSpec, index: int, family: Family | None) -> None:
    """Add one campaign (``family`` given) or one pool (``family`` None: customers only)."""
    rng = world.generator(f"campaign:{index}")
    dials = LEVELS[spec.level]
    size = spec.accounts if spec.accounts <= 6 else max(6, round(spec.accounts * world.scale))
    share = (
        0.0
        if family is None
        else dials.extraction_share
        if spec.extraction_share is None
        else spec.extraction_share
    )
    start = world.start + int(spec.start_share * (world.end - world.start))
    spares = round(size * (dials.ban_share if spec.ban_share is None else spec.ban_share))
    block = world.people(rng, size + spares, spec.kind)
    name = f"{spec.kind}-{index:02d}-{spec.variant}"
    block.campaign, block.level = name, spec.level
    block.one_org(int(world.fresh(rng, 1)[0]), declared=False)
    _identity(world, rng, block, dials, start)
    exits = dials.exits_per_block if not spec.stealth else 1
    block.plan_ip.base[:], spread = _exits(world, rng, block, exits)
    block.plan_ip.spread[:], block.plan_ip.period[:], block.plan_ip.alt_share[:] = spread, 6 * HOUR_US, 0.0
    block.signup_ip[:] = block.plan_ip.base + mix(block.key, 8) % spread.astype(np.uint64)
    frozen = None
    block.device[:] = 0
    if dials.one_client:
        block.one_client(NUMBER["gatelite" if index % 2 else "tern-cli"])
        frozen = world.start - int(rng.integers(35, 160)) * DAY_US
        if dials.cards and index % 2 == 0:  # relays can be told to claim one device for everybody
            block.device[:] = mix(block.org[0], 12)
    bans = _bans(rng, block, size, spares, start, world.end, dials)
    devices = 0.4 if dials.heartbeat_h and not block.device[0] else 0.0
    desks = _customers(world, rng, size, weight=(1 - share), devices=devices)
    if family is not None:
        desks += _lines(world, rng, spec, dials, family, size, share)
    rules = Rules(
        fail_rate=0.02,
        sticky_s=3600.0 if dials.sessions else 0.0,
        least_recently_used=dials.sessions,
        failover=dials.sessions,
        jitter_s=0.0 if dials.sessions else 1800.0,
        duplicate_share=dials.duplicate_share,
        repeats=spec.repeats,
        heartbeat_h=0.0 if spec.stealth else dials.heartbeat_h,
        sealed_replay=spec.sealed_replay,
        frozen_at_us=frozen,
    )
    total = round(spec.exchanges_per_account * size)
    planned, extraction = run_relay(
        world, rng, block, desks, total=total, rules=rules, first_accounts=size, bans=bans, start_us=start
    )
    world.campaigns.append(
        {
            "campaign_id": name,
            "kind": spec.kind,
            "level": spec.level,
            "variant": spec.variant,
            "first": block.first,
            "size": block.size,
            "planned": planned,
            "extraction": extraction,
        }
    )


def _identity(world: World, rng: np.random.Generator, block: Block, dials: Dials, start: int) -> None:
    size = block.size
    block.payment[:] = mix(block.key, 2)
    block.verification = rng.choice(["phone", "card", "email"], size, p=[0.45, 0.45, 0.1]).tolist()
    if dials.cards:
        group, card = np.zeros(size, dtype=np.int64), 0
        at = 0
        while at < size:
            step = int(rng.integers(5, 41))
            group[at : at + step] = card
            at, card = at + step, card + 1
        block.payment[:] = mix(block.org, group, 21)
    if dials.cohort:
        bursts = start - rng.integers(3, 45, max(1, size // 60 + 1)) * DAY_US
        block.created[:] = bursts[rng.integers(0, len(bursts), size)] + rng.integers(0, DAY_US, size)
        programme = ["startup", "education", "research", None][int(rng.integers(4))]
        block.programme = [programme if x < 0.7 else None for x in rng.random(size).tolist()]
        domain = f"c{int(rng.integers(10**8))}.example"
        block.email = [
            domain if x < 0.4 else e for x, e in zip(rng.random(size).tolist(), block.email, strict=True)
        ]
    block.created[:] = np.minimum(block.created, start - HOUR_US)


def _exits(
    world: World, rng: np.random.Generator, block: Block, per_block: int
) -> tuple[U64, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """Proxy exits: a pool of residential and hosting /24s dealt over the accounts."""
    count = max(1, -(-block.size // per_block))
    country = rng.choice(np.array([0, 0, 0, 2, 3, 6, 8]), count).astype(np.int64)
    home = world.networks.homes(rng, country, bits=8)
    cloud, _ = world.networks.clouds(rng, count, shared=0.0)
    pool = np.where(rng.random(count) < 0.6, home, cloud & ~np.uint64(0xFF))
    chosen = rng.integers(0, count, block.size) if per_block > 1 else rng.permutation(count)[: block.size]
    return pool[chosen], np.where(rng.random(block.size) < 0.5, 1, 200).astype(np.int64)


def _bans(
    rng: np.random.Generator, block: Block, size: int, spares: int, start: int, end: int, dials: Dials
) -> list[Ban]:
    out = []
    for spare, account in zip(
        range(size, size + spares), rng.permutation(size)[:spares].tolist(), strict=True
    ):
        at = start + int(rng.uniform(0.15, 0.9) * (end - start))
        out.append(Ban(at, account, spare))
        block.status[account], block.status_at[account] = "banned", at
        if dials.cohort:
            block.created[spare] = at - int(rng.integers(5, 240)) * 60_000_000
    return out


def _customers(
    world: World, rng: np.random.Generator, size: int, weight: float, devices: float
) -> list[Desk]:
    if weight <= 0:
        return []
    count = max(4, min(size * 3, 3000))
    volume = np.exp(rng.normal(0, 1.3, count))
    volume *= weight / volume.sum()
    desks = []
    for k in range(count):
        country = int(rng.integers(0, 14))
        pick = rng.random()
        made: Stream
        if pick < 0.35:
            made = chat_stream(world, rng, country, 4.0)
        elif pick < 0.6:
            made = agent_stream(world, rng)
        else:
            made = api_stream(world, rng, country, 4.0)
        device = (
            int(world.fresh(rng, 1)[0]) if rng.random() < devices else 0
        )  # customers' own ids shine through
        desks.append(Desk(world.stream(made), weight=float(volume[k]), device=device))
    return desks


def _lines(
    world: World,
    rng: np.random.Generator,
    spec: CampaignSpec,
    dials: Dials,
    family: Family,
    size: int,
    share: float,
) -> list[Desk]:
    """Extraction lines: all draw from one queue of payloads, so no payload is dealt twice unless asked for."""
    recipes = family.recipes(world.library)
    made = []
    for k in range(max(1, spec.templates)):
        recipe = recipes[k % len(recipes)]
        system = None
        # Some pipelines put the whole ask into one shared system prompt.
        if not dials.paraphrase and rng.random() < 0.4:
            system = ". ".join(choose(rng, pool) for pool in recipe.asks) + "."
            recipe = replace(recipe, asks=())
        tag = f"campaign:{world.accounts}:{spec.variant}:{k}"
        voice = world.library.add(tag, recipe_voice(rng, recipe, paraphrase=dials.paraphrase))
        shaped = family.stream(world, rng, voice, paraphrase=dials.paraphrase)
        shaped.system = system or shaped.system
        shaped.sealed |= spec.sealed_replay
        shaped.reply = world.library.get(recipe.reply) if recipe.reply else shaped.reply
        made.append(world.stream(shaped))
    lines = max(1, round(size * 0.7))
    release, desks = world.release, []
    for k in range(lines):
        switch = None
        if dials.pivot:
            switch = release + int(rng.integers(0, 24)) * HOUR_US if rng.random() < 0.5 else world.end
        desks.append(Desk(made[k % len(made)], weight=share / lines, extraction=True, switch_us=switch))
    if family.teacher is not None:
        shaped = family.teacher(world, rng)
        shaped.sealed |= spec.sealed_replay
        teacher = world.stream(shaped)
        half = share / (2 * lines)
        desks = [Desk(d.stream, half, True, switch_us=d.switch_us) for d in desks]
        desks += [Desk(teacher, half, True, switch_us=d.switch_us, teacher=True) for d in desks]
    return desks
