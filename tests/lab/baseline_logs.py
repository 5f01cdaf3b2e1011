"""Small logs for the tests of the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.records import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA

START_US = 1_773_100_800_000_000
"""2026-03-10."""
WORDS = (
    "amber basin cedar delta ember fjord grove harbor inlet jungle kernel lantern meadow nectar orchard prairie quarry"
    " ridge summit tundra umbrella valley willow xenon yonder zephyr anchor bridge candle drawer engine feather garden"
).split()


def exchange(number: int, account: str, second: float, prompt: str | None, **more: Any) -> dict[str, Any]:
    """One row of the exchange schema."""
    return {
        "exchange_id": f"ex_{number:06d}",
        "started_at": START_US + round(second * 1e6),
        "account_id": account,
        "model": "m",
        "prompt": prompt,
        **more,
    }


def exchanges(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table of the exchange schema."""
    return pa.Table.from_pylist(list(rows), schema=EXCHANGE_SCHEMA)


def accounts(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table of the account schema."""
    return pa.Table.from_pylist(list(rows), schema=ACCOUNT_SCHEMA)


def sentence(rng: np.random.Generator, words: int = 12) -> str:
    """Words drawn at random."""
    return " ".join(rng.choice(WORDS, words))


def mixed_log(seed: int = 11, people: int = 30, each: int = 24) -> tuple[pa.Table, pa.Table]:
    """Ordinary accounts with their own words, and a busy group of four with one template, one card and one address."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    known = []
    for p in range(people):
        for _ in range(int(rng.integers(1, 2 * each))):
            second = float(rng.uniform(0, 86_400))
            rows.append(
                exchange(
                    len(rows),
                    f"person_{p:02d}",
                    second,
                    sentence(rng),
                    client_ip=f"198.51.{p}.7",
                    tls_fingerprint=f"t{p}",
                    client_country="DE",
                    input_tokens=int(rng.integers(5, 500)),
                    output_tokens=int(rng.integers(5, 500)),
                )
            )
        known.append(
            {
                "account_id": f"person_{p:02d}",
                "created_at": START_US - (400 + p) * 86_400_000_000,
                "payment_digest": f"{p:03x}{p:05x}",
            }
        )
    for c in range(4):
        for i in range(3 * each):
            text = f"solve the exercise and show every single step of the work: {sentence(rng, 3)}"
            rows.append(
                exchange(
                    len(rows),
                    f"ring_{c}",
                    300.0 * i + c,
                    text,
                    client_ip="203.0.113.9",
                    tls_fingerprint="ring",
                    client_country="US",
                    input_tokens=40,
                    output_tokens=900,
                )
            )
        known.append(
            {
                "account_id": f"ring_{c}",
                "created_at": START_US - 86_400_000_000,
                "payment_digest": "feedbeef",
                "status": "active",
            }
        )
    return exchanges(rows), accounts(known)
