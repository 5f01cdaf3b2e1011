"""Large and strange traffic, made with numpy so that making it costs little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.records import EXCHANGE_SCHEMA

DAY_US = 86_400_000_000
START_US = 1_773_100_800_000_000
"""2026-03-10 in microseconds."""


def crowd(path: Path, exchanges: int, accounts: int, *, seed: int = 1, chunk: int = 500_000) -> Path:
    """Traffic of unrelated accounts: exchange ``i`` is of account ``i % accounts``; a few hundred prompts,
    thousands of networks, one client."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    prompts = pa.array(
        [f"Please check paragraph {i} of our letter, it has {i * 7} words." for i in range(400)]
    )
    networks = pa.array([f"10.{i >> 8}.{i & 255}.{1 + i % 250}" for i in range(60_000)])
    names = [f.name for f in EXCHANGE_SCHEMA]
    with pq.ParquetWriter(path, EXCHANGE_SCHEMA, compression="zstd", compression_level=1) as sink:
        for start in range(0, exchanges, chunk):
            number = np.arange(start, min(start + chunk, exchanges))
            size = len(number)
            given = {
                "exchange_id": _named("x", number),
                "started_at": pa.array(START_US + rng.integers(0, DAY_US, size)).cast(
                    pa.timestamp("us", "UTC")
                ),
                "account_id": _named("a", number % accounts),
                "model": pa.array(["larch-4"] * size),
                "prompt": prompts.take(pa.array(rng.integers(0, 400, size))),
                "client_ip": networks.take(pa.array(rng.integers(0, 60_000, size))),
                "user_agent": pa.array(["openai/python 1.40.0"] * size),
                "output_tokens": pa.array(rng.integers(1, 500, size)),
            }
            columns = [
                given[n] if n in given else pa.nulls(size, EXCHANGE_SCHEMA.field(n).type) for n in names
            ]
            sink.write_table(pa.Table.from_arrays(columns, schema=EXCHANGE_SCHEMA))
    return path


def _named(letter: str, number: np.ndarray) -> pa.Array:
    width = np.char.zfill(number.astype("U12"), 9)
    return pa.array(np.char.add(letter, width).tolist(), pa.string())
