"""A relay: many work lines and customers dealt out over a pool of accounts.

Mechanics as read in the sources of public relay projects: the least recently used account is taken, a session
stays on it for one hour, an error rests the account for 60, 300, 600 or 1,800 seconds and the *same* request
goes to the next account at once; every account is poked with a short heartbeat; banned accounts are replaced
and the queue goes on; client headers are either rewritten to one fixed set or passed on, so that platforms flip
inside an account. Honest resellers and campaigns run on the same code; only what they carry differs.

References
----------
claude-relay-service at 8479c7c and sub2api at d3e73f1, read July 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stillwatch.lab.hashing import I64, U64, mix
from stillwatch.lab.people import Block
from stillwatch.lab.relay_pool import Deal, Dealt, Pool, Turn
from stillwatch.lab.relay_work import HOUR_US, Desk, Pace, Table, Work
from stillwatch.lab.text.instructions import product_prompt
from stillwatch.lab.world import Stream, World


@dataclass(frozen=True, slots=True)
class Rules:
    """How requests are dealt to accounts."""

    sticky_s: float = 3600.0
    """How long a session keeps its account; 0 gives every request a fresh context."""
    rotation: float = 1.0
    """Share of choices that take the least recently used account; the rest draws, with unequal appetites."""
    failover: float = 1.0
    """Share of errors after which the same request goes to another account within seconds."""
    fail_rate: float = 0.012
    """Share of attempts that fail. Design choice, about the honest median (``failure`` in ``population.toml``)."""
    jitter_s: float = 0.0
    """Random delay added to every request, seconds."""
    duplicate_share: float = 0.0
    """Share of extraction payloads asked again at random, to hide the queue."""
    repeats: int = 1
    """Best-of-R on different accounts."""
    heartbeat_h: float = 0.0
    """Hours between heartbeats per account; 0 for none."""
    sealed_replay: bool = False
    """Present sealed reasoning that was issued to another account."""
    frozen_at_us: I64 | None = None
    """Per account: its client build never moves past this time; 0 keeps up."""
    passes_headers: bool = False
    """Platform and runtime are those of the desk, not of the account: they flip inside an account."""
    flat: bool = False
    """No day rhythm."""


@dataclass(frozen=True, slots=True)
class Ban:
    """An account goes, a spare comes."""

    at_us: int
    """When."""
    account: int
    """Who goes, as a position in the block."""
    spare: int
    """Who comes."""


@dataclass(frozen=True, slots=True)
class Join:
    """An account enters the pool later than at the start."""

    at_us: int
    """When."""
    account: int
    """Who enters, as a position in the block."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a relay planned inside the world's window."""

    exchanges: int = 0
    """Attempts, refused ones included, heartbeats not."""
    extraction: int = 0
    """Of these, for extraction."""
    answered: int = 0
    """Extraction exchanges that were answered."""
    paid: int = 0
    """Exchanges of customers that were answered."""
    refused: int = 0
    """Attempts that were not answered."""
    heartbeats: int = 0
    """Short requests that only keep an account awake."""


def run_relay(
    world: World,
    rng: np.random.Generator,
    block: Block,
    desks: Sequence[Desk],
    *,
    total: int,
    rules: Rules,
    members: I64 | None = None,
    bans: Sequence[Ban] = (),
    joins: Sequence[Join] = (),
    start_us: int | None = None,
) -> Planned:
    """Plan about ``total`` exchanges of ``desks`` over the accounts ``members`` of ``block`` (unset: all).

    The order of the pool, the work and the appetites are drawn from generators of their own, so that one setting
    does not move what another draws.
    """
    work_rng, pool_rng, beat_rng = rng.spawn(3)
    pace = Pace(rules.jitter_s, rules.duplicate_share, rules.repeats, rules.flat)
    work = Work(world, work_rng, desks, total, pace, world.start if start_us is None else start_us)
    if not work.sessions:
        return Planned()
    pool = _pool(pool_rng, block, len(desks), work.sessions, rules, members, bans, joins)
    begin, end = np.full(block.size, world.end), np.zeros(block.size, dtype=np.int64)
    sums = np.zeros(5, dtype=np.int64)
    for table in work.slices():
        dealt = pool.deal(table)
        sums += _emit(world, block, table, dealt, rules)
        np.minimum.at(begin, dealt.account, dealt.t)
        np.maximum.at(end, dealt.account, dealt.t)
    beats = _heartbeats(world, beat_rng, block, begin, end, rules) if rules.heartbeat_h else 0
    return replace(Planned(*sums.tolist()), heartbeats=beats)


def _pool(
    rng: np.random.Generator, block: Block, desks: int, sessions: int, rules: Rules, members: I64 | None,
    bans: Sequence[Ban], joins: Sequence[Join],
) -> Pool:  # fmt: skip
    who = np.arange(block.size) if members is None else members
    late = {j.account for j in joins}
    order = np.array([a for a in rng.permutation(who).tolist() if a not in late], dtype=np.int64)
    turns = [Turn(b.at_us, b.spare, b.account) for b in bans] + [Turn(j.at_us, j.account) for j in joins]
    deal = Deal(
        int(rules.sticky_s * 1e6),
        rules.rotation,
        rules.failover,
        rules.fail_rate,
        rules.repeats,
        rules.sealed_replay,
    )
    appetite = np.exp(rng.normal(0, 0.7, block.size))
    return Pool(order, block.created, appetite, desks, sessions, deal, turns)


def _emit(world: World, block: Block, work: Table, dealt: Dealt, rules: Rules) -> I64:
    """Hand attempts to the world; returns counts inside the window as in :class:`Planned`."""
    take, who = dealt.row, dealt.account
    columns: dict[str, Any] = {
        k: work[k][take] for k in ("stream", "seed", "nonce", "turn", "extraction", "end_user", "model")
    }
    if work["device"].any():  # customers' own ids shine through
        columns["device"] = work["device"][take]
    columns["status"] = dealt.status
    columns["key_no"] = (columns["nonce"] >> np.uint64(9)) % (block.key[who] % np.uint64(3) + np.uint64(1))
    columns["sealed_in"] = np.where(dealt.replayed, seal_key(dealt.nonce, dealt.turn), np.uint64(0))
    columns["client"] = _clients(world, block, who, dealt.t, work["desk"][take], rules)
    inside = (dealt.t >= world.start) & (dealt.t < world.end)
    world.emit(block, who, dealt.t, **columns)
    extraction = inside & columns["extraction"]
    done = inside & (dealt.status == 200)
    answered, paid = extraction & done, work["paid"][take] & done
    return np.array([inside.sum(), extraction.sum(), answered.sum(), paid.sum(), (inside & ~done).sum()])


def _clients(world: World, block: Block, who: I64, t: I64, desk: I64, rules: Rules) -> I64 | None:
    if rules.frozen_at_us is None and not rules.passes_headers:
        return None
    variant = block.variant[who]
    if rules.passes_headers:
        variant = (mix(block.org[who], desk, 15) % np.uint64(60000)).astype(np.int64)
    seen = t - block.lag[who]
    if rules.frozen_at_us is not None:
        seen = np.where(rules.frozen_at_us[who] > 0, rules.frozen_at_us[who], seen)
    return world.clients.codes(block.family[who], variant, seen)


def seal_key(nonces: U64, turns: object) -> U64:
    """Key of the opaque reasoning block issued with an answer."""
    return mix(nonces, turns, 41)


def _heartbeats(
    world: World, rng: np.random.Generator, block: Block, begin: I64, end: I64, rules: Rules
) -> int:
    """A short ``hi`` under a product's system prompt, every few hours for as long as the account is in use.

    Returns how many.
    """
    number = world.stream(
        Stream(
            voice=world.library.get("hello"),
            reply=world.library.get("reply:en"),
            system=product_prompt(world.library.rng("product:0")),
            length=(0.0, 0.01),
            out=(2.3, 0.3),
            max_tokens=1000,
        )
    )
    beats = np.clip((end - begin) / (rules.heartbeat_h * HOUR_US), 0, 400).astype(np.int64)
    local = np.repeat(np.arange(block.size), beats)
    if not len(local):
        return 0
    k = np.arange(len(local)) - np.repeat(np.cumsum(beats) - beats, beats)
    t = begin[local] + ((k + 0.5) * rules.heartbeat_h * HOUR_US).astype(np.int64)
    t = t + rng.integers(0, 40_000_000, len(local))
    fixed = Rules(frozen_at_us=rules.frozen_at_us)
    world.emit(
        block,
        local,
        t,
        stream=number,
        seed=world.fresh(rng, len(local)),
        nonce=world.fresh(rng, len(local)),
        client=_clients(world, block, local, t, np.zeros(len(local), dtype=np.int64), fixed),
    )
    return int(((t >= world.start) & (t < world.end)).sum())


__all__ = ["Ban", "Desk", "Join", "Planned", "Rules", "run_relay", "seal_key"]
