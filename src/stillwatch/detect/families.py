"""Which template family and which payload each exchange belongs to.

Every exchange carries up to ten template keys (see `stillwatch.detect.kernel`). Its *family* is the one that
most units share, so that a template whose slot values change stays one family. Its *payload* is its longest
sentence, unless that sentence belongs to the template, then the whole prompt.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.kernel import TEMPLATE_KEYS
from stillwatch.detect.traffic import Traffic, beside

MIN_UNITS = 3


def _support(traffic: Traffic, column: str) -> tuple[np.ndarray, np.ndarray]:
    got = traffic.con.con.execute(
        f'SELECT value, count(*) AS units FROM (SELECT "{column}" AS value, unit, count(*) AS n FROM exchange '  # noqa: S608
        f'WHERE "{column}" <> 0 GROUP BY value, unit) GROUP BY value HAVING sum(n) >= 3 AND count(*) > 1 '
        f"ORDER BY value"
    ).fetchnumpy()
    return got["value"], got["units"]


def look_up(values: np.ndarray, table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weight of each value in a sorted table; 0 when absent."""
    if not len(table):
        return np.zeros(len(values), weights.dtype)
    at = pc.index_in(pa.array(values), value_set=pa.array(table)).fill_null(-1).to_numpy()
    return np.where(at >= 0, weights[at], 0)


def assign_families(traffic: Traffic) -> None:
    """Fill ``exchange.family`` and ``exchange.payload``; 0 = none."""
    family = np.zeros(traffic.n_exchanges, np.int64)
    best = np.zeros(traffic.n_exchanges, np.int64)
    for column in TEMPLATE_KEYS:
        values, units = _support(traffic, column)
        keep = units >= MIN_UNITS
        keys = traffic.column(column)
        support = look_up(keys, values[keep], units[keep].astype(np.int64))
        better = support > best
        family[better] = keys[better]
        best = np.maximum(best, support)
        traffic.columns.pop(column, None)
    values, units = _support(traffic, "longest")
    longest, full = traffic.column("longest"), traffic.column("full")
    shared = look_up(longest, values, units.astype(np.int64))
    most = np.where(best >= 10, shared * 5 >= best, shared * 2 > best)
    in_template = most & (shared > 2)
    payload = np.where((longest == 0) | in_template, full, longest)
    db = traffic.con.con
    db.execute("ALTER TABLE exchange RENAME TO plain")
    beside(db, "exchange", "plain", {"family": family, "payload": payload})
    db.execute("DROP TABLE plain")
    traffic.columns["family"], traffic.columns["payload"] = family, payload
