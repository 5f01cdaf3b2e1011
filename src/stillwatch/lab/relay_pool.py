"""Which account takes which request: one compiled pass over the requests in time order.

The queue of accounts is a linked list, longest unused first. All chance is a hash of the request's own key, so
the same requests are dealt the same way whatever else is in the world, and a plain Python dealer, kept with the
tests, makes the same decisions. Sixteen million requests take about a minute and no memory of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np

from stillwatch.lab.hashing import F64, I64, U64
from stillwatch.lab.relay_work import Table

CODES = np.array([429, 503, 500, 529, 403])
"""What an upstream answers when it does not answer."""
RESTS_S = np.array([60, 60, 300, 600, 1800])
"""How long an account rests after each of them, seconds. The rest after 429 is ours; the others are the relay's."""
RECENT = 400
"""Sealed blocks a replaying campaign chooses from."""
_LEFT = 4


@dataclass(frozen=True, slots=True)
class Turn:
    """At ``at_us`` account ``comes`` enters the pool and ``goes`` (-1: nobody) leaves it for good."""

    at_us: int
    comes: int
    goes: int = -1


@dataclass(frozen=True, slots=True)
class Deal:
    """How a pool deals; see :class:`stillwatch.lab.relay.Rules` for the meaning."""

    sticky_us: int
    rotation: float
    failover: float
    fail_rate: float
    repeats: int
    sealed_replay: bool


@dataclass(frozen=True, slots=True)
class Dealt:
    """Attempts, failed ones included, in the order in which they are made."""

    row: I64
    """Position of the request in the slice."""
    account: I64
    t: I64
    status: I64
    replayed: np.ndarray[Any, Any]
    """Whether a sealed block of another account is presented."""
    nonce: U64
    turn: I64
    """Key of the exchange that issued the block, where one is presented."""


class Pool:
    """Accounts in use. State carries over from slice to slice."""

    def __init__(
        self,
        members: I64,
        created: I64,
        appetite: F64,
        desks: int,
        sessions: int,
        deal: Deal,
        turns: Sequence[Turn],
    ) -> None:
        size = len(created)
        if not len(members):
            raise ValueError("a pool without members deals to nobody")
        self.deal_how = deal
        self.after = np.full(size + 1, -1, dtype=np.int64)
        self.before = np.full(size + 1, -1, dtype=np.int64)
        ring = [size, *members.tolist()]
        for a, b in zip(ring, [*ring[1:], size], strict=True):
            self.after[a], self.before[b] = b, a
        self.names = np.concatenate([members, np.full(size - len(members), -1)]).astype(np.int64)
        self.place = np.full(size, -1, dtype=np.int64)
        self.place[members] = np.arange(len(members))
        self.count = np.array([len(members)])
        self.gone = np.zeros(size, dtype=np.bool_)
        self.rest = np.zeros(size, dtype=np.int64)
        self.created, self.appetite = created, appetite
        self.stuck = np.full(desks, -1, dtype=np.int64)
        self.until = np.zeros(desks, dtype=np.int64)
        self.held = np.full(sessions if deal.sticky_us == 0 else 0, -1, dtype=np.int32)
        self.used = np.full((sessions if deal.repeats > 1 else 0, deal.repeats + 2), -1, dtype=np.int32)
        self.issued = np.zeros((3, RECENT), dtype=np.uint64)
        self.issues = np.zeros(1, dtype=np.int64)
        queue = sorted(turns, key=lambda x: x.at_us)
        self.turns = np.array([(x.at_us, x.comes, x.goes) for x in queue], dtype=np.int64).reshape(-1, 3)
        self.next_turn = np.zeros(1, dtype=np.int64)

    def deal(self, work: Table) -> Dealt:
        """Accounts and times for one slice of requests."""
        n, how = len(work["t"]), self.deal_how
        out = np.zeros((3 * n, 5), dtype=np.int64)
        from_nonce, from_turn = np.zeros(3 * n, dtype=np.uint64), np.zeros(3 * n, dtype=np.int64)
        made = _deal(
            work["t"], work["desk"], work["session"], work["nonce"], work["turn"], work["extraction"],
            self.after, self.before, self.names, self.place, self.count, self.gone, self.rest, self.created,
            self.appetite, self.stuck, self.until, self.held, self.used, self.issued, self.issues, self.turns,
            self.next_turn, CODES, RESTS_S * 1_000_000, how.sticky_us, how.rotation, how.failover, how.fail_rate,
            how.repeats, how.sealed_replay, out, from_nonce, from_turn,
        )  # fmt: skip
        done = out[:made]
        return Dealt(
            done[:, 0],
            done[:, 1],
            done[:, 2],
            done[:, 3],
            done[:, 4] > 0,
            from_nonce[:made],
            from_turn[:made],
        )


@nb.njit(inline="always", cache=True)
def chance(key: np.uint64, salt: int) -> float:
    """Uniform number in ``[0, 1)`` from a key."""
    x = (key ^ np.uint64(salt)) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return float(x >> np.uint64(11)) / 9007199254740992.0


@nb.njit(cache=True)
def _unlink(after: Any, before: Any, a: int) -> None:
    after[before[a]], before[after[a]] = after[a], before[a]


@nb.njit(cache=True)
def _link(after: Any, before: Any, left: int, a: int) -> None:
    right = after[left]
    after[left], before[a], after[a], before[right] = a, left, right, a


@nb.njit(cache=True)
def _free(a: int, now: int, rest: Any, created: Any, avoid: Any, also: int) -> bool:
    if a == also or rest[a] > now or created[a] >= now:
        return False
    for x in avoid:
        if x == a:
            return False
    return True


@nb.njit(cache=True)
def _take(
    now: int, key: Any, salt: int, rotation: float, after: Any, names: Any, count: Any, rest: Any, created: Any,
    appetite: Any, avoid: Any, also: int,
) -> int:  # fmt: skip
    """Next account that is awake and not to be avoided; the longest-resting one if none is."""
    end = len(after) - 1
    if chance(key, salt) < rotation:
        a = after[end]
        while a != end:
            if _free(a, now, rest, created, avoid, also):
                return int(a)
            a = after[a]
        return int(after[end])
    for k in range(8):
        a = names[int(chance(key, salt + 10 * k + 1) * count[0])]
        b = names[int(chance(key, salt + 10 * k + 2) * count[0])]
        if appetite[a] <= appetite[b] and chance(key, salt + 10 * k + 3) >= 0.5:
            a = b
        if _free(a, now, rest, created, avoid, also):
            return int(a)
    return int(names[0])


@nb.njit(cache=True)
def _swap(
    comes: int, goes: int, after: Any, before: Any, names: Any, place: Any, count: Any, gone: Any
) -> None:
    """One account leaves, one comes to the head of the queue; a replacement comes only for one that was there."""
    if goes >= 0:
        if place[goes] < 0 or count[0] < 2:
            return
        _unlink(after, before, goes)
        gone[goes] = True
        last = names[count[0] - 1]
        names[place[goes]] = last
        place[last] = place[goes]
        place[goes] = -1
        count[0] -= 1
    if comes >= 0 and place[comes] < 0:
        _link(after, before, len(after) - 1, comes)
        names[count[0]] = comes
        place[comes] = count[0]
        count[0] += 1


@nb.njit(cache=True)
def _deal(
    t: Any, desks: Any, sessions: Any, nonces: Any, turns: Any, extract: Any, after: Any, before: Any, names: Any,
    place: Any, count: Any, gone: Any, rest: Any, created: Any, appetite: Any, stuck: Any, until: Any, held: Any,
    used: Any, issued: Any, issues: Any, queue: Any, next_turn: Any, codes: Any, rests: Any, hold: int,
    rotation: float, failover: float, fail_rate: float, repeats: int, sealed: bool, out: Any, from_nonce: Any,
    from_turn: Any,
) -> int:  # fmt: skip
    made = 0
    nobody = np.full(1, -1, dtype=np.int32)
    for i in range(len(t)):
        now, desk, session = t[i], desks[i], sessions[i]
        key = nonces[i] ^ (np.uint64(turns[i] + 2) * np.uint64(0xD6E8FEB86659FD93))
        while next_turn[0] < len(queue) and queue[next_turn[0], 0] <= now:
            entry = queue[next_turn[0]]
            _swap(entry[1], entry[2], after, before, names, place, count, gone)
            next_turn[0] += 1
        spread = repeats > 1 and extract[i] and turns[i] < 0
        avoid = used[session] if spread else nobody
        account, expiry = stuck[desk], until[desk]
        tied = hold == 0 and turns[i] > 0
        if tied:  # fresh context per account: a conversation never moves, it ends with its account
            account, expiry = np.int64(held[session]), np.int64(9223372036854775807)
            if account < 0 or gone[account]:
                continue
        elif hold == 0:
            account = np.int64(-1)
        moves = account < 0 or expiry <= now or gone[account]
        for x in avoid:
            moves = moves or (account >= 0 and x == account)
        if moves or (rest[account] > now and not tied):
            if account >= 0 and gone[account] and expiry > now and chance(key, 21) < failover:
                out[made, 0], out[made, 1], out[made, 2], out[made, 3] = i, account, now - 1_000_000, 403
                made += 1
            account = _take(now, key, 1000, rotation, after, names, count, rest, created, appetite, avoid, -1)
            if hold:
                stuck[desk], until[desk] = account, now + hold
        if chance(key, 22) < fail_rate:
            kind = int(chance(key, 23) * len(codes))
            out[made, 0], out[made, 1], out[made, 2], out[made, 3] = i, account, now, codes[kind]
            made += 1
            rest[account] = now + rests[kind]
            if chance(key, 24) < failover:
                now += 1_000_000 + int(chance(key, 25) * 24) * 1_000_000
                account = _take(
                    now, key, 2000, rotation, after, names, count, rest, created, appetite, avoid, account
                )
                if hold:
                    stuck[desk], until[desk] = account, now + hold
            else:
                now += 90_000_000
        if place[account] >= 0:
            _unlink(after, before, account)
            _link(after, before, before[len(after) - 1], account)
        if spread:
            for j in range(used.shape[1]):
                if used[session, j] < 0:
                    used[session, j] = account
                    break
        if hold == 0 and turns[i] == 0:
            held[session] = account
        if extract[i] and sealed:
            recent = min(issues[0], RECENT)
            if turns[i] < 0 and recent > 3 and chance(key, 26) < 0.6:
                for k in range(_LEFT):
                    j = (issues[0] - 1 - int(chance(key, 30 + k) * recent)) % RECENT
                    if issued[0, j] != np.uint64(account):
                        out[made, 4], from_nonce[made], from_turn[made] = (
                            1,
                            issued[1, j],
                            np.int64(issued[2, j]) - 1,
                        )
                        break
            j = issues[0] % RECENT
            issued[0, j], issued[1, j], issued[2, j] = np.uint64(account), nonces[i], np.uint64(turns[i] + 1)
            issues[0] += 1
        out[made, 0], out[made, 1], out[made, 2], out[made, 3] = i, account, now, 200
        made += 1
    return made


__all__ = ["CODES", "RECENT", "RESTS_S", "Deal", "Dealt", "Pool", "Turn", "chance"]
