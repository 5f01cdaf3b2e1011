"""A detector's output folder, read into what the scorer needs.

Names of files and columns are those of the data contract. Two files more are understood: ``scores.parquet``
(account_id, score; higher is more suspicious) and ``detector.json`` (id, title, version, source). A folder needs
``members.parquet`` or ``scores.parquet``; what else is missing counts as empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import SourceError

Scores = np.ndarray[Any, np.dtype[np.float64]]

TIERS = ("watch", "associated", "member")
"""Tiers of membership, weakest first."""
HINTS = ("none", "watch", "review", "act")
"""Disposition hints, weakest first."""
NEEDED = {
    "members.parquet": ("campaign_id", "account_id"),
    "accounts.parquet": ("account_id",),
    "campaigns.parquet": ("campaign_id",),
    "scores.parquet": ("account_id", "score"),
}
"""Columns without which a file means nothing. A missing tier means ``member``, a missing hint ``none``, a
missing kind ``campaign``: a detector that knows no pools claims campaigns."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one detector said of one world."""

    tier: Mapping[str, str]
    """Strongest tier of every account in any group."""
    bits: Mapping[str, float]
    """Largest membership weight at that tier; accounts without one are missing."""
    p_value: Mapping[str, float]
    """Smallest p-value of the account's groups; accounts without one are missing."""
    hint: Mapping[str, str]
    groups: Mapping[str, frozenset[str]]
    """Accounts at tier ``member``, by group; groups without any are left out."""
    kind: Mapping[str, str]
    """``campaign`` or ``pool``, by group."""
    stated: Mapping[str, float]
    """False discovery rate that the detector states, by group."""
    score: Mapping[str, float] | None
    """Score of every account, where the detector gave one."""
    detector: Mapping[str, Any] = field(default_factory=dict)
    decides: bool = True
    """Whether it flags accounts at all; a detector that gives scores alone has no operating point."""

    @property
    def members(self) -> frozenset[str]:
        """Accounts at tier ``member`` in any group."""
        return frozenset(a for a, t in self.tier.items() if t == "member")

    @property
    def claimed(self) -> frozenset[str]:
        """Groups that the detector calls campaigns."""
        return frozenset(g for g in self.groups if self.kind.get(g, "campaign") == "campaign")

    @property
    def claimed_members(self) -> frozenset[str]:
        """Accounts in groups that the detector calls campaigns."""
        return frozenset[str]().union(*(self.groups[g] for g in self.claimed))

    def hinted(self, *hints: str) -> frozenset[str]:
        """Accounts with one of the hints."""
        return frozenset(a for a, h in self.hint.items() if h in hints)

    def ranking(self, ids: Iterable[str]) -> Scores:
        """float[accounts]: the order of suspicion, higher first to be looked at.

        The detector's own scores where there are any; else the disposition hint, then how unusual the account's
        group is (its p-value; the least unusual of all where none is given), then tier (member, associated, watch,
        none), then membership weight. An account that was not scored ranks below all that were.
        """
        if self.score is not None:
            return np.array([self.score.get(a, -np.inf) for a in ids], np.float64)
        keys = [self._place(a) for a in ids]
        order = {key: float(i) for i, key in enumerate(sorted(set(keys)))}
        return np.array([order[k] for k in keys], np.float64)

    def _place(self, account: str) -> tuple[int, float, int, float]:
        hint = HINTS.index(self.hint.get(account, "none"))
        tier = self.tier.get(account)
        if tier is None:
            return hint, -np.inf, -1, 0.0
        return hint, -self.p_value.get(account, 1.0), TIERS.index(tier), self.bits.get(account, -np.inf)


def read_run(folder: Path) -> Run:
    """Read an output folder.

    Raises
    ------
    SourceError
        Nothing to judge is there, a file cannot be read, a column is missing, a value is not what it must be, an
        account is scored twice.
    """
    tables = {name: _read(folder / name) for name in NEEDED}
    if tables["members.parquet"] is None and tables["scores.parquet"] is None:
        raise SourceError(
            str(folder), "holds neither members.parquet nor scores.parquet",
            hint="give the output folder of a detector; docs/lab.md lists what it may hold",
        )  # fmt: skip
    about: dict[str, Any] = {}
    path = folder / "detector.json"
    if path.exists():
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SourceError(str(path), "not JSON", hint='write {"id": ..., "version": ...}') from error
        if not isinstance(about, dict):
            raise SourceError(str(path), "not a JSON object", hint='write {"id": ..., "version": ...}')
    return run_from_tables(
        tables["members.parquet"], tables["accounts.parquet"], tables["campaigns.parquet"],
        scores=tables["scores.parquet"], detector=about, where=str(folder),
    )  # fmt: skip


def run_from_tables(
    members: pa.Table | Path | None,
    accounts: pa.Table | Path | None = None,
    campaigns: pa.Table | Path | None = None,
    *,
    scores: pa.Table | Path | None = None,
    detector: Mapping[str, Any] | None = None,
    where: str = "run",
) -> Run:
    """The same from tables in memory, or Parquet files of them; ``where`` names the source in errors."""
    kinds = _rows(campaigns, "campaigns.parquet", where)
    unusual = {str(r["campaign_id"]): float(r["p_value"]) for r in kinds if r.get("p_value") is not None}
    tier: dict[str, str] = {}
    bits: dict[str, float] = {}
    p_value: dict[str, float] = {}
    groups: dict[str, set[str]] = {}
    for row in _rows(members, "members.parquet", where):
        account, mine = str(row["account_id"]), _one_of(row.get("tier"), TIERS, "member", where)
        weight = row.get("membership_bits")
        if account not in tier or TIERS.index(mine) > TIERS.index(tier[account]):
            tier[account] = mine
            bits.pop(account, None)
        if weight is not None and mine == tier[account] and not np.isnan(weight):
            bits[account] = max(float(weight), bits.get(account, -np.inf))
        if (p := unusual.get(str(row["campaign_id"]))) is not None:
            p_value[account] = min(p, p_value.get(account, 1.0))
        if mine == "member":
            groups.setdefault(str(row["campaign_id"]), set()).add(account)
    return Run(
        tier=tier,
        bits=bits,
        p_value=p_value,
        hint={
            str(r["account_id"]): _one_of(r.get("disposition_hint"), HINTS, "none", where)
            for r in _rows(accounts, "accounts.parquet", where)
        },
        groups={g: frozenset(a) for g, a in sorted(groups.items())},
        kind={
            str(r["campaign_id"]): _one_of(r.get("kind"), ("campaign", "pool"), "campaign", where)
            for r in kinds
        },
        stated={
            str(r["campaign_id"]): float(r["false_discovery_rate"])
            for r in kinds
            if r.get("false_discovery_rate") is not None
        },
        score=None if scores is None else _scores(_rows(scores, "scores.parquet", where), where),
        detector=dict(detector or {}),
        decides=members is not None,
    )


def _read(path: Path) -> pa.Table | None:
    if not path.exists():
        return None
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(str(path), "not a readable Parquet file", hint="write it again") from error


def _rows(table: pa.Table | Path | None, name: str, where: str) -> list[dict[str, Any]]:
    found = _read(table) if isinstance(table, Path) else table
    if found is None:
        return []
    missing = sorted(set(NEEDED[name]) - set(found.column_names))
    if missing:
        raise SourceError(
            f"{where}/{name}", f"no column {', '.join(missing)}", hint=f"it needs {', '.join(NEEDED[name])}"
        )
    wanted = {
        *NEEDED[name], "tier", "membership_bits", "disposition_hint", "kind", "false_discovery_rate", "p_value",
    }  # fmt: skip
    rows: list[dict[str, Any]] = found.select([c for c in found.column_names if c in wanted]).to_pylist()
    if any(row[column] is None for row in rows for column in NEEDED[name]):
        raise SourceError(f"{where}/{name}", "a required value is null", hint="leave the row out")
    return rows


def _one_of(value: Any, known: tuple[str, ...], default: str, where: str) -> str:
    if value is None:
        return default
    if value not in known:
        raise SourceError(where, f"unknown word {value!r}", hint=f"known: {', '.join(known)}")
    return str(value)


def _scores(rows: list[dict[str, Any]], where: str) -> dict[str, float]:
    found = {str(r["account_id"]): float(r["score"]) for r in rows}
    if len(found) < len(rows):
        raise SourceError(f"{where}/scores.parquet", "an account has two scores", hint="write one row each")
    if any(np.isnan(v) for v in found.values()):
        raise SourceError(
            f"{where}/scores.parquet", "a score is not a number", hint="leave out accounts without a score"
        )
    return found


__all__ = ["HINTS", "TIERS", "Run", "Scores", "read_run", "run_from_tables"]
