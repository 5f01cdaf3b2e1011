"""Splits a group by what its accounts send, where the parts send different things.

Two controllers behind one proxy exit, or a reseller beside an app in one cloud block, can look like one group
to infrastructure. Units are joined when a template family that the group shows far more than others makes up
a tenth of both their traffics. Connected parts of at least ``low`` units stand apart unless two independent
sources (payment, identity, egress, device, schedule) or control events tie most units of one to the other: a
controller may well run several templates. Each part has to pass the controller test on its own.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from stillwatch.detect.assemble import Attributor, Group
from stillwatch.detect.shape import linked_families
from stillwatch.detect.trait import CONTROL_GROUPS, SOURCE_GROUPS
from stillwatch.detect.traffic import Traffic

MAIN_SHARE = 0.1
MAX_PARTS = 40
TIED_SHARE = 0.5
TIED_DECADES = 0.7
WHOLE = 0.8
"""A part with this share of the units is the group itself."""


def parts_of(
    traffic: Traffic, group: Group, rows: np.ndarray, low: int, attributor: Attributor
) -> list[np.ndarray]:
    """Units of each part; one part when the group is of a piece."""
    families = linked_families(traffic, group, rows)
    family = traffic.column("family")[rows]
    unit = np.searchsorted(group.units, traffic.column("unit")[rows])
    total = np.bincount(unit, minlength=len(group.units))
    linked = np.isin(family, families)
    at = np.searchsorted(families, family[linked])
    size = len(group.units) + len(families)
    counts = coo_matrix(
        (np.ones(int(linked.sum())), (unit[linked], at)), shape=(len(group.units), max(len(families), 1))
    ).tocsr()
    counts.sum_duplicates()
    edges = counts.tocoo()
    keep = edges.data >= np.maximum(MAIN_SHARE * total[edges.row], 1)
    graph = coo_matrix(
        (np.ones(int(keep.sum())), (edges.row[keep], len(group.units) + edges.col[keep])), shape=(size, size)
    )
    _, label = connected_components(graph, directed=False)
    label = label[: len(group.units)]
    names, sizes = np.unique(label, return_counts=True)
    big = names[sizes >= low]
    if not len(big) or sizes.max() >= WHOLE * len(group.units):
        return [group.units]
    parts = [group.units[label == name] for name in big]
    rest = group.units[~np.isin(label, big)]
    if len(rest) >= low:
        parts.append(rest)
    return _tied(parts, attributor)


def _tied(parts: list[np.ndarray], attributor: Attributor) -> list[np.ndarray]:
    """Join parts that independent sources tie together."""
    parts = sorted(parts, key=lambda p: (-len(p), int(p[0])))[:MAX_PARTS]
    names = np.array(attributor.trait_groups)
    hard = np.isin(names, sorted(SOURCE_GROUPS | CONTROL_GROUPS))
    joined: list[np.ndarray] = []
    for part in parts:
        for index, whole in enumerate(joined):
            typical = np.quantile(attributor.against(whole, part)[hard], 1.0 - TIED_SHARE, axis=1)
            if (typical >= TIED_DECADES).sum() >= 2:
                joined[index] = np.sort(np.concatenate([whole, part]))
                break
        else:
            joined.append(part)
    return joined
