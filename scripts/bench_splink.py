"""Splink on a table of accounts, for `scripts.bench_linking`; runs in an environment that has it.

``python scripts/bench_splink.py TABLE BLOCK_MAX`` reads a Parquet table with ``unique_id`` and a column for each trait,
and prints one JSON object: seconds, pairs compared and the cluster of each account. Splink compares pairs, so it
blocks on a value only where at most BLOCK_MAX accounts share it. Exact matches with term frequencies, its estimates
of both probabilities from the table itself, and a threshold of its own scale: nothing is tuned on the truth.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CERTAIN = 0.95
"""Match probability from which pairs are joined."""
SURE, RECALL = ("payment", "phone", "device_id"), 0.7
"""Traits that one hand alone should show, and the share of true pairs that they are supposed to find."""
ROUNDS = 2
"""Blocking rules by which the probabilities of agreement among matches are learned."""


def blocked(accounts: pa.Table, most: int) -> tuple[pa.Table, list[str], list[str]]:
    """The table, saying for each trait whether few enough share the value; traits with any; those that can block."""
    names = [name for name in accounts.column_names if name != "unique_id"]
    used = [name for name in names if accounts.column(name).null_count < len(accounts)]
    blocking = []
    for name in used:
        values = accounts.column(name).to_pylist()
        counts = Counter(values)
        few = [v is not None and 1 < counts[v] <= most for v in values]
        if any(few):
            accounts = accounts.append_column(f"few_{name}", pa.array(few))
            blocking.append(name)
    return accounts, used, blocking


def linked(accounts: pa.Table, most: int) -> dict[str, Any]:
    """Train, compare, cluster."""
    splink = importlib.import_module("splink")
    comparisons = importlib.import_module("splink.comparison_library")
    accounts, used, blocking = blocked(accounts, most)
    rules = [f"l.{name} = r.{name} and l.few_{name}" for name in blocking]
    wall, cpu = time.perf_counter(), time.process_time()
    settings = splink.SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            comparisons.ExactMatch(name).configure(term_frequency_adjustments=True) for name in used
        ],
        blocking_rules_to_generate_predictions=rules,
    )
    api = splink.DuckDBAPI()
    linker = splink.Linker(api.register(accounts), settings)
    if sure := [rule for name, rule in zip(blocking, rules, strict=True) if name in SURE]:
        linker.training.estimate_probability_two_random_records_match(sure, recall=RECALL)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in rules[:ROUNDS]:
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    pairs = linker.inference.predict(threshold_match_probability=CERTAIN)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
        pairs, threshold_match_probability=CERTAIN
    )
    rows = clusters.as_record_list()
    return {
        "version": splink.__version__, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu,
        "pairs_joined": len(pairs.as_record_list()), "blocked_on": blocking,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "cluster": {row["unique_id"]: str(row["cluster_id"]) for row in rows},
    }  # fmt: skip


def main() -> None:
    """Link the table of the first argument."""
    found = linked(pq.read_table(Path(sys.argv[1])), int(sys.argv[2]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
