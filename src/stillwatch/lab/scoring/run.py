"""A detector's output folder, read into what the scorer needs.

Names of files and columns are those of the data contract. Two files more are understood: ``scores.parquet``
(account_id, score; higher is more suspicious) and ``detector.json`` (id, title, version, source). A folder needs
``members.parquet`` or ``scores.parquet``; what else is missing counts as empty. What columns hold, and what is refused,
stands in `stillwatch.lab.scoring.tables`. A missing tier means ``member``, a missing hint ``none``, a missing kind
``campaign``: a detector that knows no pools claims campaigns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.errors import SourceError
from stillwatch.lab.scoring.tables import FILES, present, read_about, rows_of

Scores = np.ndarray[Any, np.dtype[np.float64]]

TIERS = ("watch", "associated", "member")
"""Tiers of membership, weakest first."""
HINTS = ("none", "watch", "review", "act")
"""Disposition hints, weakest first."""
KINDS = ("campaign", "pool")


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
    listed: Mapping[str, frozenset[str]]
    """Accounts at any tier, by group."""
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
        Nothing to judge is there; a file is no plain file, too large or cannot be read; a column is missing or holds
        what it cannot; an account or group is told two things at once.
    """
    files = {name: folder / name for name in FILES if present(folder / name)}
    if "members.parquet" not in files and "scores.parquet" not in files:
        raise SourceError(
            str(folder), "holds neither members.parquet nor scores.parquet",
            hint="give the output folder of a detector; docs/lab.md lists what it may hold",
        )  # fmt: skip
    return run_from_tables(
        files.get("members.parquet"), files.get("accounts.parquet"), files.get("campaigns.parquet"),
        scores=files.get("scores.parquet"), detector=read_about(folder / "detector.json"), where=str(folder),
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
    """The same from tables in memory, or Parquet files of them; ``where`` names the source in errors.

    An account may stand in several groups, and in one group more than once: its strongest tier counts, and the largest
    weight at that tier, which may be infinite.
    """
    kind, unusual, stated = _kinds(campaigns, where)
    tier: dict[str, str] = {}
    bits: dict[str, float] = {}
    p_value: dict[str, float] = {}
    groups: dict[str, set[str]] = {}
    listed: dict[str, set[str]] = {}
    for group, account, said, weight in rows_of(members, "members.parquet", where):
        mine = _one_of(said, TIERS, "member", f"{where}/members.parquet")
        if account not in tier or TIERS.index(mine) > TIERS.index(tier[account]):
            tier[account] = mine
            bits.pop(account, None)
        if weight is not None and mine == tier[account]:
            bits[account] = max(weight, bits.get(account, -np.inf))
        if (p := unusual.get(group)) is not None:
            p_value[account] = min(p, p_value.get(account, 1.0))
        listed.setdefault(group, set()).add(account)
        if mine == "member":
            groups.setdefault(group, set()).add(account)
    hints: dict[str, str] = {}
    for account, said in rows_of(accounts, "accounts.parquet", where):
        hint = _one_of(said, HINTS, "none", f"{where}/accounts.parquet")
        _once(hints, account, hint, f"{where}/accounts.parquet", "an account has two hints")
    return Run(
        tier=tier,
        bits=bits,
        p_value=p_value,
        hint=hints,
        groups={g: frozenset(a) for g, a in sorted(groups.items())},
        listed={g: frozenset(a) for g, a in sorted(listed.items())},
        kind=kind,
        stated=stated,
        score=None if scores is None else _scores(scores, where),
        detector=dict(detector or {}),
        decides=members is not None,
    )


def _kinds(
    campaigns: pa.Table | Path | None, where: str
) -> tuple[dict[str, str], dict[str, float], dict[str, float]]:
    """Kind, p-value and stated rate of groups; those that are not given are left out."""
    told: dict[str, tuple[str, float | None, float | None]] = {}
    place = f"{where}/campaigns.parquet"
    for group, said, p, rate in rows_of(campaigns, "campaigns.parquet", where):
        for name, value in (("p_value", p), ("false_discovery_rate", rate)):
            if value is not None and not 0 <= value <= 1:
                raise SourceError(place, f"{name} is {value:g}", hint="it lies between 0 and 1")
        _once(told, group, (_one_of(said, KINDS, "campaign", place), p, rate), place, "a group has two rows")
    return (
        {g: kind for g, (kind, _, _) in told.items()},
        {g: p for g, (_, p, _) in told.items() if p is not None},
        {g: rate for g, (_, _, rate) in told.items() if rate is not None},
    )


def _once(told: dict[str, Any], name: str, value: Any, where: str, said: str) -> None:
    if told.setdefault(name, value) != value:
        raise SourceError(where, f"{said}: {name[:60]!r}", hint="write one row each")


def _one_of(value: str | None, known: tuple[str, ...], default: str, where: str) -> str:
    if value is None:
        return default
    if value not in known:
        raise SourceError(where, f"unknown word {value[:60]!r}", hint=f"known: {', '.join(known)}")
    return value


def _scores(scores: pa.Table | Path, where: str) -> dict[str, float]:
    found: dict[str, float] = {}
    place = f"{where}/scores.parquet"
    for account, score in rows_of(scores, "scores.parquet", where):
        if account in found:
            raise SourceError(
                place, f"an account has two scores: {account[:60]!r}", hint="write one row each"
            )
        if score is None:
            raise SourceError(place, "a score is not a number", hint="leave out accounts without a score")
        found[account] = score
    return found


__all__ = ["HINTS", "KINDS", "TIERS", "Run", "Scores", "read_run", "run_from_tables"]
