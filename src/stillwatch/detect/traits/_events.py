"""Joins shared by the event traits: what was issued to one unit and presented by another."""

from __future__ import annotations

import numpy as np

from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import Events

MAX_TAKERS = 8
"""A digest presented by more units than this is public text (a shared example), not a hand-off."""


def cross_unit(traffic: Traffic, issued: str, presented: str) -> Events:
    """Digests in list column ``presented`` that were earlier in ``issued`` of another unit.

    Most of what is issued is never presented again: where that is the longer list, it is narrowed before it is grouped.
    """
    t = traffic.table()
    shown = t.filter(t[presented].length() > 0)
    taken = shown.select("unit", "ts", digest=shown[presented].unnest())
    given = t.filter(t[issued].length() > 0).select("unit", "ts", digest=t[issued].unnest())
    if _fewer(traffic, presented, issued):
        given = given.semi_join(taken, "digest")
    given = given.group_by("digest").agg(giver=given.unit.min(), other=given.unit.max(), since=given.ts.min())
    given = given.filter(given.giver == given.other).select("digest", "giver", "since")
    taken = taken.semi_join(given, "digest")
    taken = taken.group_by("digest", "unit").agg(ts=taken.ts.min())
    public = taken.group_by("digest").agg(takers=taken.count()).filter(lambda d: d.takers > MAX_TAKERS)
    taken = taken.anti_join(public.select("digest"), "digest").join(given, "digest")
    taken = taken.filter(taken.giver != taken.unit, taken.ts >= taken.since)
    rows = traffic.fetch(taken.select("giver", "ts", taker="unit").order_by("ts", "giver", "taker"))
    exposure = traffic.fetch(shown.group_by("unit").agg(n=shown.count()))
    total = np.zeros(traffic.n_units, np.int64)
    total[exposure["unit"]] = exposure["n"]
    return Events(rows["giver"].astype(np.int32), rows["taker"].astype(np.int32), rows["ts"], total)


def _fewer(traffic: Traffic, one: str, other: str) -> bool:
    """Whether the lists of one column hold fewer digests than those of the other."""
    t = traffic.table()
    held = t.agg(one=t[one].length().fill_null(0).sum(), other=t[other].length().fill_null(0).sum())
    got = traffic.fetch(held.select(fewer=held.one < held.other))["fewer"]
    return bool(got[0])
