"""Framing: an attacker who harvests under a victim's traits, so that the victim is taken for one of its accounts.

The framing accounts run a real campaign. A share of them comes from the victim's address block, runs the victim's
client build, was signed up when the victim was; a share of the work lines wraps its asks in the victim's own system
prompt and instructions, a share of requests repeats what the victim asked or follows the victim within a minute. What
cannot be imitated is listed in :mod:`stillwatch.lab.attackers.imitation`.

Victims are ordinary honest accounts with the truth class ``framed``; they belong to no campaign, and whatever befalls
them is a false positive.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.lab.addresses import DAY_US
from stillwatch.lab.attackers.accounts import Crew, Part, raise_crew
from stillwatch.lab.attackers.bill import usage_of
from stillwatch.lab.attackers.campaign import dials_of, lines_and_cover, parts, rules_of, scaled
from stillwatch.lab.attackers.dials import Dials
from stillwatch.lab.attackers.imitation import Imitation, imitation
from stillwatch.lab.cost import Imitated, framing_items, price
from stillwatch.lab.habits import api_stream
from stillwatch.lab.hashing import I64, unit
from stillwatch.lab.people import FREE_MAIL, Block
from stillwatch.lab.relay import Planned, run_relay
from stillwatch.lab.relay_work import Desk
from stillwatch.lab.scenario import CampaignSpec
from stillwatch.lab.world import World

VICTIM_CLASS = "framed"
"""Truth class of the victims."""
SENSELESS = ("natural", "shells", "decoy", "staged", "daily_cap")
"""Dials that a framing attack cannot have: it needs accounts of a relay of its own, all there when the victim is."""


def check_framing(dials: Dials) -> None:
    """Refuse dials that make no sense for framing.

    Raises
    ------
    ConfigError
        One of :data:`SENSELESS` is turned up, as rungs 7 and 8 do.
    """
    wrong = [name for name in SENSELESS if getattr(dials, name)]
    if wrong:
        raise ConfigError(
            f"a framing attack cannot have {', '.join(wrong)}",
            hint="a level of 6 or less, and these dials at 0",
        )


def build_framing(world: World, spec: CampaignSpec, index: int) -> None:
    """Add the victims, then the framing accounts."""
    part, dials, copy = parts(world, index), dials_of(spec), imitation(spec.imitation)
    check_framing(dials)
    with world.events.watched() as batches:
        victims, streams = _victims(world, part, spec)
    seen = {k: np.concatenate([b[k] for b in batches]) for k in ("t", "stream", "seed")} if batches else {}
    size = scaled(spec.accounts, world.scale)
    start = world.start + int(spec.start_share * (world.end - world.start))
    crew = raise_crew(world, part, spec, dials, index, size, round(size * dials.ban_share), start)
    crew.block.campaign, crew.block.level = f"{spec.kind}-{index:02d}-{spec.variant}", spec.level
    whose = np.arange(crew.block.size) % victims.size
    exits, signups, clients = _dress(part, crew, victims, whose, copy, start)
    desks = lines_and_cover(world, part, spec, dials, crew, dials.extraction_share)
    desks, prompts = _wrap(world, desks, streams, copy)
    total = round(spec.exchanges_per_account * size)
    planned = run_relay(
        world, part("relay"), crew.block, desks, total=round(total * (1 - copy.timing)),
        rules=rules_of(spec, dials, crew), members=crew.relayed, bans=crew.bans, joins=crew.joins, start_us=start,
    )  # fmt: skip
    near = _shadow(world, part("shadow"), crew, desks, seen, round(total * copy.timing))
    again = _repeat(world, part("repeat"), crew, seen, round(total * copy.payload * copy.template))
    planned = replace(
        planned, exchanges=planned.exchanges + near + again, extraction=planned.extraction + near,
        answered=planned.answered + near,
    )  # fmt: skip
    days = (world.end - start) / DAY_US
    usage = usage_of(
        world, spec, crew, dials, desks, planned, Planned(), shells=0, shell_exchanges=0, decoy_users=0,
        wanted=total, days=days,
    )  # fmt: skip
    did = Imitated(
        exits, signups, clients, prompts, victims.size if again else 0, victims.size if near else 0
    )
    bill = price(usage)
    bill = replace(bill, items={**bill.items, **framing_items(did)})
    world.campaigns.append(
        {
            "campaign_id": crew.block.campaign, "kind": spec.kind, "level": spec.level, "variant": spec.variant,
            "first": crew.block.first, "size": crew.block.size, "planned": planned.exchanges,
            "extraction": planned.extraction, "days": days, "dials": asdict(dials), "imitation": asdict(copy),
            "victims": victims.size, "usage": usage, **bill.record(days),
        }
    )  # fmt: skip


def _victims(world: World, part: Part, spec: CampaignSpec) -> tuple[Block, list[int]]:
    """Ordinary builders with a program of their own, and the stream each of them sends."""
    rng, count = part("victims"), spec.victims
    block = world.people(rng, count, VICTIM_CLASS)
    block.status, block.status_at = ["active"] * count, np.zeros(count, dtype=np.int64)
    streams = []
    for k in range(count):
        made = api_stream(world, rng, int(block.country[k]), 4.0)
        made.conversation = 0.0
        streams.append(world.stream(made))
    counts = np.maximum(8, rng.poisson(spec.exchanges_per_account, count))
    world.live(rng, block, counts, np.array(streams), np.ones(count, dtype=np.int64))
    return block, streams


def _dress(
    part: Part, crew: Crew, victims: Block, whose: I64, copy: Imitation, start: int
) -> tuple[int, int, int]:
    """Give framing accounts the victims' exits, sign-up days, clients and mail domains; returns how many of the first
    three, whose other exits and accounts are not paid for."""
    block = crew.block
    key = block.key
    rows = np.flatnonzero(unit(key, 301) < copy.exits)
    for name in ("base", "spread", "period", "alt_base", "alt_spread", "alt_share"):
        getattr(block.plan_ip, name)[rows] = getattr(victims.plan_ip, name)[whose[rows]]
    crew.home[rows] = crew.hosted[rows] = False
    exits = len(rows)
    rows = np.flatnonzero(unit(key, 302) < copy.client)
    for name in ("family", "variant", "lag"):
        getattr(block, name)[rows] = getattr(victims, name)[whose[rows]]
    crew.frozen[rows] = 0
    clients = len(rows)
    rows = np.flatnonzero(unit(key, 303) < copy.signup)
    hours = part("signup-day").integers(1, 23, block.size)
    day = victims.created[whose] // DAY_US * DAY_US
    block.created[rows] = np.minimum(day + hours * 3_600_000_000, start - 1)[rows]
    crew.given[rows] = True
    for row in np.flatnonzero(unit(key, 304) < copy.email).tolist():
        domain = victims.email[int(whose[row])]
        block.email[row] = domain if domain in FREE_MAIL else block.email[row]
    return exits, len(rows), clients


def _wrap(world: World, desks: list[Desk], streams: list[int], copy: Imitation) -> tuple[list[Desk], int]:
    """Extraction lines that speak with a victim's system prompt, instructions and sampling; and of how many victims."""
    lines = [k for k, d in enumerate(desks) if d.extraction and not d.teacher]
    made: dict[tuple[int, int], int] = {}
    out = list(desks)
    for place, k in enumerate(lines):
        if unit(np.array([place]), 305)[0] >= copy.template:
            continue
        pair = (desks[k].stream, streams[place % len(streams)])
        if pair not in made:
            own, theirs = (world.streams[s] for s in pair)
            made[pair] = world.stream(
                replace(
                    own, system=theirs.system, pre=theirs.pre, post=theirs.post, temperature=theirs.temperature,
                    max_tokens=theirs.max_tokens, tools=theirs.tools, streaming=theirs.streaming,
                )
            )  # fmt: skip
        out[k] = replace(desks[k], stream=made[pair])
    return out, len({theirs for _, theirs in made})


def _shadow(
    world: World, rng: np.random.Generator, crew: Crew, desks: list[Desk], seen: dict[str, Any], count: int
) -> int:
    """Extraction within a minute after a victim's request; needs somebody who can watch the victim."""
    if not count or not seen:
        return 0
    lines = np.array([d.stream for d in desks if d.extraction and not d.teacher])
    at = seen["t"][rng.integers(0, len(seen["t"]), count)] + rng.integers(1, 60, count) * 1_000_000
    who, line = rng.integers(0, crew.size, count), lines[rng.integers(0, len(lines), count)]
    seed, nonce = world.fresh(rng, count), world.fresh(rng, count)
    rows = _open(world, crew.block, who, at)
    world.emit(
        crew.block,
        who[rows],
        at[rows],
        stream=line[rows],
        seed=seed[rows],
        nonce=nonce[rows],
        extraction=True,
    )
    return len(rows)


def _repeat(world: World, rng: np.random.Generator, crew: Crew, seen: dict[str, Any], count: int) -> int:
    """The victim's own requests, sent again an hour to a day later from framing accounts."""
    if not count or not seen:
        return 0
    pick, who = rng.integers(0, len(seen["t"]), count), rng.integers(0, crew.size, count)
    at = seen["t"][pick] + rng.integers(3600, 86_400, count) * 1_000_000
    nonce = world.fresh(rng, count)
    rows = _open(world, crew.block, who, at)
    stream = seen["stream"][pick].astype(np.int64)
    world.emit(
        crew.block, who[rows], at[rows], stream=stream[rows], seed=seen["seed"][pick][rows], nonce=nonce[rows]
    )
    return len(rows)


def _open(world: World, block: Block, who: I64, at: I64) -> I64:
    """Rows inside the window whose account is signed up and not banned by then."""
    banned = (block.status_at[who] > 0) & (at >= block.status_at[who])
    inside = (at >= world.start) & (at < world.end)
    return np.flatnonzero(inside & ~banned & (block.created[who] < at))


__all__ = ["SENSELESS", "VICTIM_CLASS", "build_framing", "check_framing"]
