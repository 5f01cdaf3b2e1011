"""Hubs: trait values shared by many units, each tested as a whole instead of pair by pair.

25,000 accounts that share a template make 312 million pairs and one hub. Every step here is a sort or a
group-by: linear in memberships.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stillwatch.detect.traffic import MIN_UNITS, Traffic
from stillwatch.detect.trait import Tokens, TokenTrait

MAX_TOKENS = 4
_MIX = np.uint64(0x9E3779B97F4A7C15)


def mix(values: np.ndarray) -> np.ndarray:
    """A fixed 64-bit mixer: orders small codes as if at random, the same on every machine."""
    with np.errstate(over="ignore"):
        h = values.astype(np.uint64) * _MIX
        h ^= h >> np.uint64(31)
        h *= np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(29)
    return h


@dataclass(frozen=True, slots=True)
class TokenMatrix:
    """Up to four values per unit: a min-hash sample where a unit shows more."""

    trait: TokenTrait
    values: np.ndarray
    """int64[codes], sorted."""
    codes: np.ndarray
    """int32[units, 4], -1 padded."""
    total: np.ndarray
    """float64[codes]: units that show each value, a unit with k values counting 1/k for each."""
    having: np.ndarray
    """int64[codes]: units that show each value."""
    stratum: np.ndarray
    """int64[codes]: stratum of each value; 0 where the trait has none."""
    present: np.ndarray
    """float64[8]: units that show anything, by stratum of their first value."""
    ptr: np.ndarray
    """Inverted index: units that show code c are ``owners[ptr[c]:ptr[c + 1]]``."""
    owners: np.ndarray

    @property
    def n_present(self) -> int:
        """Units that show anything."""
        return int(self.present.sum())


@dataclass(frozen=True, slots=True)
class Hubs:
    """All hubs in compressed rows."""

    ptr: np.ndarray
    units: np.ndarray
    """int32 members, each hub in data-independent order."""
    trait: np.ndarray
    """int16 index into ``traits``."""
    value: np.ndarray
    size: np.ndarray
    """int64 members before sampling."""
    traits: tuple[TokenTrait, ...]
    dropped_large: int
    """Values shared by more units than ``hub_max``: too common to say anything."""
    alias: dict[int, int] = field(default_factory=dict)
    """Hub index of every value, also of those whose hub has the same members as an earlier one."""

    def __len__(self) -> int:
        return len(self.value)

    def members(self, hub: int) -> np.ndarray:
        """Members of one hub."""
        return self.units[self.ptr[hub] : self.ptr[hub + 1]]


def token_matrix(traffic: Traffic, trait: TokenTrait, tokens: Tokens) -> TokenMatrix:
    """Factorise tokens and keep at most four per unit.

    Traits that are bet on keep a min-hash sample, which does not depend on how others behave; traits that only
    attribute keep the values a unit shows most.
    """
    values, code = np.unique(tokens.value, return_inverse=True)
    favour = np.zeros(len(tokens.unit), np.int64) if trait.bets else -tokens.count
    order = np.lexsort((mix(tokens.value), favour, tokens.unit))
    unit, code = tokens.unit[order], code.ravel()[order]
    codes = np.full((traffic.n_units, MAX_TOKENS), -1, np.int32)
    if len(unit):
        first = np.concatenate([[True], np.diff(unit) != 0])
        rank = np.arange(len(unit)) - np.maximum.accumulate(np.where(first, np.arange(len(unit)), 0))
        keep = rank < MAX_TOKENS
        codes[unit[keep], rank[keep]] = code[keep]
    k = (codes >= 0).sum(1)
    rows, cols = np.nonzero(codes >= 0)
    total = np.bincount(codes[rows, cols], weights=1.0 / k[rows], minlength=len(values))
    having = np.bincount(codes[rows, cols], minlength=len(values)).astype(np.int64)
    stratum = trait.stratum(values) if trait.stratum else np.zeros(len(values), np.int64)
    shown = codes[k > 0, 0]
    present = np.bincount(stratum[shown], minlength=8).astype(float) if len(values) else np.zeros(8)
    order = np.argsort(codes[rows, cols], kind="stable")
    ptr = np.concatenate([[0], np.cumsum(having)]).astype(np.int64)
    return TokenMatrix(
        trait, values, codes, total, having, stratum, present, ptr, rows[order].astype(np.int32)
    )


def build_hubs(
    traffic: Traffic,
    tokens: dict[str, Tokens],
    traits: tuple[TokenTrait, ...],
    *,
    low: int,
    high: int,
    sample: int,
) -> Hubs:
    """All values of hub-defining traits that ``low`` accounts to ``high`` units share.

    Hubs with the same members are kept once. A hub with more than ``sample`` members keeps those first in the
    keyed order, which does not depend on data, so e-values stay valid.
    """
    chosen = tuple(t for t in traits if t.defines_hubs and t.id in tokens and len(tokens[t.id].unit))
    rank = np.argsort(np.argsort(traffic.unit_order, kind="stable"), kind="stable")
    signature_of = mix(traffic.unit_order)
    rows: list[_Row] = []
    dropped = 0
    for index, trait in enumerate(chosen):
        found, large = _rows_of(tokens[trait.id], index, rank, signature_of, traffic.heft, low, high, sample)
        rows += found
        dropped += large
    seen: dict[int, int] = {}
    kept: list[_Row] = []
    alias: dict[int, int] = {}
    for row in rows:
        if row.signature not in seen:
            seen[row.signature] = len(kept)
            kept.append(row)
        alias[row.value] = seen[row.signature]
    lengths = np.array([len(r.members) for r in kept], np.int64)
    return Hubs(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([r.members for r in kept]) if kept else np.zeros(0, np.int32),
        np.array([r.trait for r in kept], np.int16), np.array([r.value for r in kept], np.int64),
        np.array([r.size for r in kept], np.int64), chosen, dropped, alias,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Row:
    trait: int
    value: int
    size: int
    signature: int
    members: np.ndarray


def _rows_of(
    got: Tokens,
    index: int,
    rank: np.ndarray,
    signature_of: np.ndarray,
    heft: np.ndarray,
    low: int,
    high: int,
    sample: int,
) -> tuple[list[_Row], int]:
    order = np.lexsort((rank[got.unit], got.value))
    value, unit = got.value[order], got.unit[order]
    fresh = np.concatenate([[True], (np.diff(value) != 0) | (np.diff(unit) != 0)])
    value, unit = value[fresh], unit[fresh]
    start = np.flatnonzero(np.concatenate([[True], np.diff(value) != 0]))
    size = np.diff(np.append(start, len(value)))
    with np.errstate(over="ignore"):
        signature = np.add.reduceat(signature_of[unit], start)
    accounts = np.add.reduceat(heft[unit], start)
    good = np.flatnonzero((accounts >= low) & (size >= MIN_UNITS) & (size <= high))
    rows = [
        _Row(index, int(value[start[g]]), int(size[g]), int(signature[g]),
             unit[start[g] : start[g] + min(int(size[g]), sample)])
        for g in good
    ]  # fmt: skip
    return rows, int((size > high).sum())
