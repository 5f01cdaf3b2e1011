"""A relay: many work lines and customers dealt out over a pool of accounts.

Mechanics as read in the sources of public relay projects: the least recently used account is taken, a
session stays on it for one hour, an error rests the account for 60, 300, 600 or 1,800 seconds and the
*same* request goes to the next account at once; every account is poked with a short heartbeat; banned
accounts are replaced and the queue goes on. Honest resellers and campaigns run on the same code; only what
they carry differs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stillwatch.lab.hashing import I64, U64, mix
from stillwatch.lab.people import Block, switch_times
from stillwatch.lab.text.instructions import product_prompt
from stillwatch.lab.text.voices import teacher_nonce
from stillwatch.lab.world import NEW_MODEL, Stream, World

HOUR_US = 3_600_000_000
_RESTS = np.array([60, 300, 600, 1800]) * 1_000_000
_CODES = (429, 503, 529, 403)


@dataclass(frozen=True, slots=True)
class Desk:
    """One source of requests: a customer, or one line of the extraction queue."""

    stream: int
    weight: float = 1.0
    extraction: bool = False
    end_user: int = 0
    device: int = 0
    switch_us: int | None = None
    """When this desk moves to the new model; unset draws it like everybody's."""
    teacher: bool = False
    """Answers are quoted later by graders (same payload, derived nonce)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How requests are dealt to accounts."""

    sticky_s: float = 3600.0
    """How long a session keeps its account; 0 turns stickiness off."""
    least_recently_used: bool = True
    """False: accounts are drawn at random, with unequal appetites."""
    failover: bool = True
    """An error sends the same request to another account within seconds."""
    fail_rate: float = 0.012
    jitter_s: float = 0.0
    """Random delay added to every request."""
    duplicate_share: float = 0.0
    """Share of extraction payloads asked again at random, to hide the queue."""
    repeats: int = 1
    """Best-of-R on different accounts."""
    heartbeat_h: float = 0.0
    """Hours between heartbeats per account; 0 for none."""
    sealed_replay: bool = False
    frozen_at_us: int | None = None
    """Client build never moves past this time."""
    flat: bool = False
    """No day rhythm."""


@dataclass(frozen=True, slots=True)
class Ban:
    """An account goes, a spare comes."""

    at_us: int
    account: int
    spare: int


def run_relay(
    world: World,
    rng: np.random.Generator,
    block: Block,
    desks: Sequence[Desk],
    *,
    total: int,
    rules: Rules,
    first_accounts: int | None = None,
    bans: Sequence[Ban] = (),
    start_us: int | None = None,
) -> tuple[int, int]:
    """Plan about ``total`` exchanges; returns exchanges and extraction exchanges planned."""
    start = world.start if start_us is None else start_us
    work = _requests(world, rng, desks, total, rules, start)
    if not len(work["t"]):
        return 0, 0
    pool = _Pool(rng, block, first_accounts or block.size, rules)
    rows = pool.deal(work, bans, min(world.end, int(work["t"][-1]) + HOUR_US))
    take, who, when, status, source = rows
    columns: dict[str, Any] = {
        k: work[k][take] for k in ("stream", "seed", "nonce", "turn", "extraction", "end_user", "model")
    }
    if any(d.device for d in desks):
        columns["device"] = work["device"][take]
    columns["status"] = status
    columns["key_no"] = (columns["nonce"] >> np.uint64(9)) % (block.key[who] % np.uint64(3) + np.uint64(1))
    columns["sealed_in"] = np.where(
        source >= 0, seal_key(columns["nonce"][source], columns["turn"][source]), np.uint64(0)
    )
    if rules.frozen_at_us is not None:
        columns["client"] = world.clients.codes(
            block.family[who], block.variant[who], np.full(len(who), rules.frozen_at_us)
        )
    inside = when < world.end
    world.emit(block, who, when, **columns)
    if rules.heartbeat_h:
        _heartbeats(world, rng, block, who, when, rules)
    return int(inside.sum()), int((inside & columns["extraction"]).sum())


def seal_key(nonces: U64, turns: object) -> U64:
    """Key of the opaque reasoning block issued with an answer."""
    return mix(nonces, turns, 41)


def _requests(
    world: World, rng: np.random.Generator, desks: Sequence[Desk], total: int, rules: Rules, start: int
) -> dict[str, np.ndarray[Any, Any]]:
    """All requests in time order, before accounts are chosen."""
    numbers = world.numbers()
    streams = np.array([d.stream for d in desks])
    weight = np.array([d.weight for d in desks])
    mean_turns = 1 + numbers["conversation"][streams] * (numbers["turns"][streams] - 1)
    weight = weight / weight.sum()
    copies = np.array(
        [
            rules.repeats * (1 + rules.duplicate_share) if d.extraction and not d.teacher else 1.0
            for d in desks
        ]
    )
    sessions = rng.poisson(weight * total / (mean_turns * copies))
    desk = np.repeat(np.arange(len(desks)), sessions)
    t = start + _times(
        rng, world, len(desk), np.array([d.extraction for d in desks])[desk] | rules.flat, start
    )
    seed, nonce = world.fresh(rng, len(desk)), world.fresh(rng, len(desk))
    grader_of = {d.stream for d in desks if d.teacher}
    if grader_of:
        is_teacher = np.array([d.teacher for d in desks])[desk]
        pairs = min(
            int(is_teacher.sum()), int((~is_teacher & np.array([d.extraction for d in desks])[desk]).sum())
        )
        teachers = np.flatnonzero(is_teacher)[np.argsort(t[is_teacher])][:pairs]
        graders = np.flatnonzero(~is_teacher & np.array([d.extraction for d in desks])[desk])
        graders = graders[np.argsort(t[graders])][:pairs]
        seed[graders] = seed[teachers]
        nonce[teachers] = teacher_nonce(seed[teachers])
        t[graders] = np.maximum(t[graders], t[teachers] + rng.integers(60, 1800, pairs) * 1_000_000)
    multi = rng.random(len(desk)) < numbers["conversation"][streams[desk]]
    length = np.where(
        multi,
        np.minimum(1 + rng.geometric(1.0 / np.maximum(numbers["turns"][streams[desk]] - 1, 1.01)), 9),
        1,
    )
    extract = np.array([d.extraction and not d.teacher for d in desks])[desk]
    many = np.where(extract & ~multi, rules.repeats, 1)
    many = many + (extract & ~multi & (rng.random(len(desk)) < rules.duplicate_share))
    row = np.repeat(np.arange(len(desk)), length * many)
    part = np.arange(len(row)) - np.repeat(np.cumsum(length * many) - length * many, length * many)
    turn = np.where(multi[row], part, -1)
    gap = np.where(
        multi[row],
        numbers["gap_s"][streams[desk[row]]] * np.exp(rng.normal(0, 0.7, len(row))),
        rng.uniform(60, 600, len(row)),
    )
    gap = gap * (part > 0)
    total_gap = np.cumsum(gap)
    first = np.cumsum(length * many) - length * many
    when = t[row] + ((total_gap - np.repeat(total_gap[first], length * many)) * 1e6).astype(np.int64)
    when = when + (rng.random(len(desk)) * rules.jitter_s * 1e6).astype(np.int64)[row]
    turns_nonce = np.where((turn < 0) & (part > 0), mix(nonce[row], part, 77), nonce[row])
    switch = np.array([d.switch_us if d.switch_us is not None else 0 for d in desks])
    drawn = switch_times(rng, len(desks), world.release)
    switch = np.where([d.switch_us is None for d in desks], drawn, switch)
    base = rng.choice(3, len(desks), p=[0.1, 0.65, 0.25])
    base = np.where([d.extraction for d in desks], 1, base)
    order = np.argsort(when, kind="stable")
    who = desk[row]
    table = {
        "t": when,
        "desk": who,
        "stream": streams[who],
        "seed": seed[row],
        "nonce": turns_nonce,
        "turn": turn,
        "extraction": np.array([d.extraction for d in desks])[who],
        "end_user": np.array([d.end_user for d in desks], dtype=np.uint64)[who],
        "device": np.array([d.device for d in desks], dtype=np.uint64)[who],
        "model": np.where((when >= switch[who]) & (when >= world.release), NEW_MODEL, base[who]),
    }
    table = {k: v[order] for k, v in table.items()}
    if (
        rules.repeats > 1
    ):  # later copies come from other lines, so that stickiness does not hold them on one account
        moved = (table["turn"] < 0) & table["extraction"]
        lines = np.flatnonzero([d.extraction for d in desks])
        table["desk"] = np.where(
            moved, lines[(table["nonce"] % np.uint64(len(lines))).astype(np.int64)], table["desk"]
        )
    return table


def _times(rng: np.random.Generator, world: World, size: int, flat: np.ndarray[Any, Any], start: int) -> I64:
    span = world.end - start
    t = rng.random(size) * span
    hour = ((start + t) // HOUR_US) % 24
    keep = flat | (rng.random(size) < 0.35 + 0.65 * np.sin(np.clip((hour - 5) / 18, 0, 1) * np.pi))
    t = np.where(keep, t, rng.random(size) * span)
    return np.asarray(t, dtype=np.int64)


class _Pool:
    """Accounts in use, in least-recently-used order."""

    def __init__(self, rng: np.random.Generator, block: Block, size: int, rules: Rules) -> None:
        self.rng, self.rules = rng, rules
        self.order: OrderedDict[int, None] = OrderedDict((int(a), None) for a in rng.permutation(size))
        self.rest: dict[int, int] = {}
        self.names: list[int] = []
        self.stale = False
        self.created = block.created
        self.appetite = np.exp(rng.normal(0, 0.7, block.size))

    def take(self, now: int, avoid: Collection[int] = ()) -> int:
        """Next account that is awake and not to be avoided; the longest-resting one if none is."""
        if not self.rules.least_recently_used:
            if len(self.names) != len(self.order) or self.stale:
                self.names, self.stale = list(self.order), False
            names = self.names
            for _ in range(8):
                a, b = names[int(self.rng.integers(len(names)))], names[int(self.rng.integers(len(names)))]
                account = a if self.appetite[a] > self.appetite[b] or self.rng.random() < 0.5 else b
                if self.rest.get(account, 0) <= now and account not in avoid and self.created[account] < now:
                    return account
            return names[0]
        fallback = next(iter(self.order))
        for account in self.order:
            if account not in avoid and self.rest.get(account, 0) <= now and self.created[account] < now:
                return account
        return fallback

    def deal(
        self, work: dict[str, np.ndarray[Any, Any]], bans: Sequence[Ban], end: int
    ) -> tuple[I64, I64, I64, I64, I64]:
        """Account, time and status of every request; failed attempts come as rows of their own."""
        rules, rng = self.rules, self.rng
        times, desks = work["t"].tolist(), work["desk"].tolist()
        seeds, nonces, turns, extract = (
            work["seed"].tolist(),
            work["nonce"].tolist(),
            work["turn"].tolist(),
            work["extraction"].tolist(),
        )
        n = len(times)
        fails = (rng.random(n) < rules.fail_rate).tolist()
        kind, hop = rng.integers(0, 4, n).tolist(), rng.integers(1, 25, n).tolist()
        replay = (rng.random(n) < 0.6).tolist() if rules.sealed_replay else [False] * n
        rest_us = _RESTS.tolist()
        sticky: dict[int, tuple[int, int]] = {}
        held: dict[int, int] = {}
        used: dict[int, set[int]] = {}
        issued: list[tuple[int, int]] = []
        queue = sorted(bans, key=lambda b: b.at_us)
        out: list[tuple[int, int, int, int, int]] = []
        hold = int(rules.sticky_s * 1e6)
        nobody: set[int] = set()
        next_ban = 0
        banned: set[int] = set()
        for i in range(n):
            now = times[i]
            while next_ban < len(queue) and queue[next_ban].at_us <= now:
                ban = queue[next_ban]
                next_ban += 1
                if ban.account in self.order and len(self.order) > 1:
                    del self.order[ban.account]
                    banned.add(ban.account)
                    self.stale = True
                    self.order[ban.spare] = None
                    self.order.move_to_end(ban.spare, last=False)
            desk = desks[i]
            spread = rules.repeats > 1 and extract[i] and turns[i] < 0
            avoid: set[int] = used.get(seeds[i], nobody) if spread else nobody
            account, expiry = sticky.get(desk, (-1, 0))
            tied = not hold and turns[i] > 0
            if tied:  # fresh context per account: a conversation never moves, it ends with its account
                account, expiry = held.get(nonces[i], -1), end
                if account < 0 or account in banned:
                    continue
            resting = self.rest.get(account, 0) > now
            gone = account < 0 or expiry <= now or account in banned or account in avoid
            if gone or (resting and not tied):
                if account in banned and expiry > now and rules.failover:
                    out.append((i, account, now - 1_000_000, 403, -1))
                account = self.take(now, avoid)
                if hold:
                    sticky[desk] = (account, now + hold)
            if fails[i]:
                out.append((i, account, now, _CODES[kind[i]], -1))
                self.rest[account] = now + rest_us[kind[i]]
                now += hop[i] * 1_000_000
                if rules.failover:
                    account = self.take(now, {account, *avoid})
                    sticky[desk] = (account, now + hold)
                else:
                    now += 90_000_000
            if account in self.order:
                self.order.move_to_end(account)
            if rules.repeats > 1 and extract[i]:
                used.setdefault(seeds[i], set()).add(account)
            if not hold and turns[i] == 0:
                held[nonces[i]] = account
            source = -1
            if extract[i]:
                if replay[i] and turns[i] < 0 and len(issued) > 3:
                    for _ in range(4):
                        row, owner = issued[int(rng.integers(max(0, len(issued) - 400), len(issued)))]
                        if owner != account:
                            source = row
                            break
                if rules.sealed_replay:
                    issued.append((len(out), account))
            out.append((i, account, now, 200, source))
        table = np.array(out, dtype=np.int64)
        return table[:, 0], table[:, 1], table[:, 2], table[:, 3], table[:, 4]


def _heartbeats(
    world: World, rng: np.random.Generator, block: Block, who: I64, when: I64, rules: Rules
) -> None:
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
    size = block.size
    begin, end = np.full(size, world.end), np.zeros(size, dtype=np.int64)
    np.minimum.at(begin, who, when)
    np.maximum.at(end, who, when)
    beats = np.clip((end - begin) / (rules.heartbeat_h * HOUR_US), 0, 400).astype(np.int64)
    local = np.repeat(np.arange(size), beats)
    k = np.arange(len(local)) - np.repeat(np.cumsum(beats) - beats, beats)
    t = (
        begin[local]
        + ((k + 0.5) * rules.heartbeat_h * HOUR_US).astype(np.int64)
        + rng.integers(0, 40_000_000, len(local))
    )
    if len(local):
        client = (
            None
            if rules.frozen_at_us is None
            else world.clients.codes(
                block.family[local], block.variant[local], np.full(len(local), rules.frozen_at_us)
            )
        )
        world.emit(
            block,
            local,
            t,
            stream=number,
            seed=world.fresh(rng, len(local)),
            nonce=world.fresh(rng, len(local)),
            client=client,
        )
