"""Heavy hitters: a template that every account shares, an address that every account shares, an account that sends
most of the traffic, and a text that everybody continues. Prints the rows of the largest intermediate of every step.

    python -m scripts.bench_skew --accounts 1000000 --giant 10000000
    python -m scripts.bench_skew --accounts 200000 --giant 1000000 --engine spark --master 'local[2]'
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.detect.baseline import load_baseline
from stillwatch.detect.digest import Key
from stillwatch.detect.features import FEATURE_SCHEMA, Featurizer
from stillwatch.detect.hubs import mix
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.detect.run import Options, detect
from stillwatch.detect.traffic import MINUTE, Loader, traffic_of
from stillwatch.detect.traits import load_traits
from stillwatch.store.engine import DuckEngine, open_backend

START = 1_790_000_000_000_000
KEY = Key.derive(b"heavy hitters: no secret at all.")
_UNKNOWN = ("asn", "client", "client_version", "logprobs", "stream", "n", "max_tokens", "temperature", "top_p",
            "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "org", "channel", "operation",
            "country")  # fmt: skip
ROWS = ("intermediate_rows", "operator_cardinality")
"""What the engine calls the rows that come out of an operator, in its newer and older versions."""
_LISTS = ("issued", "presented", "sealed_in", "sealed_out", "chunk_out", "chunk_in")


def heavy(accounts: int, giant: int, sends: int = 4) -> pa.Table:
    """Features of ``accounts`` accounts with ``sends`` exchanges each, and of two that send ``giant`` between them.

    All share a template and an address; every question goes to two accounts; everybody presents what the first
    account was given. The two giants send one and the same prompt, and every third time it is refused.
    """
    crowd = accounts * sends
    n = crowd + giant
    row = np.arange(n, dtype=np.int64)
    big = row >= crowd
    account = np.where(big, accounts + row % 2, row % accounts)
    question = mix(row // 2 + 1).astype(np.int64) | 1
    columns: dict[str, Any] = {f.name: np.zeros(n, np.int64) for f in FEATURE_SCHEMA if f.name not in _LISTS}
    columns |= {name: np.full(n, -1) for name in _UNKNOWN}
    columns |= {
        "ts": START + row * (14 * 24 * 60 * MINUTE // n), "xid": mix(row + 1).astype(np.int64), "acct": account,
        "ip": np.full(n, 77), "net": np.full(n, 78), "s1": np.full(n, 79), "words": np.full(n, 12),
        "full": np.where(big, 80, question), "longest": np.where(big, 80, question),
        "status": np.where(big & (row % 3 == 0), 429, 200), "turn": np.full(n, 1),
    }  # fmt: skip
    shown = pa.array([[81]]).take(pa.array(np.zeros(n, np.int64)))
    first = pa.array(np.where(row == 0, 0, 1))
    lists: dict[str, Any] = dict.fromkeys(_LISTS, pa.nulls(n, pa.list_(pa.int64())))
    lists |= {"presented": shown, "issued": pa.array([[81], None], pa.list_(pa.int64())).take(first)}
    arrays = [
        lists[f.name] if f.name in _LISTS else pa.array(columns[f.name]).cast(f.type) for f in FEATURE_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=FEATURE_SCHEMA)


def named(accounts: int) -> Featurizer:
    """A featurizer that knows the accounts of `heavy`, and that the input had every field that is needed."""
    feat = Featurizer(KEY, load_lexicon())
    for i in range(accounts + 2):
        feat.names.account.code(f"a{i}")
    feat.names.model.code("m")
    feat.seen_fields = dict.fromkeys(
        ("prompt", "client_ip", "status", "started_at", "messages", "completion"), 1
    )
    return feat


class Counting(DuckEngine):
    """The embedded engine, counting the rows that come out of every operator of every step."""

    def __init__(self, engine: DuckEngine) -> None:
        super().__init__(engine.backend)
        self.steps: list[int] = []
        """Rows of the largest intermediate of each step."""

    def arrow(self, expression: Any) -> pa.Table:
        """Run an expression, and once more to count."""
        self._count(expression)
        return super().arrow(expression)

    def kept(self, expression: Any) -> Any:
        """Keep a result, and count what it was made of."""
        self._count(expression)
        return super().kept(expression)

    def discard(self, name: str, seqs: Any) -> None:
        """Take rows out, and count what named them."""
        self._count(seqs)
        super().discard(name, seqs)

    def _count(self, expression: Any) -> None:
        plan = self.con.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {self.backend.compile(expression)}"
        ).fetchall()
        self.steps.append(max(_rows(json.loads(plan[0][1])), default=0))


def _rows(node: Any) -> list[int]:
    if isinstance(node, list):
        return [n for each in node for n in _rows(each)]
    if not isinstance(node, dict):
        return []
    own = [int(node[name]) for name in ROWS if name in node]
    return own + [n for each in node.values() for n in _rows(each)]


def run(engine: Any, accounts: int, giant: int) -> dict[str, Any]:
    """Load the heavy traffic and detect on it."""
    table, feat, begun = heavy(accounts, giant), named(accounts), time.perf_counter()
    if isinstance(engine, DuckEngine):
        loader = Loader(engine, feat)
        for batch in table.to_batches(max_chunksize=200_000):
            loader.add(batch)
        traffic = loader.finish(None)
    else:
        from stillwatch.wiring.cluster import CODED

        numbered = table.append_column("seq", pa.array(np.arange(len(table)))).cast(CODED)
        engine.put("exchange", engine.session.createDataFrame(numbered))
        traffic = traffic_of(engine, feat, len(table), None, (), ())
    found = detect(traffic, load_traits(), load_baseline(None, KEY.key_id), Options())
    return {
        "rows": len(table), "accounts": accounts + 2, "hubs": len(found.hubs), "groups": len(found.groups),
        "failed": [a.trait for a in found.abstentions if a.reason.startswith("failed")],
        "largest_intermediate": max(getattr(engine, "steps", []), default=None),
        "seconds": round(time.perf_counter() - begun, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }  # fmt: skip


def main() -> None:
    """Run once and print one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--giant", type=int, default=10_000_000)
    parser.add_argument("--engine", choices=["duckdb", "spark"], default="duckdb")
    parser.add_argument("--master", default="local")
    parser.add_argument("--memory-limit", default="8GB")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.engine == "spark":
        from stillwatch.store.spark import open_spark

        engine: Any = open_spark(args.master, memory_limit=args.memory_limit)
    else:
        engine = Counting(open_backend(0, args.memory_limit, None))
    result = {"engine": args.engine, **run(engine, args.accounts, args.giant)}
    engine.close()
    text = json.dumps(result)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")
    sys.exit(bool(result["failed"]))


if __name__ == "__main__":
    main()
