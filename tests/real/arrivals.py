"""When requests come and how large they are, drawn from measured tenants, never from imagination.

Times: ServeGen's per-tenant ten-minute bins (rate, arrival family, its shape). Sizes: the Azure 2023
traces and, for prefix reuse, the Mooncake trace.
"""

from __future__ import annotations

import csv
import gzip
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BIN = 600.0
BINS = 1008
"""Ten-minute bins in a week."""
WEEK = BIN * BINS


@dataclass(frozen=True)
class Tenant:
    """One measured tenant: where in the week its requests fall, and how they bunch within ten minutes."""

    weights: np.ndarray
    shapes: np.ndarray
    weibull: np.ndarray


@dataclass(frozen=True)
class Sizes:
    """Measured request sizes in tokens; the last column of ``agent`` is the reused share of the prefix."""

    chat: np.ndarray
    code: np.ndarray
    agent: np.ndarray


def _tenant(text: str, first: int) -> Tenant | None:
    cells = [line.split(",") for line in text.split("\n") if line]
    rate = np.array([float(c[1]) for c in cells])
    shape = np.array([float(c[4]) for c in cells])
    weibull = np.array([c[3] == "Weibull" for c in cells])
    if len(rate) < BINS:
        days = BINS // len(rate)
        rate, shape, weibull = np.tile(rate, days), np.tile(shape, days), np.tile(weibull, days)
    span = slice(first, first + BINS) if len(rate) >= first + BINS else slice(0, BINS)
    rate, shape, weibull = rate[span], shape[span], weibull[span]
    if rate.sum() <= 0:
        return None
    return Tenant(rate / rate.sum(), np.clip(np.where(shape > 0, shape, 1.0), 0.05, 20.0), weibull)


def tenants(shared: Path, firsts: tuple[int, ...] = (0, BINS)) -> list[Tenant]:
    """Every tenant of the three ServeGen extracts, once for each week that starts at a bin of ``firsts``."""
    out = []
    for name in ("m-small_traces", "m-mid_traces", "deepseek-r1"):
        with tarfile.open(shared / "data" / "traffic" / f"servegen_{name}.tar.gz") as tar:
            for member in sorted(tar.getmembers(), key=lambda m: m.name):
                handle = tar.extractfile(member) if member.name.endswith("trace.csv") else None
                if handle is None:
                    continue
                text = handle.read().decode()
                starts = (0,) if name == "deepseek-r1" else firsts
                out += [t for first in starts if (t := _tenant(text, first)) is not None]
    return out


def times(rng: np.random.Generator, tenant: Tenant, count: int, shift_hours: int = 0) -> list[float]:
    """``count`` arrival times in seconds from the start of the week, sorted."""
    counts = rng.multinomial(count, np.roll(tenant.weights, shift_hours * 6))
    shapes, weibull = np.roll(tenant.shapes, shift_hours * 6), np.roll(tenant.weibull, shift_hours * 6)
    out: list[float] = []
    for b in np.flatnonzero(counts):
        k, shape = int(counts[b]), shapes[b]
        gaps = rng.weibull(shape, k + 1) if weibull[b] else rng.gamma(shape, 1.0, k + 1)
        at = np.cumsum(gaps + 1e-9)
        out += (b * BIN + at[:k] / at[-1] * (BIN - 1.0)).tolist()
    return out


def sizes(shared: Path) -> Sizes:
    """Input and output tokens as measured."""
    traffic = shared / "data" / "traffic"

    def azure(name: str) -> np.ndarray:
        with (traffic / name).open(newline="") as handle:
            rows = [(int(r["ContextTokens"]), int(r["GeneratedTokens"])) for r in csv.DictReader(handle)]
        return np.array(rows, dtype=np.int64)

    seen: set[int] = set()
    agent = []
    packed = (traffic / "mooncake_conversation_trace.jsonl.gz").read_bytes()
    for line in gzip.decompress(packed).splitlines():
        row = json.loads(line)
        ids = row["hash_ids"]
        reused = sum(1 for i in ids if i in seen) / max(1, len(ids))
        seen.update(ids)
        agent.append((row["input_length"], row["output_length"], reused))
    return Sizes(
        azure("AzureLLMInferenceTrace_conv.csv"), azure("AzureLLMInferenceTrace_code.csv"), np.array(agent)
    )
