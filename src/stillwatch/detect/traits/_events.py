"""Joins shared by the event traits: what was issued to one unit and presented by another."""

from __future__ import annotations

import numpy as np

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Events

MAX_TAKERS = 8
"""A digest presented by more units than this is public text (a shared example), not a hand-off."""


def cross_unit(traffic: Traffic, issued: str, presented: str) -> Events:
    """Digests in list column ``presented`` that were earlier in ``issued`` of another unit."""
    db = traffic.con.con
    rows = db.execute(
        f"""
        WITH given AS (
            SELECT digest, min(unit) AS giver, max(unit) AS other, min(ts) AS since
            FROM (SELECT unnest({issued}) AS digest, unit, ts FROM exchange WHERE len({issued}) > 0)
            GROUP BY digest HAVING min(unit) = max(unit)
        ), taken AS (
            SELECT digest, unit, min(ts) AS ts
            FROM (SELECT unnest({presented}) AS digest, unit, ts FROM exchange WHERE len({presented}) > 0)
            GROUP BY digest, unit
        ), public AS (
            SELECT digest FROM taken GROUP BY digest HAVING count(*) > {MAX_TAKERS}
        )
        SELECT giver, unit AS taker, taken.ts AS ts FROM taken JOIN given USING (digest)
        WHERE giver <> unit AND taken.ts >= since AND digest NOT IN (SELECT digest FROM public)
        ORDER BY ts, giver, taker
        """  # noqa: S608  (column names come from the two traits, not from data)
    ).fetchnumpy()
    exposure = db.execute(
        f"SELECT unit, count(*) AS n FROM exchange WHERE len({presented}) > 0 GROUP BY unit"  # noqa: S608
    ).fetchnumpy()
    total = np.zeros(traffic.n_units, np.int64)
    total[exposure["unit"]] = exposure["n"]
    return Events(rows["giver"].astype(np.int32), rows["taker"].astype(np.int32), rows["ts"], total)
