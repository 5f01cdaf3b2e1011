"""Splits a group in which two controllers met: at one proxy seller, in one cloud block, over one question set.

A group is cut along the leading co-clustering directions of its unit-by-value matrix (all traits, rarer
values weigh more), and a cut stands when nothing ties the two sides: no control events across, no two
independent sources, nor, where control events show a controller, one source together with the group's own
content and software. A controller may run several templates and card pools, but its exits, hand-offs or
clients run across them. Cuts are tried until every part is of a piece.

References
----------
Dhillon, *Co-clustering documents and words using bipartite spectral graph partitioning* (KDD 2001).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags, hstack
from scipy.sparse.linalg import ArpackError, svds

from stillwatch.detect.attributor import OWN_CONTENT, Attributor
from stillwatch.detect.betting import events_log10_e
from stillwatch.detect.controller import SOURCE_DECADES
from stillwatch.detect.profile import LeftOut
from stillwatch.detect.trait import CONTROL_GROUPS, SOURCE_GROUPS

DIRECTIONS = 4
MAX_PARTS = 24
MIN_SIDE = 3
"""Units of the smallest side that is cut off; a part that is too small to stand is dropped."""
TIED_DECADES = 0.7
"""A trait group ties two sides when the typical unit of one shows this much of the other's profile."""


def parts_of(
    units: np.ndarray, low: int, attributor: Attributor, *, controlled: bool, left_out: LeftOut | None = None
) -> list[np.ndarray]:
    """Units of each part that is large enough; one part when the group is of a piece.

    Who is ``left_out`` is nobody with whom values are compared.
    """
    waiting: list[np.ndarray] = [np.sort(units)]
    done: list[np.ndarray] = []
    while waiting:
        part = waiting.pop()
        cut = (
            None
            if len(waiting) + len(done) >= MAX_PARTS
            else _cut(part, low, attributor, controlled, left_out)
        )
        if cut is None:
            done.append(part)
        else:
            waiting += cut
    return sorted((p for p in done if attributor.traffic.enough(p, low)), key=lambda p: int(p[0]))


def _cut(
    units: np.ndarray, low: int, attributor: Attributor, controlled: bool, left_out: LeftOut | None
) -> list[np.ndarray] | None:
    if len(units) < 2 * MIN_SIDE:
        return None
    for side in _habits(units, attributor) + _sides(_matrix(units, attributor)):
        a, b = units[side], units[~side]
        if (
            min(len(a), len(b)) >= MIN_SIDE
            and attributor.traffic.enough(a if len(a) > len(b) else b, low)
            and not _tied(a, b, attributor, controlled, left_out)
        ):
            return [a, b]
    return None


def _tied(
    a: np.ndarray, b: np.ndarray, attributor: Attributor, controlled: bool, left_out: LeftOut | None
) -> bool:
    if _pairs_across(a, b, attributor) >= SOURCE_DECADES:
        return True
    names = np.array(attributor.trait_groups)
    hard = np.isin(names, sorted(SOURCE_GROUPS | CONTROL_GROUPS))
    for whole, part in ((a, b), (b, a)):
        typical = np.median(attributor.against(whole, part, left_out), axis=1)
        sources = int((typical[hard] >= TIED_DECADES).sum())
        content = float(typical[names == "content"].sum())
        software = float(typical[names == "software"].sum())
        if sources >= 2 or (
            controlled and sources >= 1 and content >= OWN_CONTENT and software >= TIED_DECADES
        ):
            return True
    return False


def _pairs_across(a: np.ndarray, b: np.ndarray, attributor: Attributor) -> float:
    """log10 e-value of control events between the two sides, the strongest event trait.

    Of pairs that fall anywhere and touch the smaller side, with a share s of all units, 2 t / (2 - s) have their other
    end on the larger one, with a share t.
    """
    side = np.zeros(attributor.traffic.n_units, np.int8)
    side[a], side[b] = 1, 2
    small, other = (1, b) if len(a) <= len(b) else (2, a)
    everybody, few = attributor.traffic.n_units, min(len(a), len(b))
    chance = 2.0 * len(other) / (2.0 * everybody - few)
    share = np.array([2.0 * chance / (1.0 + chance)])
    best = 0.0
    for p in attributor.pairs:
        across = np.array([float((side[p.giver] * side[p.taker] == 2).sum())])
        touching = np.array([float(((side[p.giver] == small) | (side[p.taker] == small)).sum())])
        honest = np.array([p.rate * float(p.exposure[np.concatenate([a, b])].sum())])
        mixed = np.array([2.0 * len(a) * len(b) / attributor.traffic.n_units**2 * len(p.giver)])
        found = events_log10_e(across, touching, honest, mixed, share, attributor.kappa)
        best = max(best, float(found[0]))
    return best


def _habits(units: np.ndarray, attributor: Attributor) -> list[np.ndarray]:
    """Bipartitions by the commonest client, header set, system prompt, tool set and sampling vector."""
    sides = []
    for matrix in attributor.matrices:
        if matrix.trait.group == "software" or matrix.trait.id in ("system_prompt", "tool_set"):
            codes = matrix.codes[units]
            shown, counts = np.unique(codes[codes >= 0], return_counts=True)
            for at in np.argsort(-counts, kind="stable")[:2]:
                if counts[at] < len(units):
                    sides.append((codes == shown[at]).any(1))
    return sides


def _matrix(units: np.ndarray, attributor: Attributor) -> csr_matrix:
    """Units by values shared inside, weighted by rarity, each trait with the same total weight."""
    blocks = []
    for matrix in attributor.matrices:
        codes = matrix.codes[units]
        rows, cols = np.nonzero(codes >= 0)
        if not len(rows):
            continue
        code = codes[rows, cols]
        names, at, times = np.unique(code, return_inverse=True, return_counts=True)
        shared = np.flatnonzero(times >= 2)
        if not len(shared):
            continue
        place = np.full(len(names), -1, np.int64)
        place[shared] = np.arange(len(shared))
        column = place[at.ravel()]
        keep = column >= 0
        rarity = np.log10(attributor.traffic.n_units / np.maximum(matrix.having[code[keep]], 1.0)) + 0.1
        block = coo_matrix((rarity, (rows[keep], column[keep])), shape=(len(units), len(shared))).tocsr()
        blocks.append(block / max(float(np.sqrt(block.multiply(block).sum() / len(units))), 1e-9))
    for pairs in attributor.pairs:
        index = np.full(attributor.traffic.n_units, -1, np.int64)
        index[units] = np.arange(len(units))
        a, b = index[pairs.giver], index[pairs.taker]
        both = (a >= 0) & (b >= 0)
        if both.any():
            at = np.arange(int(both.sum()))
            ones = np.ones(len(at))
            block = (
                coo_matrix((ones, (a[both], at)), shape=(len(units), len(at))).tocsr()
                + coo_matrix((ones, (b[both], at)), shape=(len(units), len(at))).tocsr()
            )
            blocks.append(block / max(float(np.sqrt(block.multiply(block).sum() / len(units))), 1e-9))
    return csr_matrix(hstack(blocks)) if blocks else csr_matrix((len(units), 1))


def _sides(matrix: csr_matrix) -> list[np.ndarray]:
    """Candidate bipartitions: signs of the leading non-trivial left singular vectors."""
    if min(matrix.shape) < 4:
        return []
    rows = np.asarray(matrix.sum(1)).ravel()
    cols = np.asarray(matrix.sum(0)).ravel()
    scaled = (
        diags(1.0 / np.sqrt(np.maximum(rows, 1e-9))) @ matrix @ diags(1.0 / np.sqrt(np.maximum(cols, 1e-9)))
    )
    k = min(DIRECTIONS + 1, min(scaled.shape) - 1)
    try:
        left, values, _ = svds(scaled, k=k, v0=np.ones(min(scaled.shape)), solver="arpack")
    except ArpackError:  # no direction found: the cuts by habits remain
        return []
    order = np.argsort(-values)
    vectors = left[:, order] / np.sqrt(np.maximum(rows, 1e-9))[:, None]
    sides = []
    for i in range(1, vectors.shape[1]):
        v = np.round(vectors[:, i], 9)
        sides += [v > 0, v > _gap(v)]
    return sides


def _gap(v: np.ndarray) -> float:
    """Middle of the widest gap between sorted values."""
    s = np.sort(v)
    at = int(np.argmax(np.diff(s)))
    return float((s[at] + s[at + 1]) / 2.0)
