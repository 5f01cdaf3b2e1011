"""What could not be judged, grouped so that a person can read it.

Not the same as "looked, nothing unusual": an abstention is a gap in what the report can claim.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.records import Abstention, ScanResult

_MOST = 60


@dataclass(frozen=True, slots=True)
class Gap:
    """One trait and reason; ``accounts`` is 0 when the whole run was concerned."""

    trait: str
    reason: str
    missing: tuple[str, ...]
    accounts: int = 0


@dataclass(frozen=True, slots=True)
class Abstained:
    """Gaps of the run, gaps of single accounts, and how many accounts have any."""

    run: tuple[Gap, ...]
    single: tuple[Gap, ...]
    accounts: int
    more: int
    """Single-account gaps left off the list."""


def count_abstentions(abstentions: tuple[Abstention, ...]) -> list[dict[str, Any]]:
    """Group abstentions by trait, reason and missing fields; for ``summary.json``."""
    runs: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    accounts: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    for one in abstentions:
        (runs if one.subject == "run" else accounts)[one.trait, one.reason, one.missing] += 1
    return [
        {"trait": t, "reason": r, "missing": list(m), "run": runs[t, r, m] > 0, "accounts": accounts[t, r, m]}
        for t, r, m in sorted({*runs, *accounts})
    ]


def abstained(result: ScanResult) -> Abstained:
    """Gather the gaps of a run from its records, and from the counts a cut list left in the summary."""
    rows = result.summary.get("abstention_counts") or count_abstentions(result.abstentions)
    gaps = [(Gap(r["trait"], r["reason"], tuple(r["missing"]), r["accounts"]), r["run"]) for r in rows]
    run = sorted(
        (Gap(g.trait, g.reason, g.missing) for g, whole in gaps if whole), key=lambda g: (g.trait, g.reason)
    )
    single = sorted((g for g, _ in gaps if g.accounts), key=lambda g: (-g.accounts, g.trait, g.reason))
    listed, affected = _from_accounts(result.accounts)
    chosen = max((single, listed), key=lambda gaps: sum(g.accounts for g in gaps))
    return Abstained(tuple(run), tuple(chosen[:_MOST]), affected, max(0, len(chosen) - _MOST))


def _from_accounts(accounts: pa.Table) -> tuple[list[Gap], int]:
    if "abstentions" not in accounts.column_names or not accounts.num_rows:
        return [], 0
    column = accounts["abstentions"]
    lengths = pc.list_value_length(column)
    affected = int(pc.sum(pc.greater(pc.fill_null(lengths, 0), 0)).as_py() or 0)
    counted = Counter(
        {v["values"]: v["counts"] for v in pc.value_counts(pc.list_flatten(column)).to_pylist()}
    )
    gaps = []
    for text, n in sorted(counted.items(), key=lambda kv: (-kv[1], str(kv[0]))):
        trait, _, reason = str(text).partition(":")
        gaps.append(Gap(trait.strip(), reason.strip(), (), n))
    return gaps, affected
