"""Hubs: trait values shared by many units, each tested as a whole instead of pair by pair.

25,000 accounts that share a template make 312 million pairs and one hub. Every step here is a sort or a
group-by: linear in memberships.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.threads import spread
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
    """int32[codes]: units that show each value."""
    stratum: np.ndarray
    """int8[codes]: stratum of each value; 0 where the trait has none."""
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
    shared: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """int64, ascending: every value that makes a hub, also one whose hub has the same members as an earlier one."""
    hub_of: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    """int32: hub of each of `shared`."""

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
    return _matrix(traffic.n_units, trait, tokens, *_coded(tokens.value))


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
    order = _Order.of(traffic)
    rows = [
        _rows_of(order, got.unit, *_coded(got.value), low, high, sample)
        for got in (tokens[trait.id] for trait in chosen)
    ]
    return _hubs_of(rows, chosen)


def hubs_and_matrices(
    traffic: Traffic,
    tokens: dict[str, Tokens],
    traits: tuple[TokenTrait, ...],
    *,
    low: int,
    high: int,
    sample: int,
) -> tuple[Hubs, dict[str, TokenMatrix]]:
    """What `build_hubs` and `token_matrix` make of the tokens of each trait, which are taken out of ``tokens``."""
    order = _Order.of(traffic)

    def of(trait: TokenTrait) -> tuple[_Rows | None, TokenMatrix]:
        got = tokens.pop(trait.id)
        values, code = _coded(got.value)
        rows = _rows_of(order, got.unit, values, code, low, high, sample) if trait.defines_hubs else None
        return rows, _matrix(traffic.n_units, trait, got, values, code)

    shown = [t for t in traits if t.id in tokens and len(tokens[t.id].unit)]
    found = spread(of, shown, traffic.threads)
    naming = [(rows, trait) for (rows, _), trait in zip(found, shown, strict=True) if rows is not None]
    hubs = _hubs_of([rows for rows, _ in naming], tuple(trait for _, trait in naming))
    return hubs, {trait.id: matrix for trait, (_, matrix) in zip(shown, found, strict=True)}


def _coded(value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values, ascending, and which of them each token has (int32).

    Tokens are told apart by hashing, so that only distinct values are sorted: there are several tokens for each.
    """
    found = pc.dictionary_encode(pa.array(value))
    values = found.dictionary.to_numpy()
    order = np.argsort(values)
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return values[order], place[found.indices.to_numpy()]


def _matrix(
    n_units: int, trait: TokenTrait, tokens: Tokens, values: np.ndarray, code: np.ndarray
) -> TokenMatrix:
    favour = np.zeros(1, np.int64) if trait.bets else tokens.count
    codes = _first_of_units(tokens.unit, code, favour, mix(values), n_units)
    total, having, ptr, owners = _shown(codes, len(values))
    stratum = (trait.stratum(values) if trait.stratum else np.zeros(len(values))).astype(np.int8)
    shown = codes[codes[:, 0] >= 0, 0]
    present = np.bincount(stratum[shown], minlength=8).astype(float) if len(values) else np.zeros(8)
    return TokenMatrix(trait, values, codes, total, having, stratum, present, ptr, owners)


@nb.njit(cache=True, nogil=True)
def _first_of_units(unit, code, count, lot, n_units):  # type: ignore[no-untyped-def]  # numba infers
    """int32[units, 4]: of the codes of each unit those with the largest ``count``, then the lowest ``lot``.

    ``count`` of one element says that counts do not matter.
    """
    codes = np.full((n_units, MAX_TOKENS), -1, np.int32)
    most = np.zeros((n_units, MAX_TOKENS), np.int64)
    for i in range(len(unit)):
        u, c = unit[i], code[i]
        n = count[i] if len(count) == len(unit) else np.int64(0)
        at = MAX_TOKENS
        while at > 0:
            held = codes[u, at - 1]
            if held >= 0 and (n < most[u, at - 1] or (n == most[u, at - 1] and lot[c] >= lot[held])):
                break
            at -= 1
        if at < MAX_TOKENS:
            for j in range(MAX_TOKENS - 1, at, -1):
                codes[u, j], most[u, j] = codes[u, j - 1], most[u, j - 1]
            codes[u, at], most[u, at] = c, n
    return codes


@nb.njit(cache=True, nogil=True)
def _shown(codes, n_codes):  # type: ignore[no-untyped-def]  # numba infers
    """Of each code the units that show it: their weight, their number, and who they are in compressed rows."""
    total = np.zeros(n_codes)
    having = np.zeros(n_codes, np.int32)
    for u in range(codes.shape[0]):
        k = 0
        while k < codes.shape[1] and codes[u, k] >= 0:
            k += 1
        for j in range(k):
            total[codes[u, j]] += 1.0 / k
            having[codes[u, j]] += 1
    ptr = np.zeros(n_codes + 1, np.int64)
    for c in range(n_codes):
        ptr[c + 1] = ptr[c] + having[c]
    free = ptr[:-1].copy()
    owners = np.empty(ptr[n_codes], np.int32)
    for u in range(codes.shape[0]):
        for j in range(codes.shape[1]):
            c = codes[u, j]
            if c >= 0:
                owners[free[c]] = u
                free[c] += 1
    return total, having, ptr, owners


@dataclass(frozen=True, slots=True)
class _Order:
    """The keyed order of units, which does not look at data, and what is summed up over them."""

    unit: np.ndarray
    """int32[units]: the units, in this order."""
    signature: np.ndarray
    """uint64[units]: a lot of each unit."""
    heft: np.ndarray

    @classmethod
    def of(cls, traffic: Traffic) -> _Order:
        unit = np.argsort(traffic.unit_order, kind="stable")
        return cls(unit.astype(np.int32), mix(traffic.unit_order), traffic.heft)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Hubs of one trait, by value."""

    value: np.ndarray
    size: np.ndarray
    signature: np.ndarray
    length: np.ndarray
    """int64: members that are kept."""
    members: np.ndarray
    too_large: int


def _rows_of(
    order: _Order, unit: np.ndarray, values: np.ndarray, code: np.ndarray, low: int, high: int, sample: int
) -> _Rows:
    if len(unit) and (np.diff(unit) < 0).any():
        by_unit = np.argsort(unit, kind="stable")
        unit, code = unit[by_unit], code[by_unit]
    first = np.concatenate([[0], np.cumsum(np.bincount(unit, minlength=len(order.unit)))])
    size, accounts, signature = _about(first, code, order.heft, order.signature.view(np.int64), len(values))
    good = np.flatnonzero((accounts >= low) & (size >= MIN_UNITS) & (size <= high))
    length = np.minimum(size[good], sample)
    end = np.cumsum(length)
    free = np.full((len(values), 2), -1, np.int64)
    free[good, 0], free[good, 1] = end - length, end
    members = _members(first, code, order.unit, free, int(length.sum()))
    return _Rows(
        values[good], size[good], signature[good].view(np.uint64), length, members, int((size > high).sum())
    )


@nb.njit(cache=True, nogil=True)
def _about(first, code, heft, lot, n_codes):  # type: ignore[no-untyped-def]  # numba infers
    """Of each code how many units show it, how many accounts these hold, and the sum of their lots.

    The codes of unit u are ``code[first[u]:first[u + 1]]``; one that is there twice counts once.
    """
    found = np.zeros((n_codes, 4), np.int64)  # one beside the other: a code is looked up in one place
    for u in range(len(first) - 1):
        for i in range(first[u], first[u + 1]):
            of = found[code[i]]
            if of[3] != u + 1:
                of[0] += 1
                of[1] += heft[u]
                of[2] += lot[u]
                of[3] = u + 1
    return found[:, 0].copy(), found[:, 1].copy(), found[:, 2].copy()


@nb.njit(cache=True, nogil=True)
def _members(first, code, in_order, free, total):  # type: ignore[no-untyped-def]  # numba infers
    """int32: who shows the codes that have room, in a given order of units; ``free`` is spent.

    ``free[c]`` is the room of code c: first place and end. Units beyond it are left out.
    """
    members = np.empty(total, np.int32)
    start = free[:, 0].copy()
    for u in in_order:
        for i in range(first[u], first[u + 1]):
            at, end = free[code[i]]
            if at < end and (at == start[code[i]] or members[at - 1] != u):
                members[at] = u
                free[code[i], 0] = at + 1
    return members


def runs(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """The places of runs that begin at ``start``, one after another.

    >>> runs(np.array([3, 9]), np.array([2, 1])).tolist()
    [3, 4, 9]
    """
    before = np.cumsum(length) - length
    out: np.ndarray = np.repeat(start - before, length) + np.arange(int(length.sum()))
    return out


def _hubs_of(rows: Sequence[_Rows], traits: tuple[TokenTrait, ...]) -> Hubs:
    """One hub of those with the same members: that of the first trait, and there of the smallest value."""
    if not rows:
        none = np.zeros(0, np.int64)
        return Hubs(
            np.zeros(1, np.int64), none.astype(np.int32), none.astype(np.int16), none, none, traits, 0
        )
    signature = np.concatenate([r.signature for r in rows])
    value = np.concatenate([r.value for r in rows])
    length = np.concatenate([r.length for r in rows])
    _, first, same = np.unique(signature, return_index=True, return_inverse=True)
    kept = np.zeros(len(signature), np.bool_)
    kept[first] = True
    hub_of = (np.cumsum(kept) - 1)[first][same.ravel()].astype(np.int32)
    trait = np.repeat(np.arange(len(rows)), [len(r.value) for r in rows]).astype(np.int16)
    members = np.concatenate([r.members for r in rows])[np.repeat(kept, length)]
    shared, last = np.unique(value[::-1], return_index=True)
    return Hubs(
        np.concatenate([[0], np.cumsum(length[kept])]).astype(np.int64), members, trait[kept], value[kept],
        np.concatenate([r.size for r in rows])[kept], traits, sum(r.too_large for r in rows), shared,
        hub_of[::-1][last],
    )  # fmt: skip


@nb.njit(cache=True, nogil=True)
def hubs_by_unit(ptr, units, own, asked):  # type: ignore[no-untyped-def]  # numba infers
    """Of the hubs ``own`` those of each unit that is ``asked`` for (bool[units]), by their place in ``own``.

    In compressed rows, ascending.
    """
    of = np.zeros(len(asked) + 1, np.int64)
    for h in own:
        for i in range(ptr[h], ptr[h + 1]):
            of[units[i] + 1] += asked[units[i]]
    of = np.cumsum(of)
    free = of[:-1].copy()
    places = np.empty(of[-1], np.int32)
    for k in range(len(own)):
        for i in range(ptr[own[k]], ptr[own[k] + 1]):
            u = units[i]
            if asked[u]:
                places[free[u]] = k
                free[u] += 1
    return of, places
