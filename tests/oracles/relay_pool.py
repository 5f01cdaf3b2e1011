"""The relay's dealer in plain Python: an ordered dictionary instead of a linked list, sets instead of arrays."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from stillwatch.lab.relay_pool import CODES, RESTS_S, Deal, Turn

Row = tuple[int, int, int, int]
_ALL = 2**64 - 1


def u(key: int, salt: int) -> float:
    """SplitMix64 in whole numbers."""
    x = ((key ^ salt) + 0x9E3779B97F4A7C15) & _ALL
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _ALL
    x ^= x >> 31
    return (x >> 11) / 2**53


def deal_slowly(
    members: list[int],
    created: list[int],
    appetite: list[float],
    how: Deal,
    turns: list[Turn],
    work: dict[str, Any],
) -> list[Row]:
    """Position of the request, account, time and status of every attempt; replays are left to the fast one."""
    order: OrderedDict[int, None] = OrderedDict((a, None) for a in members)
    names, gone = list(members), set()
    rest: dict[int, int] = {}
    stuck: dict[int, tuple[int, int]] = {}
    held: dict[int, int] = {}
    used: dict[int, set[int]] = {}
    queue = sorted(turns, key=lambda x: x.at_us)
    out: list[Row] = []

    def free(a: int, now: int, avoid: set[int]) -> bool:
        return a not in avoid and rest.get(a, 0) <= now and created[a] < now

    def take(key: int, salt: int, now: int, avoid: set[int]) -> int:
        if u(key, salt) < how.rotation:
            return next((a for a in order if free(a, now, avoid)), next(iter(order)))
        for k in range(8):
            a, b = (names[int(u(key, salt + 10 * k + j) * len(names))] for j in (1, 2))
            if appetite[a] <= appetite[b] and u(key, salt + 10 * k + 3) >= 0.5:
                a = b
            if free(a, now, avoid):
                return a
        return names[0]

    for i, now in enumerate(work["t"].tolist()):
        desk, session, turn = (int(work[k][i]) for k in ("desk", "session", "turn"))
        key = int(work["nonce"][i]) ^ ((turn + 2) * 0xD6E8FEB86659FD93 & _ALL)
        while queue and queue[0].at_us <= now:
            event = queue.pop(0)
            if event.goes >= 0:
                if event.goes not in order or len(order) < 2:
                    continue
                del order[event.goes]
                gone.add(event.goes)
                at = names.index(event.goes)
                names[at] = names[-1]
                names.pop()
            if event.comes >= 0 and event.comes not in order:
                order[event.comes] = None
                order.move_to_end(event.comes, last=False)
                names.append(event.comes)
        spread = how.repeats > 1 and bool(work["extraction"][i]) and turn < 0
        avoid = used.get(session, set()) if spread else set()
        account, expiry = stuck.get(desk, (-1, 0))
        tied = how.sticky_us == 0 and turn > 0
        if tied:
            account, expiry = held.get(session, -1), 2**63 - 1
            if account < 0 or account in gone:
                continue
        elif how.sticky_us == 0:
            account = -1
        moves = account < 0 or expiry <= now or account in gone or account in avoid
        if moves or (rest.get(account, 0) > now and not tied):
            if account in gone and expiry > now and u(key, 21) < how.failover:
                out.append((i, account, now - 1_000_000, 403))
            account = take(key, 1000, now, avoid)
            if how.sticky_us:
                stuck[desk] = (account, now + how.sticky_us)
        if u(key, 22) < how.fail_rate:
            kind = int(u(key, 23) * len(CODES))
            out.append((i, account, now, int(CODES[kind])))
            rest[account] = now + int(RESTS_S[kind]) * 1_000_000
            if u(key, 24) < how.failover:
                now += 1_000_000 + int(u(key, 25) * 24) * 1_000_000
                account = take(key, 2000, now, avoid | {account})
                if how.sticky_us:
                    stuck[desk] = (account, now + how.sticky_us)
            else:
                now += 90_000_000
        if account in order:
            order.move_to_end(account)
        if spread:
            used.setdefault(session, set()).add(account)
        if how.sticky_us == 0 and turn == 0:
            held[session] = account
        out.append((i, account, now, 200))
    return out
