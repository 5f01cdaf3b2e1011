"""Ways to one answer, compared in turns at fixed rates: what each adds to another, what it costs, and what it holds.

A door is a program, or several copies of one between which requests alternate, with what works behind it. Requests
are due at fixed times, ready or not, and count from when they were due. A rate is *held* when everything is answered
and the last answer comes at most 5 % later than planned: where it is not, a queue grows for as long as one looks, and
its length says nothing about the door.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scripts.started import cpu_s
from scripts.volley import Volley, closed_loop, open_loop

LEAST = 5.0
"""Lowest rate that is tried."""
_LATE = 0.05
"""How much later than planned the last answer may come, as a share."""
_STEP = 0.85
"""From one rate that is tried to the next."""


@dataclass(frozen=True)
class Door:
    """A way to the answer."""

    name: str
    ports: tuple[int, ...]
    beside: str | None = None
    """The door that what it adds is counted against."""
    behind: Mapping[str, int] = field(default_factory=dict)
    """What else works for it, by name: its port."""
    pays: int | None = None
    """The port under which its program was started, where it is another."""

    def parts(self) -> dict[str, list[int]]:
        """What takes processor time: ports by name."""
        own = list(self.ports) if self.pays is None else [self.pays]
        return {"door": own} | {name: [port] for name, port in self.behind.items()}


def fast(door: Door, requests: Sequence[bytes], seconds: float) -> tuple[float, float]:
    """As fast as a door answers, after some to warm up: answers a second, and milliseconds of processor time that each
    cost it and what works behind it, the program that asks left out."""
    asyncio.run(closed_loop(door.ports, requests, 200))
    paid = [port for ports in door.parts().values() for port in ports]
    before = cpu_s(paid)
    done = asyncio.run(closed_loop(door.ports, requests, 1_000_000, seconds=seconds))
    used = cpu_s(paid) - before
    return round(done.per_s, 1), round(used / max(1, len(done.seconds) + done.failed) * 1000, 2)


def highest(
    doors: Sequence[Door], requests: Sequence[bytes], first: float, seconds: float
) -> tuple[float | None, list[dict[str, Any]]]:
    """The highest rate that all of these doors hold, from one downwards; and what was tried."""
    tried: list[dict[str, Any]] = []
    rate = max(LEAST, first)
    while True:
        found = [asyncio.run(open_loop(each.ports, requests, rate, seconds)) for each in doors]
        tried.append({"rate": rate, "held": [held(each, rate) for each in found],
                      "p50_ms": [each.milliseconds().get("p50") for each in found]})  # fmt: skip
        if all(tried[-1]["held"]):
            return rate, tried
        if rate <= LEAST:
            return None, tried
        rate = max(LEAST, rate * _STEP // 5 * 5)


def held(done: Volley, rate: float) -> bool:
    """Whether a rate is held: everything was answered, and nothing was left to wait for when the last was sent."""
    planned = (len(done.seconds) + done.failed) / rate
    return not done.failed and bool(done.seconds) and done.took_s <= planned * (1 + _LATE)


def in_turns(
    doors: Sequence[Door], requests: Sequence[bytes], rate: float, *, turns: int, seconds: float, seed: int
) -> list[dict[str, Any]]:
    """All doors at one rate: latency, what is added, and processor time a request of each process."""
    taken = {door.name: Volley() for door in doors}
    holds = dict.fromkeys(taken, True)
    spent: dict[str, dict[str, float]] = {name: {} for name in taken}
    for _ in range(turns):
        for door in doors:
            before = {name: cpu_s(ports) for name, ports in door.parts().items()}
            own = time.process_time()
            done = asyncio.run(open_loop(door.ports, requests, rate, seconds))
            cost = {name: cpu_s(ports) - before[name] for name, ports in door.parts().items()}
            cost["what asks"] = time.process_time() - own
            for name, used in cost.items():
                spent[door.name][name] = spent[door.name].get(name, 0.0) + used
            holds[door.name] &= held(done, rate)
            taken[door.name].add(done)
    rows = []
    for door in doors:
        done = taken[door.name]
        asked = max(1, len(done.seconds) + done.failed)
        block = max(1, int(rate))
        rows.append({
            "door": door.name, "beside": door.beside, "rate": rate, "answered": len(done.seconds),
            "failed": done.failed, "per_s": round(done.per_s, 1), "held": holds[door.name], "ms": done.milliseconds(),
            "cpu_ms": {name: round(used / asked * 1000, 3) for name, used in spent[door.name].items()},
            "added": added(taken[door.beside], done, block=block, seed=seed) if door.beside in taken else None,
        })  # fmt: skip
    return rows


def at_rates(
    doors: Sequence[Door],
    requests: Sequence[bytes],
    rates: Sequence[float],
    *,
    turns: int,
    seconds: float,
    seed: int,
) -> list[dict[str, Any]]:
    """Doors at some rates; and at the highest that all of them hold, where they do not hold the largest of these."""
    for door in doors:
        fast(door, requests, 1.0)  # to warm up
    rows = []
    for rate in sorted(rates):
        rows += in_turns(doors, requests, rate, turns=turns, seconds=seconds, seed=seed)
    if not all(row["held"] for row in rows if row["rate"] == max(rates)):
        between, _ = highest(doors, requests, max(rates) * _STEP // 5 * 5, seconds)
        if between is not None and between not in rates:
            rows += in_turns(doors, requests, between, turns=turns, seconds=seconds, seed=seed)
    return rows


def added(
    without: Volley, done: Volley, *, block: int, seed: int, times: int = 1_000
) -> dict[str, list[float]]:
    """Milliseconds by which percentiles differ, with 95 % intervals: a bootstrap of blocks, since requests that follow
    each other wait for each other."""
    if not without.seconds or not done.seconds:
        return {}
    draw = np.random.default_rng(seed)
    a, b = (np.array(each.seconds) * 1000 for each in (without, done))
    out = {}
    for p in (50, 99):
        drawn = [
            np.percentile(_blocks(b, block, draw), p) - np.percentile(_blocks(a, block, draw), p)
            for _ in range(times)
        ]
        low, high = np.percentile(drawn, (2.5, 97.5))
        out[f"p{p}"] = [round(float(x), 2) for x in (np.percentile(b, p) - np.percentile(a, p), low, high)]
    return out


def _blocks(values: np.ndarray, block: int, draw: np.random.Generator) -> np.ndarray:
    """As many values, drawn in runs of those that follow each other."""
    starts = draw.integers(0, max(1, len(values) - block + 1), -(-len(values) // block))
    return np.concatenate([values[start : start + block] for start in starts])[: len(values)]
