"""A campaign's accounts: who pays, when they signed up, what they run, where they come from, when they go.

Every aspect draws from a generator of its own, and each account's place on a dial is a hash of its key: turning
one dial up hides more of the same accounts and moves nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.lab.addresses import DAY_US, HOUR_US
from stillwatch.lab.attackers.dials import Dials
from stillwatch.lab.clients import NUMBER
from stillwatch.lab.hashing import I64, mix, unit
from stillwatch.lab.people import Block
from stillwatch.lab.relay import Ban, Join
from stillwatch.lab.scenario import CampaignSpec
from stillwatch.lab.world import World

Part = Callable[[str], np.random.Generator]
"""Generator for one aspect of a campaign, by name."""
Mask = npt.NDArray[np.bool_]
CLOUDS = ("cloud-sdk", "vertex-sdk")


@dataclass(slots=True)
class Crew:
    """Accounts of one campaign, spares last."""

    block: Block
    size: int
    """Accounts at the start; the rest are spares."""
    natural: Mask
    """Worked by independent people."""
    frozen: I64
    """Build date of each account's client, microseconds; 0 for a client that keeps up."""
    home: Mask
    """Which accounts leave through home lines."""
    hosted: Mask
    """Which leave through rented addresses in data centres."""
    given: Mask
    """Which need be neither got nor verified: independent people's own, and those billed under another item."""
    bans: tuple[Ban, ...] = ()
    joins: tuple[Join, ...] = ()

    @property
    def relayed(self) -> I64:
        """Accounts that the relay deals to from the start or later, spares not included."""
        return np.flatnonzero(~self.natural[: self.size]).astype(np.int64)

    @property
    def addresses(self) -> int:
        """Rented addresses in use at a time: accounts that hold one share it with their block, others rotate."""
        plan = self.block.plan_ip
        held = self.hosted & (plan.spread == 1)
        return len(np.unique(plan.base[held])) + int((self.hosted & ~held).sum())

    @property
    def cards(self) -> int:
        """Cards that were got for it."""
        payment = self.block.payment[~self.natural]
        return len(np.unique(payment[payment > 0]))

    def within(self, salt: int, share: float) -> Mask:
        """The accounts below ``share`` on the dial ``salt``; natural ones keep to themselves."""
        return (unit(self.block.key, salt) < share) & ~self.natural


def raise_crew(
    world: World, part: Part, spec: CampaignSpec, dials: Dials, index: int, size: int, spares: int, start: int
) -> Crew:
    """Accounts of a campaign, shaped by the dials."""
    block = world.people(part("people"), size + spares, spec.kind)
    block.one_org(int(world.fresh(part("org"), 1)[0]), declared=False)
    natural = unit(block.key, 201) < dials.natural
    nobody = np.zeros(block.size, dtype=np.bool_)
    crew = Crew(
        block, size, natural, np.zeros(block.size, dtype=np.int64), nobody, nobody.copy(), natural.copy()
    )
    _pay(part("cards"), crew, dials)
    _sign_up(part("signup"), crew, dials, start)
    _exits(world, part("exits"), crew, dials.exits_per_block, dials.residential)
    _client(world, part("client"), crew, dials, index)
    _joins(crew, dials, start, world.end)
    _bans(part("bans"), crew, dials, spec.ban_waves, start, world.end)
    _clouds(part("clouds"), crew, dials)
    return crew


def _pay(rng: np.random.Generator, crew: Crew, dials: Dials) -> None:
    block = crew.block
    group, card, at = np.zeros(block.size, dtype=np.int64), 0, 0
    while at < block.size:
        step = int(rng.integers(5, 41))
        group[at : at + step] = card
        at, card = at + step, card + 1
    shown = rng.choice(["phone", "card", "email"], block.size, p=[0.45, 0.45, 0.1]).tolist()
    block.verification = [
        kept if own else new for kept, new, own in zip(block.verification, shown, crew.natural, strict=True)
    ]
    block.payment[~crew.natural] = mix(block.key, 2)[~crew.natural]
    pooled = ~crew.within(202, dials.own_card) & ~crew.natural
    block.payment[pooled] = mix(block.org, group, 21)[pooled]


def _sign_up(rng: np.random.Generator, crew: Crew, dials: Dials, start: int) -> None:
    block, size = crew.block, crew.block.size
    bursts = start - rng.integers(3, 45, max(1, size // 60 + 1)) * DAY_US
    created = bursts[rng.integers(0, len(bursts), size)] + rng.integers(0, DAY_US, size)
    programme = ["startup", "education", "research", None][int(rng.integers(4))]
    joined, mailed = rng.random(size) < 0.7, rng.random(size) < 0.4
    domain = f"c{int(rng.integers(10**8))}.example"
    cohort = ~crew.within(203, dials.aged) & ~crew.natural
    block.created[cohort] = created[cohort]
    for row in np.flatnonzero(cohort).tolist():
        block.programme[row] = programme if joined[row] else None
        block.email[row] = domain if mailed[row] else block.email[row]
    block.created[:] = np.minimum(block.created, start - HOUR_US)


def _exits(world: World, rng: np.random.Generator, crew: Crew, per_block: float, residential: float) -> None:
    """Proxy exits: a pool of /24s dealt over the accounts; half of the accounts hold one address, half rotate."""
    block, rows = crew.block, ~crew.natural
    count = max(1, int(np.ceil(block.size / per_block)))
    country = rng.choice(np.array([0, 0, 0, 2, 3, 6, 8]), count).astype(np.int64)
    home = world.networks.homes(rng, country, bits=8)
    cloud, _ = world.networks.clouds(rng, count, shared=0.0)
    at_home = rng.random(count) < residential
    pool = np.where(at_home, home, cloud & ~np.uint64(0xFF))
    chosen = rng.integers(0, count, block.size) if per_block > 1 else rng.permutation(count)[: block.size]
    spread = np.where(rng.random(block.size) < 0.5, 1, 200).astype(np.int64)
    plan = block.plan_ip
    plan.base[rows], plan.spread[rows] = pool[chosen][rows], spread[rows]
    plan.period[rows], plan.alt_share[rows] = 6 * HOUR_US, 0.0
    block.signup_ip[:] = plan.base + mix(block.key, 8) % plan.spread.astype(np.uint64)
    crew.home = at_home[chosen] & rows
    crew.hosted = rows & ~crew.home


def _client(world: World, rng: np.random.Generator, crew: Crew, dials: Dials, index: int) -> None:
    block = crew.block
    built = world.start - int(rng.integers(35, 160)) * DAY_US
    shared = ~crew.within(204, dials.own_client) & ~crew.natural
    block.family[shared] = NUMBER["gatelite" if index % 2 else "tern-cli"]
    block.variant[shared] = int(mix(block.org[0], 6) % np.uint64(60000))
    crew.frozen[shared] = built
    block.device[~crew.natural] = 0
    if index % 2 == 0:  # relays can be told to claim one device for everybody
        one = crew.within(205, dials.one_device)
        block.device[one] = mix(block.org, 12)[one]


def _joins(crew: Crew, dials: Dials, start: int, end: int) -> None:
    """Accounts join one by one, in an order of their own; the first two are there from the start."""
    if not dials.staged:
        return
    who = crew.relayed
    order = who[np.argsort(unit(crew.block.key[who], 206), kind="stable")]
    step = dials.staged * (end - start) / max(len(order), 1)
    crew.joins = tuple(
        Join(start + int(k * step), account) for k, account in enumerate(order.tolist()) if k >= 2
    )


def _bans(rng: np.random.Generator, crew: Crew, dials: Dials, waves: int, start: int, end: int) -> None:
    block, size = crew.block, crew.size
    joined = {j.account: j.at_us for j in crew.joins}
    spares = range(size, block.size)
    at_share = rng.uniform(0.15, 0.9, len(spares))
    if waves:
        at_share = (np.floor(rng.random(len(spares)) * waves) + 0.7) / (waves + 0.4)
    bans = []
    for spare, account, share in zip(
        spares, rng.permutation(size)[: len(spares)].tolist(), at_share.tolist(), strict=True
    ):
        begin = joined.get(account, start)
        at = begin + int(share * (end - begin))
        block.status[account], block.status_at[account] = "banned", at
        block.replaces[spare] = account
        if not crew.natural[account]:
            bans.append(Ban(at, account, spare))
        fresh = int(rng.integers(5, 240))
        if unit(block.key[spare], 203) >= dials.aged and not crew.natural[spare]:
            block.created[spare] = at - fresh * 60_000_000
    crew.bans = tuple(bans)


def _clouds(rng: np.random.Generator, crew: Crew, dials: Dials) -> None:
    """Tenants of partner clouds: another channel, another account table, of which the service sees next to nothing."""
    block, rows = crew.block, crew.within(207, dials.cloud_share)
    kind, variant = rng.integers(0, len(CLOUDS), block.size), rng.integers(0, 1 << 16, block.size)
    block.family[rows] = np.array([NUMBER[c] for c in CLOUDS])[kind][rows]
    block.variant[rows] = variant[rows]
    crew.frozen[rows] = 0
    block.payment[rows], block.phone[rows], block.device[rows] = 0, 0, 0
    for row in np.flatnonzero(rows).tolist():
        tenant = int(mix(block.key[row], 13) % np.uint64(10**9))
        block.email[row], block.verification[row] = f"tenant{tenant}.example", "none"
        block.plan[row], block.programme[row] = "enterprise", None


__all__ = ["CLOUDS", "Crew", "Part", "raise_crew"]
