"""When things happen in the second week: measured tenants, measured bursts, and the provider's bad minutes."""

from __future__ import annotations

import ast
import csv
import gzip
import json
import random
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from ..arrivals import WEEK, Sizes, Tenant, sizes, tenants, times
from ..world import stream

DAY = 86400.0
MIDDLE = 432
"""Bin at which this week starts in ServeGen's fortnight: the fourth day, so that it holds half of each week."""
BASE_5XX = 0.0015


@dataclass(frozen=True)
class Rhythm:
    """Arrivals, bursts and sizes, all measured; overload spells, invented."""

    tenants: list[Tenant]
    bursts: list[np.ndarray]
    """Arrival times in seconds of the Azure code and the Mooncake trace, each about an hour."""
    sizes: Sizes
    reasoning: np.ndarray
    """Output tokens of ServeGen's DeepSeek-R1 clients, percentiles of each client one after another."""
    spells: tuple[tuple[float, float], ...]
    """Begin and end of the spells in which the whole provider was overloaded."""

    def arrivals(self, rnd: random.Random, count: int, shift_hours: int = 0) -> list[float]:
        """``count`` times of one tenant's week, sorted."""
        rng = np.random.default_rng(rnd.getrandbits(64))
        return times(rng, self.tenants[rnd.randrange(len(self.tenants))], count, shift_hours)

    def burst(self, rnd: random.Random, count: int, begin: float, length: float) -> list[float]:
        """``count`` times of a stretch of a measured trace, stretched to ``length`` seconds."""
        if count == 0:
            return []
        trace = self.bursts[rnd.randrange(len(self.bursts))]
        take = min(count, len(trace) // 2)
        first = rnd.randrange(0, len(trace) - take)
        part = trace[first : first + take]
        span = max(1e-6, float(part[-1] - part[0]))
        out: list[float] = []
        while len(out) < count:
            out += (begin + (part - part[0]) / span * length).tolist()
        return sorted(t + rnd.random() for t in out[:count])

    def status(self, rnd: random.Random, t: float, limited: float) -> int:
        """What the provider answers: 200, or the account's own limit, or the provider's own trouble."""
        if any(begin <= t < end for begin, end in self.spells) and rnd.random() < 0.45:
            return rnd.choices((529, 503, 429, 500), (5, 2, 3, 1))[0]
        if rnd.random() < limited:
            return 429
        return rnd.choice((500, 502, 503)) if rnd.random() < BASE_5XX else 200

    def thought(self, rnd: random.Random) -> int:
        """Output tokens of a reasoning model's answer."""
        return int(self.reasoning[rnd.randrange(len(self.reasoning))])

    def context(self, rnd: random.Random, kind: str) -> tuple[int, int, float]:
        """Measured input tokens, output tokens and reused share: ``chat``, ``code`` or ``agent``."""
        rows = getattr(self.sizes, kind)
        row = rows[rnd.randrange(len(rows))]
        return int(row[0]), int(row[1]), float(row[2]) if len(row) > 2 else 0.0


def _azure(path: Path) -> np.ndarray:
    with path.open(newline="") as handle:
        stamps = [r["TIMESTAMP"][:26] for r in csv.DictReader(handle)]
    parsed = [datetime.fromisoformat(s).timestamp() for s in stamps]
    return np.array(parsed) - parsed[0]


def _mooncake(path: Path) -> np.ndarray:
    rows = [json.loads(line)["timestamp"] for line in gzip.decompress(path.read_bytes()).splitlines()]
    return np.array(rows, dtype=float) / 1000.0


def _percentiles(density: dict[int, float]) -> list[int]:
    values = sorted(density)
    mass = np.cumsum([density[v] for v in values])
    at = np.searchsorted(mass, np.arange(0.01, 1.0, 0.01) * mass[-1])
    return [values[i] for i in at]


def _reasoning(path: Path) -> np.ndarray:
    out: list[int] = []
    with tarfile.open(path) as tar:
        for member in sorted(tar.getmembers(), key=lambda m: m.name):
            handle = tar.extractfile(member) if member.name.endswith("dataset.json") else None
            if handle is None:
                continue
            bins = json.loads(handle.read())
            density = ast.literal_eval(bins[min(bins, key=int)]["output_tokens"]) if bins else {}
            out += _percentiles(density) if len(density) > 20 else []
    return np.array(out)


def spells(seed: int) -> tuple[tuple[float, float], ...]:
    """Two overload spells of some minutes in working hours."""
    rnd = stream(seed, "spells")
    begins: Sequence[float] = (DAY * rnd.uniform(1.3, 1.8), DAY * rnd.uniform(3.3, 3.9))
    return tuple((b, b + 60.0 * rnd.uniform(6, 15)) for b in begins)


def load(shared: Path, seed: int) -> Rhythm:
    """Everything measured, once."""
    traffic = shared / "data" / "traffic"
    return Rhythm(
        tenants=tenants(shared, (MIDDLE,)),
        bursts=[
            _azure(traffic / "AzureLLMInferenceTrace_code.csv"),
            _mooncake(traffic / "mooncake_conversation_trace.jsonl.gz"),
        ],
        sizes=sizes(shared),
        reasoning=_reasoning(traffic / "servegen_deepseek-r1.tar.gz"),
        spells=spells(seed),
    )


def queue(
    rnd: random.Random, count: int, *, first: float = 0.0, last: float = WEEK, runs: int = 5
) -> list[float]:
    """Times of a work queue: runs of some hours with pauses, the pace falling off towards each run's end."""
    marks = sorted(rnd.uniform(first, last) for _ in range(runs))
    longest = (last - first) / runs
    out = []
    for i in range(count):
        begin = marks[i % runs]
        out.append(min(last - 1.0, begin + longest * rnd.betavariate(1.0, 1.6)))
    return sorted(out)
