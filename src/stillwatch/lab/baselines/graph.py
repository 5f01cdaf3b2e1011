"""Connected components of accounts: by values they share, or by edges between them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

I64 = npt.NDArray[np.int64]


def components(size: int, left: I64, right: I64) -> I64:
    """A label per node of ``range(size)``; nodes joined by a chain of edges have the same. Linear in the edges.

    >>> components(4, np.array([0, 1]), np.array([1, 3])).tolist()
    [0, 0, 1, 0]
    """
    if size == 0:
        return np.zeros(0, dtype=np.int64)
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def sharing(size: int, account: I64, value: I64) -> I64:
    """A label per account; accounts joined by a chain of shared values have the same. Values below 0 join nobody.

    >>> sharing(3, np.array([0, 1, 2]), np.array([7, 7, -1])).tolist()
    [0, 0, 1]
    """
    known = value >= 0
    names, code = np.unique(value[known], return_inverse=True)
    labels = components(size + len(names), account[known], size + code.reshape(-1))
    return labels[:size]


def members(labels: I64, keep: npt.NDArray[np.bool_], at_least: int) -> list[tuple[int, ...]]:
    """Accounts of each label among those to keep, labels with fewer than ``at_least`` left out; by first account.

    >>> members(np.array([0, 1, 0, 1]), np.array([True, True, True, False]), 2)
    [(0, 2)]
    """
    chosen = np.flatnonzero(keep)
    order = chosen[np.argsort(labels[chosen], kind="stable")]
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    groups = [tuple(int(a) for a in part) for part in np.split(order, cuts) if len(part) >= max(at_least, 1)]
    return sorted(groups)
