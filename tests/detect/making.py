"""Factories for exchange batches, and for traffic of a handful of accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.detect.digest import Key
from stillwatch.detect.features import Featurizer
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.detect.traffic import Loader, Traffic
from stillwatch.detect.trait import Tokens, TokenTrait
from stillwatch.records import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA, Family
from stillwatch.store import open_backend

KEY = Key.derive(b"\x5a" * 32)
START = datetime(2026, 3, 2, tzinfo=UTC)


def exchanges(*rows: dict[str, Any]) -> pa.RecordBatch:
    """A batch of EXCHANGE_SCHEMA; what a row does not say is required or null."""
    full = [
        {
            "exchange_id": f"e{i}",
            "started_at": START + timedelta(minutes=i),
            "account_id": "a",
            "model": "m",
            **row,
        }
        for i, row in enumerate(rows)
    ]
    return pa.RecordBatch.from_pylist(full, schema=EXCHANGE_SCHEMA)


def featurizer() -> Featurizer:
    """A fresh featurizer under the test key."""
    return Featurizer(KEY, load_lexicon())


def features(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Feature rows of the given exchanges."""
    out: list[dict[str, Any]] = featurizer().batch(exchanges(*rows)).to_pylist()
    return out


def traffic_of(rows: list[dict[str, Any]], accounts: list[dict[str, Any]] | None = None) -> Traffic:
    """Loaded traffic; families are not assigned."""
    feat = featurizer()
    loader = Loader(open_backend(1, "1GB", None), feat)
    loader.add(feat.batch(exchanges(*rows)))
    return loader.finish(pa.Table.from_pylist(accounts, schema=ACCOUNT_SCHEMA) if accounts else None)


def bare_traffic(n_units: int, seed: int = 0) -> Traffic:
    """Traffic that has units in a keyed order and nothing else, for code that looks at tokens only."""
    traffic = traffic_of([{"account_id": f"u{i}"} for i in range(n_units)])
    traffic.unit_order = np.random.default_rng(seed).permutation(np.arange(1, n_units + 1)).astype(
        np.uint64
    ) * np.uint64(7919)
    return traffic


def trait(name: str, **changes: Any) -> TokenTrait:
    """A token trait that is not registered anywhere."""
    about: dict[str, Any] = {
        "id": name,
        "title": name,
        "family": Family.CONTENT,
        "needs": frozenset(),
        "what": "",
        "null": "",
        "looks_alike": (),
        "source": "",
        "extract": lambda _: Tokens.empty(),
        "group": name,
        "defines_hubs": True,
        "bets": True,
    }
    return TokenTrait(**{**about, **changes})
