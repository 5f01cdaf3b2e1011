"""Public traces as samples: ServeGen (per-client rates and bursts), Azure 2023 (sizes), Mooncake (sizes, prefixes).

The traces are read where they lie and are no part of this project. A trace that is not there is left out and
said to be.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stillwatch.lab.fit_samples import BIN_S, LEAST, Sample, alone, hours_of, volumes_of
from stillwatch.lab.hashing import F64, I64

SERVEGEN = {
    "ServeGen m-small": "servegen_m-small_traces.tar.gz",
    "ServeGen m-mid": "servegen_m-mid_traces.tar.gz",
    "ServeGen R1": "servegen_deepseek-r1.tar.gz",
}
AZURE = {
    "Azure chat": "AzureLLMInferenceTrace_conv.csv",
    "Azure code": "AzureLLMInferenceTrace_code.csv",
}
MOONCAKE = {"Mooncake chat": "mooncake_conversation_trace.jsonl.gz"}

_DAY = 86_400 // BIN_S
Samples = dict[str, Sample]


def read_servegen(path: Path, sizes: I64, weekly: I64, rng: np.random.Generator) -> tuple[Samples, F64]:
    """Volumes, bursts, active shares and daily load of one service's clients.

    The file holds, per client and bin, the rate and the fitted law of inter-arrival times, no single arrival.
    Bursts are therefore drawn: for each of ``sizes`` (requests of a bin in a world) one bin is taken and so many
    arrivals are drawn from its law, so that both sides are measured on equally many requests. Active shares
    likewise: each of ``weekly`` (requests of a busy account in a week) is dealt over the bins of one client.
    """
    counts, rates, laws, load = [], [], [], np.zeros(24)
    for client, rows in enumerate(_clients(path)):
        rate = rows["rate"] * BIN_S
        counts.append(rate.sum())
        rates.append(rate)
        load += hours_of(rows["t"], rate) * rate.sum() if rate.sum() else 0.0
        for row in np.flatnonzero((rate >= LEAST) & (rows["shape"] > 0)).tolist():
            laws.append((client, rows["gamma"][row], rows["shape"][row]))
    samples = {
        "volume": volumes_of(np.array(counts)),
        "active": _active(rng, [r for r in rates if r.sum()], weekly),
    }
    if laws and len(sizes):
        chosen = [laws[int(i)] for i in rng.integers(0, len(laws), len(sizes))]
        drawn = [_burst(rng, bool(g), s, int(n)) for (_, g, s), n in zip(chosen, sizes, strict=True)]
        samples["burst"] = Sample(np.array(drawn), np.array([c for c, _, _ in chosen]))
    return samples, load / load.mean()


def _active(rng: np.random.Generator, rates: list[F64], weekly: I64) -> Sample:
    chosen = rng.integers(0, len(rates), len(weekly))
    shares = []
    for client, size in zip(chosen.tolist(), weekly.tolist(), strict=True):
        rate = rates[client][: 7 * _DAY]
        own = max(1, round(size * len(rate) / (7 * _DAY)))
        shares.append(
            np.count_nonzero(rng.multinomial(own, rate / rate.sum())) / len(rate) if rate.sum() else 0.0
        )
    return Sample(np.array(shares), chosen)


def _burst(rng: np.random.Generator, gamma: bool, shape: float, size: int) -> float:
    gaps = rng.gamma(shape, size=size - 1) if gamma else rng.weibull(shape, size - 1)
    return float(gaps.std() / max(gaps.mean(), 1e-300))


def _clients(path: Path) -> Iterator[dict[str, F64]]:
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            file = archive.extractfile(member) if member.name.endswith("-trace.csv") else None
            if file is None:
                continue
            rows = list(csv.reader(io.TextIOWrapper(file, encoding="utf-8")))
            yield {
                "t": np.array([float(r[0]) for r in rows]),
                "rate": np.array([float(r[1] or 0) for r in rows]),
                "gamma": np.array([float(r[3] == "Gamma") for r in rows]),
                "shape": np.array([float(r[4] or 0) if r[3] else 0.0 for r in rows]),
            }


def read_azure(path: Path) -> Samples:
    """Input and output tokens."""
    with path.open(encoding="utf-8") as file:
        rows = [(float(r["ContextTokens"]), float(r["GeneratedTokens"])) for r in csv.DictReader(file)]
    table = np.array(rows)
    return {"input": alone(table[:, 0]), "output": alone(table[:, 1])}


def read_mooncake(path: Path) -> Samples:
    """Input and output tokens, and the share of each request's blocks that an earlier request had brought."""
    seen: set[int] = set()
    sizes, reused = [], []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            blocks = row["hash_ids"]
            sizes.append((row["input_length"], row["output_length"]))
            reused.append(sum(b in seen for b in blocks) / max(len(blocks), 1))
            seen.update(blocks)
    table = np.array(sizes, dtype=np.float64)
    return {"input": alone(table[:, 0]), "output": alone(table[:, 1]), "cached": alone(np.array(reused))}
